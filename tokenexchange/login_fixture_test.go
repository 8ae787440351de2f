package tokenexchange

import (
	"crypto/rand"
	"testing"
)

const (
	callback = "https://web.example.com/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
)

var pkceChallenge = challengeOf("S256", verifier)

// logins is a configuration with every grant: web is an application with a
// login page, console the one of the operators, phone a public client.
func logins(c *Config) {
	web := c.client("web")
	web.GrantTypes = []string{"authorization_code", "refresh_token", "password", "context_switch"}
	web.RedirectURIs = []string{callback}
	web.Scope = []string{"openid", "profile", "email", "offline_access", "group_names", "orders"}
	web.Allow = append(web.Allow, AllowConfig{Grant: "context_switch", By: []string{"console"}})
	console := confidential("console", "password", "impersonate_user", "context_switch", "refresh_token")
	console.Scope, console.Permit = []string{"openid", "orders"}, lines("shop/* **")
	phone := ClientConfig{
		ID: "phone", Public: true, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{"http://127.0.0.1/done"}, Permit: lines("shop/orders.read **"), Scope: []string{"openid"},
	}
	legacy := confidential("legacy", "authorization_code")
	legacy.RedirectURIs, legacy.Permit = []string{callback}, lines("shop/orders.read **")
	legacy.PKCE, legacy.PKCEMethods = "optional", []string{"S256", "plain", "SHA256"}
	c.Clients = append(c.Clients, console, phone, legacy)
	c.Impersonation = &ImpersonationConfig{
		Roles: []string{"csp:support"}, Orgs: []string{"acme", "beta"}, Permit: lines("shop/orders.read orders/**"),
	}
}

// code makes a code as the authorization endpoint does after a consent.
func (h *house) code(t testing.TB, change ...func(*Code)) string {
	t.Helper()
	c := Code{
		Grant: Grant{
			ID: rand.Text(), Subject: "example.com:ada", Client: "web", Org: "acme", Session: rand.Text(), AuthTime: h.clock,
			Scope: "openid profile orders", Set: `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`,
		},
		RedirectURI: callback, Challenge: pkceChallenge, Method: "S256", Nonce: "n-0S6_WzA2Mj", State: "af0ifjsldkj",
	}
	for _, f := range change {
		f(&c)
	}
	code, err := h.state.Codes().Issue(t.Context(), must(h.state.NewAttempt()), c)
	if err != nil {
		t.Fatal(err)
	}
	return secret("a code", code)
}

// redeem asks for the tokens of a code; kv replaces and adds parameters.
func (h *house) redeem(client, code string, kv ...string) got {
	h.t.Helper()
	return h.token(client, replaced([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier}, kv...)...)
}

func (h *house) refresh(client, token string, kv ...string) got {
	h.t.Helper()
	return h.token(client, replaced([]string{"grant_type", "refresh_token", "refresh_token", token}, kv...)...)
}

// replaced replaces the parameters that kv names again, and adds the others.
func replaced(params []string, kv ...string) []string {
next:
	for i := 0; i < len(kv); i += 2 {
		for n := 0; n < len(params); n += 2 {
			if params[n] == kv[i] {
				params[n+1] = kv[i+1]
				continue next
			}
		}
		params = append(params, kv[i], kv[i+1])
	}
	return params
}

// tokens holds a successful answer with a refresh token against its form.
func (g got) tokens(t testing.TB) (access, refresh string) {
	t.Helper()
	access, _ = g.body["access_token"].(string)
	refresh, _ = g.body["refresh_token"].(string)
	if g.status != 200 || access == "" || refresh == "" || g.body["token_type"] != "Bearer" {
		t.Fatalf("got %d %s, want an access and a refresh token", g.status, g.raw)
	}
	return access, refresh
}
