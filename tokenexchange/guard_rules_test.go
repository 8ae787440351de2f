package tokenexchange

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// ruled returns a guard of the shop with rules of every form.
func (h *house) ruled(t testing.TB, o GuardOptions) *Guard {
	t.Helper()
	need := func(text string) scopes.RuleNeed {
		permission, resource, _ := strings.Cut(text, " ")
		return scopes.RuleNeed{Permission: permission, Resource: resource}
	}
	rules := []scopes.Rule{
		{Method: "POST", Path: "/copy/{id}", AllOf: []scopes.RuleNeed{need("orders.read orders/{id}"), need("orders.write orders/{query:to}")}},
		{Method: "GET", Path: "/search", AnyOf: []scopes.RuleNeed{need("orders.write archive/**"), need("orders.read orders/**")}},
		{Method: "GET", Path: "/lost", AnyOf: []scopes.RuleNeed{need("orders.write archive/**"), need("orders.read archive/**")}},
		{Method: "GET", Path: "/either", AnyOf: []scopes.RuleNeed{need("orders.write {query:q}"), need("orders.read {query:q}")}},
	}
	for _, line := range []string{
		"GET /orders/{id} orders.read orders/{id}",
		"GET /tenant orders.read orders/{header:X-Tenant}",
		"GET /mine orders.read {claim:domain}/{claim:context_name}",
		"GET /contacts/{id} crm/contacts.read {id}",
		"GET /files/{_name} orders.read orders/**",
		"GET /files/{_name}/raw orders.read orders/**",
		"GET /files/a/raw orders.write orders/**",
		"authenticated GET /me",
		"public GET /healthz",
	} {
		rules = append(rules, must(scopes.ParseRule("test", strings.Fields(line)...)))
	}
	declared := func(service, permission string) bool { return service == "crm" && permission == "contacts.read" }
	return must(h.Guard("shop", must(scopes.NewPolicy("shop", []string{"orders.read", "orders.write"}, declared, ClaimNames(), rules)), o))
}

func held(set string) string {
	return `{"servicesScopes":[{"permissions":[` + set + `],"serviceDefinitionId":"shop"}]}`
}

// What a rule reads of query, headers and claims is that of this request and of
// the verified token.
func TestRulesReadTheRequest(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.client("web").Permit = lines("shop/* **", "crm/* **") })
	g, ada := h.ruled(t, GuardOptions{}), h.adas()
	mine := forge("at+jwt", claimsOf(t, ada), map[string]any{"allowed_resource_scope": map[string]any{"servicesScopes": []any{map[string]any{
		"serviceDefinitionId": "shop", "permissions": []any{map[string]any{"permissionId": "orders.read", "resources": []any{"example.com/acme"}}},
	}}}})
	for name, c := range map[string]struct {
		method, target, token string
		headers               []string
		want                  scopes.Reason
	}{
		"two needs":                  {"POST", "/copy/7?to=eu", ada, nil, scopes.ReasonAllowed},
		"two needs, one not held":    {"POST", "/copy/7?to=us", ada, nil, scopes.ReasonResourceMissing},
		"a value twice":              {"POST", "/copy/7?to=eu&to=us", ada, nil, scopes.ReasonVariableRejected},
		"no value":                   {"POST", "/copy/7", ada, nil, scopes.ReasonVariableRejected},
		"one of two":                 {"GET", "/search", ada, nil, scopes.ReasonAllowed},
		"none of two":                {"GET", "/lost", ada, nil, scopes.ReasonResourceMissing},
		"one of two, no value":       {"GET", "/either", ada, nil, scopes.ReasonVariableRejected},
		"a header":                   {"GET", "/tenant", ada, []string{"a"}, scopes.ReasonAllowed},
		"a header that is a pattern": {"GET", "/tenant", ada, []string{"*"}, scopes.ReasonVariableRejected},
		"a header twice":             {"GET", "/tenant", ada, []string{"a", "a"}, scopes.ReasonVariableRejected},
		"no header":                  {"GET", "/tenant", ada, nil, scopes.ReasonVariableRejected},
		"claims":                     {"GET", "/mine", mine, nil, scopes.ReasonAllowed},
		"claims of somebody else":    {"GET", "/mine", h.nightlys(), nil, scopes.ReasonVariableRejected},
		"claims, without the right":  {"GET", "/mine", ada, nil, scopes.ReasonResourceMissing},
	} {
		r := bearer(c.method, c.target, c.token)
		if c.headers != nil {
			r.Header["X-Tenant"] = c.headers
		}
		v, a := h.pass(g, r)
		if v.Reason != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, v.Reason, v.cause, c.want)
		}
		if one := strings.Contains(a.raw, "one of the rights in required is enough"); one != (name == "none of two") {
			t.Errorf("%s: says that one is enough: %v: %s", name, one, a.raw)
		}
	}
}

