package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

func testFeedGap(t *testing.T, f *fixture) {
	strange := []string{
		"x", "0", "-", "0-0", "0-1", "1", "-1", "$", "+", "(1-1", "18446744073709551615-18446744073709551615", "\x00",
		"99999999999999999999999-1", strings.Repeat("9", 5000), "1-1\r\nflushall",
	}
	for _, from := range strange {
		f.gapAt(from)
	}
	for i := range 10 {
		f.publish(fmt.Sprint("entry ", i), f.in(time.Minute))
	}
	all := f.follow("", "entry 9")
	for _, from := range append(strange, all.positions[3]+"0", all.positions[3]+" ", " "+all.positions[3], strings.ToUpper(all.positions[3])+"A") {
		f.gapAt(from)
	}
	// A position that lies before this feed, or after its end, is another's.
	other := open(t, f.h)
	for i := range 30 {
		other.publish(fmt.Sprint("other ", i), other.in(time.Hour))
	}
	for _, from := range other.follow("", "other 29").positions {
		f.gapAt(from)
	}

	f.pass(time.Minute + tokenexchange.CollectAfter)
	for i := range 3 { // These push the ten out.
		f.publish(fmt.Sprint("new ", i), f.in(time.Hour))
	}
	for _, from := range all.positions[:9] {
		f.gapAt(from)
	}
	// After the tenth nothing is missing, although it has gone itself.
	if got := f.follow(all.positions[9], "new 2").entries; len(got) != 3 {
		t.Errorf("Follow from the last forgotten: got %q, want the three new entries", got)
	}
	if got := f.follow("", "new 2").entries; len(got) != 3 {
		t.Errorf("Follow(\"\"): got %q, want the three new entries", got)
	}
}

// testFeedSlow keeps a follower busy while what it has not read is forgotten:
// it must be told, whatever the store had read for it already.
func testFeedSlow(t *testing.T, f *fixture) {
	for i := range 1000 {
		f.publish(fmt.Sprint("entry ", i), f.in(time.Minute))
	}
	busy, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	next := 0
	ctx, cancel := context.WithTimeout(t.Context(), 3*prompt)
	defer cancel()
	go func() {
		ended <- f.feed().Follow(ctx, "", func(_ string, entry []byte) {
			if want := fmt.Sprint("entry ", next); string(entry) != want {
				t.Errorf("got %q, want %q or a gap", entry, want)
			}
			if next++; next == 1 {
				close(busy)
				<-goOn
			}
		})
	}()
	<-busy
	f.pass(time.Minute + tokenexchange.CollectAfter)
	for i := range 300 {
		f.publish(fmt.Sprint("new ", i), f.in(time.Hour))
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, tokenexchange.ErrFeedGap) {
		t.Errorf("Follow: got %v after %d of 1000 entries, want ErrFeedGap", err, next)
	}
}

func testFeedContexts(t *testing.T, f *fixture) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	f.publish("before", f.in(time.Hour))
	for _, c := range []struct {
		ctx  context.Context
		want error
	}{{cancelled, context.Canceled}, {late, context.DeadlineExceeded}} {
		if err := f.feed().Publish(c.ctx, []byte("never"), f.in(time.Hour)); !errors.Is(err, c.want) {
			t.Errorf("Publish: got %v, want %v", err, c.want)
		}
		err := f.feed().Follow(c.ctx, "", func(string, []byte) { t.Error("Follow with a context that is done: got an entry") })
		if !errors.Is(err, c.want) {
			t.Errorf("Follow: got %v, want %v", err, c.want)
		}
	}
	f.publish("after", f.in(time.Hour))
	if got := f.follow("", "after").entries; len(got) != 2 {
		t.Errorf("got %q, want before and after", got)
	}

	// A deadline ends a follower that waits, and is no fault of the store.
	soon, cancelSoon := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelSoon()
	w := f.start(soon, "")
	w.ends(f, context.DeadlineExceeded)
}

func testFeedAway(t *testing.T, f *fixture) {
	f.publish("entry", f.in(time.Hour))
	w := f.start(t.Context(), "")
	w.wants(f, "entry")
	at := f.follow("", "entry").positions[0]
	f.h.Break(t, f.store)
	check := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, tokenexchange.ErrFeedGap) || errors.Is(err, tokenexchange.ErrNotFound) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, store away: got %v, want a fault, no gap", what, err)
		}
	}
	select {
	case err := <-w.ended:
		check("a Follow that waits", err)
	case <-time.After(prompt):
		t.Fatalf("a Follow that waits, store away: still there after %s", prompt)
	}
	check("Publish", f.feed().Publish(t.Context(), []byte("never"), f.in(time.Hour)))
	for _, from := range []string{"", at} {
		check("Follow", f.feed().Follow(t.Context(), from, func(string, []byte) { t.Error("store away: got an entry") }))
	}
}

// testFeedCrash checks that entries and positions outlive a crash.
func testFeedCrash(t *testing.T, f *fixture) {
	for i := range 20 {
		f.publish(fmt.Sprint("entry ", i), f.in(time.Hour))
	}
	before := f.follow("", "entry 19")
	store, end := f.h.Reopen(t, f.store, f.now)
	defer end()
	f.store = store
	f.publish("after", f.in(time.Hour))
	after := f.follow("", "after")
	if len(after.entries) != 21 || after.entries[19] != "entry 19" {
		t.Errorf("after a crash: got %q, want all 21", after.entries)
	}
	if got := f.follow(before.positions[9], "after").entries; len(got) != 11 || got[0] != "entry 10" {
		t.Errorf("Follow from a position of before the crash: got %q, want the 11 after it", got)
	}
	if got := f.follow(before.positions[19], "after").entries; len(got) != 1 {
		t.Errorf("Follow from the last position of before the crash: got %q, want what came after", got)
	}
}
