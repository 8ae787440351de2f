package tokenexchange

import (
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
