package mint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

func TestFirstTokenSays(t *testing.T) {
	onlyShop := web()
	onlyShop.Permit = set("shop/orders.read orders/7", "shop/orders.write **")
	nothing := web()
	nothing.Permit = scopes.Set{}
	ownCeiling := web()
	ownCeiling.Permit, ownCeiling.Ceilings, ownCeiling.Own = scopes.Set{}, false, set("crm/contacts.read **")
	one := ada()
	one.Rights = set("shop/orders.read orders")
	for name, c := range map[string]struct {
		user   mint.User
		client *mint.Client
		ask    *scopes.Ask
		set    string
		aud    []string
		perms  []string
		narrow bool
	}{
		"all that is held": {
			user: ada(), client: web(), set: ada().Rights.Canonical(),
			aud:   []string{"https://crm.example.com", "https://shop.example.com"},
			perms: []string{"csp:org_member", "external/crm/contacts.read"},
		},
		"met with the ceiling": {
			user: ada(), client: onlyShop, set: set("shop/orders.read orders/7", "shop/orders.write orders/eu/**").Canonical(),
			aud: []string{"https://shop.example.com"}, perms: []string{"csp:org_member"},
		},
		"without permit, own is the ceiling": {
			user: ada(), client: ownCeiling, set: set("crm/contacts.read **").Canonical(),
			aud: []string{"https://crm.example.com"}, perms: []string{"csp:org_member", "external/crm/contacts.read"},
		},
		"nothing": {user: ada(), client: nothing, aud: []string{issuer}, perms: []string{"csp:org_member"}},
		"one literal": {
			user: one, client: web(), set: one.Rights.Canonical(), aud: []string{"https://shop.example.com"},
			perms: []string{"csp:org_member", "external/shop/orders/orders.read"},
		},
		"narrowed by request": {
			user: ada(), client: web(), ask: askFor("crm", "contacts.read"), set: set("crm/contacts.read **").Canonical(),
			aud: []string{"https://crm.example.com"}, perms: []string{"external/crm/contacts.read"}, narrow: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			draft, err := w.First(c.user, c.client)
			if err == nil {
				draft, err = draft.Narrow(c.ask)
			}
			if err != nil {
				t.Fatal(err)
			}
			issued, err := w.Sign(draft)
			if err != nil {
				t.Fatal(err)
			}
			claims := payload(t, issued.Raw)
			if got := texts(claims["aud"]); !slices.Equal(got, c.aud) {
				t.Errorf("aud: got %q, want %q", got, c.aud)
			}
			if got := texts(claims["perms"]); !slices.Equal(got, c.perms) {
				t.Errorf("perms: got %q, want %q", got, c.perms)
			}
			if got := claims["narrowed"] == true; got != c.narrow || issued.Narrowed != c.narrow {
				t.Errorf("narrowed: got %v, want %v", got, c.narrow)
			}
			if _, has := claims["allowed_resource_scope"]; has != (c.set != "") || issued.Rights.Canonical() != c.set {
				t.Errorf("set: got %s, want %s", issued.Rights.Canonical(), c.set)
			}
			for _, absent := range []string{"act", "via", "root_jti", "root_iat", "parent_jtis", "cnf"} {
				if claims[absent] != nil {
					t.Errorf("a first token has the claim %s", absent)
				}
			}
			if claims["sub"] != c.user.Subject || claims["context_name"] != "acme" || claims["client_id"] != "web" || claims["azp"] != "web" {
				t.Errorf("got sub, context_name, client_id, azp %v, %v, %v, %v", claims["sub"], claims["context_name"], claims["client_id"], claims["azp"])
			}
			if got := claims["exp"].(float64) - claims["iat"].(float64); got != 1800 || issued.ExpiresIn != 1800 {
				t.Errorf("lifetime: got %v and %d, want 1800", got, issued.ExpiresIn)
			}
		})
	}
}

// A login begins a session of its own; what needs none has neither a session
// nor a time of login.
func TestSessionOfALogin(t *testing.T) {
	w := newWorld()
	one, two := must(w.First(ada(), web())), must(w.First(ada(), web()))
	if one.Session() == "" || one.Session() == two.Session() || one.GrantID() == two.GrantID() {
		t.Errorf("two logins have the sessions %q and %q, the grants %q and %q", one.Session(), two.Session(), one.GrantID(), two.GrantID())
	}
	u := ada()
	u.AuthTime = time.Time{}
	claims := payload(t, must(w.Sign(must(w.First(u, web())))).Raw)
	if claims["sid"] != nil || claims["auth_time"] != nil || claims["grant_id"] == "" {
		t.Errorf("without a login: got sid %v, auth_time %v, grant_id %v", claims["sid"], claims["auth_time"], claims["grant_id"])
	}
}

// A role is a view of its own: one that looked like a permission would say
// more in perms than the set holds.
func TestRolesAreNoPermissions(t *testing.T) {
	w, u := newWorld(), ada()
	u.Roles = []string{"external/shop/orders.write", "csp:org_owner", "admin", ""}
	claims := payload(t, must(w.Sign(must(w.First(u, web())))).Raw)
	if got, want := texts(claims["perms"]), []string{"csp:org_owner", "external/crm/contacts.read"}; !slices.Equal(got, want) {
		t.Errorf("perms: got %q, want %q", got, want)
	}
}

