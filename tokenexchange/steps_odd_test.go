package tokenexchange

import "testing"

// TestFormNobodyHas: the transaction of the account page offers nothing, so
// nothing can be said about an offer.
func TestFormNobodyHas(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(accountPath).sees("login")
	f := b.fill("consent")
	b.logIn("ada").sees("account")
	f.values.Set("session", b.fields().Get("session"))
	f.values.Set("turn", "1")
	for _, offer := range []string{"", "x"} {
		b.submit(f.with("offer", offer)).turnedDown(400, "step_expired")
	}
}

// TestEmptyTransactionTakesNoScope: the boxes of a form are those of a transaction,
// and a posted request that names none has a scope.
func TestEmptyTransactionTakesNoScope(t *testing.T) {
	for _, path := range []string{"", "&transaction="} {
		h := newHouse(t, logins)
		q := authorizeURL("scope", "openid")[len(authorizePath)+1:]
		b := h.browser().send("POST", authorizePath, q+path).sees("login").logIn("ada").choose("acme").sees("consent")
		b.allow()
		access, _ := h.redeem("web", b.granted()).tokens(t)
		if got := claimsOf(t, access)["scope"]; got != "openid" {
			t.Errorf("%q: got the scope %q, want openid", path, got)
		}
	}
}
