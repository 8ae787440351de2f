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
