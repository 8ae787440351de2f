package tokenexchange

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func (h *house) revokeAs(client, token string, kv ...string) got {
	h.t.Helper()
	return h.at("/oauth2/revoke", client, append([]string{"token", token}, kv...)...)
}

// done holds the answer to a revocation against its one form. Whether it had an
// effect is in the record alone.
func (g got) done(t testing.TB, effect bool) {
	t.Helper()
	if g.status != 200 || g.raw != "{}\n" || g.header.Get("Content-Type") != "application/json" || g.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %s with the headers %v, want 200 and an empty object", g.status, g.raw, g.header)
	}
	if cause, _ := g.record["cause"].(string); g.record["allowed"] != true || strings.HasPrefix(cause, "no effect") == effect {
		t.Errorf("got the record %v, want it to say that it had an effect: %v", g.record, effect)
	}
}

// another is a second server on the same store that reads the revocations now.
func (h *house) another(change ...func(*Config)) *house {
	h.t.Helper()
	other := &house{t: h.t, clock: h.clock, store: h.store, epoch: h.epoch, slow: NewThrottles()}
	other.revocations = NewRevocations(func() time.Time { return other.clock })
	readBack(h.t, other.revocations, h.store, stateKey)
	other.Server = other.reload(NewCaches(), change...)
	return other
}

// worth tells whether an access token is accepted: by a guard, by the token
// endpoint, and by introspection, which all agree.
func (h *house) worth(t *testing.T, token string, want bool) {
	t.Helper()
	h.lives(t, token, want)
	if g := h.introspectAs("batch", token); want {
		g.told(t)
	} else {
		g.inactive(t, "token_revoked")
	}
}

// TestRevokedRefreshToken ends a login by each refresh token that it had. All
// that came of it is dead, here and in another process, and nothing else is.
func TestRevokedRefreshToken(t *testing.T) {
	for name, which := range map[string]int{"the newest": 2, "one that was replaced": 1, "the first": 0} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins, delegates)
			first, r0 := h.login().tokens(t)
			h.clock = h.clock.Add(time.Minute)
			second, r1 := h.refresh("web", r0).tokens(t)
			h.clock = h.clock.Add(time.Minute)
			third, r2 := h.refresh("web", r1).tokens(t)
			family := []string{first, second, third}
			family = append(family, h.exchange("batch", first, shopAud).granted(t), h.delegate("agent", third, "audience", shopAud).granted(t))
			other, kept := h.login().tokens(t)
			g := h.revokeAs("web", []string{r0, r1, r2}[which], "token_type_hint", "access_token")
			g.done(t, true)
			if g.record["sub"] != "example.com:ada" || g.record["client_id"] != "web" || g.record["endpoint"] != "revoke" {
				t.Errorf("got the record %v", g.record)
			}
			for _, at := range []*house{h, h.another(logins, delegates)} {
				for _, token := range family {
					at.lives(t, token, false)
				}
				at.lives(t, other, true)
				at.refresh("web", r2).refused(t, 400, "invalid_grant", "refresh_token_invalid")
			}
			h.revokeAs("web", r2).done(t, false) // It has ended.
			h.refresh("web", kept).tokens(t)
		})
	}
}

// agentAllows lets tokens with which agent acts be exchanged.
func agentAllows(c *Config) {
	agent := c.client("agent")
	agent.Allow = append(agent.Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}})
}

// TestRevokedAccessToken ends one token of a chain through the endpoint.
func TestRevokedAccessToken(t *testing.T) {
	h := newHouse(t, logins, delegates, agentAllows)
	first, refresh := h.login().tokens(t)
	agents := h.delegate("agent", first, "audience", shopAud).granted(t)
	batchs := h.exchange("batch", agents, shopAud).granted(t)
	last := h.exchange("batch", batchs, shopAud).granted(t)
	beside := h.exchange("batch", first, shopAud).granted(t)

	h.revokeAs("batch", batchs).done(t, true)
	for _, at := range []*house{h, h.another(logins, delegates, agentAllows)} {
		for token, want := range map[string]bool{first: true, agents: true, batchs: false, last: false, beside: true} {
			at.lives(t, token, want)
		}
	}
	g := h.revokeAs("agent", agents)
	g.done(t, true)
	if g.record["jti"] != claimsOf(t, agents)["jti"] || g.record["sub"] != "example.com:ada" {
		t.Errorf("got the record %v", g.record)
	}
	h.lives(t, agents, false)
	h.lives(t, beside, true)
	h.revokeAs("web", first).done(t, true)
	h.lives(t, beside, false)
	again, _ := h.refresh("web", refresh).tokens(t) // RFC 7009 section 2.1: the grant goes on.
	h.lives(t, again, true)
}