func TestOwnClient(t *testing.T) {
	w, c := newWorld(), web()
	c.Own = set("shop/orders.read orders/1", "shop/orders.write **")
	c.Permit = set("shop/orders.read **")
	issued := must(w.Sign(must(w.OwnClient(c, "acme"))))
	if got, want := issued.Rights.Canonical(), set("shop/orders.read orders/1").Canonical(); got != want {
		t.Errorf("set: got %s, want %s: permit is a ceiling of own", got, want)
	}
	claims := payload(t, issued.Raw)
	if claims["sub"] != "web" || claims["username"] != nil || claims["acct"] != nil || claims["sid"] != nil || claims["auth_time"] != nil {
		t.Errorf("a client's own token speaks of a user: %v", claims)
	}
	subject := must(w.admit(issued.Raw))
	if _, ok := subject.(mint.ClientToken); !ok {
		t.Errorf("kind: got %T, want ClientToken", subject)
	}
	c.Own = scopes.Set{}
	if got := payload(t, must(w.Sign(must(w.OwnClient(c, "")))).Raw); got["allowed_resource_scope"] != nil || got["aud"] != issuer {
		t.Errorf("permit gave something by itself: %v", got)
	}
}

func TestNarrowAndLimit(t *testing.T) {
	w := newWorld()
	draft := must(w.First(ada(), web()))
	deep := `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/**","reports/1"]}]}]}`
	cases := []struct {
		name string
		do   func() (mint.Draft, error)
		want mint.Reason
	}{
		{"nothing asked", func() (mint.Draft, error) { return draft.Narrow(nil) }, ""},
		{"asked and held", func() (mint.Draft, error) { return draft.Narrow(askFor("shop", "orders.read")) }, ""},
		{"permission not held", func() (mint.Draft, error) { return draft.Narrow(askFor("crm", "contacts.write")) }, mint.ResourceExceeded},
		{"resource not held", func() (mint.Draft, error) { return draft.Narrow(ask(deep)) }, mint.ResourceExceeded},
		{"zero ask", func() (mint.Draft, error) { return draft.Narrow(&scopes.Ask{}) }, mint.ResourceExceeded},
		{"scope held", func() (mint.Draft, error) { return draft.Limit([]string{"orders"}) }, ""},
		{"scope not held", func() (mint.Draft, error) { return draft.Limit([]string{"orders", "admin"}) }, mint.ScopeExceeded},
		{"scope in other case", func() (mint.Draft, error) { return draft.Limit([]string{"Orders"}) }, mint.ScopeExceeded},
		{"openid", func() (mint.Draft, error) { return draft.Limit([]string{"openid"}) }, mint.ScopeExceeded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.do()
			if reason(t, err) != c.want {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if _, signErr := w.Sign(got); (signErr == nil) != (err == nil) {
				t.Errorf("signing what came back: got %v after %v", signErr, err)
			}
		})
	}
}

// What was granted of a scope is kept, also if it is nothing.
func TestLimitTo(t *testing.T) {
	w := newWorld()
	draft := must(w.First(ada(), web()))
	all := strings.Fields(draft.Scope())
	if len(all) < 2 {
		t.Fatalf("got the scope %q, want several words", draft.Scope())
	}
	for name, c := range map[string]struct {
		granted  []string
		want     string
		narrowed bool
	}{
		"all of it":           {all, draft.Scope(), false},
		"one word":            {all[:1], all[0], true},
		"none":                {nil, "", true},
		"another word":        {[]string{"admin"}, "", true},
		"all and one besides": {append([]string{"admin"}, all...), draft.Scope(), false},
	} {
		if got := draft.LimitTo(c.granted); got.Scope() != c.want || got.Narrowed() != c.narrowed {
			t.Errorf("%s: got %q, narrowed %t; want %q, %t", name, got.Scope(), got.Narrowed(), c.want, c.narrowed)
		}
	}
}

func TestShorten(t *testing.T) {
	w := newWorld()
	for v, want := range map[time.Duration]int64{
		0: 1800, -time.Hour: 1800, time.Nanosecond: 1800, time.Second: 1, time.Minute: 60,
		30 * time.Minute: 1800, 31 * time.Minute: 1800, 1 << 62: 1800,
	} {
		if got := must(w.Sign(must(w.First(ada(), web())).Shorten(v))).ExpiresIn; got != want {
			t.Errorf("Shorten(%s): got %d s, want %d", v, got, want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	w, u := newWorld(), ada()
	u.Username = strings.Repeat("x", mint.MaxIssued)
	_, err := w.Sign(must(w.First(u, web())))
	if reason(t, err) != mint.TokenTooLarge {
		t.Errorf("got %v, want token_too_large", err)
	}
}

func TestZeroValuesSignNothing(t *testing.T) {
	w := newWorld()
	if _, err := w.Sign(mint.Draft{}); err == nil {
		t.Error("the zero draft was signed")
	}
	if _, err := w.SignUpstream(mint.Draft{}); reason(t, err) != mint.TargetNotUpstream {
		t.Errorf("the zero draft was signed for an upstream: %v", err)
	}
	subject := must(w.admit(must(w.Sign(must(w.First(ada(), web())))).Raw))
	if _, err := w.Derive(subject, web(), mint.Target{}); reason(t, err) != mint.TokenAudience {
		t.Errorf("an exchange to nowhere: got %v, want token_audience", err)
	}
	if d, err := w.First(ada(), &mint.Client{}); err == nil {
		if _, err = w.Sign(d); err == nil {
			t.Error("the zero client got a token")
		}
	}
}
