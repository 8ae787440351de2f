package tokenexchange

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func (h *house) introspectAs(client, token string, kv ...string) got {
	h.t.Helper()
	return h.at("/oauth2/introspect", client, append([]string{"token", token}, kv...)...)
}

// told holds an answer about an active token against its form.
func (g got) told(t testing.TB) map[string]any {
	t.Helper()
	if g.status != 200 || g.body["active"] != true {
		t.Fatalf("got %d %s, want an active token; the record is %v", g.status, g.raw, g.record)
	}
	if g.header.Get("Cache-Control") != "no-store" || g.header.Get("Content-Type") != "application/json" {
		t.Errorf("got the headers %v", g.header)
	}
	if g.record["allowed"] != true || g.record["reason"] != "allowed" || g.record["endpoint"] != "introspect" {
		t.Errorf("got the record %v", g.record)
	}
	return g.body
}

// inactive holds an answer about anything else against the one that all have. Why
// is in the record alone.
func (g got) inactive(t testing.TB, why string) {
	t.Helper()
	if g.status != 200 || strings.TrimSpace(g.raw) != `{"active":false}` {
		t.Fatalf("got %d %s, want exactly {\"active\":false}; the record is %v", g.status, g.raw, g.record)
	}
	cause, _ := g.record["cause"].(string)
	if g.record["allowed"] != true || !strings.HasPrefix(cause, "inactive: ") || !strings.Contains(cause, why) {
		t.Errorf("got the record %v, want it to say %q", g.record, why)
	}
}

// TestIntrospectedAccessToken compares the answer with the token: it is what the
// token says itself, no more and no less.
func TestIntrospectedAccessToken(t *testing.T) {
	h := everyGrant(t)
	switched := h.switchTo("console", h.value("ada"), "beta").granted(t)
	apiTokens := h.apiTokenCall("api_token", adasKey).granted(t)
	for name, c := range map[string]struct {
		token   string
		clients []string
	}{
		"a user's first":      {h.value("ada"), []string{"web", "batch", "agent", "console"}},
		"narrowed":            {h.value("ada_narrow"), []string{"web", "batch"}},
		"a client's own":      {h.value("nightly"), []string{"nightly", "batch", "console"}},
		"exchanged":           {h.value("exchanged"), []string{"batch", "agent"}},
		"delegated":           {h.value("delegated"), []string{"agent", "batch"}},
		"switched":            {switched, []string{"console", "batch"}},
		"impersonated":        {h.value("impersonated"), []string{"console", "batch"}},
		"of an API token":     {apiTokens, []string{"web", "batch"}},
		"a public client's":   {h.value("mobile"), []string{"batch"}},
		"without any service": {h.value("batch"), []string{"batch"}},
	} {
		for _, client := range c.clients {
			want := claimsOf(t, c.token)
			want["active"], want["token_type"] = true, "Bearer"
			for _, hint := range []string{"", "access_token", "refresh_token", "something"} {
				if got := h.introspectAs(client, c.token, "token_type_hint", hint).told(t); !reflect.DeepEqual(got, want) {
					t.Errorf("%s for %s, hint %q: got %v, want %v", name, client, hint, got, want)
				}
			}
		}
	}
}

