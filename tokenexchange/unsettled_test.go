package tokenexchange

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// losing puts a losing store under the state of a house.
func (h *stateHouse) losing() *losingStore {
	s := &losingStore{Store: h.State.store, lose: func() bool { return false }}
	h.State.store = s
	return s
}

// loses loses the answer to the swaps of one call, which must be a fault alone.
func (h *stateHouse) loses(s *losingStore, what string, call func() error) {
	h.Helper()
	s.lose = func() bool { return true }
	err := call()
	s.lose = func() bool { return false }
	if !errors.Is(err, ErrStoreUnavailable) || !errors.Is(err, errLost) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrSpent) || errors.Is(err, ErrReused) {
		h.Errorf("%s: got %v, want ErrStoreUnavailable alone", what, err)
	}
}

func (h *stateHouse) losesSpend(s *losingStore, code string) {
	h.Helper()
	h.loses(s, "Spend", func() error {
		fam, refresh, err := h.find(code).Spend(h.Context(), testAttempt(h, h.State), time.Time{}, h.now().Add(time.Hour))
		if fam != (Family{}) || refresh != "" {
			h.Errorf("Spend whose answer was lost: got %+v, %q; want nothing", fam, refresh)
		}
		return err
	})
}

func (h *stateHouse) losesUse(s *losingStore, refresh string) {
	h.Helper()
	h.loses(s, "Rotate", func() error {
		next, err := h.use(refresh)
		if next != "" {
			h.Errorf("Rotate whose answer was lost: got %q, want nothing", next)
		}
		return err
	})
}

// TestLostSpend loses the answer to the spending of a code, which ran or runs
// later: the code is as good as before, for as long as before.
func TestLostSpend(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			h := newStateHouse(t)
			s := h.losing()
			s.late = late
			code := h.issue("g")
			h.losesSpend(s, code)
			s.finish()
			h.losesSpend(s, code) // The retry, too.
			held := h.find(code)
			s.finish()
			h.clock.pass(30 * time.Second)
			if r := h.find(code); r.Used() != nil || r.Code != testCode("g") {
				t.Errorf("after lost answers: got %+v, %v; want the code as it was", r.Code, r.Used())
			}
			if _, err := h.Families().Load(t.Context(), "g"); !errors.Is(err, ErrNotFound) {
				t.Errorf("Load after lost answers: got %v, want ErrNotFound", err)
			}
			// One that read the code before the late command ran.
			_, refresh, err := held.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour))
			if err != nil {
				t.Fatalf("Spend after lost answers: got %v, want no error", err)
			}
			s.finish()
			if err := h.find(code).Used(); !errors.Is(err, ErrSpent) {
				t.Errorf("Used after Spend: got %v, want ErrSpent", err)
			}
			h.gives("the family's refresh token", refresh, "")
			h.clock.pass(time.Minute)
			if err := h.find(code).Used(); !errors.Is(err, ErrReused) {
				t.Errorf("Used later: got %v, want ErrReused", err)
			}

			over := h.issue("over")
			h.losesSpend(s, over)
			s.finish()
			h.clock.pass(time.Minute)
			h.noCode("a code whose time went by", over, "web")
		})
	}
}

// TestLostRotation loses the answers to the use of a refresh token for longer
// than its window: it is no theft.
func TestLostRotation(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			h := newStateHouse(t)
			s := h.losing()
			s.late = late
			first := h.begin("g")
			for range 4 {
				h.losesUse(s, first)
				s.finish()
				h.clock.pass(10 * time.Second)
			}
			if fam, err := h.Families().Load(t.Context(), "g"); err != nil || fam.Counter != 0 {
				t.Errorf("Load after lost answers: got %+v, %v; want counter 0", fam, err)
			}
			second := h.gives("a use after lost answers", first, "")
			// A lost repeat counts no more than a lost rotation.
			for range 3 {
				h.losesUse(s, first)
				s.finish()
				h.gives("a repeat", first, second)
			}
			h.refuses("a repeat too many", first, ErrSpent)
			h.losesUse(s, second)
			h.clock.pass(10 * time.Second)
			h.refuses("an old one, once more than the window is over", first, ErrReused)
		})
	}
}

// TestLostRefusalsCount loses the answers to changes that take away: those
// that happened count.
func TestLostRefusalsCount(t *testing.T) {
	h := newStateHouse(t)
	s := h.losing()
	code, refresh := h.issue("code"), h.begin("g")
	for range 5 {
		held := h.find(code)
		h.loses(s, "Miss", func() error { return held.Miss(t.Context(), testAttempt(t, h.State)) })
	}
	h.noCode("a burnt code", code, "web")
	h.loses(s, "Revoke", func() error { return h.Families().Revoke(t.Context(), testAttempt(t, h.State), "g") })
	h.refuses("a token of a revoked family", refresh, ErrNotFound)

	// On a change that counts for nothing too.
	code, refresh = h.issue("code2"), h.begin("g2")
	h.losesSpend(s, code)
	for range 5 {
		h.miss(code)
	}
	h.noCode("a code that was burnt after a lost answer", code, "web")
	h.losesUse(s, refresh)
	h.loses(s, "Revoke", func() error { return h.Families().Revoke(t.Context(), testAttempt(t, h.State), "g2") })
	h.refuses("a token of a family that was revoked after a lost answer", refresh, ErrNotFound)
}

