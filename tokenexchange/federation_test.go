package tokenexchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// registers makes an account of claims, as a login at the provider of corp does.
func (h *house) registers(t testing.TB, subject, claims string) {
	t.Helper()
	sub, err := h.register(t.Context(), must(h.NewAttempt()), h.realm.providers["corp"], Identity{Subject: subject, Claims: []byte(claims)})
	if err != nil || sub != "corp:"+accountID(subject) {
		t.Fatalf("got %s, %v", sub, err)
	}
}

func (h *house) NewAttempt() (Attempt, error) { return h.state.NewAttempt() }

// carlas returns the tokens of carla, who logged in at the provider of corp.
func (h *house) carlas(t testing.TB, kv ...string) (access, refresh string) {
	t.Helper()
	return h.redeem("web", h.code(t, func(c *Code) {
		c.Subject, c.Source, c.Scope, c.Roles = "corp:2481", "corp", "openid profile email orders", "csp:org_member csp:support"
		c.Set = `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`
	}), kv...).tokens(t)
}

const readsAndWrites = `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]},{"permissionId":"orders.write","resources":["orders/eu/**"]}],"serviceDefinitionId":"shop"}]}`

// A clerk who may write, too.
const writer = `{"sub":"2481","groups":["clerks"],"realm_access":{"roles":["writer"]},"region":"eu","given_name":"Carla","email":"ada@example.com","email_verified":true}`

// changed puts another configuration to work, as a changed Caddyfile does.
func (h *house) changed(change ...func(*Config)) {
	h.t.Helper()
	before := h.realm
	h.Server = h.reload(h.caches, append([]func(*Config){logins}, change...)...)
	next := h.clock.Truncate(time.Second).Add(time.Second)
	if err := h.revocations.RevokeLater(Lost(before, h.realm, next, h.clock)...); err != nil {
		h.t.Fatal(err)
	}
	h.clock = next
}

func without(line int) func(*Config) {
	return func(c *Config) { c.UsersOIDC[0].Map = slices.Delete(slices.Clone(c.UsersOIDC[0].Map), line, line+1) }
}

// Rights are those that the lines of now give for the claims of the last login.
func TestFederatedRightsAreOfNow(t *testing.T) {
	const reads = `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`
	for _, tc := range []struct {
		name   string
		change func(h *house)
		want   string // the set after a refresh, or the reason
		lives  bool   // the access token from before
	}{
		{"nothing changed", func(*house) {}, readsAndWrites, true},
		{"a line was taken out", func(h *house) { h.changed(federated, without(2)) }, reads, false},
		{"a line was added", func(h *house) {
			h.changed(federated, func(c *Config) {
				c.UsersOIDC[0].Map = append(c.UsersOIDC[0].Map, MapLine{Claim: "groups", Value: "clerks", Permission: "crm/*", Patterns: []string{"**"}})
			})
		}, readsAndWrites, true},
		{"a line names another region", func(h *house) {
			h.changed(federated, func(c *Config) {
				c.UsersOIDC[0].Map = slices.Clone(c.UsersOIDC[0].Map)
				c.UsersOIDC[0].Map[2].Patterns = []string{"orders/us/**"}
			})
		}, reads, false},
		{"no line matches any more", func(h *house) {
			h.changed(federated, func(c *Config) {
				c.UsersOIDC[0].Map = []MapLine{{Claim: "groups", Value: "admins", Roles: []string{"csp:a"}}}
			})
		}, "user_gone", false},
		{"another organization", func(h *house) { h.changed(federated, func(c *Config) { c.UsersOIDC[0].Org = "beta" }) }, "user_gone", false},
		{"the block was taken out", func(h *house) { h.changed() }, "refresh_token_invalid", false},
		{"the domain is another issuer's", func(h *house) {
			h.changed(federated, func(c *Config) { c.UsersOIDC[0].Issuer = "https://other.example.com" })
		}, "refresh_token_invalid", false},
		{"the next login says less", func(h *house) {
			h.registers(h.t, "2481", clerk)
			h.clock = h.clock.Add(time.Second)
		}, reads, false},
		{"the next login says as much", func(h *house) { h.registers(h.t, "2481", writer) }, readsAndWrites, true},
		{"the next login says nothing", func(h *house) {
			_, err := h.register(h.t.Context(), must(h.NewAttempt()), h.realm.providers["corp"], Identity{Subject: "2481", Claims: []byte(`{"sub":"2481"}`)})
			if err != nil {
				h.t.Fatal(err)
			}
			h.clock = h.clock.Add(time.Second)
		}, `identity only`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, logins, federated)
			h.registers(t, "2481", writer)
			access, refresh := h.carlas(t)
			if got := setOf(t, access); got != readsAndWrites {
				t.Fatalf("got %s at first", got)
			}
			h.lives(t, access, true)
			tc.change(h)
			h.lives(t, access, tc.lives)
			g := h.refresh("web", refresh)
			switch {
			case tc.want == "identity only":
				if access, _ = g.tokens(t); claimsOf(t, access)["allowed_resource_scope"] != nil {
					t.Errorf("got %s, want no rights", setOf(t, access))
				}
			case strings.HasPrefix(tc.want, "{"):
				if access, _ = g.tokens(t); setOf(t, access) != tc.want {
					t.Errorf("got %s, want %s", setOf(t, access), tc.want)
				}
			default:
				g.refused(t, 400, "invalid_grant", tc.want)
			}
		})
	}
}

