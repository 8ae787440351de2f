package tokenexchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

func TestTokensOfEachGrant(t *testing.T) {
	h := newHouse(t)
	full := `{"servicesScopes":[{"permissions":[{"permissionId":"contacts.read","resources":["**"]}],"serviceDefinitionId":"crm"},` +
		`{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`
	ada, nightly := h.adas(), h.nightlys()
	shop := `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`
	for name, c := range map[string]struct {
		token, set string
		claims     map[string]any
		life       float64
	}{
		"password":                       {ada, full, map[string]any{"sub": "example.com:ada", "username": "ada", "acct": "ada@example.com", "domain": "example.com", "context_name": "acme", "client_id": "web", "cid": "web", "scope": "profile email orders", "narrowed": nil, "via": nil}, 1800},
		"client_credentials":             {nightly, shop, map[string]any{"sub": "nightly", "username": nil, "acct": nil, "context_name": "acme", "client_id": "nightly", "aud": shopAud, "scope": "orders reports", "sid": nil}, 1800},
		"audience_exchange":              {h.exchange("batch", ada, shopAud).granted(t), shop, map[string]any{"sub": "example.com:ada", "client_id": "batch", "azp": "batch", "aud": shopAud, "scope": "orders", "narrowed": true, "act": nil, "root_jti": claimsOf(t, ada)["jti"], "root_iat": claimsOf(t, ada)["iat"], "grant_id": claimsOf(t, ada)["grant_id"], "sid": claimsOf(t, ada)["sid"]}, 1800},
		"exchange to no service of ours": {h.exchange("batch", nightly, "https://elsewhere.example").granted(t), "", map[string]any{"sub": "nightly", "aud": "https://elsewhere.example", "perms": nil, "narrowed": true}, 1800},
	} {
		t.Run(name, func(t *testing.T) {
			claims := claimsOf(t, c.token)
			if got := setOf(t, c.token); got != c.set {
				t.Errorf("set: got %s, want %s", got, c.set)
			}
			for claim, want := range c.claims {
				if claims[claim] != want {
					t.Errorf("%s: got %v, want %v", claim, claims[claim], want)
				}
			}
			if claims["iss"] != issuer || claims["exp"].(float64)-claims["iat"].(float64) != c.life {
				t.Errorf("got iss %v, exp - iat %v", claims["iss"], claims["exp"].(float64)-claims["iat"].(float64))
			}
		})
	}
	if via := claimsOf(t, h.exchange("batch", ada, shopAud).granted(t))["via"]; len(via.([]any)) != 1 || via.([]any)[0] != "batch" {
		t.Errorf("via: got %v, want batch", via)
	}
}

// A client that is not the user's own gets no more than both may do.
func TestPasswordMeetsPermit(t *testing.T) {
	h := newHouse(t)
	r := form(pairs("grant_type", "password", "username", "ada", "password", password, "client_id", "mobile"))
	token := h.do(r).granted(t)
	if got, want := setOf(t, token), `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**","reports/acme/*"]}],"serviceDefinitionId":"shop"}]}`; got != want {
		t.Errorf("got %s, want %s: what ada holds meets what mobile may, and {org} is acme", got, want)
	}
}

// A client with allowed_orgs gets no token elsewhere, not of a user's default
// organization either.
func TestAllowedOrgsOfALogin(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.client("web").AllowedOrgs = []string{"beta"} })
	h.token("web", "grant_type", "password", "username", "ada", "password", password).refused(t, 400, "invalid_request", "org_not_allowed")
	h.adas("orgId", "beta")
}