// TestLostAnswersOfAnotherProcess shows the limit: another process cannot know
// whether somebody was told, and refuses.
func TestLostAnswersOfAnotherProcess(t *testing.T) {
	h := newStateHouse(t)
	s := h.losing()
	code, first := h.issue("code"), h.begin("g")
	h.losesSpend(s, code)
	h.losesUse(s, first)
	here := h.State
	h.State = testState(t, h.store, stateIssuer, h.clock.now, nil, 1)
	if err := h.find(code).Used(); !errors.Is(err, ErrSpent) {
		t.Errorf("Used, elsewhere: got %v, want ErrSpent", err)
	}
	second := h.gives("a retry elsewhere, in the window", first, "")
	h.clock.pass(10 * time.Second)
	if err := h.find(code).Used(); !errors.Is(err, ErrReused) {
		t.Errorf("Used, elsewhere and later: got %v, want ErrReused", err)
	}
	h.refuses("a retry elsewhere, later", first, ErrReused)
	// Somebody was told elsewhere: here it counts too.
	h.State = here
	h.refuses("a retry here, later", first, ErrReused)
	h.gives("the successor that was given elsewhere", second, "")
}

// TestLostAnswersRace races requests, each of which tries again for as long as
// it is told 503, over a store that loses half of all answers.
func TestLostAnswersRace(t *testing.T) {
	const crowd = 200
	for seed := range uint64(5) {
		h := newStateHouse(t)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, seed))
		h.losing().lose = func() bool {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(2) == 0
		}
		code, first := h.issue("code"), h.begin("g")
		var spent int
		successors, uses := map[string]bool{}, 0
		var requests sync.WaitGroup
		for range crowd {
			requests.Go(func() {
				for {
					r, err := h.Codes().Find(t.Context(), code, "web")
					if err == nil {
						_, _, err = r.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour))
					}
					if errors.Is(err, ErrStoreUnavailable) {
						continue
					}
					mu.Lock()
					if err == nil {
						spent++
					} else if !errors.Is(err, ErrSpent) {
						t.Errorf("seed %d, Spend: got %v, want ErrSpent", seed, err)
					}
					mu.Unlock()
					break
				}
				for {
					next, err := h.use(first)
					if errors.Is(err, ErrStoreUnavailable) {
						continue
					}
					mu.Lock()
					if err == nil {
						uses++
						successors[next] = true
					} else if !errors.Is(err, ErrSpent) {
						t.Errorf("seed %d, Rotate: got %v, want ErrSpent", seed, err)
					}
					mu.Unlock()
					break
				}
			})
		}
		requests.Wait()
		if spent != 1 {
			t.Errorf("seed %d: the code was spent %d times, want once", seed, spent)
		}
		if uses < 1 || uses > 4 || len(successors) != 1 {
			t.Errorf("seed %d: got %d answers with %d successors, want 1 to 4 with one", seed, uses, len(successors))
		}
	}
}

// TestUnsettledIsBounded makes more lost answers than are remembered: what is
// forgotten counts as done, which refuses.
func TestUnsettledIsBounded(t *testing.T) {
	h := newStateHouse(t)
	s := h.losing()
	code := h.issue("forgotten")
	h.losesSpend(s, code)
	for i := range 20_000 {
		h.unsettled.add(fmt.Append(nil, i), storedRecord{raw: make([]byte, 500), payload: make([]byte, 400)}, h.now().Add(time.Hour))
	}
	if entries, weight := h.unsettled.replaced.totals(); weight > unsettledWeight || entries > 5000 {
		t.Errorf("got %d entries of %d bytes, want at most %d bytes", entries, weight, unsettledWeight)
	}
	if err := h.find(code).Used(); !errors.Is(err, ErrSpent) {
		t.Errorf("Used of a forgotten one: got %v, want ErrSpent", err)
	}
}

// TestUnsettledSurvivesReload lets a new configuration know what the one before
// it did not hear of.
func TestUnsettledSurvivesReload(t *testing.T) {
	house, caches := newHouse(t), NewCaches()
	h := &stateHouse{T: t, State: house.reload(caches).state}
	code := h.issue("g")
	h.losesSpend(h.losing(), code)
	house.clock = house.clock.Add(30 * time.Second)
	h.State = house.reload(caches).state
	h.spend(code)
}
