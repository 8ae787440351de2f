package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	readAll  = `{"permissionId":"orders.read","resources":["orders/**"]}`
	writeEU  = `{"permissionId":"orders.write","resources":["orders/eu/**"]}`
	ofShop   = `{"permissions":[` + readAll + `,` + writeEU + `],"serviceDefinitionId":"shop"}`
	ofCRM    = `{"permissions":[{"permissionId":"contacts.read","resources":["**"]}],"serviceDefinitionId":"crm"}`
	adasSet  = `{"servicesScopes":[` + ofCRM + `,` + ofShop + `]}`
	readOnly = `{"servicesScopes":[{"permissions":[` + readAll + `],"serviceDefinitionId":"shop"}]}`
	allWords = "openid profile email offline_access group_names orders"

	boxCRM, boxRead, boxWrite = "crm/contacts.read **", "shop/orders.read orders/**", "shop/orders.write orders/eu/**"
)

// consenting is a browser in which somebody logged in and is asked for consent.
func (h *house) consenting(user, org string, kv ...string) *browser {
	h.t.Helper()
	return h.browser().open(authorizeURL(kv...)).sees("login").logIn(user).sees("organization").choose(org).sees("consent")
}

// TestLoginAndConsent goes the whole way, and holds the tokens against what was
// ticked: also those of a refresh and of a second login that asks nobody.
func TestLoginAndConsent(t *testing.T) {
	for name, c := range map[string]struct {
		request    []string
		unticked   []string
		scope, set string
	}{
		"everything":               {nil, nil, allWords, adasSet},
		"not one service":          {nil, []string{boxCRM}, allWords, `{"servicesScopes":[` + ofShop + `]}`},
		"not one permission":       {nil, []string{boxWrite, boxCRM}, allWords, readOnly},
		"not one word":             {nil, []string{"orders", "email"}, "openid profile offline_access group_names", adasSet},
		"nothing but who it is":    {nil, []string{boxRead, boxWrite, boxCRM, "profile", "email", "offline_access", "group_names", "orders"}, "openid", ""},
		"no rights":                {nil, []string{boxRead, boxWrite, boxCRM}, allWords, ""},
		"words were asked for":     {[]string{"scope", "openid orders"}, nil, "openid orders", adasSet},
		"the CSP word":             {[]string{"scope", "openid_offline_access"}, nil, "openid offline_access", adasSet},
		"rights were asked for":    {[]string{"allowed_resource_scope", scopeOf("orders.read", "orders/1")}, nil, allWords, scopeOf("orders.read", "orders/1")},
		"no identity":              {[]string{"scope", "orders"}, []string{boxCRM}, "orders", `{"servicesScopes":[` + ofShop + `]}`},
		"an organization":          {[]string{"orgId", "acme"}, nil, allWords, adasSet},
		"another organization":     {[]string{"orgId", "beta"}, nil, allWords, scopeOf("orders.read", "orders/beta/**")},
		"one without rights":       {[]string{"orgId", "empty"}, nil, allWords, ""},
		"login_hint is for a page": {[]string{"login_hint", "eve"}, nil, allWords, adasSet},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			b := h.browser().open(authorizeURL(c.request...)).sees("login").logIn("ada")
			if !slices.Contains(c.request, "orgId") {
				b.sees("organization").choose("acme")
			}
			h.clock = h.clock.Add(time.Minute)
			b.sees("consent").allow(c.unticked...)
			g := h.redeem("web", b.granted())
			h.tokenSays(t, g, c.scope, c.set)
			refresh, _ := g.body["refresh_token"].(string)
			h.tokenSays(t, h.refresh("web", refresh), c.scope, c.set)
			again := h.redeem("web", b.open(authorizeURL(c.request...)).granted())
			h.tokenSays(t, again, c.scope, c.set)
			if len(b.records) != 1 {
				t.Errorf("the second login took %d requests, want 1", len(b.records))
			}
			one, _ := g.body["id_token"].(string)
			two, _ := again.body["id_token"].(string)
			if one != "" && claimsOf(t, one)["sid"] != claimsOf(t, two)["sid"] {
				t.Error("the second login is of another session")
			}
		})
	}
}

