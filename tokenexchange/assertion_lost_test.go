package tokenexchange

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A store that was lost has forgotten which assertions were used.
func TestAssertionBeforeTheEpoch(t *testing.T) {
	h := newHouse(t, robots)
	h.epoch.Created = start.Add(10*time.Second + 500*time.Millisecond)
	h.clock = start.Add(20 * time.Second)
	h.Server = h.reload(h.caches, robots)
	for _, c := range []struct {
		name, iat, exp string
		good           bool
	}{
		{"made before", at(9), at(60), false},
		{"made in the second of the epoch", at(10), at(60), true},
		{"made after", at(15), at(60), true},
		{"who knows when, perhaps before", "", at(60), false},
		{"who knows when, but not before", "", at(310), true},
	} {
		g := h.assert(says(statement{"iat": c.iat, "exp": c.exp}).robot())
		if c.good {
			g.granted(t)
			continue
		}
		g.refusedAssertion(t)
		if why := fmt.Sprint(g.record["cause"]); !strings.Contains(why, "epoch") {
			t.Errorf("%s: got the cause %q", c.name, why)
		}
	}
}

// lostAtAdd is a store that is lost just before it is written to.
type lostAtAdd struct {
	Store
	fresh Store
}

func (s *lostAtAdd) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	s.Store = s.fresh
	return s.Store.Add(ctx, key, val, exp)
}

// A store that was lost while the server runs, of which the server does not know
// yet, accepts no assertion: neither one that was used before nor a new one.
func TestAssertionAfterAFlush(t *testing.T) {
	for name, c := range map[string]struct{ begun, late bool }{
		"empty": {false, false}, "begun anew by another process": {true, false}, "lost in the middle": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, robots)
			raw, now := says(nil).robot(), func() time.Time { return h.clock }
			h.assert(raw).granted(t)
			h.clock = start.Add(20 * time.Second)
			lost := NewMemoryStore(now)
			if h.state.store = lost; c.late {
				h.state.store = &lostAtAdd{Store: h.store, fresh: lost}
			}
			if c.begun {
				h.epoch = must(testState(t, lost, issuer, now, nil, 7).Epoch(t.Context()))
			}
			h.assert(raw).refused(t, 503, "temporarily_unavailable", "store_unavailable")
			h.assert(says(nil).robot()).refused(t, 503, "temporarily_unavailable", "store_unavailable")
			h.assert(says(nil).sign(jwt.SigningMethodES256, secondKey())).refusedAssertion(t)
			h.nightlys() // Secrets need no store.
			if !c.begun {
				return
			}
			h.store = lost
			h.Server = h.reload(h.caches, robots)
			h.assert(says(nil).robot()).refusedAssertion(t) // Made before.
			h.assert(says(statement{"iat": at(20)}).robot()).granted(t)
		})
	}
}

// The look at the epoch costs an assertion one Get, and nobody else anything.
func TestAssertionReadsTheEpoch(t *testing.T) {
	h := newHouse(t, robots, logins)
	store := &countingStore{Store: h.store}
	h.state.store = store
	h.assert(says(nil).robot()).granted(t)
	if got, want := store.taken(), [4]int32{1, 1, 0, 0}; got != want {
		t.Errorf("an assertion: got %v of Get, Add, Swap, Delete, want %v", got, want)
	}
	h.nightlys()
	_, refresh := h.login().tokens(t)
	store.taken()
	h.refresh("web", refresh).tokens(t)
	if got, want := store.taken(), [4]int32{1, 0, 1, 0}; got != want {
		t.Errorf("a refresh token: got %v, want %v", got, want)
	}
}

// Without iat an assertion counts as made 5 minutes before its exp, which never
// lies ahead. So one that was used is refused after the store was lost.
func TestAssertionWithoutIatAndALostStore(t *testing.T) {
	h := newHouse(t, robots)
	latest := says(statement{"iat": "", "exp": at(300)}).robot()
	h.assert(says(statement{"iat": "", "exp": at(301)}).robot()).refusedAssertion(t)
	h.assert(latest).granted(t)
	h.loseTheStore(start.Add(time.Second))
	h.assert(latest).refusedAssertion(t)
}

// This is the limit of docs/decisions/0018-assertions-and-a-lost-store.md: an
// assertion of a client whose clock is ahead works once more if the store is lost,
// and begun anew, before the moment at which it says that it was made.
func TestLimitAssertionAheadOfALostStore(t *testing.T) {
	for _, c := range []struct {
		name      string
		iat, lost int // seconds after the first use
		again     bool
	}{
		{"clock ahead, lost before its iat", 20, 2, true},
		{"clock as far ahead as may be", 30, 30, true},
		{"clock ahead, lost after its iat", 20, 21, false},
		{"clock right, lost within the second", 0, 0, true},
		{"clock right, lost in the next second", 0, 1, false},
		{"clock behind", -1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, robots)
			raw := says(statement{"iat": at(c.iat)}).robot()
			h.assert(raw).granted(t)
			h.assert(raw).refusedAssertion(t)
			h.loseTheStore(start.Add(time.Duration(c.lost) * time.Second))
			if c.again {
				h.assert(raw).granted(t)
			}
			h.assert(raw).refusedAssertion(t)
		})
	}
}

// loseTheStore has the server begin anew at a moment, with an empty store.
func (h *house) loseTheStore(at time.Time) {
	h.t.Helper()
	h.clock = at
	now := func() time.Time { return h.clock }
	h.store = NewMemoryStore(now)
	h.epoch = must(testState(h.t, h.store, issuer, now, nil, 7).Epoch(h.t.Context()))
	h.Server = h.reload(NewCaches(), robots)
}
