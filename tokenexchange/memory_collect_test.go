package tokenexchange

import (
	"fmt"
	"testing"
	"time"
)

// TestMemoryCollect checks that dead values leave the memory, a few with each
// write, and not before their time.
func TestMemoryCollect(t *testing.T) {
	clock := newStateClock()
	m := NewMemoryStore(clock.now)
	add := func(key string, life time.Duration) {
		t.Helper()
		if ok, err := m.Add(t.Context(), key, []byte("v"), clock.now().Add(life)); !ok || err != nil {
			t.Fatalf("Add(%q): got %v, %v; want true", key, ok, err)
		}
	}
	holds := func(want int) {
		t.Helper()
		if got, index := len(m.values), len(m.dying); got != want || index != want {
			t.Fatalf("got %d values and %d in the heap, want %d", got, index, want)
		}
	}
	for i := range 10 {
		add(fmt.Sprint("long", i), time.Hour)
		add(fmt.Sprint("short", i), time.Minute)
	}
	clock.pass(time.Minute + CollectAfter - time.Millisecond)
	add("early", time.Hour)
	holds(21)
	clock.pass(time.Millisecond)
	for i, want := range []int{18, 15, 14, 15} { // One more each time, and up to 4 fewer.
		add(fmt.Sprint("step", i), time.Hour)
		holds(want)
	}
	for i := range 10 {
		if _, err := m.Get(t.Context(), fmt.Sprint("long", i)); err != nil {
			t.Errorf("long%d: got %v, want no error", i, err)
		}
	}
	if err := m.Delete(t.Context(), "long0"); err != nil {
		t.Fatal(err)
	}
	holds(14)
}
