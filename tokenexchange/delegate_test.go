package tokenexchange

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const elsewhere = "https://elsewhere.example"

// delegates adds two clients that may act for users: agent for those of web,
// and robot for those of agent.
func delegates(c *Config) {
	agent := confidential("agent", "client_delegate", "client_credentials")
	agent.Permit, agent.Own, agent.TargetAudiences = lines("shop/* **", "crm/* **"), lines(), []string{shopAud, crmAud, elsewhere}
	agent.Allow = []AllowConfig{{Grant: "client_delegate", By: []string{"robot", "agent"}}}
	robot := confidential("robot", "client_delegate")
	robot.Permit, robot.TargetAudiences = lines("shop/orders.read **", "crm/* **"), []string{shopAud}
	robot.Allow = []AllowConfig{{Grant: "client_delegate", By: []string{"robot"}}, {Grant: "audience_exchange", By: []string{"batch"}}}
	c.Clients = append(c.Clients, agent, robot)
	c.client("web").Allow = append(c.client("web").Allow, AllowConfig{Grant: "client_delegate", By: []string{"agent", "robot"}})
	c.client("batch").Allow = append(c.client("batch").Allow, AllowConfig{Grant: "client_delegate", By: []string{"robot"}, To: []string{shopAud}})
}

// delegate asks for a delegation by the CSP name.
func (h *house) delegate(client, subject string, kv ...string) got {
	h.t.Helper()
	return h.token(client, append([]string{"grant_type", "client_delegate", "subject_token", subject, "subject_token_type", accessURN}, kv...)...)
}

// actorsOf returns the sub of each link of act, outermost first.
func actorsOf(t testing.TB, raw string) (subs []string) {
	t.Helper()
	for link, _ := claimsOf(t, raw)["act"].(map[string]any); link != nil; link, _ = link["act"].(map[string]any) {
		subs = append(subs, link["sub"].(string))
	}
	return subs
}

var crmScope = `{"servicesScopes":[{"serviceDefinitionId":"crm","permissions":[{"permissionId":"contacts.read"}]}]}`

