package boltstore

import (
	"context"
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

// TestOneSyncForMany counts transactions: what is queued together is committed
// together, and what changes nothing is not committed at all.
func TestOneSyncForMany(t *testing.T) {
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), nil)
	defer end()
	txid := func() int {
		tx, err := s.db.Begin(false)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		return tx.ID()
	}
	addAll := func(val string, want bool) {
		stuck, err := s.db.Begin(true) // Holds the writer until all are queued.
		if err != nil {
			t.Fatal(err)
		}
		var adds sync.WaitGroup
		for i := range 100 {
			adds.Go(func() {
				ok, err := s.Add(t.Context(), fmt.Sprint("k", i), []byte(val), later())
				if err != nil || ok != want {
					t.Errorf("Add: got %v, %v; want %v", ok, err, want)
				}
			})
		}
		for len(s.queue) < 90 {
			time.Sleep(time.Millisecond)
		}
		if err := stuck.Rollback(); err != nil {
			t.Fatal(err)
		}
		adds.Wait()
	}
	before := txid()
	addAll("v", true)
	if got := txid() - before; got > 20 {
		t.Errorf("100 writes at once: got %d commits, want a few", got)
	}
	before = txid()
	addAll("v", true)
	addAll("w", false)
	if _, err := s.Swap(t.Context(), "k0", []byte("other"), []byte("w"), later()); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "absent"); err != nil {
		t.Error(err)
	}
	if got := txid() - before; got != 0 {
		t.Errorf("writes that change nothing: got %d commits, want 0", got)
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
