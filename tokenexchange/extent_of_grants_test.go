package tokenexchange

import (
	"strings"
	"testing"
)

// TestAccountShowsWhatTokensHave, also where a later page showed less.
func TestAccountShowsWhatTokensHave(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	h.redeem("web", b.granted()).tokens(t)
	b.open(authorizeURL("prompt", "consent", "orgId", "acme", "scope", "openid", "allowed_resource_scope", scopeOf("orders.read", "orders/1"))).sees("consent").allow()
	b.granted()
	b.open(accountPath).sees("account")
	for _, want := range []string{"contacts.read", "orders.write", "offline_access"} {
		if !strings.Contains(b.page, want) {
			t.Errorf("the page has no %s:\n%s", want, b.page)
		}
	}
}