// Who comes with claims that no line matches any more loses what came of the
// claims of before.
func TestLoginThatTakesEverything(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.registers(t, "9", `{"sub":"9","groups":["clerks"]}`)
	access, refresh := h.redeem("web", h.code(t, func(c *Code) { c.Subject, c.Source = "corp:9", "corp" })).tokens(t)
	h.lives(t, access, true)
	_, err := h.register(t.Context(), must(h.NewAttempt()), h.realm.providers["corp"], Identity{Subject: "9", Claims: []byte(`{"sub":"9"}`)})
	if asRefused(err).Reason != "no_mapping" {
		t.Errorf("got %v, want no_mapping", err)
	}
	h.clock = h.clock.Add(time.Second)
	h.lives(t, access, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "user_gone")
	// A stranger leaves nothing behind.
	if _, err = h.register(t.Context(), must(h.NewAttempt()), h.realm.providers["corp"], Identity{Subject: "10", Claims: []byte(`{}`)}); err == nil {
		t.Error("a stranger has an account")
	}
	if _, err = h.state.Accounts().Find(t.Context(), "corp:10"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want no record", err)
	}
}

// What no process saw: the domain is another issuer's after a restart. Its users
// are others, whoever they are.
func TestIssuersShareNoAccount(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.registers(t, "2481", writer)
	_, refresh := h.carlas(t)
	other := func(c *Config) { c.UsersOIDC[0].Issuer = "https://other.example.com" }
	h.Server = h.reload(h.caches, logins, federated, other)
	h.says(clerk)
	h.records.Reset()
	b := h.browser().open(authorizeURL()).leave().comeBack()
	b.refusesWith(t, 400, "account_taken")
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "user_gone")
	h.clock = h.clock.Add(h.realm.accountLife())
	h.says(clerk)
	if b = h.browser().open(authorizeURL()).leave().comeBack(); !b.asksConsent() {
		t.Errorf("got %d %s, want a login once nothing of the other one is left", b.code, h.records.String())
	}
}

// A store that is away says nothing of who exists.
func TestFederatedUserWithoutTheStore(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.registers(t, "2481", writer)
	access, refresh := h.carlas(t)
	h.state.store = &stateStore{Store: h.store, fail: errors.New("away")}
	for name, g := range map[string]got{
		"refresh": h.refresh("web", refresh), "userinfo": h.userinfo(access), "organization": h.org("acme", access),
		"context_switch": h.switchTo("web", access, "beta"),
	} {
		if g.status != 503 || g.record["reason"] != "store_unavailable" {
			t.Errorf("%s: got %d %s, want store_unavailable", name, g.status, g.raw)
		}
	}
	h.state.store = h.store
	h.refresh("web", refresh).tokens(t)
}

