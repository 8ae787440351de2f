package tokenexchange

import (
	"testing"
	"time"
)

// TestOneClientFillsItsOwnPlaces: a link to a login that asks nothing can be opened
// again and again, by the client or by whoever made a page for that. What that
// pushes out of the lists of a person is of the same client, and nobody is kept
// from logging out.
func TestOneClientFillsItsOwnPlaces(t *testing.T) {
	h := newHouse(t, logins)
	h.slow.endings = newDebts(limit{40, 10 * time.Second, 16})
	b := h.consenting("ada", "acme").allow()
	_, kept := h.redeem("web", b.granted()).tokens(t)
	b.open(authorizeURL("client_id", "legacy", "orgId", "acme")).sees("consent").allow()
	first := b.granted()
	refused := 0
	for range maxListed + 60 {
		if b.open(authorizeURL("client_id", "legacy", "orgId", "acme")); b.reason() == "too_many_attempts" {
			refused++
		}
	}
	if refused == 0 {
		t.Error("the client is not slowed down")
	}
	if held := must(h.state.Holdings().load(t.Context(), "example.com:ada")); len(held.Grants) != maxListed {
		t.Errorf("got %d grants listed, want %d", len(held.Grants), maxListed)
	}
	h.clock = h.clock.Add(20 * time.Second)
	b.open(authorizeURL("client_id", "legacy", "orgId", "acme")).granted()
	if g := h.redeem("legacy", first); g.status == 200 {
		t.Error("the first code of the flood works, and is in no list")
	}
	_, kept = h.refresh("web", kept).tokens(t)
	b.open(authorizeURL()).granted()
	b.open(accountPath).sees("account").press("revoke", "id", "web acme").sees("account")
	h.refresh("web", kept).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	b.press("logout").sees("logged out")
}
