package tokenexchange

import (
	"slices"
	"strings"
	"testing"
)

const withOwner = `"roles":["csp:org_member","csp:org_owner"]`

// A role that somebody was given since is told to no client unasked.
func TestNewRoleIsAskedFor(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme")
	if text := b.text(); !strings.Contains(text, "csp:org_member") || strings.Contains(text, "csp:org_owner") {
		t.Errorf("got %q, want the one role named", text)
	}
	access, _ := h.redeem("web", b.allow().granted()).tokens(t)
	if got := rolesOf(t, access); !slices.Equal(got, []string{"csp:org_member"}) {
		t.Errorf("got %q, want the role that was named", got)
	}

	h.withUsers(strings.Replace(baseUsers, `"roles":["csp:org_member"]`, withOwner, 1))
	b.open(authorizeURL("prompt", "none")).denied("consent_required", "consent_required")
	if text := b.open(authorizeURL()).sees("consent").text(); !strings.Contains(text, "csp:org_owner") {
		t.Errorf("got %q, want the new role named", text)
	}
	access, _ = h.redeem("web", b.allow().granted()).tokens(t)
	if got := rolesOf(t, access); !slices.Equal(got, []string{"csp:org_member", "csp:org_owner"}) {
		t.Errorf("got %q, want both roles", got)
	}
	access, _ = h.redeem("web", b.open(authorizeURL()).granted()).tokens(t)
	if got := rolesOf(t, access); len(got) != 2 {
		t.Errorf("got %q without a page, want both roles", got)
	}

	// Who lost a role is not asked.
	h.withUsers(baseUsers)
	access, _ = h.redeem("web", b.open(authorizeURL()).granted()).tokens(t)
	if got := rolesOf(t, access); !slices.Equal(got, []string{"csp:org_member"}) {
		t.Errorf("got %q, want the role that is left", got)
	}
}

// A role that comes while the page is open is on the page before it is told.
func TestRoleThatComesUnderThePage(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme")
	h.withUsers(strings.Replace(baseUsers, `"roles":["csp:org_member"]`, withOwner, 1))
	b.allow().turnedDown(400, "offer_changed")
	if text := b.text(); !strings.Contains(text, "csp:org_owner") {
		t.Errorf("got %q, want the new role named", text)
	}
}

// Who unticked something tells no role, and is not asked about roles.
func TestUntickedTellsNoRole(t *testing.T) {
	h := newHouse(t, choosy)
	b := h.consenting("ada", "acme").allow(boxWrite)
	access, _ := h.redeem("web", b.granted()).tokens(t)
	cfg := baseConfig()
	choosy(&cfg)
	users := usersPath(t, strings.Replace(baseUsers, `"roles":["csp:org_member"]`, withOwner, 1))
	h.Server = h.serve(must(Compile(cfg, []string{users})), h.caches, ecKey(), rsaKey())
	again, _ := h.redeem("web", b.open(authorizeURL("prompt", "none")).granted()).tokens(t)
	if got := slices.Concat(rolesOf(t, access), rolesOf(t, again)); len(got) != 0 {
		t.Errorf("got %q, want no role", got)
	}
}
