package tokenexchange

import (
	"testing"
)

// TestNoWordIsGrantedThatWasUnticked: where openid was not asked for, a person can
// untick all words, and grant rights alone.
func TestNoWordIsGrantedThatWasUnticked(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme", "scope", "offline_access orders").allow("offline_access", "orders")
	holds := func(code string) {
		t.Helper()
		g := h.redeem("web", code)
		access, refresh := g.tokens(t)
		if got := claimsOf(t, access)["scope"]; got != nil && got != "" || setOf(t, access) == "" {
			t.Errorf("got the scope %q and the set %s, want rights without a word", got, setOf(t, access))
		}
		access, _ = h.refresh("web", refresh).tokens(t)
		if got := claimsOf(t, access)["scope"]; got != nil && got != "" {
			t.Errorf("after a refresh: got the scope %q, want none", got)
		}
	}
	holds(b.granted())
	holds(b.open(authorizeURL("scope", "offline_access orders")).granted())
}
