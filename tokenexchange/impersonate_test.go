package tokenexchange

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

const acctURN = "urn:vmware:params:oauth:token-type:acct"

// operators adds users of the support: olga may impersonate, oleg may not.
var operators = strings.Replace(baseUsers, `"users":[`, `"users":[
 {"id":"olga","username":"olga","domain":"example.com","email":"olga@example.com","email_verified":true,"password_hash":"`+cheap+`","memberships":[{"org":"acme","roles":["csp:support"]}]},
 {"id":"oleg","username":"oleg","domain":"example.com","password_hash":"`+cheap+`","memberships":[{"org":"acme","roles":["csp:org_member"]}]},
 {"id":"chief","username":"chief","domain":"example.com","email":"chief@example.com","email_verified":true,"memberships":[{"org":"beta","roles":["csp:support"]},{"org":"acme"}]},
 {"id":"uma","username":"uma","domain":"example.com","email":"uma@example.com","memberships":[{"org":"acme"}]},
 {"id":"gone","username":"gone","domain":"example.com","email":"gone@example.com","email_verified":true,"disabled":true,"memberships":[{"org":"acme"}]},
 {"id":"mia","username":"mia","domain":"example.com","email":"mia@example.com","email_verified":true,"memberships":[{"org":"acme"},{"org":"beta","permissions":["shop/orders.read **"]}]},
 {"id":"out","username":"out","domain":"example.com","email":"out@example.com","email_verified":true,"memberships":[{"org":"empty"}]},
 {"id":"p1","username":"p1","domain":"example.com","email":"pair@example.com","email_verified":true,"memberships":[{"org":"acme"}]},
 {"id":"p2","username":"p2","domain":"example.com","email":"pair@example.com","email_verified":true,"memberships":[{"org":"acme"}]},`, 1)

func support(t *testing.T, change ...func(*Config)) *house {
	h := newHouse(t, append([]func(*Config){logins}, change...)...)
	h.withUsers(operators, change...)
	return h
}

// withUsers puts the configuration of all logins with other users to work.
func (h *house) withUsers(users string, change ...func(*Config)) {
	h.t.Helper()
	cfg := baseConfig()
	logins(&cfg)
	for _, f := range change {
		f(&cfg)
	}
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(h.t, users)})), h.caches, ecKey(), rsaKey())
}

// operator returns an operator's token, got through the client console.
func (h *house) operator(name string, kv ...string) string {
	h.t.Helper()
	access, _ := h.token("console", replaced([]string{"grant_type", "password", "username", name, "password", password}, kv...)...).tokens(h.t)
	return access
}

func (h *house) impersonate(client, actor, account string, kv ...string) got {
	h.t.Helper()
	return h.token(client, replaced([]string{
		"grant_type", "impersonate_user", "subject_token", account, "subject_token_type", acctURN,
		"actor_token", actor, "actor_token_type", accessURN,
	}, kv...)...)
}