func TestExcess(t *testing.T) {
	h := newHouse(t)
	var many []string
	for i := range 15 {
		many = append(many, "secretly/"+string(rune('a'+i)))
	}
	g := h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", scopeOf("orders.read", append(many, "orders/1")...))
	g.refused(t, 400, "invalid_scope", "resource_scope_exceeded")
	excess := g.body["excess"].([]any)
	if len(excess) != 10 || strings.Contains(g.raw, "orders/") {
		t.Errorf("got an excess of %d entries: %s; want 10, and nothing that is held", len(excess), g.raw)
	}
	first := must(json.Marshal(excess[0]))
	if want := `{"permission":"orders.read","resource":"secretly/a","service":"shop"}`; string(first) != want {
		t.Errorf("got %s, want %s", first, want)
	}
	g = h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"crm","permissions":[{"permissionId":"contacts.read"}]}]}`)
	g.refused(t, 400, "invalid_scope", "resource_scope_exceeded")
	// A token among the names is nobody's resource.
	api, _ := adasToken(t)
	for _, ask := range []string{scopeOf("orders.read", api, "other/"+api, "other/1"), scopeOf(api, "other/1")} {
		g = h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", ask)
		if strings.Contains(g.raw, api) || strings.Contains(ask, "orders.read") && g.body["excess"] == nil {
			t.Errorf("got %s, want an excess without the token", g.raw)
		}
	}
	if g := h.token("nightly", "grant_type", "client_credentials", "scope", "admin"); g.body["excess"] != nil {
		t.Errorf("scope: got an excess: %s", g.raw)
	}
}

// What is asked has limits of its own, and an answer about them says which.
func TestTooLargeToAsk(t *testing.T) {
	h := newHouse(t)
	many := func(n, size int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("%0*d", size, i))
		}
		return list
	}
	for want, ask := range map[string]string{
		"257 entries, 101% of the limit of 256":                   scopeOf("orders.read", many(257, 3)...),
		"4232 bytes in canonical form, 138% of the limit of 3072": scopeOf("orders.read", many(40, 100)...),
		"20112 bytes of input, 123% of the limit of 16384":        scopeOf("orders.read", many(200, 97)...),
	} {
		g := h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", ask)
		g.refused(t, 400, "invalid_scope", "resource_scope_too_large")
		if text, _ := g.body["error_description"].(string); !strings.Contains(text, "allowed_resource_scope: "+want) {
			t.Errorf("got %q, want the limit and how much of it was used: %s", text, want)
		}
	}
}

func TestNarrowedAnswer(t *testing.T) {
	h := newHouse(t)
	g := h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", scopeOf("orders.read", "orders/7"))
	token := g.granted(t)
	if got := string(must(json.Marshal(g.body["allowed_resource_scope"]))); got != setOf(t, token) || claimsOf(t, token)["narrowed"] != true {
		t.Errorf("got %s beside a token with %s", got, setOf(t, token))
	}
	if g := h.token("nightly", "grant_type", "client_credentials"); g.body["allowed_resource_scope"] != nil {
		t.Error("allowed_resource_scope is answered though nothing was narrowed")
	}
	g = h.token("nightly", "grant_type", "client_credentials", "scope", "orders")
	if g.body["scope"] != "orders" || claimsOf(t, g.granted(t))["scope"] != "orders" {
		t.Errorf("scope: got %v, want orders", g.body["scope"])
	}
}

func TestFamilyOfAPassword(t *testing.T) {
	h := newHouse(t, logins)
	claims := claimsOf(t, h.loggedIn("refreshTokenValiditySeconds", "60", "scope", "profile email orders"))
	f, err := h.state.Families().Load(t.Context(), claims["grant_id"].(string))
	if err != nil || f.Subject != "example.com:ada" || f.Client != "web" || f.Org != "acme" || f.Session != claims["sid"] {
		t.Fatalf("got %+v, %v", f, err)
	}
	if f.Set == "" || f.Set != string(must(json.Marshal(must(scopes.ParseSet([]byte(f.Set)))))) || f.Scope != "profile email orders" {
		t.Errorf("the family holds %q and the scope %q", f.Set, f.Scope)
	}
	if want := must(scopes.ParseSet([]byte(setOf(t, h.loggedIn())))).Canonical(); f.Set != want {
		t.Errorf("the family holds %s, want %s", f.Set, want)
	}
	const known = 30*time.Minute + mint.LeewayExpiry + signingSlack
	if got, record := f.RefreshEnd.Sub(start), f.End.Sub(start); got != time.Minute || record != known {
		t.Errorf("the family can be refreshed for %s and is known for %s, want 1m, and %s as its access token", got, record, known)
	}
	// Where nothing can be refreshed, there is nothing to remember for longer.
	plain := newHouse(t)
	f, err = plain.state.Families().Load(t.Context(), claimsOf(t, plain.adas())["grant_id"].(string))
	if record := f.End.Sub(start); err != nil || record != known {
		t.Errorf("without refresh tokens: the family is known for %s, %v, want %s", record, err, known)
	}
	two := []any{claims["grant_id"], claims["sid"], claims["jti"]}
	again := claimsOf(t, h.loggedIn())
	if slices.Contains(two, again["grant_id"]) || slices.Contains(two, again["sid"]) || slices.Contains(two, again["jti"]) {
		t.Error("two logins share a family, a session or a token id")
	}
}