func TestDelegateRules(t *testing.T) {
	h := newHouse(t, delegates)
	ada := h.adas()
	shopOnly, crmOnly := h.adas("allowed_resource_scope", scopeOf("orders.read")), h.adas("allowed_resource_scope", crmScope)
	agents := h.delegate("agent", ada, "audience", shopAud).granted(t)
	mobile := h.do(form(pairs("grant_type", "password", "username", "ada", "password", password, "client_id", "mobile"))).granted(t)
	nobody := h.token("web", "grant_type", "password", "username", "two", "password", password, "orgId", "acme").granted(t)
	from := claimsOf(t, ada)
	toShop := []string{"audience", shopAud}
	_, acting := h.forwarded(t, h.shopWith(t, GuardOptions{Client: "agent", Exchange: "client_delegate"}), bearer("GET", "/me", ada))
	for name, c := range map[string]struct {
		client, subject string
		params          []string
		code, want      string
	}{
		"to an audience that web allows by default": {"agent", ada, toShop, "", ""},
		"without audience, the subject's one":       {"agent", shopOnly, nil, "", ""},
		"its own token, with its own allow line":    {"agent", agents, nil, "", ""},
		"somebody else's delegated token":           {"robot", agents, nil, "", ""},
		"for an access token, said so":              {"agent", ada, append(toShop, "requested_token_type", accessURN), "", ""},
		"the token's own org":                       {"agent", ada, append(toShop, "orgId", "acme"), "", ""},

		"without audience, of two":                     {"agent", ada, nil, "invalid_target", "target_not_allowed"},
		"audience empty, of two":                       {"agent", ada, []string{"audience", ""}, "invalid_target", "target_not_allowed"},
		"without audience, one that is not its target": {"robot", crmOnly, nil, "invalid_target", "target_not_allowed"},
		"an audience that is not its target":           {"robot", ada, []string{"audience", crmAud}, "invalid_target", "target_not_allowed"},
		"the issuer":                                   {"agent", ada, []string{"audience", issuer}, "invalid_target", "target_not_allowed"},
		"the upstream audience":                        {"agent", ada, []string{"audience", "urn:scopegate:upstream:shop"}, "invalid_target", "target_not_allowed"},
		"two audiences in one":                         {"agent", ada, []string{"audience", shopAud + " " + crmAud}, "invalid_target", "target_not_allowed"},

		"its target, but web does not allow it": {"agent", ada, []string{"audience", elsewhere}, "unauthorized_client", "exchange_refused"},
		"the source has no allow line":          {"agent", mobile, toShop, "unauthorized_client", "exchange_refused"},
		"may_act names somebody else":           {"agent", forge("at+jwt", from, map[string]any{"may_act": map[string]any{"sub": "robot"}}), toShop, "unauthorized_client", "exchange_refused"},
		"may_act names the caller":              {"agent", forge("at+jwt", from, map[string]any{"may_act": map[string]any{"sub": "agent"}}), toShop, "", ""},
		"an actor that is not configured":       {"agent", forge("at+jwt", from, map[string]any{"act": map[string]any{"sub": "gone"}}), toShop, "unauthorized_client", "exchange_refused"},
		"via a client that is not configured":   {"agent", forge("at+jwt", from, map[string]any{"via": []string{"gone"}}), toShop, "unauthorized_client", "exchange_refused"},
		"marked by audit mode":                  {"agent", forge("at+jwt", from, map[string]any{"scopegate_mode": "audit"}), toShop, "unauthorized_client", "exchange_refused"},
		"a client that lists another exchange":  {"batch", ada, toShop, "unauthorized_client", "grant_not_allowed"},

		"a client's own token":                   {"agent", h.nightlys(), toShop, "invalid_request", "subject_kind"},
		"a client's own token, with an actor":    {"agent", forge("at+jwt", claimsOf(t, h.nightlys()), map[string]any{"act": map[string]any{"sub": "agent"}}), toShop, "invalid_request", "subject_kind"},
		"an id token":                            {"agent", forge("JWT", from, nil), toShop, "invalid_request", "token_type"},
		"an upstream token":                      {"agent", h.upstreams(t, ada), toShop, "invalid_request", "token_audience"},
		"an upstream token, its own":             {"agent", acting, toShop, "invalid_request", "token_audience"},
		"made for the issuer, by another client": {"agent", nobody, toShop, "invalid_request", "token_audience"},
		"bound to a key":                         {"agent", forge("at+jwt", from, map[string]any{"cnf": map[string]any{"jkt": "x"}}), toShop, "invalid_request", "token_binding"},
		"another org":                            {"agent", ada, append(toShop, "orgId", "beta"), "invalid_request", "org_not_allowed"},
		"for an id token":                        {"agent", ada, append(toShop, "requested_token_type", "urn:ietf:params:oauth:token-type:id_token"), "invalid_request", "parameter_invalid"},
		"subject_token_type of an id token":      {"agent", ada, append(toShop, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), "invalid_request", "parameter_repeated"},
		"target_audience, of another grant":      {"agent", ada, []string{"target_audience", shopAud}, "invalid_request", "parameter_misplaced"},
		"resource, of the RFC's name":            {"agent", ada, []string{"resource", shopAud}, "invalid_request", "parameter_misplaced"},
		"actor_token, of the RFC's name":         {"agent", ada, append(toShop, "actor_token", ada), "invalid_request", "parameter_misplaced"},
		"audiences":                              {"agent", ada, []string{"audiences", shopAud}, "invalid_request", "parameter_misspelt"},
		"more than is held":                      {"agent", shopOnly, []string{"allowed_resource_scope", scopeOf("orders.write")}, "invalid_scope", "resource_scope_exceeded"},
		"more than its permit":                   {"robot", ada, append(toShop, "allowed_resource_scope", scopeOf("orders.write")), "invalid_scope", "resource_scope_exceeded"},
		"profile":                                {"agent", ada, append(toShop, "scope", "profile"), "invalid_scope", "scope_exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.delegate(c.client, c.subject, c.params...)
			if c.want != "" {
				g.refused(t, 400, c.code, c.want)
				return
			}
			if claims := claimsOf(t, g.granted(t)); claims["aud"] != shopAud || claims["sub"] != "example.com:ada" || claims["client_id"] != c.client {
				t.Errorf("got aud %v, sub %v, client_id %v", claims["aud"], claims["sub"], claims["client_id"])
			}
			if g.body["issued_token_type"] != accessURN || g.record["grant"] != "client_delegate" || g.record["client_id"] != c.client {
				t.Errorf("got issued_token_type %v and the record %v", g.body["issued_token_type"], g.record)
			}
		})
	}
	// What is asked for goes before where the subject is good already.
	if token := h.delegate("agent", shopOnly, "audience", crmAud).granted(t); claimsOf(t, token)["aud"] != crmAud || setOf(t, token) != "" {
		t.Errorf("got %s for %v, want nothing for crm", setOf(t, token), claimsOf(t, token)["aud"])
	}
	for _, typ := range []string{"urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt", "access_token"} {
		h.token("agent", "grant_type", "client_delegate", "subject_token", ada, "subject_token_type", typ, "audience", shopAud).refused(t, 400, "invalid_request", "parameter_invalid")
	}
	h.token("agent", "grant_type", "client_delegate", "subject_token_type", accessURN).refused(t, 400, "invalid_request", "parameter_missing")
	h.token("agent", "grant_type", "client_delegate", "subject_token", ada).refused(t, 400, "invalid_request", "parameter_missing")
	g := h.delegate("agent", mobile, toShop...)
	if cause, want := g.record["cause"].(string), "client mobile has no line: allow client_delegate by agent to "+shopAud; !strings.Contains(cause, want) {
		t.Errorf("got the cause %q, want the line to add: %q", cause, want)
	}
}

