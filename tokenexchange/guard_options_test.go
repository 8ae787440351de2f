package tokenexchange

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// forwarded returns the claims of the token that a guard forwards.
func (h *house) forwarded(t testing.TB, g *Guard, r *http.Request) (map[string]any, string) {
	t.Helper()
	v, _ := h.pass(g, r)
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !v.Allowed() || !ok {
		t.Fatalf("%s %s: got %s (%v), want a forwarded token", r.Method, r.URL, v.Reason, v.cause)
	}
	return claimsOf(t, raw), raw
}

func TestGuardOptions(t *testing.T) {
	h := newHouse(t, delegates, func(c *Config) {
		c.client("mobile").GrantTypes, c.client("mobile").TargetAudiences = []string{"password", "audience_exchange"}, []string{shopAud}
	})
	far := start.Add(90 * 24 * time.Hour)
	for name, c := range map[string]struct {
		o    GuardOptions
		want string
	}{
		"zero":                               {GuardOptions{}, ""},
		"defaults, written out":              {GuardOptions{Exchange: "audience_exchange", Preflight: "block"}, ""},
		"delegation":                         {GuardOptions{Exchange: "client_delegate"}, ""},
		"unknown exchange":                   {GuardOptions{Exchange: "password"}, `exchange: unrecognized "password"; expected audience_exchange or client_delegate`},
		"exchange by its URN":                {GuardOptions{Exchange: exchangeGrant}, `exchange: unrecognized`},
		"unknown preflight":                  {GuardOptions{Preflight: "allow"}, `preflight: unrecognized "allow"; expected block, pass or answer`},
		"audit for 90 days":                  {GuardOptions{AuditUntil: far}, ""},
		"audit in the past":                  {GuardOptions{AuditUntil: start.Add(-time.Hour)}, ""},
		"audit for longer":                   {GuardOptions{AuditUntil: far.Add(time.Second)}, "mode audit until 2026-07-30: expected a date at most 90 days ahead"},
		"no_rule without audit":              {GuardOptions{AuditNoRule: true}, "including no_rule: expected it after mode audit"},
		"as a client":                        {GuardOptions{Client: "batch"}, ""},
		"as a client that delegates":         {GuardOptions{Client: "agent", Exchange: "client_delegate"}, ""},
		"as nobody":                          {GuardOptions{Client: "nobody"}, `client: no client "nobody"`},
		"as a public client":                 {GuardOptions{Client: "mobile"}, "client mobile: expected a client with a secret"},
		"as a client without the grant":      {GuardOptions{Client: "nightly"}, "client nightly: expected audience_exchange among its grant_types"},
		"as a client with the other grant":   {GuardOptions{Client: "agent"}, "client agent: expected audience_exchange among its grant_types"},
		"as a client that exchanges instead": {GuardOptions{Client: "batch", Exchange: "client_delegate"}, "client batch: expected client_delegate among its grant_types"},
	} {
		g, err := h.Guard("shop", policy(t, "shop", "public GET /healthz"), c.o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (g == nil) != (err != nil) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := h.Guard("crm", must(scopes.NewPolicy("crm", nil, nil, nil, []scopes.Rule{must(scopes.ParseRule("", "public", "GET", "/x"))})), GuardOptions{Client: "robot", Exchange: "client_delegate"}); err == nil || !strings.Contains(err.Error(), "client robot: expected https://crm.example.com among its target_audiences") {
		t.Errorf("a client without the target: got %v", err)
	}
}

// With client_delegate the guard is the actor of users' tokens; a client's own
// token has no user to act for and is exchanged.
func TestGuardDelegates(t *testing.T) {
	h := newHouse(t, delegates)
	exchange, acting := h.shop(t), h.shopWith(t, GuardOptions{Exchange: "client_delegate"})
	ada := h.adas()
	agents := h.delegate("agent", ada, "audience", shopAud).granted(t)
	four := agents
	for range 3 {
		four = h.delegate("agent", four).granted(t)
	}
	for name, c := range map[string]struct {
		guard *Guard
		token string
		act   []string
		via   string
	}{
		"a user's, exchanged":        {exchange, ada, nil, "guard:shop"},
		"a user's":                   {acting, ada, []string{"guard:shop"}, ""},
		"a delegated one, exchanged": {exchange, agents, []string{"agent"}, "guard:shop"},
		"a delegated one":            {acting, agents, []string{"guard:shop", "agent"}, ""},
		"a client's own":             {acting, h.nightlys(), nil, "guard:shop"},
	} {
		for range 2 { // made, then from the cache
			claims, raw := h.forwarded(t, c.guard, bearer("GET", "/orders/7", c.token))
			if got := actorsOf(t, raw); !slices.Equal(got, c.act) {
				t.Errorf("%s: got act %q, want %q", name, got, c.act)
			}
			via, _ := claims["via"].([]any)
			if (c.via == "") != (via == nil) || via != nil && (len(via) != 1 || via[0] != c.via) {
				t.Errorf("%s: got via %v, want %q", name, claims["via"], c.via)
			}
			if claims["client_id"] != "guard:shop" || claims["aud"] != "urn:scopegate:upstream:shop" || claims["sub"] != claimsOf(t, c.token)["sub"] {
				t.Errorf("%s: got client_id %v, aud %v, sub %v", name, claims["client_id"], claims["aud"], claims["sub"])
			}
		}
	}
	if v, a := h.pass(acting, bearer("GET", "/orders/7", agents)); v.Actor != "agent" || a.record["act"] != "agent" {
		t.Errorf("the record is about the presented token: got the actor %q, %v", v.Actor, a.record["act"])
	}
	for name, g := range map[string]*Guard{"exchange": exchange, "delegation": acting} {
		if v, _ := h.pass(g, bearer("GET", "/orders/7", four)); v.Reason != scopes.ReasonChainTooLong {
			t.Errorf("%s: a fifth hop: got %s", name, v.Reason)
		}
	}
	mobile := h.do(form(pairs("grant_type", "password", "username", "ada", "password", password, "client_id", "mobile"))).granted(t)
	h.Server = h.reload(h.caches, delegates, func(c *Config) { c.client("mobile").Permit = lines("crm/* **") })
	if v, _ := h.pass(h.shopWith(t, GuardOptions{Exchange: "client_delegate"}), bearer("GET", "/orders/7", mobile)); v.Reason != scopes.ReasonExchangeRefused {
		t.Errorf("without the client's consent: got %s", v.Reason)
	}
}

func TestGuardRefusesBrokenChains(t *testing.T) {
	h := newHouse(t, delegates)
	token := h.delegate("robot", h.delegate("agent", h.adas(), "audience", shopAud).granted(t)).granted(t)
	pass := func(token string, want scopes.Reason) {
		t.Helper()
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != want {
			t.Errorf("got %s (%v), want %s", v.Reason, v.cause, want)
		}
	}
	pass(token, scopes.ReasonAllowed)
	from := claimsOf(t, h.adas())
	pass(forge("at+jwt", from, map[string]any{"may_act": map[string]any{"sub": "batch"}}), scopes.ReasonExchangeRefused)
	pass(forge("at+jwt", from, map[string]any{"may_act": map[string]any{"sub": "guard:shop"}}), scopes.ReasonAllowed)
	pass(forge("at+jwt", from, map[string]any{"scopegate_mode": "audit"}), scopes.ReasonExchangeRefused)
	h.Server = h.reload(h.caches, delegates, func(c *Config) {
		c.Clients = slices.DeleteFunc(c.Clients, func(c ClientConfig) bool { return c.ID == "agent" })
		c.client("web").Allow = nil
	})
	pass(token, scopes.ReasonExchangeRefused)
}

// A guard that acts as a configured client has that client's ceilings, and
// needs allow lines: a permit line is consent for the service's own guard only.
func TestGuardAsAClient(t *testing.T) {
	front := func(grants ...string) func(*Config) {
		return func(c *Config) {
			f := confidential("front", grants...)
			f.Permit, f.TargetAudiences, f.AccessTokenValidity = lines("shop/orders.read orders/eu/**"), []string{shopAud}, Duration(time.Minute)
			c.Clients = append(c.Clients, f)
			for _, grant := range []string{"client_delegate", "audience_exchange"} {
				c.client("web").Allow = append(c.client("web").Allow, AllowConfig{Grant: grant, By: []string{"front"}})
			}
			c.client("nightly").Allow = append(c.client("nightly").Allow, AllowConfig{Grant: "client_delegate", By: []string{"front"}})
		}
	}
	h := newHouse(t, front("client_delegate"))
	g := h.shopWith(t, GuardOptions{Client: "front", Exchange: "client_delegate"})
	ada := h.adas()
	eu := `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`
	claims, raw := h.forwarded(t, g, bearer("GET", "/me", ada))
	if setOf(t, raw) != eu || claims["client_id"] != "front" || claims["aud"] != "urn:scopegate:upstream:shop" || claims["exp"].(float64)-claims["iat"].(float64) != 60 {
		t.Errorf("got %s of %v for %v", setOf(t, raw), claims["client_id"], claims["aud"])
	}
	if got := actorsOf(t, raw); !slices.Equal(got, []string{"front"}) {
		t.Errorf("got act %q, want front", got)
	}
	refused := func(g *Guard, token, cause string) {
		t.Helper()
		if v, _ := h.pass(g, bearer("GET", "/me", token)); v.Reason != scopes.ReasonExchangeRefused || !strings.Contains(v.cause.Error(), cause) {
			t.Errorf("got %s (%v), want exchange_refused: %s", v.Reason, v.cause, cause)
		}
	}
	if v, _ := h.pass(g, bearer("GET", "/orders/7", ada)); v.Reason != scopes.ReasonResourceMissing {
		t.Errorf("outside of front's ceiling: got %s", v.Reason)
	}
	// nightly's consent is for guard:shop, and its line for another grant.
	refused(g, h.nightlys(), "client front, as which the guard acts, has not audience_exchange among its grant_types")
	h.Server = h.reload(h.caches, front("client_delegate", "audience_exchange"))
	both := h.shopWith(t, GuardOptions{Client: "front", Exchange: "client_delegate"})
	refused(both, h.nightlys(), "client nightly has no line: allow audience_exchange by front to "+shopAud)
	h.forwarded(t, h.shop(t), bearer("GET", "/me", h.nightlys()))
	if _, raw := h.forwarded(t, h.shopWith(t, GuardOptions{Client: "front"}), bearer("GET", "/me", ada)); actorsOf(t, raw) != nil {
		t.Error("an exchange made an actor")
	}
	h.Server = h.reload(h.caches, front("client_delegate"), func(c *Config) { c.client("web").Allow = nil })
	refused(h.shopWith(t, GuardOptions{Client: "front", Exchange: "client_delegate"}), ada, "client web has no line: allow client_delegate by front to "+shopAud)
	h.forwarded(t, h.shop(t), bearer("GET", "/me", ada))
}