// With narrow to_rule the upstream holds only what this one call needs.
func TestNarrowToRule(t *testing.T) {
	h := newHouse(t)
	g, ada := h.ruled(t, GuardOptions{NarrowToRule: true, AuditUntil: start.Add(1)}), h.adas()
	read := func(resource string) string {
		return held(`{"permissionId":"orders.read","resources":["` + resource + `"]}`)
	}
	tokens := map[string]string{}
	for range 2 { // made, then from the cache
		for _, c := range []struct{ method, target, set, mode string }{
			{"GET", "/orders/7", read("orders/7"), ""},
			{"GET", "/orders/8", read("orders/8"), ""},
			{"POST", "/copy/7?to=eu", held(`{"permissionId":"orders.read","resources":["orders/7"]},{"permissionId":"orders.write","resources":["orders/eu"]}`), ""},
			{"GET", "/search", read("orders/**"), ""},
			{"GET", "/contacts/1", "", ""},
			{"GET", "/me", "", ""},
			{"GET", "/lost", "", "audit"},
			{"POST", "/copy/7?to=us", "", "audit"},
		} {
			claims, raw := h.forwarded(t, g, bearer(c.method, c.target, ada))
			if got := setOf(t, raw); got != c.set {
				t.Errorf("%s: got %s, want %s", c.target, got, c.set)
			}
			if mode, _ := claims["scopegate_mode"].(string); mode != c.mode || claims["narrowed"] != true || claims["aud"] != "urn:scopegate:upstream:shop" {
				t.Errorf("%s: got scopegate_mode %q, narrowed %v, aud %v", c.target, mode, claims["narrowed"], claims["aud"])
			}
			if before := tokens[c.target]; before != "" && before != raw {
				t.Errorf("%s: signed a second time", c.target)
			}
			tokens[c.target] = raw
		}
	}
	if tokens["/orders/7"] == tokens["/orders/8"] || tokens["/me"] == tokens["/lost"] {
		t.Error("two different tokens have one place in the cache")
	}
	if _, raw := h.forwarded(t, h.ruled(t, GuardOptions{}), bearer("GET", "/orders/7", ada)); !strings.Contains(setOf(t, raw), "orders/**") {
		t.Errorf("without the option: got %s", setOf(t, raw))
	}
}

func TestEncodedSlash(t *testing.T) {
	h := newHouse(t)
	keep, refuse, ada := h.ruled(t, GuardOptions{EncodedSlashKeep: true, HideExistence: true}), h.ruled(t, GuardOptions{}), h.adas()
	r := bearer("GET", "/files/b%2fc%41", ada)
	if v, _ := h.pass(keep, r); !v.Allowed() || r.URL.EscapedPath() != "/files/b%2FcA" || r.URL.Path != "/files/b/cA" {
		t.Errorf("got %s (%v), forwarded to %s", v.Reason, v.cause, r.URL.EscapedPath())
	}
	for target, want := range map[string]scopes.Reason{
		"/orders/a%2Fb":  scopes.ReasonVariableRejected, // a checked value holds no slash
		"/files/a%2Fraw": scopes.ReasonPathAmbiguous,    // another rule, if it were decoded first
		"/files/a%5Cb":   scopes.ReasonPathAmbiguous,
		"/files/a%2Fb":   scopes.ReasonAllowed,
	} {
		v, a := h.pass(keep, bearer("GET", target, ada))
		if v.Reason != want || want == scopes.ReasonPathAmbiguous && a.status != 400 {
			t.Errorf("kept: %s: got %s %d, want %s", target, v.Reason, a.status, want)
		}
		if v, _ := h.pass(refuse, bearer("GET", target, ada)); v.Reason != scopes.ReasonPathAmbiguous {
			t.Errorf("refused: %s: got %s", target, v.Reason)
		}
	}
	// What a stranger gets says nothing of rules.
	for _, target := range []string{"/files/a%2Fraw", "/files/a%2Fb", "/nothing%2Fx"} {
		if v, _ := h.pass(keep, bearer("GET", target, "")); v.Reason != scopes.ReasonNoToken {
			t.Errorf("without a token: %s: got %s", target, v.Reason)
		}
	}
}

func TestHeadersOfRulesAreChecked(t *testing.T) {
	h := newHouse(t)
	for header, good := range map[string]bool{"X-Tenant": true, "Cookie": false, "X-Original-URL": false} {
		rules := []scopes.Rule{must(scopes.ParseRule("test", "GET", "/a", "orders.read", "{header:"+header+"}"))}
		p := must(scopes.NewPolicy("shop", []string{"orders.read"}, nil, ClaimNames(), rules))
		if _, err := h.Guard("shop", p, GuardOptions{}); (err == nil) != good {
			t.Errorf("%s: got %v", header, err)
		}
	}
}
