// Package storetest is the one conformance suite that every
// tokenexchange.Store runs: what the verbs mean, expiry, races, contexts,
// faults and crashes. The clock is moved, nothing sleeps. See docs/stores.md.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Harness{
//			Open:  func(t *testing.T, now func() time.Time) (tokenexchange.Store, func()) { ... },
//			Break: func(t *testing.T, s tokenexchange.Store) { ... },
//		})
//	}
//
// RunFeed does the same for tokenexchange.Feed, RunState for what
// tokenexchange.State makes of a store, and RunServer for what the requests to
// tokenexchange.Server make of it. Package redistest starts real servers,
// and faultproxy stands between a client and one.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// Harness is what the suite must be able to do to a store.
type Harness struct {
	// Open gives a new, empty store that judges expiry by now, and a function
	// that closes it. The suite calls that once, also for a broken store.
	Open func(t *testing.T, now func() time.Time) (tokenexchange.Store, func())

	// Reopen opens what a crash at this moment would leave of a store that
	// Open gave: it must not close that store first. Nil for a store that
	// does not outlive its process.
	Reopen func(t *testing.T, crashed tokenexchange.Store, now func() time.Time) (tokenexchange.Store, func())

	// Second opens what Open gave once more, as another process does. Nil for
	// a store of one process: two states share it then.
	Second func(t *testing.T, first tokenexchange.Store, now func() time.Time) (tokenexchange.Store, func())

	// Break takes away what the store needs, so that it cannot answer.
	Break func(t *testing.T, s tokenexchange.Store)

	// Lossy says that answers are lost on the way and commands repeated. Then
	// a swap that was replaced before its repeat answers false, and counting
	// the winners of a chain of swaps means nothing.
	Lossy bool
}

type testCase struct {
	name string
	run  func(*testing.T, *fixture)
}

// Run runs the whole suite as subtests.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Open == nil || h.Break == nil {
		t.Fatal("storetest: a harness needs Open and Break")
	}
	cases := []testCase{
		{"get", testGet},
		{"add", testAdd},
		{"swap", testSwap},
		{"delete", testDelete},
		{"refused", testRefused},
		{"bytes", testBytes},
		{"copies", testCopies},
		{"expiry", testExpiry},
		{"expiry is moved by swap", testExpiryMoved},
		{"expiry is cut to milliseconds", testExpiryCut},
		{"far expiry", testExpiryFar},
		{"dead values are collected", testCollect},
		{"race add", testRaceAdd},
		{"race add over an expired value", testRaceAddExpired},
		{"race swap", testRaceSwap},
		{"race equal bytes", testRaceEqual},
		{"race delete", testRaceDelete},
		{"race readers", testRaceReaders},
		{"contexts", testContexts},
		{"away", testAway},
	}
	if !h.Lossy {
		cases = append(cases, testCase{"race counter", testRaceCounter})
	}
	if h.Reopen != nil { // A store that ends with its process has nothing to reopen.
		cases = append(cases, testCase{"crash", testCrash})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t, h)) })
	}
}

// open gives a fixture with a new store.
func open(t *testing.T, h Harness) *fixture {
	t.Helper()
	f := &fixture{T: t, h: h}
	f.clock.Store(startMillis)
	store, end := h.Open(t, f.now)
	t.Cleanup(end)
	f.store = store
	return f
}

// startMillis is the time at which each test begins. It is long past: a server
// forgets nothing of a feed that is not over by its own clock too.
var startMillis = time.Date(2001, time.March, 4, 5, 6, 7, 0, time.UTC).UnixMilli()

// fixture is one store under test, its clock, and verbs that must not fail.
type fixture struct {
	*testing.T
	h     Harness
	store tokenexchange.Store
	clock atomic.Int64 // Unix milliseconds
}

func (f *fixture) now() time.Time { return time.UnixMilli(f.clock.Load()) }

// in gives the time d from now.
func (f *fixture) in(d time.Duration) time.Time { return f.now().Add(d) }

// pass moves the clock.
func (f *fixture) pass(d time.Duration) { f.clock.Add(d.Milliseconds()) }

func (f *fixture) add(key, val string, exp time.Time, want bool) {
	f.Helper()
	got, err := f.store.Add(f.Context(), key, []byte(val), exp)
	if err != nil || got != want {
		f.Fatalf("Add(%.40q, %.40q): got %v, %v; want %v", key, val, got, err, want)
	}
}

func (f *fixture) swap(key, old, new string, exp time.Time, want bool) {
	f.Helper()
	got, err := f.store.Swap(f.Context(), key, []byte(old), []byte(new), exp)
	if err != nil || got != want {
		f.Fatalf("Swap(%.40q, %.40q, %.40q): got %v, %v; want %v", key, old, new, got, err, want)
	}
}

func (f *fixture) delete(key string) {
	f.Helper()
	if err := f.store.Delete(f.Context(), key); err != nil {
		f.Fatalf("Delete(%.40q): got %v, want no error", key, err)
	}
}

func (f *fixture) holds(key, want string) {
	f.Helper()
	got, err := f.store.Get(f.Context(), key)
	if err != nil || !bytes.Equal(got, []byte(want)) {
		f.Fatalf("Get(%.40q): got %.40q, %v; want %.40q", key, got, err, want)
	}
}

func (f *fixture) absent(key string) {
	f.Helper()
	got, err := f.store.Get(f.Context(), key)
	if !errors.Is(err, tokenexchange.ErrNotFound) || got != nil {
		f.Fatalf("Get(%.40q): got %.40q, %v; want nothing, ErrNotFound", key, got, err)
	}
}

// everyVerb calls each verb in turn, on a key that holds "here".
func everyVerb(ctx context.Context, s tokenexchange.Store, key string, exp time.Time) map[string]error {
	out := make(map[string]error)
	_, out["Get"] = s.Get(ctx, key)
	_, out["Add"] = s.Add(ctx, key+"/new", []byte("added"), exp)
	_, out["Swap"] = s.Swap(ctx, key, []byte("here"), []byte("swapped"), exp)
	out["Delete"] = s.Delete(ctx, key)
	return out
}
