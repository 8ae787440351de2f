package tokenexchange

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lostEntry is an entry of api_tokens.
func lostEntry(id, hash, user string) APIToken {
	return APIToken{
		ID: id, Hash: "sha256:" + strings.Repeat(hash, 32), User: user, Org: "acme", Client: "web",
		Permissions: []string{"shop/orders.read orders/**"}, Expires: "2026-06-01T00:00:00Z",
	}
}

// lostRealm is a configuration with all that can be lost.
func lostRealm(t rapid.TB, edit func(users string) string, change func(*Config)) *Realm {
	t.Helper()
	tokens := must(json.Marshal([]APIToken{
		lostEntry("one", "01", "example.com:ada"), lostEntry("two", "02", "example.com:eve"),
		{ID: "old", Hash: "sha256:" + strings.Repeat("03", 32), User: "example.com:ada", Org: "acme", Client: "web", Permissions: []string{}, Expires: "2026-05-01T12:00:00Z"},
	}))
	users := edit(strings.TrimSuffix(baseUsers, "}") + `,"api_tokens":` + string(tokens) + "}")
	cfg := baseConfig()
	console := confidential("console", "impersonate_user", "password")
	console.Permit = lines("shop/* **")
	cfg.Clients = append(cfg.Clients, console)
	cfg.client("web").APITokens = true
	cfg.client("web").AllowedOrgs = []string{"acme", "beta", "empty"}
	cfg.Services[0].Permissions = append(cfg.Services[0].Permissions, "orders.audit")
	cfg.Impersonation = &ImpersonationConfig{Roles: []string{"csp:org_member"}, Orgs: []string{"beta"}, Permit: lines("shop/* **")}
	change(&cfg)
	realm, err := CompileFrom(cfg, []string{"users.json"}, func(string) ([]byte, error) { return []byte(users), nil })
	if err != nil {
		t.Fatal(err)
	}
	return realm
}

func asItIs(users string) string { return users }

func checkLost(t *testing.T, after *Realm, want []string) {
	t.Helper()
	var got []string
	for _, r := range Lost(lostRealm(t, asItIs, func(*Config) {}), after, start.Add(time.Second), start) {
		got = append(got, string(r.Kind)+" "+r.Value)
		if err := r.check(); err != nil {
			t.Error(err)
		}
		life := 24 * time.Hour
		if r.Kind == RevokedSubject || r.Kind == RevokedClient {
			life *= 2 // The last refresh token gives one more.
		}
		if r.Kind != RevokedGrant && r.Until.Before(start.Add(life)) {
			t.Errorf("%s %s is forgotten %s, sooner than the last token ends", r.Kind, r.Value, r.Until)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if same := Lost(after, after, start, start); len(same) > 0 {
		t.Errorf("nothing changed: got %v", same)
	}
}

// TestLostOfUsers changes one thing in the users file at a time.
func TestLostOfUsers(t *testing.T) {
	one, two := "api-", "api-"
	for _, token := range lostRealm(t, asItIs, func(*Config) {}).users.apiTokens {
		switch token.id {
		case "one":
			one = token.grant()
		case "two":
			two = token.grant()
		}
	}
	const ada, kim, adaRights = "sub example.com:ada", "sub example.com:kim", "sub rights example.com:ada"
	const oneGives = `"permissions":["shop/orders.read orders/**"],"expires":"2026-06-01T00:00:00Z"},{"id":"two"`
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", "", "", nil},
		{"gone", `{"id":"kim"`, `{"id":"kin"`, []string{kim}},
		{"disabled", `{"id":"kim"`, `{"disabled":true,"id":"kim"`, []string{kim}},
		{"disabled, with rights and an API token", `{"id":"ada"`, `{"disabled":true,"id":"ada"`, []string{ada}},
		{"enabled", `"disabled":true,`, ``, nil},
		{"disabled before, and gone", `{"id":"bob"`, `{"id":"bop"`, nil},
		{"tokens_not_before", `{"id":"two","username"`, `{"tokens_not_before":"2026-05-01T11:00:00Z","id":"two","username"`, []string{"sub example.com:two"}},
		{"a later tokens_not_before", `12:30:00Z`, `12:30:01Z`, []string{kim}},
		{"a sooner tokens_not_before", `12:30:00Z`, `12:29:59Z`, nil},
		{"no tokens_not_before", `"tokens_not_before":"2026-05-01T12:30:00Z",`, ``, nil},
		{"membership lost", `,{"org":"empty"}`, ``, []string{adaRights}},
		{"membership gained", `{"org":"empty"}`, `{"org":"empty","roles":["csp:x"],"permissions":["shop/* **"]}`, nil},
		{"role lost", `["csp:org_member"]`, `["csp:other"]`, []string{adaRights}},
		{"role gained", `["csp:org_member"]`, `["csp:a","csp:org_member"]`, nil},
		{"group lost", `"groups":["g1"],"permissions"`, `"permissions"`, []string{adaRights}},
		{"group by another name", `"name":"G"`, `"name":"H"`, []string{adaRights}},
		{"permission lost", `,"crm/contacts.read **"`, ``, []string{adaRights}},
		{"pattern narrower", `reports/{org}/*`, `reports/{org}/1`, []string{adaRights}},
		{"pattern wider", `reports/{org}/*`, `reports/**`, nil},
		{"permissions written otherwise", `"shop/orders.read orders/** reports/{org}/*"`, `"shop/orders.read reports/acme/*","shop/orders.read orders/** orders/1"`, nil},
		{"another address", `"email":"ada@example.com"`, `"email":"eva@example.com"`, []string{adaRights}},
		{"address not verified", `"email_verified":true`, `"email_verified":false`, []string{adaRights}},
		{"another user name", `"username":"ada"`, `"username":"eva"`, []string{adaRights}},
		{"another default org", `"default_org":"acme"`, `"default_org":"beta"`, nil},
		{"no password", `"password_hash":"` + cheap + `","default_org"`, `"default_org"`, nil},

		{"API token gone", `"id":"one"`, `"id":"three"`, []string{"grant_id " + one, "grant_id rights " + one}},
		{"API token of another hash", "sha256:0101", "sha256:0102", []string{"grant_id " + one, "grant_id rights " + one}},
		{"API token for less", oneGives, strings.Replace(oneGives, "**", "1", 1), []string{"grant_id rights " + one}},
		{"API token for more", oneGives, strings.Replace(oneGives, "orders/**", "**", 1), nil},
		{"API token that ends sooner", oneGives, strings.Replace(oneGives, "06-01", "05-31", 1), []string{"grant_id rights " + one}},
		{"API token that ends later", oneGives, strings.Replace(oneGives, "06-01", "06-02", 1), nil},
		{"API token of another user", `"user":"example.com:eve"`, `"user":"example.com:two"`, []string{"grant_id rights " + two}},
		{"API token for another org", `"user":"example.com:ada","org":"acme","client":"web","permissions":["`, `"user":"example.com:ada","org":"beta","client":"web","permissions":["`, []string{"grant_id rights " + one}},
		{"API token that was over", `"id":"old"`, `"id":"older"`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			edit := func(users string) string {
				if n := strings.Count(users, c.old); n != 1 && c.old != "" {
					t.Fatalf("%q stands %d times in the users file", c.old, n)
				}
				return strings.Replace(users, c.old, c.new, 1)
			}
			checkLost(t, lostRealm(t, edit, func(*Config) {}), c.want)
		})
	}
}