// TestRevocationWithoutEffect has what is not this client's, and what is over:
// all are answered as success is, and nothing dies of it.
func TestRevocationWithoutEffect(t *testing.T) {
	h := everyGrant(t)
	ada, refresh, code := h.value("ada"), h.value("refresh"), h.value("code")
	ended := h.tokensOf()
	h.revokeAs("web", ended).done(t, true)
	for name, c := range map[string]struct{ client, token string }{
		"another client's access token":    {"batch", ada},
		"one that it could introspect":     {"console", h.value("nightly")},
		"another client's refresh token":   {"console", refresh},
		"what it made of another's token":  {"web", h.value("exchanged")},
		"a code of its own":                {"web", code},
		"another client's id token":        {"console", h.value("ada_id")},
		"another client's API token":       {"console", adasKey},
		"an ended family":                  {"web", ended},
		"nothing like a token":             {"web", "something"},
		"signed by another key":            {"web", resigned(ada)},
		"of another issuer":                {"web", forge("at+jwt", claimsOf(t, ada), map[string]any{"iss": "https://other.example.com"})},
		"a refresh token that is not ours": {"web", refresh[:len(refresh)-1] + "_"},
		"an assertion of its own":          {"batch", h.value("assertion")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, hint := range []string{"", "access_token", "refresh_token", "other"} {
				h.revokeAs(c.client, c.token, "token_type_hint", hint).done(t, false)
			}
		})
	}
	for _, token := range []string{ada, h.value("exchanged"), h.value("nightly")} {
		h.worth(t, token, true)
	}
	h.refresh("web", refresh).tokens(t)
	h.redeem("web", code).tokens(t)
	h.apiTokenCall("api_token", adasKey).granted(t)
}

// TestRevokedWhateverItIsWorth revokes tokens that nobody accepts at the moment:
// their client and signature decide.
func TestRevokedWhateverItIsWorth(t *testing.T) {
	h := newHouse(t, logins)
	ada := claimsOf(t, h.loggedIn())
	for name, change := range map[string]map[string]any{
		"not yet valid":        {"nbf": start.Unix() + 600},
		"of a user who is out": {"sub": "example.com:nobody"},
		"bound to a key":       {"cnf": map[string]any{"jkt": "x"}},
		"for an upstream":      {"aud": "urn:scopegate:upstream:shop"},
		"of too many hops":     {"act": actors(5)},
	} {
		t.Run(name, func(t *testing.T) {
			change["jti"] = name
			before := h.revocations.Len()
			h.revokeAs("web", forge("at+jwt", ada, change)).done(t, true)
			if got := h.revocations.Len() - before; got != 1 {
				t.Errorf("got %d new revocations, want 1", got)
			}
		})
	}
	h.revocations.reading.unread.Store(always)
	h.revokeAs("web", forge("at+jwt", ada, nil)).done(t, true)
	h.revocations.reading.unread.Store(0)
	before := h.revocations.Len()
	h.revokeAs("web", forge("at+jwt", ada, map[string]any{"jti": "over", "exp": start.Unix() - 60})).done(t, true)
	if got := h.revocations.Len(); got != before {
		t.Errorf("expired: got %d revocations, want %d as before", got, before)
	}
}

// TestRevokedByPublicClients revokes by name: who has the token is the proof.
func TestRevokedByPublicClients(t *testing.T) {
	h := everyGrant(t)
	g := h.do(form(pairs("client_id", "phone", "grant_type", "authorization_code", "code", h.value("code_phone"), "redirect_uri", "http://127.0.0.1:49152/done", "code_verifier", verifier)))
	access, refresh := g.tokens(t)
	revoke := func(kv ...string) got {
		r := form(pairs(kv...))
		r.URL.Path = "/csp/gateway/am/api/auth/revoke"
		return h.do(r)
	}
	revoke("client_id", "mobile", "token", refresh).done(t, false)
	revoke("client_id", "mobile", "token", access).done(t, false)
	h.introspectAs("batch", access).told(t)
	revoke("client_id", "phone", "token", access).done(t, true)
	h.introspectAs("batch", access).inactive(t, "token_revoked")
	revoke("client_id", "phone", "token", refresh).done(t, true)
	h.do(form(pairs("client_id", "phone", "grant_type", "refresh_token", "refresh_token", refresh))).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	revoke("client_id", "phone", "client_secret", "a public client has no secret", "token", access).refused(t, 401, "invalid_client", "client_authentication")
	revoke("token", access).refused(t, 401, "invalid_client", "client_authentication")
}