func TestImpersonateUser(t *testing.T) {
	h := support(t)
	actor := h.operator("olga")
	h.clock = h.clock.Add(10 * time.Minute)
	g := h.impersonate("console", actor, "ada@example.com")
	token, was := g.granted(t), claimsOf(t, actor)
	if got, want := setOf(t, token), `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`; got != want {
		t.Errorf("set: got %s, want ada's, meet impersonation permit, meet console's: %s", got, want)
	}
	claims := claimsOf(t, token)
	for claim, want := range map[string]any{
		"sub": "example.com:ada", "context_name": "acme", "client_id": "console", "sid": was["sid"], "grant_id": was["grant_id"],
		"root_jti": was["jti"], "scope": "orders", "narrowed": true,
	} {
		if claims[claim] != want {
			t.Errorf("%s: got %v, want %v", claim, claims[claim], want)
		}
	}
	if act, _ := claims["act"].(map[string]any); act["sub"] != "example.com:olga" || act["act"] != nil {
		t.Errorf("act: got %v, want olga", claims["act"])
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != 600 {
		t.Errorf("got a life of %v s, want 10 minutes", life)
	}
	if g.record["sub"] != "example.com:ada" || g.record["act"] != "example.com:olga" {
		t.Errorf("got the record %v, want both", g.record)
	}

	// A guard may exchange it, and nothing else may use it.
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); !v.Allowed() {
		t.Errorf("the guard: got %s", v.Reason)
	}
	for name, g := range map[string]got{
		"exchange":    h.exchange("batch", token, shopAud),
		"delegate":    h.token("console", "grant_type", "client_delegate", "subject_token", token, "subject_token_type", accessURN),
		"switch":      h.switchTo("console", token, "beta"),
		"impersonate": h.impersonate("console", token, "mia@example.com"),
	} {
		if g.status == 200 {
			t.Errorf("%s: got %s, want a refusal", name, g.raw)
		}
	}
	h.exchange("batch", token, shopAud).refused(t, 400, "invalid_request", "subject_kind")

	// It ends with the operator, and with the customer.
	for name, users := range map[string]string{
		"olga": strings.Replace(operators, `{"id":"olga"`, `{"disabled":true,"id":"olga"`, 1),
		"ada":  strings.Replace(operators, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1),
	} {
		h.withUsers(users)
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != scopes.ReasonTokenRevoked {
			t.Errorf("%s is disabled: got %s", name, v.Reason)
		}
	}
}