// By the name of RFC 8693, what a client lists says which grant it is.
func TestDelegateByTheNameOfTheRFC(t *testing.T) {
	h := newHouse(t, delegates, func(c *Config) {
		both := confidential("both", "client_delegate", "audience_exchange")
		both.Permit, both.TargetAudiences = lines("shop/* **"), []string{shopAud}
		c.Clients = append(c.Clients, both)
	})
	ada := h.adas()
	own := h.token("agent", "grant_type", "client_credentials").granted(t)
	do := func(client string, kv ...string) got {
		return h.token(client, append([]string{"grant_type", exchangeGrant, "subject_token", ada, "subject_token_type", accessURN}, kv...)...)
	}
	for name, kv := range map[string][]string{
		"audience": {"audience", shopAud}, "resource": {"resource", shopAud}, "both": {"audience", shopAud, "resource", shopAud},
		"its own actor token": {"audience", shopAud, "actor_token", own, "actor_token_type", accessURN},
	} {
		if got := actorsOf(t, do("agent", kv...).granted(t)); !slices.Equal(got, []string{"agent"}) {
			t.Errorf("%s: got act %q, want agent", name, got)
		}
	}
	do("agent", "audience", shopAud, "resource", crmAud).refused(t, 400, "invalid_request", "parameter_conflict")
	do("agent", "target_audience", shopAud).refused(t, 400, "invalid_request", "parameter_misplaced")
	do("agent", "audience", shopAud, "actor_token", ada, "actor_token_type", accessURN).refused(t, 400, "invalid_request", "token_audience")
	do("both", "audience", shopAud).refused(t, 400, "invalid_request", "grant_ambiguous")
	if token := do("batch", "audience", shopAud).granted(t); actorsOf(t, token) != nil {
		t.Error("batch lists audience_exchange, and became an actor")
	}
	if token := h.token("agent", "grant_type", vmwarePrefix+"client-delegate", "subject_token", ada, "subject_token_type", accessURN, "audience", shopAud).granted(t); actorsOf(t, token) == nil {
		t.Error("the name of VMware is another grant")
	}
	var doc struct {
		Grants []string `json:"grant_types_supported"`
	}
	g := h.do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	if err := json.Unmarshal([]byte(g.raw), &doc); err != nil || !slices.Contains(doc.Grants, "client_delegate") || !slices.Contains(doc.Grants, vmwarePrefix+"client-delegate") {
		t.Errorf("the metadata lists %q, %v", doc.Grants, err)
	}
}