// TestInactiveAccessTokens asks as those whom a token is nothing to, and for what
// is worth nothing to anybody.
func TestInactiveAccessTokens(t *testing.T) {
	h := everyGrant(t)
	forwarded := func(client string) string {
		_, raw := h.forwarded(t, h.shopWith(t, GuardOptions{Client: client}), bearer("GET", "/me", h.value("ada")))
		return secret("a forwarded token", raw)
	}
	ada := claimsOf(t, h.value("ada"))
	dead := h.loggedIn()
	if err := h.revoke(t.Context(), RevokeToken(text(t, dead, "jti"), start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	shopOnly := h.loggedIn("allowed_resource_scope", constants["read"])
	for name, c := range map[string]struct{ client, token, why string }{
		"for a client without permit lines":  {"nightly", h.value("ada"), "token_audience"},
		"for one with those of a third":      {"crmonly", shopOnly, "token_audience"},
		"for no service, another's":          {"agent", h.value("batch"), "token_audience"},
		"forwarded, for who accepts":         {"batch", forwarded(""), "token_audience"},
		"forwarded, for the acting client":   {"batch", forwarded("batch"), "token_audience"},
		"revoked":                            {"web", dead, "token_revoked"},
		"revoked, for another":               {"batch", dead, "token_revoked"},
		"an id token":                        {"web", h.value("ada_id"), "token_type"},
		"an API token":                       {"web", adasKey, "token_malformed"},
		"a code":                             {"web", h.value("code"), "token_malformed"},
		"an assertion":                       {"batch", h.value("assertion"), "token_signature"},
		"nothing like a token":               {"web", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.y", "token_malformed"},
		"signed by another key":              {"web", resigned(h.value("ada")), "token_signature"},
		"of another issuer":                  {"web", forge("at+jwt", ada, map[string]any{"iss": "https://other.example.com"}), "token_issuer"},
		"bound to a key":                     {"web", forge("at+jwt", ada, map[string]any{"cnf": map[string]any{"jkt": "x"}}), "token_binding"},
		"from before the store":              {"web", forge("at+jwt", ada, map[string]any{"iat": h.epoch.Created.Unix() - 1}), "token_revoked"},
		"of a client that is gone":           {"batch", forge("at+jwt", ada, map[string]any{"client_id": "gone"}), "exchange_refused"},
		"through a client that is gone":      {"web", forge("at+jwt", ada, map[string]any{"via": []string{"gone"}}), "exchange_refused"},
		"marked by a guard that only audits": {"web", forge("at+jwt", ada, map[string]any{"scopegate_mode": "audit"}), "exchange_refused"},
		"of a user who is gone":              {"web", forge("at+jwt", ada, map[string]any{"sub": "example.com:nobody"}), "token_revoked"},
		"of a user who is disabled":          {"web", forge("at+jwt", ada, map[string]any{"sub": "example.com:gone"}), "token_revoked"},
	} {
		t.Run(name, func(t *testing.T) { h.introspectAs(c.client, c.token).inactive(t, c.why) })
	}
	exp := time.Unix(int64(ada["exp"].(float64)), 0)
	h.clock = exp.Add(-time.Second)
	h.introspectAs("web", h.value("ada")).told(t)
	h.clock = exp // A guard has a leeway, and so has whoever reads exp.
	h.introspectAs("web", h.value("ada")).inactive(t, "token_expired")
}

// TestIntrospectionAfterAReload asks for a token whose client has no line for the
// service any more: its guard would not take it either.
func TestIntrospectionAfterAReload(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	h.introspectAs("batch", ada).told(t)
	h.Server = h.reload(NewCaches(), func(c *Config) { c.client("web").Permit = lines("crm/* **") })
	h.introspectAs("batch", ada).inactive(t, "token_audience")
	h.introspectAs("crmonly", ada).told(t)
	h.introspectAs("web", ada).told(t)
}

// TestIntrospectedRefreshToken looks at each refresh token of a family as it
// goes on. Nothing changes by it.
func TestIntrospectedRefreshToken(t *testing.T) {
	h := newHouse(t, logins)
	access, r0 := h.login().tokens(t)
	claims := claimsOf(t, access)
	h.clock = h.clock.Add(10 * time.Minute)
	want := map[string]any{
		"active": true, "client_id": "web", "sub": "example.com:ada", "aud": issuer, "iss": issuer, "scope": claims["scope"],
		"exp": float64(start.Add(24 * time.Hour).Unix()), "iat": float64(start.Unix()), "auth_time": float64(start.Unix()),
		"grant_id": claims["grant_id"], "context_name": "acme",
	}
	o, _ := h.state.readOpaque(opaqueRefresh, r0, "web")
	before := must(h.store.Get(t.Context(), o.key.keyFor(issuer, kindFamily, o.grant)))
	for range 5 {
		if got := h.introspectAs("web", r0).told(t); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if after := must(h.store.Get(t.Context(), o.key.keyFor(issuer, kindFamily, o.grant))); !bytes.Equal(after, before) {
		t.Error("the look changed the record")
	}
	h.introspectAs("console", r0).inactive(t, "token_malformed") // Another client's MAC.
	h.introspectAs("web", r0[:len(r0)-1]+"_").inactive(t, "")
	_, r1 := h.refresh("web", r0).tokens(t)
	h.introspectAs("web", r0).inactive(t, "used a moment ago") // It would be given the same successor again.
	want["iat"] = float64(h.clock.Unix())
	if got := h.introspectAs("web", r1).told(t); !reflect.DeepEqual(got, want) {
		t.Errorf("the successor: got %v, want %v", got, want)
	}
	h.clock = h.clock.Add(time.Minute)
	h.introspectAs("web", r0).inactive(t, "used before") // And no family dies of a look.
	h.refresh("web", r1).tokens(t)
}

// TestIntrospectedEndOfAFamily has a record that outlives its refresh tokens, for
// the sake of the last access token.
func TestIntrospectedEndOfAFamily(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) { c.client("web").RefreshTokenValidity = Duration(time.Hour) })
	_, refresh := h.login().tokens(t)
	h.clock = start.Add(50 * time.Minute)
	_, refresh = h.refresh("web", refresh).tokens(t)
	if got, want := h.introspectAs("web", refresh).told(t)["exp"], float64(start.Add(time.Hour).Unix()); got != want {
		t.Errorf("got exp %v, want %v", got, want)
	}
	h.clock = start.Add(time.Hour)
	h.introspectAs("web", refresh).inactive(t, "not found")
}

// TestAboutATokenByAssertion authenticates with a key, once for each request, and
// TestInactiveRefreshTokens ends a login in every way that ends one.
func TestInactiveRefreshTokens(t *testing.T) {
	end := start.Add(48 * time.Hour)
	online := []string{"scope", "openid orders"}
	for name, c := range map[string]struct {
		ask []string
		end func(t *testing.T, h *house, access string)
		why string
	}{
		"by its family": {nil, func(t *testing.T, h *house, access string) {
			h.ends(t, RevokeGrant(text(t, access, "grant_id"), end))
		}, "grant_id"},
		"by its record": {nil, func(t *testing.T, h *house, access string) {
			if err := h.state.Families().Revoke(t.Context(), must(h.state.NewAttempt()), text(t, access, "grant_id")); err != nil {
				t.Fatal(err)
			}
		}, "not found"},
		"by its login":  {online, func(t *testing.T, h *house, access string) { h.ends(t, RevokeSession(text(t, access, "sid"), end)) }, "sid"},
		"by its user":   {nil, func(t *testing.T, h *house, _ string) { h.ends(t, RevokeSubject("example.com:ada", h.clock, end)) }, "sub"},
		"by its client": {nil, func(t *testing.T, h *house, _ string) { h.ends(t, RevokeClient("web", h.clock, end)) }, "client_id"},
		"by its end":    {nil, func(_ *testing.T, h *house, _ string) { h.clock = start.Add(24 * time.Hour) }, "not found"},
		"user gone":     {nil, func(_ *testing.T, h *house, _ string) { h.withUsers(strings.ReplaceAll(baseUsers, `"ada"`, `"adi"`)) }, "user_gone"},
		"no member now": {nil, func(_ *testing.T, h *house, _ string) {
			h.withUsers(strings.NewReplacer(`,{"org":"empty"}`, "", `"default_org":"acme"`, `"default_org":"beta"`, `{"org":"acme","roles"`, `{"org":"empty","roles"`).Replace(baseUsers))
		}, "user_gone"},
		"no grant now": {nil, func(_ *testing.T, h *house, _ string) { h.Server = h.reload(NewCaches()) }, "grant_not_allowed"},
		"other orgs now": {nil, func(_ *testing.T, h *house, _ string) {
			h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"beta"} })
		}, "org_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			access, refresh := h.login(c.ask...).tokens(t)
			h.clock = h.clock.Add(time.Minute)
			h.introspectAs("web", refresh).told(t)
			c.end(t, h, access)
			h.introspectAs("web", refresh).inactive(t, c.why)
		})
	}
}

// ends revokes.
func (h *house) ends(t *testing.T, what ...Revocation) {
	t.Helper()
	if err := h.revoke(t.Context(), what...); err != nil {
		t.Fatal(err)
	}
}

// TestIntrospectionIsRefused has what is answered with an error: who may not ask,
// TestEveryReasonIsJudged sorts all reasons: those of a token are inactive, and
