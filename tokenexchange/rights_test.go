package tokenexchange

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// TestRightsThatAreTakenAway ends tokens from before, whatever was made of them,
// and no login: what is issued later lives.
func TestRightsThatAreTakenAway(t *testing.T) {
	until := start.Add(24 * time.Hour)
	soon := start.Add(time.Second)
	for name, c := range map[string]struct {
		revoke                Revocation
		adas, derived, agents bool // live
	}{
		"of the user":           {RevokeSubjectRights("example.com:ada", soon, until), false, false, false},
		"of another user":       {RevokeSubjectRights("example.com:kim", soon, until), true, true, true},
		"of the client":         {RevokeClientRights("web", soon, until), false, true, true},
		"of one that exchanged": {RevokeClientRights("batch", soon, until), true, false, true},
		"of one that acts":      {RevokeClientRights("agent", soon, until), true, true, false},
		"before the token":      {RevokeSubjectRights("example.com:ada", start, until), true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, delegates, func(c *Config) {
				c.client("web").GrantTypes = append(c.client("web").GrantTypes, "refresh_token")
			})
			login := h.login()
			adas, refresh := login.tokens(t)
			derived := h.exchange("batch", adas, shopAud).granted(t)
			agents := h.delegate("agent", adas, "audience", shopAud).granted(t)
			h.lives(t, adas, true)
			if err := h.revoke(t.Context(), c.revoke); err != nil {
				t.Fatal(err)
			}
			h.clock = soon
			h.lives(t, adas, c.adas)
			h.lives(t, derived, c.derived)
			h.passes(t, agents, c.agents)
			renewed, _ := h.refresh("web", refresh).tokens(t)
			h.lives(t, renewed, true)
			again, _ := h.login().tokens(t)
			h.lives(t, again, true)
		})
	}
}

// TestOperatorLosesRights ends what an operator does in another's name.
func TestOperatorLosesRights(t *testing.T) {
	h := support(t)
	acting := h.impersonate("console", h.operator("olga"), "mia@example.com", "orgId", "beta").granted(t)
	h.passes(t, acting, true)
	if err := h.revoke(t.Context(), RevokeSubjectRights("example.com:olga", start.Add(time.Second), start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	h.passes(t, acting, false)
}

// TestLostReachesTheTokens takes away from users and clients, and looks at their
// tokens.
func TestLostReachesTheTokens(t *testing.T) {
	less := strings.Replace(baseUsers, `"shop/orders.write orders/eu/**",`, "", 1)
	h := newHouse(t, logins)
	access, refresh := h.login().tokens(t)
	other := h.nightlys()
	before := h.realm
	h.withUsers(less)
	if err := h.revocations.RevokeLater(Lost(before, h.realm, h.clock.Add(time.Second), h.clock)...); err != nil {
		t.Fatal(err)
	}
	h.clock = h.clock.Add(time.Second)
	h.lives(t, access, false)
	h.passes(t, other, true)
	renewed, refresh := h.refresh("web", refresh).tokens(t)
	if got := setOf(t, renewed); strings.Contains(got, "orders.write") || !strings.Contains(got, "orders.read") {
		t.Errorf("renewed: got %s, want what is left", got)
	}
	// Disabled for a while: the login is over, also when the user is back.
	before = h.realm
	h.withUsers(strings.Replace(less, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1))
	if err := h.revocations.RevokeLater(Lost(before, h.realm, h.clock.Add(time.Second), h.clock)...); err != nil {
		t.Fatal(err)
	}
	h.clock = h.clock.Add(25 * time.Hour)
	h.withUsers(less)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.clock = h.clock.Add(time.Second)
	h.login().tokens(t)
}

// TestAPITokensShareAGrant gets several tokens with one API token, which end with
// its entry, in whatever process, and come back when it does.
func TestAPITokensShareAGrant(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil)
	first, second := h.apiTokenCall("api_token", token).granted(t), h.apiTokenCall("api_token", token).granted(t)
	grant := text(t, first, "grant_id")
	if text(t, second, "grant_id") != grant || text(t, first, "jti") == text(t, second, "jti") {
		t.Error("two tokens of one API token have two grants, or are one")
	}
	eu := func(access string, want bool) {
		t.Helper()
		v, _ := h.pass(h.shop(t), bearer("GET", "/orders/eu", access))
		if v.Reason == scopes.ReasonTokenRevoked == want {
			t.Errorf("got %s, want alive %t", v.Reason, want)
		}
	}
	eu(first, true)
	with, realm := h.Server, h.realm
	h.withUsers(baseUsers, keyring)
	if err := h.revocations.RevokeLater(Lost(realm, h.realm, h.clock.Add(time.Second), h.clock)...); err != nil {
		t.Fatal(err)
	}
	eu(first, false)
	eu(second, false)
	// A process that has the entry still gives nothing for it.
	h.Server = with
	h.clock = h.clock.Add(time.Second)
	g := h.apiTokenCall("api_token", token)
	g.refused(t, 400, "invalid_grant", "api_token_invalid")
	if cause, _ := g.record["cause"].(string); !strings.Contains(cause, "its grant was revoked") {
		t.Errorf("got the cause %q", cause)
	}
	h.clock = h.clock.Add(deletedFor + mint.LeewayExpiry + CollectAfter)
	eu(h.apiTokenCall("api_token", token).granted(t), true)
	eu(second, false)
}

// TestKeptGrant has the record of a grant that is used again and again written
// when it has to live longer, and not at each use.
func TestKeptGrant(t *testing.T) {
	h := newStateHouse(t)
	grant := Grant{ID: "api-1", Subject: "example.com:ada", Client: "web"}
	keep := func(life time.Duration) error {
		return h.Families().Keep(t.Context(), must(h.NewAttempt()), grant, h.now().Add(life))
	}
	for i, want := range [][4]int32{{1, 1, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}} {
		h.store.taken()
		if err := keep(time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := h.store.taken(); got != want {
			t.Errorf("use %d: got %v Get, Add, Swap and Delete, want %v", i, got, want)
		}
	}
	h.clock.pass(90 * time.Minute)
	h.store.taken()
	if err := keep(time.Hour); err != nil || h.store.taken() != [4]int32{1, 0, 1, 0} {
		t.Errorf("near its end: got %v, want it prolonged", err)
	}
	if fam, err := h.Families().Load(t.Context(), "api-1"); err != nil || fam.End.Before(h.now().Add(time.Hour)) || fam.refreshable(h.now()) {
		t.Errorf("got %v and %v, want a record without refresh tokens that outlives its tokens", fam.End, err)
	}
	h.clock.pass(24 * time.Hour)
	if err := keep(time.Hour); err != nil {
		t.Errorf("after its end: %v", err)
	}
	if err := h.Families().Revoke(t.Context(), must(h.NewAttempt()), "api-1"); err != nil {
		t.Fatal(err)
	}
	if err := keep(time.Hour); err == nil || !strings.Contains(err.Error(), ErrNotFound.Error()) {
		t.Errorf("revoked: got %v, want ErrNotFound", err)
	}
}