// A user of a provider is one at every endpoint, and in one organization.
func TestFederatedUserAtTheEndpoints(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.registers(t, "2481", writer)
	access, _ := h.carlas(t)
	told := h.userinfo(access)
	for name, want := range map[string]any{
		"sub": "corp:2481", "email": "ada@example.com", "email_verified": true, "given_name": "Carla", "domain": "corp", "username": "2481",
	} {
		if told.body[name] != want {
			t.Errorf("userinfo: %s is %v, want %v: %s", name, told.body[name], want, told.raw)
		}
	}
	if g := h.org("acme", access); g.status != 200 {
		t.Errorf("its organization: got %d %s", g.status, g.raw)
	}
	h.switchTo("web", access, "beta").refused(t, 400, "invalid_request", "org_not_allowed")
	if g := h.org("beta", access); g.status != 404 {
		t.Errorf("another organization: got %d", g.status)
	}
}

// An organization that no users file names is called by its id.
func TestOrganizationOfAProvider(t *testing.T) {
	h := newHouse(t, logins, federated, func(c *Config) { c.UsersOIDC[0].Org = "corp-inc" })
	h.registers(t, "2481", writer)
	access, _ := h.redeem("web", h.code(t, func(c *Code) { c.Subject, c.Source, c.Org, c.Set = "corp:2481", "corp", "corp-inc", "" })).tokens(t)
	if g := h.org("corp-inc", access); g.status != 200 || g.body["id"] != "corp-inc" || g.body["displayName"] != "corp-inc" {
		t.Errorf("got %d %s", g.status, g.raw)
	}
}

// An address leads to nobody: neither to a local user who has the same, nor from
// one who impersonates.
func TestAddressesLinkNobody(t *testing.T) {
	h := support(t, federated)
	h.registers(t, "2481", writer) // ada@example.com, as the local ada has it.
	access, _ := h.carlas(t)
	if got := claimsOf(t, access)["sub"]; got != "corp:2481" {
		t.Errorf("the sub is %v", got)
	}
	actor := h.operator("olga")
	h.registers(t, "77", `{"sub":"77","groups":["clerks"],"email":"only@corp.example","email_verified":true}`)
	h.impersonate("console", actor, "only@corp.example").refused(t, 400, "invalid_request", "impersonation_refused")
	for _, claims := range []string{
		`{"sub":"8","groups":["clerks"],"preferred_username":"ada","email":"ada@example.com"}`,
		`{"sub":"8","groups":["clerks"],"preferred_username":"ada","email":"ada@example.com","email_verified":false}`,
		`{"sub":"8","groups":["clerks"],"preferred_username":"ada","email":"ada@example.com","email_verified":"true"}`,
		`{"sub":"8","groups":["clerks"],"preferred_username":"ada","email":["ada@example.com"],"email_verified":true}`,
	} {
		h.registers(t, "8", claims)
		if u, err := h.person(t.Context(), "corp:8"); err != nil || u.Email != "" || u.account() != "ada" || u.Domain != "corp" {
			t.Errorf("%s: got %+v, %v, want no address", claims, u, err)
		}
	}
}

// An operator of a provider is one only by name, and only as long as a line says so.
func TestOperatorOfAProvider(t *testing.T) {
	console := func(c *Config) {
		federated(c)
		web := c.client("web")
		web.Allow = append(web.Allow, AllowConfig{Grant: "impersonate_user", By: []string{"console"}})
	}
	h := support(t, console)
	h.registers(t, "2481", writer)
	access, _ := h.carlas(t)
	token := h.impersonate("console", access, "mia@example.com", "orgId", "beta").granted(t)
	customers := map[string]bool{}
	for range 2 {
		v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token))
		customers[v.Reason.String()] = true
		if err := h.revocations.RevokeLater(RevokeDomain("corp", h.clock.Add(time.Second), h.clock.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		h.clock = h.clock.Add(time.Second)
	}
	if !customers["token_revoked"] || len(customers) != 2 {
		t.Errorf("the token of an operator whose domain was revoked: got %v", customers)
	}
	h.registers(t, "2481", writer)
	access, _ = h.carlas(t)
	h.withUsers(operators, console, without(3))
	h.impersonate("console", access, "mia@example.com").refused(t, 400, "invalid_request", "actor_not_allowed")
}

