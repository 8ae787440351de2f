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
	for i := range 30 {
		f.add(fmt.Sprint("fill", i), strings.Repeat("z", 4), exp, true)
	}
	if string(kept) != "bbbb" {
		t.Errorf("a value that Get gave: got %q after later writes, want %q", kept, "bbbb")
	}
}
