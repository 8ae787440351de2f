package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

var adasShop = consentName{Subject: "example.com:ada", Org: "acme", Client: "shop"}

// pairFor is a pair that can be told from others by one word.
func pairFor(word string) remembered {
	return remembered{Asked: extent{Scope: "openid " + word}, Granted: extent{Scope: "openid"}}
}

func (h *stateHouse) remembers(s *State, name consentName, word string) {
	h.Helper()
	over, err := s.Consents().latest(h.Context(), name)
	if err == nil {
		err = s.Consents().Remember(h.Context(), testAttempt(h, s), name, pairFor(word), over)
	}
	if err != nil {
		h.Fatalf("Remember(%q): got %v", word, err)
	}
}

func (h *stateHouse) forgets(s *State, name consentName) {
	h.Helper()
	if err := s.Consents().Forget(h.Context(), testAttempt(h, s), name); err != nil {
		h.Fatalf("Forget: got %v", err)
	}
}

// recalls holds what is remembered, "" for nothing, and gives it.
func (h *stateHouse) recalls(what string, s *State, name consentName, word string) *Consent {
	h.Helper()
	found, err := s.Consents().Load(h.Context(), name)
	switch {
	case word == "" && (found != nil || !errors.Is(err, ErrNotFound)):
		h.Errorf("%s: got %v, %v, want ErrNotFound", what, found, err)
	case word != "" && err != nil:
		h.Fatalf("%s: got %v, want %q", what, err, word)
	case word != "" && found.rec.remembered != pairFor(word):
		h.Errorf("%s: got %v, want %q", what, found.rec, word)
	}
	return found
}

func (h *stateHouse) keeps(s *State, found *Consent) {
	h.Helper()
	if err := s.Consents().Keep(h.Context(), testAttempt(h, s), found); err != nil {
		h.Errorf("Keep: got %v", err)
	}
}

func TestConsents(t *testing.T) {
	h := newStateHouse(t)
	h.recalls("nothing", h.State, adasShop, "")
	h.remembers(h.State, adasShop, "one")
	if got := h.recalls("one", h.State, adasShop, "one").Decided; !got.Equal(h.now()) {
		t.Errorf("decided: got %v, want %v", got, h.now())
	}
	for what, other := range map[string]consentName{
		"another user":   {"example.com:bob", "acme", "shop"},
		"another org":    {"example.com:ada", "beta", "shop"},
		"another client": {"example.com:ada", "acme", "shop2"},
		"no org":         {"example.com:ada", "", "shop"},
		"parts moved":    {"example.com:adaacme", "", "shop"},
	} {
		h.recalls(what, h.State, other, "")
	}
	h.recalls("another issuer", testState(t, h.store, "https://other.example", h.clock.now, nil, 1), adasShop, "")
	h.remembers(h.State, adasShop, "two")
	h.recalls("the newer one", h.State, adasShop, "two")
	h.forgets(h.State, adasShop)
	h.recalls("forgotten", h.State, adasShop, "")
	h.forgets(h.State, adasShop)
	before := must(h.Consents().latest(h.Context(), adasShop))
	h.forgets(h.State, adasShop)
	if err := h.Consents().Remember(h.Context(), testAttempt(h, h.State), adasShop, pairFor("late"), before); !errors.Is(err, ErrNotFound) {
		t.Errorf("a decision of before it was taken back: got %v, want ErrNotFound", err)
	}
	h.recalls("decided before", h.State, adasShop, "")
	h.remembers(h.State, adasShop, "three")
	h.recalls("decided anew", h.State, adasShop, "three")
}

// A consent ends some time after its last use.
func TestConsentLife(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.State, adasShop, "one")
	decided := h.now()
	h.clock.pass(consentLife - time.Millisecond)
	found := h.recalls("in its last moment", h.State, adasShop, "one")
	h.keeps(h.State, found)
	h.clock.pass(consentLife - time.Millisecond)
	if got := h.recalls("after a use", h.State, adasShop, "one").Decided; !got.Equal(decided) {
		t.Errorf("a use is no decision: got %v, want %v", got, decided)
	}
	h.clock.pass(time.Millisecond)
	h.recalls("long after its last use", h.State, adasShop, "")
}