// TestRevocationIsRefused has what is answered with an error, after which nothing
// has changed.
func TestRevocationIsRefused(t *testing.T) {
	h := everyGrant(t)
	exchanged, _ := h.token("portal", "grant_type", "audience_exchange", "subject_token", h.value("ada"), "subject_token_type", accessURN, "target_audience", shopAud).body["id_token"].(string)
	for name, c := range map[string]struct {
		client       string
		kv           []string
		status       int
		code, reason string
	}{
		"an API token of its own":        {"web", []string{"token", adasKey}, 400, "unsupported_token_type", "token_kind"},
		"an id token of its own":         {"web", []string{"token", h.value("ada_id")}, 400, "unsupported_token_type", "token_kind"},
		"an id token that it exchanged":  {"portal", []string{"token", secret("an id token", exchanged)}, 400, "unsupported_token_type", "token_kind"},
		"no token":                       {"web", nil, 400, "invalid_request", "parameter_missing"},
		"two tokens":                     {"web", []string{"token", h.value("ada"), "token", "x"}, 400, "invalid_request", "parameter_repeated"},
		"a parameter of the token grant": {"web", []string{"token", h.value("ada"), "resource", shopAud}, 400, "invalid_request", "parameter_misplaced"},
	} {
		t.Run(name, func(t *testing.T) {
			h.at("/oauth2/revoke", c.client, c.kv...).refused(t, c.status, c.code, c.reason)
		})
	}
	r := form(pairs("token", h.value("ada"), "client_id", "web", "client_secret", "not the secret of the client"))
	r.URL.Path = "/oauth2/revoke"
	h.do(r).refused(t, 401, "invalid_client", "client_authentication")
	if g := h.do(httptest.NewRequest("DELETE", "/oauth2/revoke", nil)); g.status != 405 || g.header.Get("Allow") != "POST" {
		t.Errorf("DELETE: got %d and Allow %q", g.status, g.header.Get("Allow"))
	}
	h.worth(t, h.value("ada"), true)
	r = form(string(must(json.Marshal(map[string]any{"token": h.value("ada"), "client_id": "web", "client_secret": secretOf("web")}))))
	r.URL.Path = "/oauth2/revoke"
	r.Header.Set("Content-Type", "application/json")
	h.do(r).done(t, true)
	h.worth(t, h.value("ada"), false)
}

// TestRevokedWithoutStore cannot tell the others, and says so until it can. Here
// the tokens are dead at once.
func TestRevokedWithoutStore(t *testing.T) {
	h := newHouse(t, logins)
	access, _ := h.login().tokens(t)
	second, refresh := h.login().tokens(t)
	store := h.store
	gone := NewMemoryStore(func() time.Time { return h.clock })
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	h.store = gone
	h.Server = h.reload(h.caches, logins)
	for range 2 {
		h.revokeAs("web", access).refused(t, 503, "temporarily_unavailable", "revocation_unpublished")
		h.revokeAs("web", refresh).refused(t, 503, "temporarily_unavailable", "revocation_unpublished")
	}
	h.lives(t, access, false)
	h.lives(t, second, false)
	h.revokeAs("web", "something").done(t, false) // That needs no store.
	h.store = store
	h.Server = h.reload(h.caches, logins)
	h.lives(t, second, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.revokeAs("web", access).done(t, true)
	h.another(logins).lives(t, access, false)
}

// TestRevokedFamilyWithoutStoreStaysDead revokes while nobody knows how long the
// family lives, and asks at its last moment.
func TestRevokedFamilyWithoutStoreStaysDead(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) { c.client("web").RefreshTokenValidity = Duration(72 * time.Hour) })
	_, refresh := h.login().tokens(t)
	id, _ := h.state.refreshGrant(refresh, "web")
	h.clock = h.clock.Add(time.Hour)
	store := h.store
	h.store = NewMemoryStore(func() time.Time { return h.clock })
	_ = h.store.Close()
	long := func(c *Config) { logins(c); c.client("web").RefreshTokenValidity = Duration(72 * time.Hour) }
	h.Server = h.reload(h.caches, long)
	h.revokeAs("web", refresh).refused(t, 503, "temporarily_unavailable", "revocation_unpublished")
	h.store = store
	h.Server = h.reload(h.caches, long)
	h.clock = start.Add(72*time.Hour - time.Second)
	if f, err := h.state.Families().Load(t.Context(), id); err != nil || f.ID != id {
		t.Fatal(fmt.Errorf("the family is over: %w", err))
	}
	h.revocations.Len() // forgets what is over
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}
