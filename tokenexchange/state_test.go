package tokenexchange

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const stateIssuer = "https://issuer.example"

// stateClock is a clock that a test moves.
type stateClock struct{ millis atomic.Int64 }

func newStateClock() *stateClock {
	c := &stateClock{}
	c.millis.Store(time.Date(2031, time.March, 4, 5, 6, 7, 0, time.UTC).UnixMilli())
	return c
}

func (c *stateClock) now() time.Time       { return time.UnixMilli(c.millis.Load()) }
func (c *stateClock) pass(d time.Duration) { c.millis.Add(d.Milliseconds()) }

// constantRandom draws the same byte for ever.
type constantRandom byte

func (r constantRandom) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// stateStore is a memory store with faults.
type stateStore struct {
	Store
	fail   error // given by every verb
	repeat bool  // every write is sent twice, and the first answer is lost
}

func (s *stateStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	return s.Store.Get(ctx, key)
}

func (s *stateStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	if s.fail != nil {
		return false, s.fail
	}
	if s.repeat {
		_, _ = s.Store.Add(ctx, key, val, exp)
	}
	return s.Store.Add(ctx, key, val, exp)
}

func (s *stateStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if s.fail != nil {
		return false, s.fail
	}
	if s.repeat {
		_, _ = s.Store.Swap(ctx, key, old, new, exp)
	}
	return s.Store.Swap(ctx, key, old, new, exp)
}

func testState(t testing.TB, store Store, issuer string, now func() time.Time, random io.Reader, fills ...byte) *State {
	t.Helper()
	var keys []StateKey
	for _, fill := range fills {
		keys = append(keys, testStateKey(t, fill))
	}
	s, err := NewState(store, issuer, keys, now, random)
	if err != nil {
		t.Fatalf("NewState: got %v, want no error", err)
	}
	return s
}

func testAttempt(t testing.TB, s *State) Attempt {
	t.Helper()
	a, err := s.NewAttempt()
	if err != nil {
		t.Fatalf("NewAttempt: got %v, want no error", err)
	}
	return a
}

func TestNewStateRefuses(t *testing.T) {
	store := NewMemoryStore(nil)
	one, two := testStateKey(t, 1), testStateKey(t, 2)
	for _, c := range []struct {
		name   string
		store  Store
		issuer string
		keys   []StateKey
	}{
		{"no store", nil, stateIssuer, []StateKey{one}},
		{"no issuer", store, "", []StateKey{one}},
		{"no key", store, stateIssuer, nil},
		{"the zero key", store, stateIssuer, []StateKey{{}}},
		{"a zero second key", store, stateIssuer, []StateKey{one, {}}},
		{"one key twice", store, stateIssuer, []StateKey{one, two, testStateKey(t, 1)}},
	} {
		if s, err := NewState(c.store, c.issuer, c.keys, nil, nil); err == nil || s != nil {
			t.Errorf("%s: got a state, want an error", c.name)
		}
	}
}

func TestAttempt(t *testing.T) {
	s := testState(t, NewMemoryStore(nil), stateIssuer, nil, nil, 1)
	if a, b := testAttempt(t, s), testAttempt(t, s); a == b {
		t.Error("two attempts are equal")
	}
	exp := time.Now().Add(time.Hour)
	if ok, err := s.add(t.Context(), Attempt{}, kindFamily, "k", "v", exp); ok || err == nil {
		t.Errorf("writing with the zero attempt: got %v, %v; want an error", ok, err)
	}
	dry := testState(t, NewMemoryStore(nil), stateIssuer, nil, strings.NewReader("too few"), 1)
	if a, err := dry.NewAttempt(); err == nil || a != (Attempt{}) {
		t.Errorf("no random bytes: got %v, %v; want an error", a, err)
	}
}

