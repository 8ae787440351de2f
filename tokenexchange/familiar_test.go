package tokenexchange

import (
	"testing"
	"time"
)

func number(i int) address { return address{0: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)} }

// Who gets in from everywhere pushes out what is known of himself.
func TestFamiliarAddressesOfOne(t *testing.T) {
	f := newFamiliar()
	f.add(1, number(1), 0)
	f.add(1, number(2), time.Second)
	f.add(1, number(1), 2*time.Second)
	f.add(2, number(1), 0)
	for i := range 1000 {
		f.add(2, number(1000+i), time.Duration(i+1)*time.Second)
	}
	for _, c := range []struct {
		name uint64
		from int
		now  time.Duration
		want bool
	}{
		{1, 1, time.Hour, true},
		{1, 2, time.Hour, true},
		{1, 3, time.Hour, false},
		{3, 1, time.Hour, false},
		{2, 1, time.Hour, false},
		{2, 1000 + 999, time.Hour, true},
		{2, 1000 + 999 - familiarOfOne + 1, time.Hour, true},
		{2, 1000 + 999 - familiarOfOne, time.Hour, false},
		{1, 1, familiarFor + 2*time.Second - 1, true},
		{1, 1, familiarFor + 2*time.Second, false},
		{1, 2, familiarFor + time.Second, false},
	} {
		if got := f.has(c.name, number(c.from), c.now); got != c.want {
			t.Errorf("name %d from %d after %s: got %v, want %v", c.name, c.from, c.now, got, c.want)
		}
	}
	if f.total != familiarOfOne+2 {
		t.Errorf("got %d addresses, want %d", f.total, familiarOfOne+2)
	}
}

// Where there are too many names, those that were idle longest make place.
func TestFamiliarAddressesOfAll(t *testing.T) {
	f := newFamiliar()
	const each = 4
	for name := range 2 * familiarRoom / each {
		f.add(0, number(0), 0) // Always at work.
		for i := range each {
			f.add(uint64(name+1), number(i), 0)
		}
		if f.total > familiarRoom || len(f.byName) != f.recent.Len() {
			t.Fatalf("got %d addresses of %d names, %d in the list", f.total, len(f.byName), f.recent.Len())
		}
	}
	total := 0
	for e := f.recent.Front(); e != nil; e = e.Next() {
		total += len(e.Value.(*acquaintance).from)
	}
	if !f.has(0, number(0), 0) || f.has(1, number(0), 0) || !f.has(2*familiarRoom/each, number(3), 0) || total != f.total {
		t.Errorf("got the first %v, an idle one %v, the last %v, and %d addresses for %d",
			f.has(0, number(0), 0), f.has(1, number(0), 0), f.has(2*familiarRoom/each, number(3), 0), total, f.total)
	}
}