// TestLostOfClients changes one thing in the configuration at a time.
func TestLostOfClients(t *testing.T) {
	rights := func(ids ...string) (want []string) {
		for _, id := range ids {
			want = append(want, "client_id rights "+id)
		}
		return want
	}
	for _, c := range []struct {
		name   string
		id     string // of the client to change
		change func(*ClientConfig, *Config)
		want   []string
	}{
		{"gone", "mobile", func(c *ClientConfig, _ *Config) { c.ID = "tablet" }, []string{"client_id mobile"}},
		{"new", "mobile", func(c *ClientConfig, cfg *Config) {
			more := *c
			more.ID = "tablet"
			cfg.Clients = append(cfg.Clients, more)
		}, nil},
		{"another secret", "web", func(c *ClientConfig, _ *Config) { c.Secrets = []Secret{must(NewSecret(secretOf("another")))} }, nil},
		{"shorter life", "web", func(c *ClientConfig, _ *Config) { c.AccessTokenValidity = Duration(time.Second) }, nil},
		{"gone, with others that made tokens of its own", "nightly", func(c *ClientConfig, _ *Config) { c.ID = "daily" }, []string{"client_id nightly", "client_id rights batch"}},
		{"permit less, with others that made tokens of its own", "web", func(c *ClientConfig, _ *Config) { c.Permit = lines("shop/orders.read **") }, rights("batch", "crmonly", "web")},
		{"permit less", "mobile", func(c *ClientConfig, _ *Config) { c.Permit = lines("shop/orders.read orders/**") }, rights("mobile")},
		{"permit more", "mobile", func(c *ClientConfig, _ *Config) { c.Permit = lines("shop/* **") }, nil},
		{"own less", "nightly", func(c *ClientConfig, _ *Config) { c.Own = lines("shop/orders.read orders/**") }, rights("batch", "nightly")},
		{"own is the ceiling no more", "nightly", func(c *ClientConfig, _ *Config) { c.Permit = lines() }, rights("batch", "nightly")},
		{"scope", "nightly", func(c *ClientConfig, _ *Config) { c.Scope = []string{"orders"} }, rights("batch", "nightly")},
		{"permission that is declared no more", "batch", func(_ *ClientConfig, cfg *Config) {
			cfg.Services = append([]ServiceConfig{}, cfg.Services...)
			cfg.Services[0].Permissions = []string{"orders.read", "orders.write"}
		}, nil},
		{"grant", "batch", func(c *ClientConfig, _ *Config) { c.GrantTypes = []string{"audience_exchange"} }, rights("batch")},
		{"target", "crmonly", func(c *ClientConfig, _ *Config) { c.TargetAudiences = []string{crmAud} }, rights("crmonly")},
		{"own org", "nightly", func(c *ClientConfig, _ *Config) { c.Org = "beta" }, rights("batch", "nightly")},
		{"own org among others", "nightly", func(c *ClientConfig, _ *Config) { c.Org, c.AllowedOrgs = "beta", []string{"acme", "beta"} }, nil},
		{"own orgs", "nightly", func(c *ClientConfig, _ *Config) { c.AllowedOrgs = nil }, rights("batch", "nightly")},
		{"fewer orgs of users", "web", func(c *ClientConfig, _ *Config) { c.AllowedOrgs = []string{"acme", "beta"} }, rights("batch", "crmonly", "web")},
		{"not all orgs any more", "mobile", func(c *ClientConfig, _ *Config) { c.AllowedOrgs = []string{"acme", "beta", "empty"} }, rights("mobile")},
		{"all orgs", "web", func(c *ClientConfig, _ *Config) { c.AllowedOrgs = nil }, nil},
		{"allow by fewer", "web", func(c *ClientConfig, _ *Config) { c.Allow[0].By = []string{"crmonly"} }, rights("batch", "crmonly", "web")},
		{"allow to fewer", "nightly", func(c *ClientConfig, _ *Config) { c.Allow[0].To = []string{shopAud} }, rights("batch", "nightly")},
		{"allow by more", "nightly", func(c *ClientConfig, _ *Config) { c.Allow[0].By = []string{"batch", "crmonly"} }, nil},
		{"allow in two lines", "web", func(c *ClientConfig, _ *Config) {
			c.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"crmonly"}}, {Grant: "audience_exchange", By: []string{"batch"}}}
		}, nil},
		{"impersonation ends", "console", func(c *ClientConfig, cfg *Config) {
			cfg.Impersonation, c.GrantTypes = nil, []string{"password"}
		}, rights("console")},
		{"impersonation of fewer orgs", "console", func(_ *ClientConfig, cfg *Config) { cfg.Impersonation.Orgs = []string{"empty"} }, rights("console")},
		{"impersonation by others", "console", func(_ *ClientConfig, cfg *Config) {
			cfg.Impersonation.Roles, cfg.Impersonation.NeverRoles = []string{"csp:support"}, []string{"csp:org_member"}
		}, rights("console")},
		{"impersonation not of some", "console", func(_ *ClientConfig, cfg *Config) {
			cfg.Impersonation.NeverRoles = []string{"csp:org_member", "csp:vip"}
		}, rights("console")},
		{"impersonation for less", "console", func(_ *ClientConfig, cfg *Config) { cfg.Impersonation.Permit = lines("shop/orders.read **") }, rights("console")},
		{"impersonation for more", "console", func(_ *ClientConfig, cfg *Config) { cfg.Impersonation.Permit = lines("shop/* **", "crm/* **") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkLost(t, lostRealm(t, asItIs, func(cfg *Config) { c.change(cfg.client(c.id), cfg) }), c.want)
		})
	}
	other := must(Compile(Config{Issuer: "https://other.example.com"}, nil))
	if got := Lost(lostRealm(t, asItIs, func(*Config) {}), other, start, start); got != nil {
		t.Errorf("another issuer: got %v", got)
	}
	none := must(Compile(Config{Issuer: issuer}, nil))
	if got := Lost(lostRealm(t, asItIs, func(*Config) {}), none, start, start); len(got) < 7 {
		t.Errorf("no users files and no clients: got %v", got)
	}
}

// What a user may do is lost exactly where it is not contained any more, and who
// only gains is never named.
func TestLostIsWhatIsNotContained(t *testing.T) {
	patterns := []string{"**", "orders/**", "orders/*", "orders/1", "reports/**"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 1, 4, rapid.ID).Draw(t, label)
		}
		with := func(patterns []string) *Realm {
			return lostRealm(t, func(users string) string {
				return strings.Replace(users, "shop/orders.read orders/beta/**", "shop/orders.read "+strings.Join(patterns, " "), 1)
			}, func(*Config) {})
		}
		was, is := draw("was"), draw("is")
		before, after := with(was), with(is)
		rights := func(r *Realm) holding { h, _ := r.users.user("example.com:ada").in("beta"); return h }
		lost := Lost(before, after, start, start)
		if want := !rights(after).rights.Contains(rights(before).rights); (len(lost) == 1) != want || len(lost) > 1 {
			t.Fatalf("from %q to %q: got %v, want that something is lost: %t", was, is, lost, want)
		}
		if gained := Lost(before, with(append(is, was...)), start, start); len(gained) > 0 {
			t.Fatalf("from %q to %q besides: got %v", was, is, gained)
		}
	})
}
