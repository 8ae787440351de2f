package tokenexchange

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// choosy is a configuration whose client web asks for several rights, and requires
// one order.
func choosy(c *Config) {
	logins(c)
	web := c.client("web")
	web.Permit = lines("shop/orders.read orders/** reports/**", "shop/orders.write orders/eu/**", "crm/* **")
	web.Required = *lines("shop/orders.read orders/7")
}

const boxReports = "shop/orders.read reports/acme/*"

// partly is what an application can do that was granted to read reports, and the
// one order that it requires, but no other.
func (h *house) partly(what, token string) {
	h.t.Helper()
	for _, c := range []struct {
		method, target string
		want           scopes.Reason
	}{
		{"GET", "/orders/7", scopes.ReasonAllowed},
		{"GET", "/reports/acme/q1", scopes.ReasonAllowed},
		{"GET", "/orders/8", scopes.ReasonResourceMissing},
		{"GET", "/all", scopes.ReasonResourceMissing},
		{"POST", "/orders/eu", scopes.ReasonPermissionMissing},
		{"GET", "/contacts", scopes.ReasonServiceMissing},
	} {
		if v, _ := h.pass(h.shop(h.t), bearer(c.method, c.target, token)); v.Reason != c.want {
			h.t.Errorf("%s: %s %s: got %s, want %s", what, c.method, c.target, v.Reason, c.want)
		}
	}
}

// everywhere follows what was granted through all that can be made of it.
func (h *house) everywhere(what string, g got) (refresh string) {
	h.t.Helper()
	access, refresh := g.tokens(h.t)
	h.partly(what, access)
	h.partly(what+", exchanged", h.exchange("batch", access, shopAud).granted(h.t))
	h.switchTo("web", access, "beta").refused(h.t, 400, "invalid_request", "token_not_first")
	h.switchTo("console", access, "beta").refused(h.t, 400, "invalid_request", "token_not_first")
	h.clock = h.clock.Add(time.Minute)
	access, refresh = h.refresh("web", refresh).tokens(h.t)
	h.partly(what+", refreshed", access)
	h.partly(what+", refreshed and exchanged", h.exchange("batch", access, shopAud).granted(h.t))
	return refresh
}

// What somebody unticked stays away, whatever is made of what they granted.
func TestUntickedStaysAway(t *testing.T) {
	h := newHouse(t, choosy)
	b := h.consenting("ada", "acme").allow(boxRead, boxWrite, boxCRM, "email")
	refresh := h.everywhere("the first login", h.redeem("web", b.granted()))
	h.everywhere("a second login that asks nobody", h.redeem("web", b.open(authorizeURL()).granted()))
	h.everywhere("the same, by prompt=none", h.redeem("web", b.open(authorizeURL("prompt", "none")).granted()))

	for name, kv := range map[string][]string{
		"a resource that was unticked":  {"allowed_resource_scope", scopeOf("orders.read", "orders/8")},
		"a permission that was":         {"allowed_resource_scope", scopeOf("orders.write", "orders/eu/1")},
		"what is required, and more":    {"allowed_resource_scope", scopeOf("orders.read", "orders/**")},
		"all of an unticked permission": {"allowed_resource_scope", scopeOf("orders.write")},
	} {
		h.refresh("web", refresh, kv...).refused(t, 400, "invalid_scope", "resource_scope_exceeded")
		h.redeem("web", b.open(authorizeURL()).granted(), kv...).refused(t, 400, "invalid_scope", "resource_scope_exceeded")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	h.refresh("web", refresh, "scope", "openid email").refused(t, 400, "invalid_scope", "scope_exceeded")
	// A request that asks for what was unticked alone is asked about it again.
	b.open(authorizeURL("prompt", "none", "allowed_resource_scope", scopeOf("orders.write"))).denied("consent_required", "consent_required")
	// One that asks for it beside the rest gets the rest.
	narrow := h.redeem("web", b.open(authorizeURL("allowed_resource_scope", scopeOf("orders.read", "orders/7", "orders/8"))).granted())
	access, _ := narrow.tokens(t)
	if got := setOf(t, access); got != `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/7"]}],"serviceDefinitionId":"shop"}]}` {
		t.Errorf("got %s, want what was granted of it", got)
	}
}

// Who gets more rights is not granted more, and who loses some has not granted the
// others.
func TestGrantedIsNotWhatIsHeld(t *testing.T) {
	for name, c := range map[string]struct {
		from, to, want string
		silent         bool
	}{
		"more rights": {"reports/{org}/*", "reports/**", `["orders/7","reports/acme/*"]`, false},
		"less rights": {"orders.read orders/** reports/{org}/*", "orders.read orders/7 reports/{org}/q1", `["orders/7","reports/acme/q1"]`, true},
		"less than is required, so that nothing of it is": {"orders.read orders/** reports/{org}/*", "orders.read orders/8 reports/{org}/*", `["reports/acme/*"]`, true},
	} {
		h := newHouse(t, choosy)
		b := h.consenting("ada", "acme").allow(boxRead, boxWrite, boxCRM)
		_, refresh := h.redeem("web", b.granted()).tokens(t)
		text := strings.Replace(baseUsers, c.from, c.to, 1)
		if text == baseUsers {
			t.Fatal("nothing was changed")
		}
		cfg := baseConfig()
		choosy(&cfg)
		h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, text)})), h.caches, ecKey(), rsaKey())
		access, _ := h.refresh("web", refresh).tokens(t)
		if got := setOf(t, access); !strings.Contains(got, `"resources":`+c.want) || strings.Contains(got, "write") {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if b.open(authorizeURL()); !c.silent {
			b.sees("consent")
			continue
		}
		access, _ = h.redeem("web", b.granted()).tokens(t)
		if got := setOf(t, access); !strings.Contains(got, `"resources":`+c.want) || strings.Contains(got, "write") {
			t.Errorf("%s: a second login: got %s, want %s", name, got, c.want)
		}
	}
}

