package boltstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestCollect checks that dead values leave both buckets, in bounded steps, and
// not before their time.
func TestCollect(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixMilli())
	now := func() time.Time { return time.UnixMilli(clock.Load()) }
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), now)
	defer end()
	add := func(key string, life time.Duration) {
		t.Helper()
		if ok, err := s.Add(t.Context(), key, []byte("v"), now().Add(life)); !ok || err != nil {
			t.Fatalf("Add(%q): got %v, %v; want true", key, ok, err)
		}
	}
	holds := func(want int) {
		t.Helper()
		values, index := count(t, s, bucketValues), count(t, s, bucketExpiry)
		if values != want || index != want {
			t.Fatalf("got %d values and %d in the index, want %d", values, index, want)
		}
	}
	for i := range 50 {
		add(fmt.Sprint("short", i), time.Minute)
	}
	for i := range 5 {
		add(fmt.Sprint("long", i), time.Hour)
	}
	clock.Add((time.Minute + tokenexchange.CollectAfter).Milliseconds() - 1)
	add("early", time.Hour)
	holds(56)
	clock.Add(1)
	for want := 47; want > 7; want -= 9 { // One more each time, and ten fewer.
		add(fmt.Sprint("step", want), time.Hour)
		holds(want)
	}
	for i := range 5 {
		add(fmt.Sprint("rest", i), time.Hour)
	}
	holds(5 + 1 + 5 + 5) // long, early, step, rest
	if err := s.Delete(t.Context(), "early"); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Swap(t.Context(), "long0", []byte("v"), []byte("w"), now().Add(2*time.Hour)); !ok || err != nil {
		t.Fatalf("Swap: got %v, %v; want true", ok, err)
	}
	holds(15)
}

// TestOneSyncForMany counts transactions: a batch is committed at once, and
// what changes nothing is not committed at all.
func TestOneSyncForMany(t *testing.T) {
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), nil)
	defer end()
	txid := func() int {
		tx, err := s.db.Begin(false)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		return tx.ID()
	}
	for _, c := range []struct {
		name, val string
		old       string
		verb      verb
		ok        bool
		commits   int
	}{
		{"winning adds", "v", "", verbAdd, true, 1},
		{"repeated adds", "v", "", verbAdd, true, 0},
		{"losing adds", "w", "", verbAdd, false, 0},
		{"losing swaps", "w", "x", verbSwap, false, 0},
		{"winning swaps", "w", "v", verbSwap, true, 1},
		{"repeated swaps", "w", "v", verbSwap, true, 0},
		{"deletes", "", "", verbDelete, false, 1},
		{"deletes of what is absent", "", "", verbDelete, false, 0},
	} {
		batch := make([]*write, 100)
		for i := range batch {
			batch[i] = &write{
				ctx: t.Context(), verb: c.verb, exp: later(),
				key: fmt.Append(nil, "k", i), old: []byte(c.old), val: stampValue(later(), []byte(c.val)),
			}
		}
		before := txid()
		if err := s.commit(batch); err != nil {
			t.Fatalf("%s: got %v, want no error", c.name, err)
		}
		if got := txid() - before; got != c.commits {
			t.Errorf("%s: got %d commits, want %d", c.name, got, c.commits)
		}
		for i, w := range batch {
			if w.ok != c.ok || w.err != nil {
				t.Errorf("%s, write %d: got %v, %v; want %v", c.name, i, w.ok, w.err, c.ok)
			}
		}
	}
}

func TestDrain(t *testing.T) {
	s := &Store{queue: make(chan *write, 2*maxBatch)}
	for range maxBatch + 9 {
		s.queue <- &write{}
	}
	for _, want := range []int{maxBatch, 11, 1} {
		if got := len(s.drain([]*write{{}})); got != want {
			t.Errorf("drain: got %d writes, want %d", got, want)
		}
	}
	close(s.queue)
	if got := len(s.drain([]*write{{}})); got != 1 {
		t.Errorf("drain of a closed queue: got %d writes, want 1", got)
	}
}

// TestExpiryPassesInTheQueue checks the expiry when a write is done: two adds
// that both come late must not both win.
func TestExpiryPassesInTheQueue(t *testing.T) {
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), nil)
	defer end()
	past := time.Now().Add(-time.Millisecond)
	late := &write{ctx: t.Context(), verb: verbAdd, key: []byte("k"), exp: past, val: stampValue(past, []byte("v"))}
	if err := s.commit([]*write{late}); err != nil {
		t.Fatal(err)
	}
	if late.ok || !errors.Is(late.err, tokenexchange.ErrPastExpiry) {
		t.Errorf("late Add: got %v, %v; want ErrPastExpiry", late.ok, late.err)
	}
}

func BenchmarkAddLone(b *testing.B) {
	s, end := openTest(b, filepath.Join(b.TempDir(), "state.db"), nil)
	defer end()
	exp, val := later(), make([]byte, 400)
	for i := 0; b.Loop(); i++ {
		if ok, err := s.Add(context.Background(), fmt.Sprintf("%043d", i), val, exp); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkAdd64(b *testing.B) {
	s, end := openTest(b, filepath.Join(b.TempDir(), "state.db"), nil)
	defer end()
	exp, val := later(), make([]byte, 400)
	var next, left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var adds sync.WaitGroup
	for range 64 {
		adds.Go(func() {
			for left.Add(-1) >= 0 {
				key := fmt.Sprintf("%043d", next.Add(1))
				if ok, err := s.Add(context.Background(), key, val, exp); !ok || err != nil {
					b.Error(ok, err)
					return
				}
			}
		})
	}
	adds.Wait()
}

func BenchmarkGet(b *testing.B) {
	s, end := openTest(b, filepath.Join(b.TempDir(), "state.db"), nil)
	defer end()
	if ok, err := s.Add(context.Background(), "k", make([]byte, 400), later()); !ok || err != nil {
		b.Fatal(ok, err)
	}
	for b.Loop() {
		if _, err := s.Get(context.Background(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}
