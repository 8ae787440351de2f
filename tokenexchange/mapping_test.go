package tokenexchange

import (
	"slices"
	"strings"
	"testing"
)

// Each line against claims that it reads, or does not.
func TestMapLines(t *testing.T) {
	const reads = "shop/orders.read "
	for _, tc := range []struct {
		name, line, claims string
		want               string // patterns and roles, "none" where the line does not match
	}{
		{"an element of an array", "groups clerks " + reads + "orders/**", `{"groups":["staff","clerks"]}`, "orders/**"},
		{"a string", "groups clerks " + reads + "orders/**", `{"groups":"clerks"}`, "orders/**"},
		{"a part of a string", "groups clerks " + reads + "orders/**", `{"groups":"clerks staff"}`, "none"},
		{"another case", "groups clerks " + reads + "orders/**", `{"groups":["Clerks"],"Groups":["clerks"]}`, "none"},
		{"a word of scope", "scope orders:read " + reads + "**", `{"scope":"openid orders:read"}`, "**"},
		{"a word of scp", "scp orders:read " + reads + "**", `{"scp":["openid","orders:read"]}`, "**"},
		{"a path", "realm_access.roles clerk role csp:a csp:b", `{"realm_access":{"roles":["clerk"]}}`, "csp:a csp:b"},
		{"a name with dots", "https://shop.example.com/roles clerk role csp:a", `{"https://shop.example.com/roles":["clerk"]}`, "csp:a"},
		{"a path through an array", "a.b x role csp:a", `{"a":[{"b":"x"}]}`, "none"},
		{"a number", "level 5 role csp:a", `{"level":5}`, "none"},
		{"true", "admin true role csp:a", `{"admin":true}`, "none"},
		{"numbers in the array", "groups 5 role csp:a", `{"groups":[5,null,{},["5"]]}`, "none"},
		{"no such claim", "groups clerks role csp:a", `{}`, "none"},
		{"a literal of a claim", "groups clerks " + reads + "tenants/{claim:tenant}/**", `{"groups":["clerks"],"tenant":"acme"}`, "tenants/acme/**"},
		{"a literal by a path", "groups clerks " + reads + "{claim:org.id}/*", `{"groups":["clerks"],"org":{"id":"acme"}}`, "acme/*"},
		{"two of two claims", "groups clerks " + reads + "{claim:a}/{claim:b}", `{"groups":["clerks"],"a":"{claim:b}","b":"x"}`, "none"},
		{"a claim that is missing", "groups clerks " + reads + "all/** tenants/{claim:tenant}/**", `{"groups":["clerks"]}`, "none"},
		{"a claim that is a list", "groups clerks " + reads + "tenants/{claim:tenant}/**", `{"groups":["clerks"],"tenant":["acme"]}`, "none"},
		{"a claim with an asterisk", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":"*"}`, "none"},
		{"a claim with two", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":"**"}`, "none"},
		{"a claim with a slash", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":"a/b"}`, "none"},
		{"a claim that goes up", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":".."}`, "none"},
		{"a claim with braces", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":"{org}"}`, "none"},
		{"an empty claim", "groups clerks " + reads + "tenants/{claim:tenant}", `{"groups":["clerks"],"tenant":""}`, "none"},
		{"an address that was verified", "email a@b role csp:a", `{"email":"a@b","email_verified":true}`, "csp:a"},
		{"an address that was not", "email a@b role csp:a", `{"email":"a@b","email_verified":false}`, "none"},
		{"an address of which nothing is said", "email a@b role csp:a", `{"email":"a@b"}`, "none"},
		{"an address in a list", "email a@b role csp:a", `{"email":["a@b"]}`, "none"},
		{"an address in a pattern", "groups clerks " + reads + "{claim:email}/*", `{"groups":["clerks"],"email":"a@b"}`, "none"},
		{"the sub", "sub 2481 role csp:a", `{"sub":"2481"}`, "csp:a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := strings.Fields(tc.line)
			line := MapLine{Claim: f[0], Value: f[1]}
			if line.Permission, line.Patterns = f[2], f[3:]; f[2] == "role" {
				line = MapLine{Claim: f[0], Value: f[1], Roles: f[3:]}
			}
			cfg := baseConfig()
			federated(&cfg)
			cfg.UsersOIDC[0].Map = []MapLine{line}
			m := must(Compile(cfg, nil)).providers["corp"].mapping
			roles, rights, matched, err := m.gives(must(readClaims([]byte(tc.claims), m.reads())))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tc.want)
			got := roles
			if len(line.Roles) == 0 && matched {
				got = nil
				for pattern := range strings.SplitSeq(rights.Canonical(), `"`) {
					if slices.Contains(want, pattern) {
						got = append(got, pattern)
					}
				}
			}
			if matched != (tc.want != "none") || matched && !slices.Equal(got, want) || !matched && !rights.Empty() {
				t.Errorf("got %v %s, %v, want %s", roles, rights.Canonical(), matched, tc.want)
			}
		})
	}
}

// Claims that say two things at once say nothing.
func TestClaimsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a name twice":         `{"groups":[],"groups":[]}`,
		"a name twice, deep":   `{"other":{"a":1,"a":1}}`,
		"a name and a path":    `{"a.b":"x","a":{"b":"y"}}`,
		"a path and a name":    `{"a":{"b":"y"},"a.b":"x"}`,
		"too many values":      `{"groups":["` + strings.Repeat(`x","`, maxListClaim) + `"]}`,
		"too much":             `{"groups":["` + strings.Repeat("x", maxClaims) + `","y"]}`,
		"no object":            `["groups"]`,
		"more than one object": `{} {}`,
		"nothing":              ``,
	} {
		if c, err := readClaims([]byte(text), []string{"groups", "a.b"}); err == nil {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
}
