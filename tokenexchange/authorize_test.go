package tokenexchange

import "testing"

func TestLoginAndConsent(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL()).sees("login").logIn("ada").sees("organization").choose("acme").sees("consent")
	t.Log(b.boxes())
	b.allow()
	code := b.granted()
	g := h.redeem("web", code)
	t.Log(g.raw, g.record)
	t.Log(b.records)
	a, r := g.tokens(t)
	t.Log(claimsOf(t, a), r)
	t.Log(claimsOf(t, g.body["id_token"].(string)))
}