// A use within a day of the last one writes nothing.
func TestConsentIsKeptSeldom(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.State, adasShop, "one")
	h.store.taken()
	h.keeps(h.State, h.recalls("at once", h.State, adasShop, "one"))
	h.clock.pass(consentStep - time.Millisecond)
	h.keeps(h.State, h.recalls("on the same day", h.State, adasShop, "one"))
	if got := h.store.taken(); got != [4]int32{2, 0, 0, 0} {
		t.Errorf("got %v, want two reads", got)
	}
	h.clock.pass(time.Millisecond)
	h.keeps(h.State, h.recalls("a day later", h.State, adasShop, "one"))
	if got := h.store.taken(); got != [4]int32{1, 0, 1, 0} {
		t.Errorf("got %v, want a read and a swap", got)
	}
}

// What was changed since it was read is not brought back by its use.
func TestConsentThatChangedIsNotKept(t *testing.T) {
	for what, change := range map[string]struct {
		change func(h *stateHouse)
		want   string
	}{
		"forgotten": {func(h *stateHouse) { h.forgets(h.State, adasShop) }, ""},
		"narrowed":  {func(h *stateHouse) { h.remembers(h.State, adasShop, "less") }, "less"},
	} {
		for _, ring := range [][]byte{{1}, {1, 2}, {2, 1}} {
			h := newStateHouse(t)
			h.remembers(h.State, adasShop, "one")
			h.clock.pass(2 * consentStep)
			s := testState(t, h.store, stateIssuer, h.clock.now, nil, ring...)
			found := h.recalls(what, s, adasShop, "one")
			change.change(h)
			h.keeps(s, found)
			h.recalls(what, h.State, adasShop, change.want)
			if ring[0] == 1 {
				h.recalls(what, s, adasShop, change.want)
			} else if held, err := s.Consents().Load(t.Context(), adasShop); err == nil && held.rec.remembered == pairFor("one") {
				t.Errorf("%s, ring %v: the older one is back", what, ring)
			}
		}
	}
}

func TestConsentsWithoutStore(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.State, adasShop, "one")
	h.clock.pass(2 * consentStep)
	found := h.recalls("one", h.State, adasShop, "one")
	away := testState(t, &stateStore{Store: h.store, fail: errors.New("connection refused")}, stateIssuer, h.clock.now, nil, 1)
	_, err := away.Consents().Load(t.Context(), adasShop)
	for what, err := range map[string]error{
		"load":     err,
		"keep":     away.Consents().Keep(t.Context(), testAttempt(t, away), found),
		"remember": away.Consents().Remember(t.Context(), testAttempt(t, away), adasShop, pairFor("two"), 0),
		"forget":   away.Consents().Forget(t.Context(), testAttempt(t, away), adasShop),
	} {
		fmt.Fprintln(showing{}, err)
		if !errors.Is(err, ErrStoreUnavailable) || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", what, err)
		}
	}
	h.recalls("afterwards", h.State, adasShop, "one")
	if err := h.Consents().Remember(t.Context(), Attempt{}, adasShop, pairFor("two"), 0); err == nil {
		t.Error("the zero attempt wrote a consent")
	}
}

// A consent of which nobody knows if it was narrowed is not used: its writer was
// told 503, and decides again.
func TestLostConsentAnswer(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		h := newStateHouse(t)
		h.remembers(h.State, adasShop, "one")
		losing := testState(t, &losingStore{Store: h.store, lose: func() bool { return true }}, stateIssuer, h.clock.now, nil, 1)
		want := "less"
		over := must(h.Consents().latest(t.Context(), adasShop))
		err := losing.Consents().Remember(t.Context(), testAttempt(t, losing), adasShop, pairFor("less"), over)
		if forgets {
			want = ""
			err = losing.Consents().Forget(t.Context(), testAttempt(t, losing), adasShop)
		}
		if !errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("got %v, want ErrStoreUnavailable", err)
		}
		// What is found counts, also in the process that was not told of it.
		h.recalls("in the process that wrote it", losing, adasShop, want)
		h.recalls("in another", h.State, adasShop, want)
	}
}

