package tokenexchange

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (h *stateHouse) claims(s *State, use, id string, want bool) {
	h.Helper()
	got, err := s.Once().Claim(h.Context(), testAttempt(h, s), use, id, h.now().Add(time.Minute))
	if err != nil || got != want {
		h.Errorf("Claim(%q, %q): got %v, %v; want %v", use, id, got, err, want)
	}
}

func TestOnce(t *testing.T) {
	h := newStateHouse(t)
	h.claims(h.State, "assertion", "id", true)
	h.claims(h.State, "assertion", "id", false)
	// What is set apart only by where one part ends is set apart.
	for _, other := range [][2]string{{"assertion", "ID"}, {"assertion", ""}, {"", "assertionid"}, {"assertioni", "d"}, {"other", "id"}} {
		h.claims(h.State, other[0], other[1], true)
	}
	h.claims(testState(t, h.store, "https://other.example", h.clock.now, nil, 1), "assertion", "id", true)
	h.clock.pass(time.Minute - time.Millisecond)
	if got, err := h.Once().Claim(t.Context(), testAttempt(t, h.State), "assertion", "id", h.now().Add(time.Hour)); got || err != nil {
		t.Errorf("Claim in the last moment: got %v, %v; want false", got, err)
	}
	h.clock.pass(time.Millisecond)
	h.claims(h.State, "assertion", "id", true)
	if got, err := h.Once().Claim(t.Context(), testAttempt(t, h.State), "assertion", "past", h.now()); got || !errors.Is(err, ErrPastExpiry) {
		t.Errorf("Claim of what is over: got %v, %v; want ErrPastExpiry", got, err)
	}
	if got, err := h.Once().Claim(t.Context(), Attempt{}, "assertion", "zero", h.now().Add(time.Hour)); got || err == nil {
		t.Errorf("Claim with the zero attempt: got %v, %v; want an error", got, err)
	}
}

// TestOnceOverKeyRotation claims one ID at processes that stand at each step of
// a key rotation, in every order of two: the second one never is the first.
func TestOnceOverKeyRotation(t *testing.T) {
	rings := [][]byte{{1}, {1, 2}, {2, 1}, {2}}
	share := func(a, b []byte) bool { return len(a)+len(b) > 2 || a[0] == b[0] }
	for _, one := range rings {
		for _, two := range rings {
			if !share(one, two) {
				continue // No rotation has these two at a time.
			}
			h := newStateHouse(t)
			h.claims(testState(t, h.store, stateIssuer, h.clock.now, nil, one...), "use", "id", true)
			h.claims(testState(t, h.store, stateIssuer, h.clock.now, nil, two...), "use", "id", false)
		}
	}
}

// meetingStore lets all that share its group make their first Add before one of
// them goes on.
type meetingStore struct {
	Store
	group *sync.WaitGroup
	first sync.Once
}

func (s *meetingStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	ok, err := s.Store.Add(ctx, key, val, exp)
	s.first.Do(func() { s.group.Done(); s.group.Wait() })
	return ok, err
}

// TestOnceRaceOverKeyRotation races processes that have another first key: one
// is the first, and there is one.
func TestOnceRaceOverKeyRotation(t *testing.T) {
	h := newStateHouse(t)
	rings := [][]byte{{1, 2, 3}, {3, 1, 2}, {2, 3, 1}, {3, 2, 1}}
	var group, requests sync.WaitGroup
	group.Add(len(rings))
	var firsts atomic.Int32
	for _, ring := range rings {
		s := testState(t, &meetingStore{Store: h.store, group: &group}, stateIssuer, h.clock.now, nil, ring...)
		requests.Go(func() {
			first, err := s.Once().Claim(t.Context(), testAttempt(t, s), "use", "id", h.now().Add(time.Minute))
			if err != nil {
				t.Errorf("Claim: got %v, want no error", err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	requests.Wait()
	if got := firsts.Load(); got != 1 {
		t.Errorf("got %d that were the first, want 1", got)
	}
}