// Two subs of a provider are never one here, and each can be the id of a user.
func TestAccountIDs(t *testing.T) {
	long := strings.Repeat("x", 101)
	subs := []string{
		"2481", "auth0|2481", "auth0_7c2481", "auth0_2481", "A", "a", "_", "__", "_5f", ".", "-", "a b", "a:b", "a_3ab", "a/b", "é",
		"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", long, long + "x", strings.Repeat("_", 34), strings.Repeat("_", 33), strings.Repeat(" ", 255),
	}
	seen := map[string]string{}
	for _, sub := range subs {
		id := accountID(sub)
		if other, taken := seen[id]; taken {
			t.Errorf("%q and %q are both %s", sub, other, id)
		}
		seen[id] = sub
		if u := (User{ID: id, Username: "u", Domain: "d"}); (&Directory{bySubject: map[string]*User{}, byLogin: map[string]*User{}}).addUser(&u, nil) != nil {
			t.Errorf("%q: %s cannot be the id of a user", sub, id)
		}
	}
	for sub, want := range map[string]string{"2481": "2481", "auth0|2481": "auth0_7c2481", "a_b.c-d": "a_5fb.c-d"} {
		if got := accountID(sub); got != want {
			t.Errorf("%s: got %s, want %s", sub, got, want)
		}
	}
}

// Who is dead by the configuration alone, without the store.
func TestDeadByTheConfiguration(t *testing.T) {
	none := func(*Config) {}
	for _, tc := range []struct {
		name   string
		users  bool
		change func(*Config)
		sub    string
		dead   bool
	}{
		{"a user of a provider", true, federated, "corp:2481", false},
		{"one without users files", false, federated, "corp:2481", false},
		{"one of a provider that is gone", true, none, "corp:2481", true},
		{"one of another provider that is gone, without users files", false, federated, "other:2481", true},
		{"a local user", true, federated, "example.com:ada", false},
		{"a local user who is gone", true, federated, "example.com:nobody", true},
		{"a client", false, federated, "web", false},
		{"anybody where nobody is named", false, none, "corp:2481", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := baseConfig()
			tc.change(&cfg)
			var files []string
			if tc.users {
				files = []string{usersPath(t, baseUsers)}
			}
			if why := must(Compile(cfg, files)).dead(tc.sub, start); (why != "") != tc.dead {
				t.Errorf("got %q, want dead: %v", why, tc.dead)
			}
		})
	}
}

// What a changed configuration takes away from users whom nobody can list.
func TestLostOfProviders(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"nothing", federated, nil},
		{"the block", func(*Config) {}, []string{"domain corp"}},
		{"another issuer", func(c *Config) { federated(c); c.UsersOIDC[0].Issuer = "https://other.example.com" }, []string{"domain corp"}},
		{"another domain", func(c *Config) { federated(c); c.UsersOIDC[0].Domain = "other" }, []string{"domain corp"}},
		{"another organization", func(c *Config) { federated(c); c.UsersOIDC[0].Org = "beta" }, []string{"domain rights corp"}},
		{"a line", func(c *Config) { federated(c); without(0)(c) }, []string{"domain rights corp"}},
		{"a secret, a name, the order of the lines", func(c *Config) {
			federated(c)
			p := &c.UsersOIDC[0]
			p.ClientSecret, p.DisplayName = NewCredential("another"), "Other"
			p.Map = slices.Clone(p.Map)
			slices.Reverse(p.Map)
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, after := baseConfig(), baseConfig()
			federated(&before)
			tc.change(&after)
			files := []string{usersPath(t, baseUsers)}
			var got []string
			for _, r := range Lost(must(Compile(before, files)), must(Compile(after, files)), start.Add(time.Second), start) {
				got = append(got, string(r.Kind)+" "+r.Value)
				if err := r.check(); err != nil {
					t.Error(err)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// The secret at a provider cannot be printed.
func TestCredentialIsHidden(t *testing.T) {
	const text = "the secret that we have there"
	c := NewCredential(text)
	if c.Reveal() != text || (Credential{}).Reveal() != "" {
		t.Error("the secret is lost")
	}
	for _, printed := range []string{
		fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c, c, c, c), fmt.Sprint(ProviderSettings{ClientSecret: c}), fmt.Sprintf("%+v", &ProviderConfig{ClientSecret: c}),
		string(must(c.MarshalText())), c.LogValue().String(),
	} {
		if strings.Contains(printed, text) || strings.Contains(printed, fmt.Sprintf("%x", text)) {
			t.Errorf("it is printed: %s", printed)
		}
	}
}
