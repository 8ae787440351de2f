package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

func testGet(_ *testing.T, f *fixture) {
	f.absent("k")
	f.add("k", "v", f.in(time.Hour), true)
	f.holds("k", "v")
	f.holds("k", "v")
	f.absent("K")
	f.absent("k ")
	f.absent("kk")
}

func testAdd(_ *testing.T, f *fixture) {
	f.add("k", "first", f.in(time.Hour), true)
	f.add("k", "other", f.in(time.Hour), false)
	f.add("k", "", f.in(time.Hour), false)
	f.add("k", "first+", f.in(time.Hour), false)
	f.holds("k", "first")
	f.add("k", "first", f.in(time.Hour), true) // The answer was lost.
	f.add("l", "other", f.in(time.Hour), true)
	f.holds("k", "first")
}

func testSwap(_ *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.swap("k", "a", "b", exp, false)
	f.absent("k") // A swap of what is absent makes nothing.
	f.add("k", "a", exp, true)
	f.swap("k", "x", "b", exp, false)
	f.swap("k", "aa", "b", exp, false)
	f.holds("k", "a")
	f.swap("k", "a", "b", exp, true)
	f.holds("k", "b")
	f.swap("k", "a", "b", exp, true) // The answer was lost.
	f.swap("k", "a", "c", exp, false)
	f.holds("k", "b")
	f.swap("k", "b", "b", exp, true)
	f.swap("k", "b", "c", exp, true)
	f.swap("k", "a", "b", exp, false) // Late, and no longer true.
	f.holds("k", "c")
	f.swap("k", "c", "", exp, true)
	f.holds("k", "")
}

func testDelete(_ *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.delete("k")
	f.add("k", "v", exp, true)
	f.add("l", "w", exp, true)
	f.delete("k")
	f.absent("k")
	f.holds("l", "w")
	f.delete("k")
	f.swap("k", "v", "x", exp, false)
	f.absent("k")
	f.add("k", "x", exp, true)
	f.holds("k", "x")
}

func testRefused(t *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	f.add("k", "", exp, true)
	f.add("l", "v", exp, true)
	long := strings.Repeat("k", tokenexchange.MaxKeyLen+1)
	past := map[string]time.Time{"zero": {}, "epoch": time.UnixMilli(0), "now": f.now(), "past": f.in(-time.Millisecond)}
	check := func(what string, ok bool, err, want error) {
		t.Helper()
		if ok || !errors.Is(err, want) {
			t.Errorf("%s: got %v, %v; want false, %v", what, ok, err, want)
		}
	}
	ctx := t.Context()
	for name, old := range map[string][]byte{"nil": nil, "empty": {}} {
		for _, key := range []string{"k", "l", "absent"} {
			ok, err := f.store.Swap(ctx, key, old, []byte("v"), exp)
			check("Swap "+key+", old "+name, ok, err, tokenexchange.ErrEmptyOld)
		}
	}
	for name, key := range map[string]string{"empty": "", "long": long} {
		_, err := f.store.Get(ctx, key)
		check("Get, key "+name, false, err, tokenexchange.ErrBadKey)
		ok, err := f.store.Add(ctx, key, []byte("v"), exp)
		check("Add, key "+name, ok, err, tokenexchange.ErrBadKey)
		ok, err = f.store.Swap(ctx, key, []byte("v"), []byte("w"), exp)
		check("Swap, key "+name, ok, err, tokenexchange.ErrBadKey)
		check("Delete, key "+name, false, f.store.Delete(ctx, key), tokenexchange.ErrBadKey)
	}
	for name, exp := range past {
		ok, err := f.store.Add(ctx, "new", []byte("v"), exp)
		check("Add, expiry "+name, ok, err, tokenexchange.ErrPastExpiry)
		ok, err = f.store.Swap(ctx, "l", []byte("v"), []byte("w"), exp)
		check("Swap, expiry "+name, ok, err, tokenexchange.ErrPastExpiry)
	}
	f.absent("new")
	f.absent("absent")
	f.holds("k", "")
	f.holds("l", "v")
}

// testBytes has the keys and values that a text protocol would break.
func testBytes(_ *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	keys := []string{"\x00", "\x00\x00", "a\x00", "a\x00b", "\xff", "\xff\xfe", "\r\n", "a b", "*", "{a}", "ü", "..", "/", all.String(), strings.Repeat("k", tokenexchange.MaxKeyLen)}
	for i, key := range keys {
		f.add(key, fmt.Sprintf("value %d", i), exp, true)
	}
	for i, key := range keys {
		f.holds(key, fmt.Sprintf("value %d", i))
	}
	big := strings.Repeat(all.String(), 1<<20/256)
	for name, val := range map[string]string{"empty": "", "zero": "\x00", "all": all.String(), "1 MiB": big} {
		f.add(name, val, exp, true)
		f.holds(name, val)
		f.add(name, val, exp, true)
		f.add(name, val+"\x00", exp, false)
		f.holds(name, val)
	}
	f.swap("1 MiB", big, big+"+", exp, true)
	f.swap("1 MiB", big, big+"+", exp, true)
	f.swap("1 MiB", big, big+"-", exp, false)
	f.holds("1 MiB", big+"+")
}

func testCopies(t *testing.T, f *fixture) {
	exp := f.in(time.Hour)
	given := []byte("aaaa")
	if ok, err := f.store.Add(t.Context(), "k", given, exp); !ok || err != nil {
		t.Fatalf("Add: got %v, %v; want true", ok, err)
	}
	copy(given, "XXXX")
	f.holds("k", "aaaa")

	got, err := f.store.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "YYYY")
	_ = append(got, "ZZZZ"...)
	f.holds("k", "aaaa")

	old, next := []byte("aaaa"), []byte("bbbb")
	if ok, err := f.store.Swap(t.Context(), "k", old, next, exp); !ok || err != nil {
		t.Fatalf("Swap: got %v, %v; want true", ok, err)
	}
	if !bytes.Equal(old, []byte("aaaa")) || !bytes.Equal(next, []byte("bbbb")) {
		t.Errorf("Swap changed its arguments to %q, %q", old, next)
	}
	copy(next, "XXXX")
	f.holds("k", "bbbb")

	kept, err := f.store.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	f.swap("k", "bbbb", "cccc", exp, true)
	f.delete("k")
	for i := range 100 {
		f.add(fmt.Sprint("fill", i), strings.Repeat("z", 4), exp, true)
	}
	if string(kept) != "bbbb" {
		t.Errorf("a value that Get gave: got %q after later writes, want %q", kept, "bbbb")
	}
}

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
	for g := range 20 {
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
