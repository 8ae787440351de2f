package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// testContexts gives each verb a context that is done, which must win over
// whatever the verb would have answered, and leave no trace.
func testContexts(t *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.add("k", "here", exp, true)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	for _, c := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"cancelled", cancelled, context.Canceled},
		{"past its deadline", late, context.DeadlineExceeded},
	} {
		for _, key := range []string{"k", "absent"} {
			for verb, err := range everyVerb(c.ctx, f.store, key, exp) {
				if !errors.Is(err, c.want) || errors.Is(err, tokenexchange.ErrNotFound) {
					t.Errorf("%s of %q, context %s: got %v, want %v", verb, key, c.name, err, c.want)
				}
			}
		}
	}
	f.holds("k", "here")
	f.absent("k/new")
	f.absent("absent")

	// A context that ends at any moment leaves the value before or after.
	for i := range racers {
		key := fmt.Sprint("cut", i)
		ctx, cancel := context.WithCancel(t.Context())
		val := []byte("whole")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			cancel()
		}()
		ok, err := f.store.Add(ctx, key, val, exp)
		if errors.Is(err, tokenexchange.ErrNotFound) || (err == nil) != ok {
			t.Errorf("Add with a context that ends: got %v, %v; want true or an error", ok, err)
		}
		copy(val, "XXXXX") // The caller has left: its bytes are its own again.
		<-ended
		f.add(key, "whole", exp, true)
	}
}

func testAway(t *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.add("k", "here", exp, true)
	f.h.Break(t, f.store)
	for _, key := range []string{"k", "absent"} {
		for verb, err := range everyVerb(t.Context(), f.store, key, exp) {
			if err == nil || errors.Is(err, tokenexchange.ErrNotFound) {
				t.Errorf("%s of %q, store away: got %v, want an error that is not ErrNotFound", verb, key, err)
			}
		}
	}
	race(func(i int) {
		ok, err := f.store.Add(t.Context(), "raced", []byte(racerValue(i)), exp)
		if ok || err == nil {
			t.Errorf("racer %d, store away: got %v, %v; want an error", i, ok, err)
		}
	})
}

// testCrash checks that what was answered before a crash holds after it.
func testCrash(t *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.add("deleted", "v", exp, true)
	f.add("swapped", "old", exp, true)
	f.add("expires", "v", f.in(time.Minute), true)
	race(func(i int) {
		key := fmt.Sprint("raced", i)
		if ok, err := f.store.Add(t.Context(), key, []byte(racerValue(i)), exp); !ok || err != nil {
			t.Errorf("Add(%q): got %v, %v; want true", key, ok, err)
		}
	})
	f.swap("swapped", "old", "new", exp, true)
	f.delete("deleted")

	store, end := f.h.Reopen(t, f.store, f.now)
	defer end()
	f.store = store
	for i := range racers {
		f.holds(fmt.Sprint("raced", i), racerValue(i))
	}
	f.holds("swapped", "new")
	f.swap("swapped", "old", "new", exp, true) // The answer was lost in the crash.
	f.swap("swapped", "old", "other", exp, false)
	f.absent("deleted")
	f.holds("expires", "v")
	f.pass(time.Minute)
	f.absent("expires")
	f.add("expires", "again", f.in(time.Minute), true)
}
