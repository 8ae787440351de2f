package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// consentRings are the steps of a rotation of the state key. Two processes stand
// at the same step, or at steps side by side.
var consentRings = [][]byte{{1}, {1, 2}, {2, 1}, {2}}

func (h *stateHouse) at(step int) *State {
	return testState(h.T, h.store, stateIssuer, h.clock.now, nil, consentRings[step]...)
}

// A consent that is used while both keys are there goes on with the new one; one
// that is not is asked for again when its key is dropped.
func TestConsentOverKeyRotation(t *testing.T) {
	for _, used := range []bool{false, true} {
		h := newStateHouse(t)
		h.remembers(h.at(0), adasShop, "one")
		for step := range 3 {
			h.clock.pass(time.Hour)
			found := h.recalls("at a step", h.at(step), adasShop, "one")
			if used {
				h.keeps(h.at(step), found)
			}
		}
		want := ""
		if used {
			want = "one"
		}
		h.recalls("with the new key alone", h.at(3), adasShop, want)
	}
}

// TestConsentIsNeverOlderOverKeyRotation takes a consent back, or narrows it, in a
// process at any step, and looks for the older one there, a step before and at all
// steps after.
func TestConsentIsNeverOlderOverKeyRotation(t *testing.T) {
	for less, ring := range consentRings {
		for wide := range min(less+2, len(consentRings)) {
			for _, want := range []string{"less", ""} {
				h := newStateHouse(t)
				h.remembers(h.at(wide), adasShop, "wide")
				h.clock.pass(time.Millisecond)
				if want == "" {
					h.forgets(h.at(less), adasShop)
				} else {
					h.remembers(h.at(less), adasShop, want)
				}
				for read := max(0, less-1); read < len(consentRings); read++ {
					still := want
					if !slices.Contains(consentRings[read], ring[0]) {
						still = "" // Its key is gone, so the person is asked.
					}
					h.recalls(fmt.Sprintf("wide at %d, %q at %d, read at %d", wide, want, less, read), h.at(read), adasShop, still)
				}
			}
		}
	}
}

// Decisions that nobody can order are none.
func TestConsentsOfOneMomentAreNone(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.at(0), adasShop, "one")
	h.remembers(h.at(3), adasShop, "two")
	h.recalls("of one moment", h.at(1), adasShop, "")
	h.recalls("of one moment", h.at(2), adasShop, "")
	h.remembers(h.at(1), adasShop, "three")
	for step := range 3 {
		h.recalls("decided anew", h.at(step), adasShop, "three")
	}
	h.recalls("decided anew, under a key that is gone", h.at(3), adasShop, "")
	h.forgets(h.at(2), adasShop)
	for step := range consentRings {
		h.recalls("forgotten", h.at(step), adasShop, "")
	}
}

// A later decision orders what nobody could order before.
func TestLaterConsentEndsADoubt(t *testing.T) {
	h := newStateHouse(t)
	with := func(keys ...byte) *State { return testState(t, h.store, stateIssuer, h.clock.now, nil, keys...) }
	h.remembers(with(1), adasShop, "one")
	h.remembers(with(2), adasShop, "two")
	h.clock.pass(time.Millisecond)
	h.remembers(with(3), adasShop, "three")
	for _, ring := range [][]byte{{1, 2, 3}, {3, 2, 1}, {2, 3, 1}} {
		h.recalls("three keys", with(ring...), adasShop, "three")
	}
}

// failingLater is a store that is gone after some writes.
type failingLater struct {
	Store
	writes int
}

func (s *failingLater) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if s.writes--; s.writes < 0 {
		return false, errLost
	}
	return s.Store.Swap(ctx, key, old, new, exp)
}

// What was taken back under one key alone counts, also by a clock that is behind.
func TestConsentThatIsTakenBackInPart(t *testing.T) {
	h := newStateHouse(t)
	for _, step := range []int{0, 2} {
		h.remembers(h.at(step), adasShop, "wide")
	}
	behind := func() time.Time { return h.now().Add(-time.Hour) }
	s := testState(t, &failingLater{Store: h.store, writes: 1}, stateIssuer, behind, nil, 2, 1)
	if err := s.Consents().Forget(t.Context(), testAttempt(t, s), adasShop); !errors.Is(err, ErrStoreUnavailable) {
		t.Fatalf("got %v, want ErrStoreUnavailable", err)
	}
	h.recalls("taken back in part", h.at(1), adasShop, "")
	h.recalls("taken back in part", h.at(2), adasShop, "")
}
