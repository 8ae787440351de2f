package tokenexchange

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// faultyStore is a store with its feed whose swaps fail while told so.
type faultyStore struct {
	*MemoryStore
	fail   bool
	cancel func() // at the next publication
}

func (s *faultyStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if s.fail {
		return false, errors.New("away")
	}
	return s.MemoryStore.Swap(ctx, key, old, new, exp)
}

func (s *faultyStore) Publish(ctx context.Context, entry []byte, until time.Time) error {
	err := s.MemoryStore.Publish(ctx, entry, until)
	if s.cancel != nil {
		s.cancel()
	}
	return err
}

func longLogins(c *Config) {
	c.client("web").RefreshTokenValidity = Duration(30 * 24 * time.Hour)
}

// What was published as revoked stays so, although the swap that ends the record
// failed: the thief's next refresh ends it.
func TestRevokedFamilyDoesNotRise(t *testing.T) {
	h := newHouse(t, logins, longLogins)
	s := &faultyStore{MemoryStore: h.store}
	h.state.store = s
	_, r0 := h.login().tokens(t)
	_, r1 := h.refresh("web", r0).tokens(t) // the thief
	h.clock = h.clock.Add(time.Minute)
	s.fail = true
	h.refresh("web", r0).refused(t, 503, "temporarily_unavailable", "store_unavailable")
	s.fail = false
	h.refresh("web", r1).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	f, err := h.state.Families().Load(t.Context(), strings.Split(r1, ".")[1])
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("the record: got %+v, %v, want it ended", f, err)
	}
}

// Whoever sends an old refresh token may be the thief, and hang up.
func TestHangingUpDoesNotKeepTheFamily(t *testing.T) {
	h := newHouse(t, logins, longLogins)
	s := &faultyStore{MemoryStore: h.store}
	h.state.store = s
	_, r0 := h.login().tokens(t)
	_, r1 := h.refresh("web", r0).tokens(t)
	h.clock = h.clock.Add(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	r := form(pairs("grant_type", "refresh_token", "refresh_token", r0)).WithContext(ctx)
	r.SetBasicAuth("web", secretOf("web"))
	h.do(r)
	h.refresh("web", r1).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// A use that comes again is noticed as long as a token lives that it could have
// given: also after the last refresh, and when the client's lifetimes are shorter
// by then.
func TestReuseIsNoticedWhileATokenLives(t *testing.T) {
	dead := func(t *testing.T, h *house, access string) {
		t.Helper()
		_ = h.revocations.Len() // What is over is forgotten.
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
			t.Errorf("the guard: got %s, want %s", v.Reason, scopes.ReasonTokenRevoked)
		}
	}
	for name, again := range map[string]func(h *house, code, old string) got{
		"code":          func(h *house, code, _ string) got { return h.redeem("web", code) },
		"refresh token": func(h *house, _, old string) got { return h.refresh("web", old) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins, func(c *Config) { c.client("web").RefreshTokenValidity = Duration(time.Hour) })
			code := h.code(t)
			_, refresh := h.redeem("web", code).tokens(t)
			h.clock = h.clock.Add(59 * time.Minute)
			access, _ := h.refresh("web", refresh).tokens(t)
			h.clock = h.clock.Add(2 * time.Minute) // Nothing can be refreshed any more.
			if g := again(h, code, refresh); g.status != 400 || !strings.HasSuffix(g.body["cspErrorCode"].(string), "_reused") {
				t.Errorf("got %s, want it noticed", g.raw)
			}
			dead(t, h, access)
		})
	}
	t.Run("shorter lifetimes", func(t *testing.T) {
		h := newHouse(t, logins, func(c *Config) {
			c.client("web").AccessTokenValidity, c.client("web").RefreshTokenValidity = Duration(72*time.Hour), Duration(72*time.Hour)
		})
		code := h.code(t)
		access, _ := h.redeem("web", code).tokens(t)
		h.Server = h.reload(h.caches, logins)
		h.clock = h.clock.Add(time.Minute)
		h.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
		h.clock = h.clock.Add(50 * time.Hour)
		dead(t, h, access)
	})
}

// tokens_not_before ends logins, and so the tokens that were refreshed from them
// later. A published revocation of the user does the same.
func TestLoginsOfAUserEnd(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login().tokens(t)
	h.clock = h.clock.Add(20 * time.Minute)
	access, next := h.refresh("web", refresh).tokens(t)
	h.clock = h.clock.Add(time.Minute)
	h.withUsers(strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:10:00Z","id":"ada"`, 1))
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("the access token of a login before tokens_not_before: got %s", v.Reason)
	}
	h.refresh("web", next).refused(t, 400, "invalid_grant", "user_gone")

	h = newHouse(t, logins)
	access, refresh = h.login().tokens(t)
	h.clock = h.clock.Add(20 * time.Minute)
	if err := h.revoke(t.Context(), RevokeSubject("example.com:ada", h.clock, h.clock.Add(24*time.Hour))); err != nil {
		t.Fatal(err)
	}
	h.clock = h.clock.Add(time.Second)
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("the access token of a revoked user: got %s", v.Reason)
	}
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.clock = h.clock.Add(time.Second)
	again, _ := h.login().tokens(t)
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", again)); !v.Allowed() {
		t.Errorf("a later login: got %s", v.Reason)
	}
}

// Nothing new begins from a login while nobody can tell whether it has ended.
func TestNothingBeginsWithoutTheStore(t *testing.T) {
	h := support(t)
	actor, first := h.operator("olga"), h.loggedIn()
	grant := claimsOf(t, first)["grant_id"].(string)
	if err := h.state.Families().Revoke(t.Context(), must(h.state.NewAttempt()), grant); err != nil {
		t.Fatal(err)
	}
	h.switchTo("web", first, "beta").refused(t, 400, "invalid_request", "token_revoked")
	first = h.loggedIn()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	h.impersonate("console", actor, "ada@example.com").refused(t, 503, "temporarily_unavailable", "store_unavailable")
	h.switchTo("web", first, "beta").refused(t, 503, "temporarily_unavailable", "store_unavailable")
}
