package tokenexchange

import (
	"strings"
	"testing"
	"time"
)

func (h *house) switchTo(client, subject, org string, kv ...string) got {
	h.t.Helper()
	return h.token(client, replaced([]string{"grant_type", "context_switch", "subject_token", subject, "subject_token_type", accessURN, "orgId", org}, kv...)...)
}

// loggedIn returns the access token of a login through the client web.
func (h *house) loggedIn(kv ...string) string {
	h.t.Helper()
	access, _ := h.login(kv...).tokens(h.t)
	return access
}

func TestContextSwitch(t *testing.T) {
	h := newHouse(t, logins)
	first := h.loggedIn()
	h.clock = h.clock.Add(10 * time.Minute)
	for name, c := range map[string]struct{ client, scope string }{
		"its own client":           {"web", "group_names orders"},
		"a client that it allows":  {"console", "orders"},
		"narrowed by the request":  {"web", "orders"},
		"under the other spelling": {"web", "group_names orders"},
	} {
		t.Run(name, func(t *testing.T) {
			kv := []string{}
			switch name {
			case "narrowed by the request":
				kv = []string{"scope", "orders"}
			case "under the other spelling":
				kv = []string{"orgId", "", "org_id", "beta"}
			}
			g := h.switchTo(c.client, first, "beta", kv...)
			token := g.granted(t)
			if got, want := setOf(t, token), `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/beta/**"]}],"serviceDefinitionId":"shop"}]}`; got != want {
				t.Errorf("set: got %s, want %s", got, want)
			}
			was := claimsOf(t, first)
			for claim, want := range map[string]any{
				"sub": "example.com:ada", "context_name": "beta", "client_id": c.client, "scope": c.scope, "sid": was["sid"],
				"grant_id": was["grant_id"], "root_jti": was["jti"], "exp": was["exp"], "auth_time": was["auth_time"], "aud": shopAud,
			} {
				if got := claimsOf(t, token)[claim]; got != want {
					t.Errorf("%s: got %v, want %v", claim, got, want)
				}
			}
			// A switch is not undone, and not repeated.
			h.switchTo("web", token, "acme").refused(t, 400, "invalid_request", "token_audience")
		})
	}
}

// A switch changes where, never what.
func TestContextSwitchGivesNothingBack(t *testing.T) {
	users := strings.Replace(baseUsers, `"permissions":["shop/orders.read orders/beta/**"]`, `"permissions":["shop/orders.read orders/beta/**","shop/orders.write **","crm/contacts.read **"]`, 1)
	h := newHouse(t, logins)
	cfg := baseConfig()
	logins(&cfg)
	cfg.client("web").Permit = lines("shop/orders.read **", "crm/contacts.read **")
	cfg.client("console").Permit = lines("shop/* **")
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, users)})), h.caches, ecKey(), rsaKey())
	first := h.loggedIn()
	if got := setOf(t, h.switchTo("console", first, "beta").granted(t)); strings.Contains(got, "orders.write") || strings.Contains(got, "crm") || !strings.Contains(got, "orders/beta/**") {
		t.Errorf("got %s, want neither what web never had, nor what console may not have", got)
	}
}

func TestContextSwitchRefused(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) {
		c.client("console").AllowedOrgs = []string{"acme"}
		c.client("web").Scope = append(c.client("web").Scope, "reports")
		c.client("batch").GrantTypes = append(c.client("batch").GrantTypes, "context_switch")
	})
	first := h.loggedIn()
	narrow := h.loggedIn("allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/7"]}]}]}`)
	lessScope, _ := h.refresh("web", h.tokensOf("scope", "openid orders reports"), "scope", "openid orders").tokens(t)
	for name, c := range map[string]struct {
		got          got
		code, reason string
	}{
		"the same org":         {h.switchTo("web", first, "acme"), "invalid_request", "org_not_allowed"},
		"no member":            {h.switchTo("web", first, "sold"), "invalid_request", "org_not_allowed"},
		"not allowed_orgs":     {h.switchTo("console", first, "beta"), "invalid_request", "org_not_allowed"},
		"no org":               {h.switchTo("web", first, ""), "invalid_request", "parameter_missing"},
		"narrowed":             {h.switchTo("web", narrow, "beta"), "invalid_request", "token_not_first"},
		"less scope":           {h.switchTo("web", lessScope, "beta"), "invalid_request", "token_not_first"},
		"without openid":       {h.switchTo("web", h.loggedIn("scope", "orders"), "beta"), "invalid_request", "token_audience"},
		"exchanged":            {h.switchTo("web", h.exchange("batch", first, shopAud).granted(t), "beta"), "invalid_request", "token_audience"},
		"a client's own":       {h.switchTo("web", h.nightlys(), "beta"), "invalid_request", "token_audience"},
		"an id token":          {h.switchTo("web", h.login().body["id_token"].(string), "beta"), "invalid_request", "token_type"},
		"a client not allowed": {h.switchTo("web", h.token("console", "grant_type", "password", "username", "ada", "password", password).body["access_token"].(string), "beta"), "unauthorized_client", "exchange_refused"},
		"allowed to exchange":  {h.switchTo("batch", first, "beta"), "unauthorized_client", "exchange_refused"},
		"more rights":          {h.switchTo("web", first, "beta", "allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/1"]}]}]}`), "invalid_scope", "resource_scope_exceeded"},
		"a target":             {h.switchTo("web", first, "beta", "audience", shopAud), "invalid_request", "parameter_misplaced"},
	} {
		t.Run(name, func(t *testing.T) { c.got.refused(t, 400, c.code, c.reason) })
	}
}

// Like every other access token, another client's is not for a caller that has
// no permit for a service that it is meant for: an allow line is not enough.
func TestContextSwitchNeedsPermit(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) {
		c.client("console").Permit = lines()
		c.client("console").Scope = []string{"openid"}
	})
	h.switchTo("console", h.loggedIn(), "beta").refused(t, 400, "invalid_request", "token_audience")
	own, _ := h.token("console", "grant_type", "password", "username", "ada", "password", password).tokens(t)
	h.switchTo("console", own, "beta").granted(t)
}

// tokensOf returns the refresh token of a login.
func (h *house) tokensOf(kv ...string) string {
	h.t.Helper()
	_, refresh := h.login(kv...).tokens(h.t)
	return refresh
}