func TestStateFaults(t *testing.T) {
	exp := time.Now().Add(time.Hour)
	wrapped := errors.Join(errors.New("connection lost"), ErrNotFound)
	for _, c := range []struct {
		name     string
		fail     error
		keeps    error // still found in the error
		writesTo bool  // only writes are faults: Get may answer so
	}{
		{"away", errors.New("connection refused"), nil, false},
		{"closed", ErrClosed, ErrClosed, false},
		{"cancelled", context.Canceled, context.Canceled, false},
		{"a write that answers not found", wrapped, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &stateStore{Store: NewMemoryStore(nil)}
			s := testState(t, store, stateIssuer, nil, nil, 1, 2)
			a := testAttempt(t, s)
			store.fail = c.fail
			errs := make(map[string]error)
			_, errs["add"] = s.add(t.Context(), a, kindFamily, "k", "v", exp)
			_, errs["swap"] = s.swap(t.Context(), a, storedRecord{kind: kindFamily, key: "k", raw: []byte("x")}, "v", exp)
			_, errs["Begin"] = s.Families().Begin(t.Context(), a, testFamily(exp))
			if !c.writesTo {
				_, errs["find"] = s.find(t.Context(), kindFamily, "id")
				_, errs["Epoch"] = s.Epoch(t.Context())
				_, errs["Load"] = s.Families().Load(t.Context(), "id")
			}
			for verb, err := range errs {
				if !errors.Is(err, ErrStoreUnavailable) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrStateCorrupt) || errors.Is(err, ErrFamilyExists) {
					t.Errorf("%s: got %v, want ErrStoreUnavailable only", verb, err)
				}
				if c.keeps != nil && !errors.Is(err, c.keeps) {
					t.Errorf("%s: got %v, want it to keep %v", verb, err, c.keeps)
				}
			}
		})
	}
}

// TestSealedExpiryDecides keeps a value in the store for longer than its seal
// says, as a writer of the store can.
func TestSealedExpiryDecides(t *testing.T) {
	clock := newStateClock()
	store := NewMemoryStore(clock.now)
	s := testState(t, store, stateIssuer, clock.now, nil, 1)
	exp := clock.now().Add(time.Minute)
	if ok, err := s.add(t.Context(), testAttempt(t, s), kindFamily, "k", "v", exp); !ok || err != nil {
		t.Fatalf("add: got %v, %v; want true", ok, err)
	}
	found, err := s.findAt(t.Context(), kindFamily, "k")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := store.Swap(t.Context(), "k", found.raw, found.raw, exp.Add(time.Hour)); !ok || err != nil {
		t.Fatalf("Swap: got %v, %v; want true", ok, err)
	}
	clock.pass(time.Minute - time.Millisecond)
	if _, err := s.findAt(t.Context(), kindFamily, "k"); err != nil {
		t.Errorf("before its expiry: got %v, want no error", err)
	}
	clock.pass(time.Millisecond)
	if _, err := s.findAt(t.Context(), kindFamily, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("at its expiry: got %v, want ErrNotFound", err)
	}
	if ok, err := s.add(t.Context(), testAttempt(t, s), kindFamily, "late", "v", clock.now()); ok || !errors.Is(err, ErrPastExpiry) || errors.Is(err, ErrStoreUnavailable) {
		t.Errorf("writing what has expired: got %v, %v; want ErrPastExpiry", ok, err)
	}
}

// TestRollback puts an older value back, which a writer of the store can do: it
// opens. This is the documented limit of sealing.
func TestRollback(t *testing.T) {
	store := NewMemoryStore(nil)
	s := testState(t, store, stateIssuer, nil, nil, 1)
	exp := time.Now().Add(time.Hour)
	if _, err := s.add(t.Context(), testAttempt(t, s), kindFamily, "k", "old", exp); err != nil {
		t.Fatal(err)
	}
	before, err := s.findAt(t.Context(), kindFamily, "k")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.swap(t.Context(), testAttempt(t, s), before, "new", exp); !ok || err != nil {
		t.Fatalf("swap: got %v, %v; want true", ok, err)
	}
	if ok, err := s.swap(t.Context(), testAttempt(t, s), before, "other", exp); ok || err != nil {
		t.Errorf("swap of what was read before: got %v, %v; want false", ok, err)
	}
	after, err := s.findAt(t.Context(), kindFamily, "k")
	if err != nil || string(after.payload) != `"new"` {
		t.Fatalf("after the swap: got %s, %v; want new", after.payload, err)
	}
	if _, err := store.Swap(t.Context(), "k", after.raw, before.raw, exp); err != nil {
		t.Fatal(err)
	}
	got, err := s.findAt(t.Context(), kindFamily, "k")
	if err != nil || !bytes.Equal(got.raw, before.raw) {
		t.Errorf("rolled back: got %v, want the old value", err)
	}
}
