package tokenexchange

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEpoch(t *testing.T) {
	clock := newStateClock()
	store := NewMemoryStore(clock.now)
	first, err := testState(t, store, stateIssuer, clock.now, nil, 1).Epoch(t.Context())
	if err != nil || len(first.ID) != 32 || !first.Created.Equal(clock.now()) {
		t.Fatalf("Epoch of a new store: got %v, %v; want a random id and now", first, err)
	}
	clock.pass(100 * 365 * 24 * time.Hour)
	again, err := testState(t, store, stateIssuer, clock.now, nil, 1).Epoch(t.Context())
	if err != nil || again != first {
		t.Errorf("Epoch after reopening: got %v, %v; want %v", again, err, first)
	}
	if err := store.Delete(t.Context(), epochKey); err != nil {
		t.Fatal(err)
	}
	lost, err := testState(t, store, stateIssuer, clock.now, nil, 1).Epoch(t.Context())
	if err != nil || lost.ID == first.ID || !lost.Created.Equal(clock.now()) {
		t.Errorf("Epoch of a lost store: got %v, %v; want a new one", lost, err)
	}
}

// TestInEpoch asks whether a store still lives in its epoch: it does over a
// rotation of the state key, and never again after it was lost.
func TestInEpoch(t *testing.T) {
	store := &stateStore{Store: NewMemoryStore(nil)}
	first := testState(t, store, stateIssuer, nil, nil, 1)
	epoch, err := first.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rotated := testState(t, store, stateIssuer, nil, nil, 2, 1)
	wants := func(when string, s *State, want error) {
		t.Helper()
		if err := s.inEpoch(t.Context(), epoch); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", when, err, want)
		}
	}
	wants("at first", first, nil)
	if _, err := rotated.Epoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants("sealed anew", rotated, nil)
	wants("without its key", first, ErrStateCorrupt)
	store.fail = errors.New("away")
	wants("away", rotated, ErrStoreUnavailable)
	store.fail = nil
	if err := store.Delete(t.Context(), epochKey); err != nil {
		t.Fatal(err)
	}
	wants("lost", rotated, ErrStoreUnavailable)
	if _, err := rotated.Epoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants("begun anew", rotated, ErrStoreUnavailable)
}

// TestEpochRace opens one new store from many replicas: all get one epoch.
func TestEpochRace(t *testing.T) {
	for _, repeat := range []bool{false, true} {
		store := &stateStore{Store: NewMemoryStore(nil), repeat: repeat}
		var got [64]Epoch
		var replicas sync.WaitGroup
		for i := range got {
			replicas.Go(func() {
				e, err := testState(t, store, stateIssuer, nil, nil, 1).Epoch(t.Context())
				if err != nil {
					t.Errorf("Epoch: got %v, want no error", err)
				}
				got[i] = e
			})
		}
		replicas.Wait()
		for i, e := range got {
			if e != got[0] {
				t.Fatalf("replica %d: got %v, want %v", i, e, got[0])
			}
		}
	}
}

func TestEpochOfAnother(t *testing.T) {
	for _, c := range []struct {
		name, issuer string
		fills        []byte
	}{
		{"other state key", stateIssuer, []byte{2}},
		{"other issuer", "https://other.example", []byte{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := NewMemoryStore(nil)
			owner := testState(t, store, stateIssuer, nil, nil, 1)
			want, err := owner.Epoch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := testState(t, store, c.issuer, nil, nil, c.fills...).Epoch(t.Context())
			if !errors.Is(err, ErrStateCorrupt) || !strings.Contains(err.Error(), "another state key or issuer") || got != (Epoch{}) {
				t.Errorf("got %v, %v; want ErrStateCorrupt that says so", got, err)
			}
			if got, err := owner.Epoch(t.Context()); err != nil || got != want {
				t.Errorf("the owner's epoch afterwards: got %v, %v; want %v", got, err, want)
			}
		})
	}
}

// TestEpochRotation drops the old key after a rotation: the epoch stays.
func TestEpochRotation(t *testing.T) {
	store := NewMemoryStore(nil)
	var want Epoch
	for i, fills := range [][]byte{{1}, {1, 2}, {2, 1}, {2}, {2, 3}, {3, 2}, {3}} {
		got, err := testState(t, store, stateIssuer, nil, nil, fills...).Epoch(t.Context())
		if err != nil {
			t.Fatalf("keys %v: got %v, want no error", fills, err)
		}
		if i == 0 {
			want = got
		}
		if got != want {
			t.Errorf("keys %v: got %v, want %v", fills, got, want)
		}
	}
	if _, err := testState(t, store, stateIssuer, nil, nil, 1).Epoch(t.Context()); !errors.Is(err, ErrStateCorrupt) {
		t.Errorf("a dropped key: got %v, want ErrStateCorrupt", err)
	}
}
