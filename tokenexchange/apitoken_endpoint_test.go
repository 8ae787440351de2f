package tokenexchange

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// keyring makes the client web one for API tokens.
func keyring(c *Config) { c.client("web").APITokens = true }

// withAPIToken puts an entry for ada into a users file and returns its token.
func (h *house) withAPIToken(t testing.TB, users string, change func(*APIToken), more ...func(*Config)) string {
	t.Helper()
	entry := APIToken{User: "example.com:ada", Org: "acme", Client: "web", Permissions: []string{"shop/orders.read orders/eu/**", "shop/orders.write **"}, Expires: "2026-06-01T00:00:00Z"}
	if change != nil {
		change(&entry)
	}
	token, entry, err := NewAPIToken(entry, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	h.withUsers(strings.Replace(users, `{"orgs"`, `{"api_tokens":[`+string(must(json.Marshal(entry)))+`],"orgs"`, 1), append(more, keyring)...)
	return secret("an API token", token)
}

func (h *house) apiTokenCall(kv ...string) got {
	h.t.Helper()
	r := httptest.NewRequest("POST", "/csp/gateway/am/api/auth/api-tokens/authorize", strings.NewReader(pairs(kv...)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h.do(r)
}

func TestAPITokenEndpoint(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil)
	for _, name := range []string{"api_token", "refresh_token"} {
		g := h.apiTokenCall(name, token)
		access := g.granted(t)
		if got, want := setOf(t, access), `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/eu/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`; got != want {
			t.Errorf("set: got %s, want the entry's meet what ada holds: %s", got, want)
		}
		for claim, want := range map[string]any{"sub": "example.com:ada", "client_id": "web", "context_name": "acme", "auth_time": nil, "narrowed": true} {
			if got := claimsOf(t, access)[claim]; got != want {
				t.Errorf("%s: got %v, want %v", claim, got, want)
			}
		}
		if g.record["endpoint"] != "api-token" || g.record["sub"] != "example.com:ada" || g.record["client_id"] != "web" {
			t.Errorf("got the record %v", g.record)
		}
		// It is for one organization, and no login.
		h.switchTo("web", access, "beta").refused(t, 400, "invalid_request", "token_not_first")
	}
	// One that cuts nothing is no login either.
	whole := h.withAPIToken(t, baseUsers, func(e *APIToken) { e.Permissions = []string{"shop/* **", "crm/* **"} })
	h.switchTo("web", h.apiTokenCall("api_token", whole).granted(t), "beta").refused(t, 400, "invalid_request", "token_not_first")
}

func TestAPITokenRefused(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil)
	for name, c := range map[string]struct {
		kv     []string
		code   string
		reason string
	}{
		"none":              {nil, "invalid_request", "parameter_missing"},
		"empty":             {[]string{"api_token", ""}, "invalid_request", "parameter_missing"},
		"two that differ":   {[]string{"api_token", token, "refresh_token", token + "x"}, "invalid_request", "parameter_conflict"},
		"another secret":    {[]string{"api_token", token[:len(token)-1]}, "invalid_grant", "api_token_invalid"},
		"its id alone":      {[]string{"api_token", token[:strings.Index(token, ".")]}, "invalid_grant", "api_token_invalid"},
		"unknown":           {[]string{"api_token", "abcdef.0123456789"}, "invalid_grant", "api_token_invalid"},
		"a refresh token":   {[]string{"refresh_token", h.tokensOf()}, "invalid_grant", "api_token_invalid"},
		"another org":       {[]string{"api_token", token, "orgId", "beta"}, "invalid_request", "org_not_allowed"},
		"more rights":       {[]string{"api_token", token, "allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/us/1"]}]}]}`}, "invalid_scope", "resource_scope_exceeded"},
		"a target":          {[]string{"api_token", token, "target_audience", shopAud}, "invalid_request", "parameter_misplaced"},
		"a subject and one": {[]string{"api_token", token, "subject_token", token}, "invalid_request", "parameter_misplaced"},
	} {
		t.Run(name, func(t *testing.T) { h.apiTokenCall(c.kv...).refused(t, 400, c.code, c.reason) })
	}
	// It is no credential of the token endpoint.
	h.refresh("web", token).refused(t, 400, "invalid_grant", "refresh_token_invalid")

	h.clock = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	h.apiTokenCall("api_token", token).refused(t, 400, "invalid_grant", "api_token_invalid")
}

func TestAPITokenOfAUserWhoChanged(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil)
	h.apiTokenCall("api_token", token).granted(t)
	h.withUsers(baseUsers, keyring) // The entry is deleted.
	h.apiTokenCall("api_token", token).refused(t, 400, "invalid_grant", "api_token_invalid")
	token = h.withAPIToken(t, strings.Replace(baseUsers, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1), nil)
	h.apiTokenCall("api_token", token).refused(t, 400, "invalid_grant", "api_token_invalid")
}

// What it gives ends when it does.
func TestAPITokenEndsItsTokens(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, func(e *APIToken) { e.Expires = "2026-05-01T12:01:00Z" })
	if g := h.apiTokenCall("api_token", token); g.body["expires_in"] != float64(60) {
		t.Errorf("got expires_in %v a minute before its end", g.body["expires_in"])
	}
	h.clock = h.clock.Add(59*time.Second + time.Millisecond)
	h.apiTokenCall("api_token", token).refused(t, 400, "invalid_grant", "api_token_invalid")
}
