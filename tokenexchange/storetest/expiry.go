package storetest

import (
	"fmt"
	"testing"
	"time"
)

func testExpiry(_ *testing.T, f *fixture) {
	f.add("k", "v", f.in(time.Minute), true)
	f.pass(time.Minute - time.Millisecond)
	f.holds("k", "v")
	f.add("k", "w", f.in(time.Minute), false)
	f.pass(time.Millisecond)
	// At its expiry a value is gone for every verb, also for a repeat.
	f.absent("k")
	f.swap("k", "v", "w", f.in(time.Minute), false)
	f.swap("k", "x", "v", f.in(time.Minute), false)
	f.absent("k")
	f.delete("k")
	f.add("k", "w", f.in(time.Minute), true)
	f.holds("k", "w")
	f.pass(time.Minute)
	f.add("k", "w", f.in(time.Hour), true) // Equal bytes, but a new value.
	f.pass(time.Minute)
	f.holds("k", "w")
	f.pass(24 * time.Hour)
	f.absent("k")
}

func testExpiryMoved(_ *testing.T, f *fixture) {
	f.add("longer", "a", f.in(time.Minute), true)
	f.add("shorter", "a", f.in(time.Hour), true)
	f.add("same", "a", f.in(time.Minute), true)
	f.add("kept", "a", f.in(time.Minute), true)
	f.swap("longer", "a", "b", f.in(time.Hour), true)
	f.swap("shorter", "a", "b", f.in(time.Minute), true)
	f.swap("same", "a", "a", f.in(time.Hour), true)
	f.add("kept", "a", f.in(time.Hour), true)            // Repeats move nothing.
	f.swap("kept", "z", "a", f.in(time.Hour), true)      //
	f.swap("kept", "z", "other", f.in(time.Hour), false) // Neither do losers.
	f.pass(2 * time.Minute)
	f.holds("longer", "b")
	f.holds("same", "a")
	f.absent("shorter")
	f.absent("kept")
}

func testExpiryCut(_ *testing.T, f *fixture) {
	f.add("k", "v", f.in(time.Second+999*time.Microsecond), true)
	f.pass(time.Second - time.Millisecond)
	f.holds("k", "v")
	f.pass(time.Millisecond)
	f.absent("k")
}

func testExpiryFar(_ *testing.T, f *fixture) {
	f.add("k", "v", time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC), true)
	f.pass(100 * 365 * 24 * time.Hour)
	f.holds("k", "v")
}

// testCollect passes over many generations of values, so that collection runs
// between live ones and must never take those.
func testCollect(_ *testing.T, f *fixture) {
	f.add("live", "v", f.in(1000*time.Hour), true)
	generations := 20
	if f.h.Lossy { // Each command takes a new connection.
		generations = 4
	}
	for g := range generations {
		for i := range 20 {
			f.add(fmt.Sprintf("%d/%d", g, i), "v", f.in(time.Minute), true)
		}
		moved := fmt.Sprintf("%d/0", g)
		f.swap(moved, "v", "moved", f.in(500*time.Hour), true)
		f.pass(30 * time.Second)
		f.holds(fmt.Sprintf("%d/1", g), "v")
		f.pass(time.Hour)
		f.absent(fmt.Sprintf("%d/1", g))
		f.holds("0/0", "moved")
		f.holds(moved, "moved")
	}
	f.holds("live", "v")
	f.pass(500 * time.Hour)
	f.add("last", "v", f.in(time.Minute), true)
	f.absent("0/0")
	f.holds("live", "v")
}