// tokenSays holds tokens of ada against what was granted.
func (h *house) tokenSays(t *testing.T, g got, scope, set string) {
	t.Helper()
	access, _ := g.tokens(t)
	claims := claimsOf(t, access)
	got := setOf(t, access)
	if want := set; got != want && !(want == "" && got == `{"servicesScopes":[]}`) && sorted(t, got) != sorted(t, want) {
		t.Errorf("got the set %s, want %s", got, want)
	}
	if claims["scope"] != scope || g.body["scope"] != scope {
		t.Errorf("got the scope %q and %q, want %q", claims["scope"], g.body["scope"], scope)
	}
	if claims["sub"] != "example.com:ada" || claims["client_id"] != "web" || claims["auth_time"] != float64(start.Unix()) {
		t.Errorf("got the claims %v", claims)
	}
	id, has := g.body["id_token"].(string)
	if has != strings.Contains(scope, "openid") {
		t.Fatalf("got an id token: %v, want it by the scope %q", has, scope)
	}
	if !has {
		return
	}
	claims = claimsOf(t, id)
	nonce := any("n-0S6_WzA2Mj")
	if g.record["grant"] == refreshToken {
		nonce = nil
	}
	if sid, _ := claims["sid"].(string); claims["sub"] != "example.com:ada" || claims["aud"] != "web" || claims["nonce"] != nonce || claims["auth_time"] != float64(start.Unix()) || len(sid) < 20 || claims["iss"] != issuer {
		t.Errorf("got the id token %v", claims)
	}
}

// sorted is the canonical text of a set.
func sorted(t *testing.T, set string) string {
	t.Helper()
	if set == "" {
		return ""
	}
	return must(extent{Set: set}.read()).set.Canonical()
}

// TestWhatIsAskedAgain has ada logged in, with all but crm allowed for acme, and
// looks what a second request leads to.
func TestWhatIsAskedAgain(t *testing.T) {
	later := func(d time.Duration) func(*house, *browser) {
		return func(h *house, _ *browser) { h.clock = h.clock.Add(d) }
	}
	for name, c := range map[string]struct {
		request []string
		before  func(*house, *browser)
		sees    string // a page, "code", or the error and the reason that the client is told
	}{
		"the same":                           {nil, nil, "code"},
		"the same by its org":                {[]string{"orgId", "acme"}, nil, "code"},
		"less":                               {[]string{"scope", "openid"}, nil, "code"},
		"fewer rights":                       {[]string{"allowed_resource_scope", scopeOf("orders.read", "orders/1")}, nil, "code"},
		"what was refused, and nothing else": {[]string{"allowed_resource_scope", `{"servicesScopes":[` + ofCRM + `]}`}, nil, "consent"},
		"another organization":               {[]string{"orgId", "beta"}, nil, "consent"},
		"consent":                            {[]string{"prompt", "consent"}, nil, "organization"},
		"consent for an organization":        {[]string{"prompt", "consent", "orgId", "acme"}, nil, "consent"},
		"login":                              {[]string{"prompt", "login"}, nil, "login"},
		"both":                               {[]string{"prompt", "login consent"}, nil, "login"},
		"an account":                         {[]string{"prompt", "select_account"}, nil, "login"},
		"none":                               {[]string{"prompt", "none"}, nil, "code"},
		"none, another organization":         {[]string{"prompt", "none", "orgId", "beta"}, nil, "consent_required consent_required"},
		"none, too old":                      {[]string{"prompt", "none", "max_age", "60"}, later(time.Minute), "login_required login_required"},
		"none, nobody there":                 {[]string{"prompt", "none"}, func(_ *house, b *browser) { b.cookies = map[string]string{} }, "login_required login_required"},
		"none, and more":                     {[]string{"prompt", "none login"}, nil, "invalid_request parameter_invalid"},
		"none, the session is over":          {[]string{"prompt", "none"}, later(sessionLife), "login_required login_required"},
		"young enough":                       {[]string{"max_age", "60"}, later(59 * time.Second), "code"},
		"too old":                            {[]string{"max_age", "60"}, later(time.Minute), "login"},
		"no age at all":                      {[]string{"max_age", "0"}, nil, "login"},
		"the session in its last moment":     {nil, later(sessionLife - time.Millisecond), "code"},
		"the session is over":                {nil, later(sessionLife), "login"},
		"the browser was closed":             {nil, func(_ *house, b *browser) { delete(b.cookies, sessionCookie) }, "login"},
		"an org of nobody":                   {[]string{"orgId", "elsewhere"}, nil, "invalid_request org_not_allowed"},
		"what is not held":                   {[]string{"allowed_resource_scope", scopeOf("orders.read", "invoices/**")}, nil, "invalid_scope resource_scope_exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			b := h.consenting("ada", "acme").allow(boxCRM)
			b.granted()
			if c.before != nil {
				c.before(h, b)
			}
			b.open(authorizeURL(c.request...))
			code, reason, told := strings.Cut(c.sees, " ")
			switch {
			case told:
				b.denied(code, reason)
			case c.sees == "code":
				access, _ := h.redeem("web", b.granted()).tokens(t)
				if strings.Contains(setOf(t, access), "crm") {
					t.Error("what was refused was given")
				}
			default:
				b.sees(c.sees)
			}
		})
	}
}