// What the client requires from now on is asked of who refused it. What was granted
// before goes on as it is.
func TestRequiredLater(t *testing.T) {
	h := newHouse(t, choosy)
	b := h.consenting("ada", "acme").allow(boxRead, boxWrite, boxCRM)
	_, refresh := h.redeem("web", b.granted()).tokens(t)
	h.Server = h.reload(h.caches, choosy, func(c *Config) {
		c.client("web").Required = *lines("shop/orders.read orders/7", "shop/orders.write orders/eu/**")
	})
	access, _ := h.refresh("web", refresh).tokens(t)
	h.partly("what was granted before", access)
	b.open(authorizeURL("prompt", "none")).denied("consent_required", "consent_required")
	b.open(authorizeURL()).sees("consent").allow(boxReports) // The others are unticked: they were refused.
	access, _ = h.redeem("web", b.granted()).tokens(t)
	if got := setOf(t, access); !strings.Contains(got, `["orders/7"]`) || !strings.Contains(got, `["orders/eu/**"]`) || strings.Contains(got, "reports") {
		t.Errorf("got %s, want what is required alone", got)
	}
}

// TestNothingHeld: who holds nothing, and is asked for nothing, can allow that they
// are known by name. They are asked once, and can deny it.
func TestNothingHeld(t *testing.T) {
	anonymous := func(c *Config) { c.client("legacy").Scope = []string{"profile"} }
	h := newHouse(t, logins, anonymous)
	ask := func(kv ...string) string {
		return authorizeURL(append(kv, "client_id", "legacy", "orgId", "empty")...)
	}
	b := h.browser().open(ask()).logIn("ada").sees("consent")
	b.press("deny").denied("access_denied", "access_denied")
	b.open(ask("prompt", "none")).denied("consent_required", "consent_required")
	known := func(code string) {
		t.Helper()
		claims := claimsOf(t, h.redeem("legacy", code).granted(t))
		if claims["sub"] != "example.com:ada" || claims["allowed_resource_scope"] != nil {
			t.Errorf("got %v, want a token with a name alone", claims)
		}
	}
	known(b.open(ask()).allow().granted())
	known(b.open(ask("prompt", "none")).granted())
	b.open(ask("allowed_resource_scope", scopeOf("orders.read", "orders/7"))).denied("invalid_scope", "resource_scope_exceeded")

	// Rights that come later are asked about, and the last one can go while they are.
	some := strings.Replace(baseUsers, `{"org":"empty"}`, `{"org":"empty","permissions":["shop/orders.read orders/7"]}`, 1)
	h.withUsers(some, anonymous)
	b.open(ask("prompt", "none")).denied("consent_required", "consent_required")
	b.open(ask()).sees("consent")
	h.withUsers(baseUsers, anonymous)
	b.allow().turnedDown(400, "offer_changed").sees("consent")
	known(b.allow().granted())
}

// TestNothingHeldButRoles: a token with a name alone tells the roles that the page
// named, and no others.
func TestNothingHeldButRoles(t *testing.T) {
	h := newHouse(t, logins)
	holds := func(roles string) {
		h.withUsers(strings.Replace(baseUsers, `{"org":"empty"}`, `{"org":"empty","roles":[`+roles+`]}`, 1))
	}
	ask := func(kv ...string) string {
		return authorizeURL(append(kv, "client_id", "legacy", "orgId", "empty", "scope", "")...)
	}
	tells := func(code, want string) {
		t.Helper()
		if got := strings.Join(rolesOf(t, h.redeem("legacy", code).granted(t)), " "); got != want {
			t.Errorf("got the roles %q, want %q", got, want)
		}
	}
	holds(`"csp:org_member"`)
	b := h.browser().open(ask()).logIn("ada").sees("consent")
	if text := b.text(); !strings.Contains(text, "csp:org_member") {
		t.Errorf("got %q, want the role named", text)
	}
	tells(b.allow().granted(), "csp:org_member")
	holds(`"csp:org_member","csp:org_owner"`)
	b.open(ask("prompt", "none")).denied("consent_required", "consent_required")
	holds("")
	tells(b.open(ask("prompt", "none")).granted(), "")
}
