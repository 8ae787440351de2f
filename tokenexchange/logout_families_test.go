package tokenexchange

import (
	"strings"
	"testing"
	"time"
)

// family is what came of one grant of a login.
type family struct {
	access, id, refresh string
	derived             []string // its first access token, and what was made of it and of the other
}

// family lets ada consent to a scope in a login, and refreshes and derives.
func (h *house) family(t *testing.T, session, scope string) *family {
	t.Helper()
	g := h.redeem("web", h.code(t, func(c *Code) { c.Session, c.Scope = session, scope }))
	f := &family{id: g.body["id_token"].(string)}
	_, refresh := g.tokens(t)
	first, _ := g.tokens(t)
	h.clock = h.clock.Add(time.Minute)
	f.access, f.refresh = h.refresh("web", refresh, "scope", "openid").tokens(t)
	f.derived = []string{first, h.exchange("batch", first, shopAud).granted(t), h.delegate("agent", f.access, "audience", shopAud).granted(t)}
	return f
}

// TestLogoutEndsOnlineFamilies ends a login by each id token of it: its online
// families are dead in every process, with all that was derived, and those with
// offline_access go on. Another login of the user does too.
func TestLogoutEndsOnlineFamilies(t *testing.T) {
	for name, by := range map[string]int{"by the online family's": 0, "by the offline family's": 2} {
		t.Run(name, func(t *testing.T) {
			change := []func(*Config){leavers, delegates, agentAllows}
			h := newHouse(t, change...)
			all := []*family{
				h.family(t, "S1", "openid profile orders"), h.family(t, "S1", "openid orders"),
				h.family(t, "S1", "openid offline_access orders"), h.family(t, "S2", "openid orders"),
			}
			h.leave(nil, "id_token_hint", all[by].id).page(t, "Logged out", "'self'")
			for _, at := range []*house{h, h.another(change...)} {
				for i, f := range all {
					want := i >= 2
					for _, token := range append(f.derived, f.access) {
						at.lives(t, token, want)
					}
					at.introspectAs("web", f.refresh).active(t, want)
				}
			}
			for i, f := range all {
				if i < 2 {
					h.refresh("web", f.refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
					continue
				}
				access, _ := h.refresh("web", f.refresh).tokens(t)
				h.lives(t, access, true)
			}
		})
	}
}

// active holds whether an introspected token is active.
func (g got) active(t testing.TB, want bool) {
	t.Helper()
	if g.status != 200 || g.body["active"] != want {
		t.Errorf("got %d %s, want active %v", g.status, g.raw, want)
	}
}

// TestOfflineGrants has an id token of each grant name the login, and no access
// token of one with offline_access: also where the request narrowed it, and in
// what is made of it.
func TestOfflineGrants(t *testing.T) {
	h := newHouse(t, leavers, delegates)
	for scope, offline := range map[string]bool{
		"openid orders": false, "openid offline_access orders": true,
	} {
		want := any("S1")
		if offline {
			want = nil
		}
		f := h.family(t, "S1", scope)
		for _, token := range append(f.derived, f.access) {
			if got := claimsOf(t, token)["sid"]; got != want {
				t.Errorf("%s: got the sid %v in an access token, want %v", scope, got, want)
			}
		}
		refreshed := h.refresh("web", f.refresh)
		for _, id := range []string{f.id, refreshed.body["id_token"].(string)} {
			if got := claimsOf(t, id)["sid"]; got != "S1" {
				t.Errorf("%s: got the sid %v in an id token, want S1", scope, got)
			}
		}
	}
	// Of a password, the scope that is granted decides.
	for scope, offline := range map[string]bool{"": true, "openid_offline_access": true, "openid": false, "openid orders": false} {
		g := h.login("scope", scope)
		access, _ := g.tokens(t)
		sid, login := claimsOf(t, access)["sid"], claimsOf(t, g.body["id_token"].(string))["sid"]
		if login == nil || offline != (sid == nil) || !offline && sid != login {
			t.Errorf("scope %q: got the sid %v, and %v in the id token", scope, sid, login)
		}
	}
}

// TestOfflineIsTakenBack has a client that may not be offline any more: its
// families belong to their logins again, also to one that has ended.
func TestOfflineIsTakenBack(t *testing.T) {
	h := newHouse(t, leavers, delegates)
	f, g := h.family(t, "S1", "openid offline_access orders"), h.family(t, "S2", "openid offline_access orders")
	h.leave(nil, "id_token_hint", f.id).page(t, "Logged out", "'self'")
	_, f.refresh = h.refresh("web", f.refresh).tokens(t)
	h.Server = h.reload(h.caches, leavers, delegates, func(c *Config) { c.client("web").Scope = strings.Fields("openid orders") })
	h.refresh("web", f.refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	access, _ := h.refresh("web", g.refresh).tokens(t)
	if got := claimsOf(t, access)["sid"]; got != "S2" {
		t.Errorf("got the sid %v, want S2", got)
	}
}

// TestLogoutLastsAsLongAsAnyFamily looks at a family of another client, with the
// longest life of all, at its last moment.
func TestLogoutLastsAsLongAsAnyFamily(t *testing.T) {
	h := newHouse(t, leavers)
	phone := func(c *Code) {
		c.Client, c.RedirectURI, c.Scope, c.Session = "phone", "http://127.0.0.1:1/done", "openid", "S1"
	}
	_, refresh := h.do(form(pairs("client_id", "phone", "grant_type", "authorization_code", "code", h.code(t, phone), "redirect_uri", "http://127.0.0.1:1/done", "code_verifier", verifier))).tokens(t)
	id := h.redeem("web", h.code(t, func(c *Code) { c.Session = "S1" })).body["id_token"].(string)
	h.leave(nil, "id_token_hint", id).page(t, "Logged out", "'self'")
	h.clock = start.Add(72*time.Hour - time.Second)
	h.revocations.Len() // forgets what is over
	h.do(form(pairs("client_id", "phone", "grant_type", "refresh_token", "refresh_token", refresh))).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// TestLogoutWithoutStore cannot tell the others, and does not say that it did.
func TestLogoutWithoutStore(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	access, refresh := login.tokens(t)
	store := h.store
	h.store = NewMemoryStore(func() time.Time { return h.clock })
	_ = h.store.Close()
	h.Server = h.reload(h.caches, leavers)
	h.visit("id_token_hint", id).page(t, "Log out", "'self'")
	g := h.leave(ownSite, "id_token_hint", id, "post_logout_redirect_uri", bye)
	g.refused(t, 503, "temporarily_unavailable", "revocation_unpublished")
	h.lives(t, access, false)
	h.store = store
	h.Server = h.reload(h.caches, leavers)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	if g := h.leave(ownSite, "id_token_hint", id, "post_logout_redirect_uri", bye); g.status != 303 {
		t.Errorf("once it is back: got %d %s", g.status, g.raw)
	}
	h.another(leavers).lives(t, access, false)
}
