package tokenexchange

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// Another mistake of mistakes_test.go: an API token's token is switched to
// another organization. It is for one, and nobody logged in with it. However
// much it gives, what comes of it is no token of a login: it is switched to no
// other organization, nobody impersonates with it, and no id token is made of it.
func TestAPITokenIsNoLogin(t *testing.T) {
	_, entry := adasToken(t)
	entry.Permissions = []string{"shop/* **", "crm/* **"}
	token, entry, err := NewAPIToken(entry, start)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	cfg := baseConfig()
	logins(&cfg)
	idExchanges(&cfg)
	cfg.client("web").APITokens = true
	cfg.client("web").GrantTypes = append(cfg.client("web").GrantTypes, "impersonate_user")
	cfg.Impersonation.Roles = []string{"csp:org_member"} // which ada has
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, withEntry(operators, entry))})), h.caches, ecKey(), rsaKey())

	r := httptest.NewRequest("POST", "/csp/gateway/am/api/auth/api-tokens/authorize", strings.NewReader(pairs("api_token", secret("an API token", token))))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	access := h.do(r).granted(t)
	if got, want := setOf(t, access), setOf(t, h.loggedIn()); got != want || claimsOf(t, access)["narrowed"] != nil || claimsOf(t, access)["auth_time"] != nil {
		t.Fatalf("got %s, want all that a login gives: %s", got, want)
	}
	h.switchTo("web", access, "beta").refused(t, 400, "invalid_request", "token_not_first")
	h.impersonate("web", access, "mia@example.com", "orgId", "acme").refused(t, 400, "invalid_request", "token_not_first")
	h.exchange("batch", access, shopAud, "requested_token_type", idURN).refused(t, 400, "invalid_request", "subject_kind")
	if g := h.exchange("batch", access, shopAud); g.status != 200 || g.body["id_token"] != nil {
		t.Errorf("got %s, want an access token alone", g.raw)
	}
}

// withEntry adds an API token to a users file.
func withEntry(users string, entry APIToken) string {
	return strings.TrimSuffix(users, "}") + `,"api_tokens":[` + string(must(json.Marshal(entry))) + "]}"
}
