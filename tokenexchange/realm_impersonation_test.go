package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestImpersonationBlock(t *testing.T) {
	compile := func(change func(*Config)) (*Realm, error) {
		cfg := baseConfig()
		logins(&cfg)
		change(&cfg)
		return Compile(cfg, []string{usersPath(t, operators)})
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"a client without the block": {func(c *Config) { c.Impersonation = nil }, "client console: grant_types: impersonate_user needs a block"},
		"no roles":                   {func(c *Config) { c.Impersonation.Roles = nil }, "impersonation: roles is missing"},
		"no orgs":                    {func(c *Config) { c.Impersonation.Orgs = nil }, "impersonation: orgs is missing"},
		"no permit":                  {func(c *Config) { c.Impersonation.Permit = nil }, "impersonation: permit is missing; expected the most that such a token can hold, or permit none"},
		"a role of another form":     {func(c *Config) { c.Impersonation.Roles = []string{"csp:support", "admin"} }, `roles: "admin": expected a role such as csp:support`},
		"an empty never_role":        {func(c *Config) { c.Impersonation.NeverRoles = []string{""} }, `never_roles: "": expected a role`},
		"a never_role twice":         {func(c *Config) { c.Impersonation.NeverRoles = []string{"csp:a", "csp:a"} }, "never_roles: csp:a is listed twice"},
		"an unknown org":             {func(c *Config) { c.Impersonation.Orgs = []string{"acme", "umbrella"} }, `orgs: "umbrella" is not in the users files; expected one of the organizations: acme, beta, empty`},
		"an org twice":               {func(c *Config) { c.Impersonation.Orgs = []string{"acme", "acme"} }, "orgs: acme is listed twice"},
		"an unknown permission":      {func(c *Config) { c.Impersonation.Permit = lines("shop/x **") }, `impersonation: permit: "shop/x"`},
		"a negative age":             {func(c *Config) { c.Impersonation.MaxAuthAge = Duration(-time.Hour) }, "max_auth_age: -1h0m0s: expected at least 1s"},
	} {
		if realm, err := compile(c.change); err == nil || realm != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	realm := must(compile(func(*Config) {}))
	if i := realm.impersonation; !slices.Equal(i.neverRoles, i.roles) || i.maxAuthAge != 15*time.Minute {
		t.Errorf("got never_roles %q and max_auth_age %s, want the roles and 15m", i.neverRoles, i.maxAuthAge)
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no client has the grant": {func(c *Config) { c.client("console").GrantTypes = []string{"password"} }, "impersonation: no client has the grant impersonate_user"},
		"a misspelt role":         {func(c *Config) { c.Impersonation.Roles = []string{"csp:support", "csp:suport"} }, "impersonation: roles: no user has the role csp:suport"},
		"a misspelt never_role":   {func(c *Config) { c.Impersonation.NeverRoles = []string{"csp:suport"} }, "impersonation: never_roles: no user has the role csp:suport"},
	} {
		added := slices.DeleteFunc(must(compile(c.change)).Warnings(), func(w string) bool { return slices.Contains(realm.Warnings(), w) })
		if len(added) != 1 || !strings.Contains(added[0], c.want) {
			t.Errorf("%s: got the warnings %q, want one with %q", name, added, c.want)
		}
	}
	if realm := must(Compile(baseConfig(), nil)); realm.impersonation != nil {
		t.Error("without the block somebody may impersonate")
	}
}