// meddlingStore does something once, just before a swap.
type meddlingStore struct {
	Store
	before func()
}

func (s *meddlingStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if f := s.before; f != nil {
		s.before = nil
		f()
	}
	return s.Store.Swap(ctx, key, old, new, exp)
}

// What a person decides is there when they are told so. If another decision was
// faster they are told that instead; and what was only used changes nothing.
func TestConsentChangesMeanwhile(t *testing.T) {
	for what, c := range map[string]struct {
		act  func(h *stateHouse, s *State, found *Consent)
		want string
	}{
		"a decision": {func(h *stateHouse, s *State, found *Consent) {
			err := s.Consents().Remember(h.Context(), testAttempt(h, s), adasShop, pairFor("later"), found.rec.Generation)
			if !errors.Is(err, ErrNotFound) {
				h.Errorf("a decision over one that is gone: got %v, want ErrNotFound", err)
			}
		}, "meanwhile"},
		"the same decision": {func(h *stateHouse, s *State, found *Consent) {
			err := s.Consents().Remember(h.Context(), testAttempt(h, s), adasShop, pairFor("meanwhile"), found.rec.Generation)
			if err != nil {
				h.Errorf("the decision that was made already: got %v", err)
			}
		}, "meanwhile"},
		"forgetting": {func(h *stateHouse, s *State, _ *Consent) { h.forgets(s, adasShop) }, ""},
		"a use":      {func(h *stateHouse, s *State, found *Consent) { h.keeps(s, found) }, "meanwhile"},
	} {
		h := newStateHouse(t)
		h.remembers(h.State, adasShop, "one")
		h.clock.pass(2 * consentStep)
		store := &meddlingStore{Store: h.store}
		s := testState(t, store, stateIssuer, h.clock.now, nil, 1)
		found := h.recalls(what, s, adasShop, "one")
		store.before = func() { h.remembers(h.State, adasShop, "meanwhile") }
		c.act(h, s, found)
		h.recalls(what, h.State, adasShop, c.want)
	}
}

// Of decisions that race one counts, it is whole, and whoever made another is told.
func TestConsentRace(t *testing.T) {
	for _, rings := range [][][]byte{{{1}}, {{1, 2}, {2, 1}}} {
		h := newStateHouse(t)
		var requests sync.WaitGroup
		var errs [16]error
		for n := range errs {
			s := testState(t, h.store, stateIssuer, h.clock.now, nil, rings[n%len(rings)]...)
			requests.Go(func() {
				errs[n] = s.Consents().Remember(context.Background(), testAttempt(t, s), adasShop, pairFor(fmt.Sprint(n)), 0)
			})
		}
		requests.Wait()
		var won []remembered
		for n, err := range errs {
			switch {
			case err == nil:
				won = append(won, pairFor(fmt.Sprint(n)))
			case !errors.Is(err, ErrNotFound):
				t.Error(err)
			}
		}
		// Processes whose first keys differ cannot always see each other.
		if len(won) == 0 || len(won) > len(rings) {
			t.Errorf("rings %v: %d decisions were taken, want one for each first key at most", rings, len(won))
		}
		for _, ring := range rings {
			s := testState(t, h.store, stateIssuer, h.clock.now, nil, ring...)
			found, err := s.Consents().Load(t.Context(), adasShop)
			if errors.Is(err, ErrNotFound) && len(rings) > 1 {
				continue // Nobody can tell which was later, so the person is asked.
			}
			if err != nil || !slices.Contains(won, found.rec.remembered) {
				t.Errorf("ring %v: got %v, %v, want one of %v", ring, found, err, won)
			}
		}
	}
}