// TestOrganizationIsRemembered in a session, for each client, until it is asked for.
func TestOrganizationIsRemembered(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	b.granted()
	b.open(authorizeURL("client_id", "legacy")).sees("organization").choose("beta").sees("consent").allow()
	b.granted()
	for client, org := range map[string]string{"web": "acme", "legacy": "beta"} {
		b.open(authorizeURL("client_id", client)).granted()
		if got := b.record()["org"]; got != org {
			t.Errorf("%s: got %v, want %s", client, got, org)
		}
	}
	b.open(authorizeURL("prompt", "consent")).sees("organization").choose("beta").sees("consent").allow()
	b.granted()
	if b.open(authorizeURL()).granted(); b.record()["org"] != "beta" {
		t.Errorf("got %v, want what was chosen last", b.record()["org"])
	}
	if b.open(authorizeURL("prompt", "login")).logIn("ada").sees("organization"); b.code != 200 {
		t.Errorf("got %d", b.code)
	}
}

// TestOneOrganizationIsNotAskedFor: neither where the user has one nor where the
// client takes one.
func TestOneOrganizationIsNotAskedFor(t *testing.T) {
	one := strings.Replace(baseUsers, `,{"org":"beta"}]},`, `]},`, 1)
	h := newHouse(t, logins)
	h.withUsers(one)
	h.browser().open(authorizeURL()).logIn("two").sees("consent")
	h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"beta", "other"} })
	b := h.browser().open(authorizeURL()).logIn("ada").sees("consent").allow()
	if b.granted(); b.record()["org"] != "beta" {
		t.Errorf("got %v, want beta", b.record()["org"])
	}
	b.open(authorizeURL("orgId", "acme")).denied("invalid_request", "org_not_allowed")
	h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"other"} })
	h.browser().open(authorizeURL()).logIn("ada").denied("access_denied", "no_organization")
	h.withUsers(baseUsers)
	b = h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent")
	h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"beta", "other"} })
	b.open(b.at).denied("invalid_request", "org_not_allowed")
}

// TestHintOfAnIDToken lets nobody else in than the client expects.
func TestHintOfAnIDToken(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	g := h.redeem("web", b.granted())
	hint, _ := g.body["id_token"].(string)
	b.open(authorizeURL("id_token_hint", hint, "prompt", "none")).granted()
	h.browser().open(authorizeURL("id_token_hint", hint, "prompt", "none")).denied("login_required", "login_required")

	other := h.browser().open(authorizeURL()).logIn("two").sees("organization")
	other.open(authorizeURL("id_token_hint", hint, "prompt", "none")).denied("login_required", "login_required")
	other.open(authorizeURL("id_token_hint", hint)).sees("login")
	wrong := other.tab().submit(other.fill("login", "username", "two", "password", password))
	wrong.denied("login_required", "login_required")
	if !strings.Contains(wrong.at, "id_token_hint") { // It did not send prompt=none.
		t.Errorf("got %s, want what was wrong", wrong.at)
	}
	other.open(authorizeURL("id_token_hint", hint)).sees("login").logIn("ada").sees("organization").choose("acme").granted()

	access, _ := g.tokens(t)
	for name, bad := range map[string]string{"an access token": access, "forged": hint[:len(hint)-4] + "AAAA", "nonsense": "nonsense"} {
		t.Run(name, func(t *testing.T) {
			b.open(authorizeURL("id_token_hint", bad)).denied("invalid_request", "id_token_hint_invalid")
		})
	}
	b.open(authorizeURL("id_token_hint", hint, "client_id", "legacy")).denied("invalid_request", "id_token_hint_invalid")
}
