package tokenexchange

import (
	"strings"
	"testing"
)

const idURN = "urn:ietf:params:oauth:token-type:id_token"

// idExchanges lets batch exchange id tokens of web for itself, and console too.
func idExchanges(c *Config) {
	batch := c.client("batch")
	batch.Scope = []string{"openid", "orders"}
	batch.TargetAudiences = append(batch.TargetAudiences, "other-app")
	c.client("web").Allow = append(c.client("web").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}, To: []string{"other-app", shopAud}})
}

// What goes in comes out.
func TestAudienceExchangeOfIDTokens(t *testing.T) {
	h := newHouse(t, logins, idExchanges)
	login := h.login()
	access, _ := login.tokens(t)
	id := login.body["id_token"].(string)
	narrow := h.loggedIn("scope", "openid", "allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/7"]}]}]}`)
	const rfc = "urn:ietf:params:oauth:grant-type:token-exchange"
	for name, c := range map[string]struct {
		client, subject, typ string
		kv                   []string
		kind                 string // of access_token, and whether there is an id_token
		id                   bool
	}{
		"id token":                     {"batch", id, idURN, nil, idURN, true},
		"id token, asked for":          {"batch", id, idURN, []string{"requested_token_type", idURN}, idURN, true},
		"id token, RFC 8693":           {"batch", id, idURN, []string{"grant_type", rfc}, idURN, false},
		"access token":                 {"batch", access, accessURN, nil, accessURN, true},
		"access token, access asked":   {"batch", access, accessURN, []string{"requested_token_type", accessURN}, accessURN, false},
		"access token, id token asked": {"batch", access, accessURN, []string{"requested_token_type", idURN}, idURN, true},
		"access token, RFC 8693":       {"batch", access, accessURN, []string{"grant_type", rfc}, accessURN, false},
		"narrowed access token":        {"batch", narrow, accessURN, nil, accessURN, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.token(c.client, replaced([]string{"grant_type", "audience_exchange", "subject_token", c.subject, "subject_token_type", c.typ, "target_audience", shopAud}, c.kv...)...)
			if g.status != 200 || g.body["issued_token_type"] != c.kind || (g.body["id_token"] != nil) != c.id || g.body["refresh_token"] != nil {
				t.Fatalf("got %s", g.raw)
			}
			main := claimsOf(t, g.body["access_token"].(string))
			if want := map[string]any{accessURN: "Bearer", idURN: "N_A"}[c.kind]; g.body["token_type"] != want {
				t.Errorf("token_type: got %v, want %v", g.body["token_type"], want)
			}
			if main["aud"] != shopAud || main["azp"] != "batch" || main["via"].([]any)[0] != "batch" || main["sub"] != "example.com:ada" {
				t.Errorf("got %v", main)
			}
			if c.kind == idURN && (main["client_id"] != nil || main["allowed_resource_scope"] != nil || main["email"] != nil) {
				t.Errorf("an id token that says too much: %v", main)
			}
		})
	}
	for name, c := range map[string]struct {
		subject, typ string
		kv           []string
		code, reason string
	}{
		"an access token from an id token": {id, idURN, []string{"requested_token_type", accessURN}, "invalid_request", "subject_kind"},
		"an id token from a narrowed one":  {narrow, accessURN, []string{"requested_token_type", idURN}, "invalid_request", "subject_kind"},
		"an id token from a client's":      {h.nightlys(), accessURN, []string{"requested_token_type", idURN}, "invalid_request", "subject_kind"},
		"an id token as access token":      {id, accessURN, nil, "invalid_request", "token_type"},
		"an access token as id token":      {access, idURN, nil, "invalid_request", "token_type"},
		"rights of an id token":            {id, idURN, []string{"allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read"}]}]}`}, "invalid_scope", "resource_scope_exceeded"},
		"scope of an id token":             {id, idURN, []string{"scope", "openid"}, "invalid_scope", "scope_exceeded"},
		"a refresh token asked":            {access, accessURN, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", "parameter_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			h.token("batch", replaced([]string{"grant_type", "audience_exchange", "subject_token", c.subject, "subject_token_type", c.typ, "target_audience", shopAud}, c.kv...)...).refused(t, 400, c.code, c.reason)
		})
	}
	// An exchanged id token names an audience that is no client to ask.
	again := h.token("batch", "grant_type", "audience_exchange", "subject_token", id, "subject_token_type", idURN, "target_audience", shopAud).body["id_token"].(string)
	h.token("batch", "grant_type", "audience_exchange", "subject_token", again, "subject_token_type", idURN, "target_audience", shopAud).refused(t, 400, "unauthorized_client", "exchange_refused")
	// A guard takes no id token.
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", again)); v.Allowed() {
		t.Error("a guard took an id token")
	}
}

// A caller without openid on its own scope line gets no id token out of an access
// token, and is told what it lacks: the client of the token has allowed it.
func TestIDTokenWithoutOpenidOfTheCaller(t *testing.T) {
	h := newHouse(t, logins, idExchanges, func(c *Config) { c.client("batch").Scope = []string{"orders"} })
	access, _ := h.login().tokens(t)
	ask := func(kv ...string) got {
		return h.token("batch", append([]string{"grant_type", "audience_exchange", "subject_token", access, "subject_token_type", accessURN, "target_audience", shopAud}, kv...)...)
	}
	ask().granted(t)
	g := ask("requested_token_type", idURN)
	g.refused(t, 400, "unauthorized_client", "exchange_refused")
	if text, _ := g.body["error_description"].(string); !strings.Contains(text, "openid") {
		t.Errorf("got the description %q, want what the caller lacks", text)
	}
	if cause, _ := g.record["cause"].(string); cause != "client batch has no openid in its scope line" {
		t.Errorf("got the cause %q, want the line", cause)
	}
}
