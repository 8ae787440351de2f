package tokenexchange

import (
	"slices"
	"strings"
	"testing"
)

// allowed_orgs is a ceiling of the client, whatever the grant.
func TestAllowedOrgsOfEveryGrant(t *testing.T) {
	h := support(t)
	_, refresh := h.login().tokens(t)
	code := h.code(t)
	olga := h.operator("olga")
	beta := func(c *Config) {
		c.client("web").AllowedOrgs = []string{"beta"}
		c.client("console").AllowedOrgs = []string{"beta"}
	}
	h.withUsers(operators, beta)
	if g := h.login(); g.status == 200 {
		t.Fatal("password")
	}
	if g := h.refresh("web", refresh); g.status == 200 {
		t.Errorf("refresh: a token for %v, outside allowed_orgs", claimsOf(t, g.body["access_token"].(string))["context_name"])
	}
	if g := h.redeem("web", code); g.status == 200 {
		t.Errorf("code: a token for %v, outside allowed_orgs", claimsOf(t, g.body["access_token"].(string))["context_name"])
	}
	if g := h.impersonate("console", olga, "ada@example.com"); g.status == 200 {
		t.Errorf("impersonate_user: a token for %v, outside allowed_orgs", claimsOf(t, g.body["access_token"].(string))["context_name"])
	}
}

func rolesOf(t *testing.T, raw string) (out []string) {
	t.Helper()
	perms, _ := claimsOf(t, raw)["perms"].([]any)
	for _, p := range perms {
		if s, _ := p.(string); strings.HasPrefix(s, "csp:") {
			out = append(out, s)
		}
	}
	return out
}

// A refresh gives no role that was not held when the user granted.
func TestRefreshGainsNoRoles(t *testing.T) {
	h := newHouse(t, logins)
	first, refresh := h.login().tokens(t)
	h.withUsers(strings.Replace(baseUsers, `"roles":["csp:org_member"]`, `"roles":["csp:org_member","csp:org_owner"]`, 1))
	access, _ := h.refresh("web", refresh).tokens(t)
	if got, was := rolesOf(t, access), rolesOf(t, first); !slices.Equal(got, was) {
		t.Errorf("roles: got %v after a refresh, the login gave %v", got, was)
	}
}

// An API token gives what its entry names, which is no role.
func TestAPITokenGivesNoRoles(t *testing.T) {
	for name, c := range map[string]struct {
		permit *[]PermissionLine
		lines  []string
	}{
		"all that the client may":       {lines("shop/orders.read orders/eu/**"), []string{"shop/orders.read orders/eu/**"}},
		"an entry without permissions":  {lines(), []string{}},
		"an entry that asks everything": {lines("shop/* **", "crm/* **"), []string{"shop/* **", "crm/* **"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins, keyring)
			token := h.withAPIToken(t, strings.Replace(baseUsers, `"roles":["csp:org_member"]`, `"roles":["csp:org_owner"]`, 1),
				func(e *APIToken) { e.Permissions = c.lines }, func(cfg *Config) { cfg.client("web").Permit, cfg.client("web").Allow = c.permit, nil })
			access := h.apiTokenCall("api_token", token).granted(t)
			if roles := rolesOf(t, access); len(roles) > 0 {
				t.Errorf("perms has %v", roles)
			}
		})
	}
}

// Whoever holds an API token, or is a public client, could say anything of where
// a request comes from.
func TestSubjectIPOfNobody(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil, func(c *Config) { c.client("web").AcceptSubjectIP = true })
	h.apiTokenCall("api_token", token, "subject_ip", "203.0.113.7").refused(t, 400, "invalid_request", "parameter_invalid")
	cfg := baseConfig()
	cfg.client("mobile").AcceptSubjectIP = true
	if _, err := Compile(cfg, []string{usersPath(t, baseUsers)}); err == nil || !strings.Contains(err.Error(), "client mobile: accept_subject_ip: public and accept_subject_ip exclude each other") {
		t.Errorf("accept_subject_ip of a public client: got %v", err)
	}
}

// A login that a request narrowed stays so: a refresh gives back neither its roles
// nor what only a whole login may begin.
func TestNarrowedLoginStaysNarrowed(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login("scope", "openid orders").tokens(t)
	access, _ := h.refresh("web", refresh).tokens(t)
	if claimsOf(t, access)["narrowed"] != true || len(rolesOf(t, access)) > 0 {
		t.Errorf("got narrowed %v, roles %v", claimsOf(t, access)["narrowed"], rolesOf(t, access))
	}
	h.switchTo("web", access, "beta").refused(t, 400, "invalid_request", "token_not_first")
}