func TestImpersonateUserOrg(t *testing.T) {
	h := support(t)
	for name, c := range map[string]struct{ account, asked, want string }{
		"the default":            {"ada@example.com", "", "acme"},
		"asked for":              {"ada@example.com", "beta", "beta"},
		"of two, none is meant":  {"mia@example.com", "", ""},
		"of two, asked for":      {"mia@example.com", "beta", "beta"},
		"not in the block":       {"ada@example.com", "empty", ""},
		"in none of the block's": {"out@example.com", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.impersonate("console", h.operator("olga"), c.account, "orgId", c.asked)
			if c.want == "" {
				g.refused(t, 400, "invalid_request", "impersonation_refused")
				return
			}
			if got := claimsOf(t, g.granted(t))["context_name"]; got != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

func TestImpersonateUserRefused(t *testing.T) {
	h := support(t, func(c *Config) { c.client("web").GrantTypes = append(c.client("web").GrantTypes, "impersonate_user") })
	olga := h.operator("olga")
	adas := h.operator("ada")
	h.clock = h.clock.Add(time.Minute)
	for name, c := range map[string]struct {
		got          got
		code, reason string
	}{
		"no such account":        {h.impersonate("console", olga, "nobody@example.com"), "invalid_request", "impersonation_refused"},
		"not verified":           {h.impersonate("console", olga, "uma@example.com"), "invalid_request", "impersonation_refused"},
		"disabled":               {h.impersonate("console", olga, "gone@example.com"), "invalid_request", "impersonation_refused"},
		"two accounts":           {h.impersonate("console", olga, "pair@example.com"), "invalid_request", "impersonation_refused"},
		"another operator":       {h.impersonate("console", olga, "chief@example.com"), "invalid_request", "impersonation_refused"},
		"themselves":             {h.impersonate("console", olga, "olga@example.com"), "invalid_request", "impersonation_refused"},
		"by user name":           {h.impersonate("console", olga, "ada"), "invalid_request", "impersonation_refused"},
		"by sub":                 {h.impersonate("console", olga, "example.com:ada"), "invalid_request", "impersonation_refused"},
		"no role":                {h.impersonate("console", h.operator("oleg"), "ada@example.com"), "invalid_request", "actor_not_allowed"},
		"a customer":             {h.impersonate("console", adas, "mia@example.com"), "invalid_request", "actor_not_allowed"},
		"another type":           {h.impersonate("console", olga, "ada@example.com", "subject_token_type", accessURN), "invalid_request", "parameter_invalid"},
		"a token as account":     {h.impersonate("console", olga, adas), "invalid_request", "impersonation_refused"},
		"no actor":               {h.impersonate("console", "", "ada@example.com"), "invalid_request", "parameter_missing"},
		"actor of another type":  {h.impersonate("console", olga, "ada@example.com", "actor_token_type", "urn:ietf:params:oauth:token-type:id_token"), "invalid_request", "parameter_invalid"},
		"actor narrowed":         {h.impersonate("console", h.operator("olga", "scope", "openid"), "ada@example.com"), "invalid_request", "token_not_first"},
		"actor is a client":      {h.impersonate("console", h.nightlys(), "ada@example.com"), "invalid_request", "token_audience"},
		"another client's actor": {h.impersonate("web", olga, "ada@example.com"), "invalid_request", "token_audience"},
		"a client without it":    {h.impersonate("nightly", olga, "ada@example.com"), "unauthorized_client", "grant_not_allowed"},
		"more rights":            {h.impersonate("console", olga, "ada@example.com", "allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.write","resources":["orders/eu/1"]}]}]}`), "invalid_scope", "resource_scope_exceeded"},
		"a target":               {h.impersonate("console", olga, "ada@example.com", "target_audience", shopAud), "invalid_request", "parameter_misplaced"},
	} {
		t.Run(name, func(t *testing.T) { c.got.refused(t, 400, c.code, c.reason) })
	}
	h.clock = h.clock.Add(14*time.Minute + time.Second)
	h.impersonate("console", olga, "ada@example.com").refused(t, 400, "invalid_request", "login_too_old")

	// The role counts as it is now.
	fresh := h.operator("olga")
	h.withUsers(strings.Replace(operators, `"roles":["csp:support"]}]},
 {"id":"oleg"`, `"roles":[]}]},
 {"id":"oleg"`, 1))
	h.impersonate("console", fresh, "ada@example.com").refused(t, 400, "invalid_request", "actor_not_allowed")
}

// An operator's token reaches the services that it is meant for. Their clients
// cannot impersonate with it, whatever permit they have, without a line of the
// client that got it.
func TestImpersonateUserIsForTheClientOfTheLogin(t *testing.T) {
	change := func(c *Config) {
		c.client("web").GrantTypes = append(c.client("web").GrantTypes, "impersonate_user")
	}
	h := support(t, change)
	h.withUsers(strings.Replace(operators, `"roles":["csp:support"]}]},
 {"id":"oleg"`, `"roles":["csp:support"],"permissions":["shop/orders.read **"]}]},
 {"id":"oleg"`, 1), change)
	olga := h.operator("olga")
	g := h.impersonate("web", olga, "ada@example.com")
	g.refused(t, 400, "unauthorized_client", "exchange_refused")
	if cause, _ := g.record["cause"].(string); g.record["act"] != "example.com:olga" || !strings.Contains(cause, "client console has no line: allow impersonate_user by web") {
		t.Errorf("got the record %v, want the operator and why", g.record)
	}
	h.impersonate("console", olga, "ada@example.com").granted(t)

	h.withUsers(strings.Replace(operators, `"roles":["csp:support"]}]},
 {"id":"oleg"`, `"roles":["csp:support"],"permissions":["shop/orders.read **"]}]},
 {"id":"oleg"`, 1), change, func(c *Config) {
		c.client("console").Allow = []AllowConfig{{Grant: "impersonate_user", By: []string{"web"}}}
	})
	h.impersonate("web", olga, "ada@example.com").granted(t)
}

// The role counts in the organization of the operator's token.
func TestOperatorsRoleIsOfTheTokensOrg(t *testing.T) {
	h := support(t)
	h.withUsers(strings.Replace(operators, `"memberships":[{"org":"acme","roles":["csp:support"]}]},
 {"id":"oleg"`, `"default_org":"beta","memberships":[{"org":"acme","roles":["csp:support"]},{"org":"beta"}]},
 {"id":"oleg"`, 1))
	h.impersonate("console", h.operator("olga"), "ada@example.com").refused(t, 400, "invalid_request", "actor_not_allowed")
	h.impersonate("console", h.operator("olga", "orgId", "acme"), "ada@example.com").granted(t)
}