func TestDelegateIsForClientsWithASecret(t *testing.T) {
	cfg := baseConfig()
	cfg.client("mobile").GrantTypes = []string{"client_delegate"}
	if _, err := Compile(cfg, nil); err == nil || !strings.Contains(err.Error(), "client_delegate is for clients with a secret") {
		t.Errorf("got %v", err)
	}
}

// What comes out was in the subject, and says who acts: the latest outermost.
func TestDelegatedTokens(t *testing.T) {
	h := newHouse(t, delegates)
	ada := h.adas()
	one := h.delegate("agent", ada, "audience", shopAud).granted(t)
	two := h.delegate("robot", one).granted(t)
	via := h.exchange("batch", two, shopAud).granted(t)
	for name, c := range map[string]struct {
		token, set, client string
		act                []string
		via                any
	}{
		"one": {one, `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`, "agent", []string{"agent"}, nil},
		"two": {two, `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`, "robot", []string{"robot", "agent"}, nil},
		"via": {via, `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`, "batch", []string{"robot", "agent"}, "batch"},
	} {
		claims := claimsOf(t, c.token)
		if got := actorsOf(t, c.token); !slices.Equal(got, c.act) {
			t.Errorf("%s: got act %q, want %q", name, got, c.act)
		}
		if got := setOf(t, c.token); got != c.set {
			t.Errorf("%s: got %s, want %s", name, got, c.set)
		}
		if list, _ := claims["via"].([]any); (c.via == nil) != (list == nil) || list != nil && list[0] != c.via {
			t.Errorf("%s: got via %v, want %v", name, claims["via"], c.via)
		}
		for claim, want := range map[string]any{
			"sub": "example.com:ada", "client_id": c.client, "azp": c.client, "scope": "orders", "narrowed": true,
			"root_jti": claimsOf(t, ada)["jti"], "root_iat": claimsOf(t, ada)["iat"], "grant_id": claimsOf(t, ada)["grant_id"], "sid": claimsOf(t, ada)["sid"], "exp": claimsOf(t, ada)["exp"],
		} {
			if claims[claim] != want {
				t.Errorf("%s: %s: got %v, want %v", name, claim, claims[claim], want)
			}
		}
	}
	if g := h.exchange("batch", two, shopAud); g.record["act"] != "robot" {
		t.Errorf("the record of an exchange does not say who acts: %v", g.record)
	}
	four := h.delegate("robot", h.delegate("robot", two).granted(t)).granted(t)
	h.delegate("robot", four).refused(t, 400, "invalid_request", "chain_too_long")
	h.exchange("batch", four, shopAud).refused(t, 400, "invalid_request", "chain_too_long")
	mixed := h.delegate("robot", via).granted(t)
	h.delegate("robot", mixed).refused(t, 400, "invalid_request", "chain_too_long")
	if got := actorsOf(t, mixed); !slices.Equal(got, []string{"robot", "robot", "agent"}) {
		t.Errorf("got act %q", got)
	}
}

// A client that was taken out of the configuration is taken out of the chains
// that it is in, wherever it stands in them.
func TestChainsThroughAClientThatIsGone(t *testing.T) {
	h := newHouse(t, delegates)
	token := h.delegate("robot", h.delegate("agent", h.adas(), "audience", shopAud).granted(t)).granted(t)
	h.delegate("robot", token).granted(t)
	h.Server = h.reload(h.caches, delegates, func(c *Config) {
		c.Clients = slices.DeleteFunc(c.Clients, func(c ClientConfig) bool { return c.ID == "agent" })
		c.client("web").Allow = nil
	})
	h.delegate("robot", token).refused(t, 400, "unauthorized_client", "exchange_refused")
	h.exchange("batch", token, shopAud).refused(t, 400, "unauthorized_client", "exchange_refused")
}

// The store is not asked (docs/stores.md): delegation goes on without it.
func TestDelegateWithoutAStore(t *testing.T) {
	h := newHouse(t, delegates)
	ada := h.adas()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	h.delegate("agent", ada, "audience", shopAud).granted(t)
}
