package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
)

// TestConsentTakenBackBeforeTheAnswer: between the button and the answer is a
// redirect, and with a fault of the store minutes. What a person takes back in
// another tab meanwhile does not come back with that.
func TestConsentTakenBackBeforeTheAnswer(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow(boxCRM)
	b.granted()
	b.open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent")
	said := b.allowing() // What was refused before is not ticked.
	b.once(http.MethodPost, said.action, said.values.Encode())
	next := b.header.Get("Location")
	b.tab().open(accountPath).sees("account").press("revoke", "id", "web acme")
	b.open(next).denied("consent_required", "consent_required")
	b.open(authorizeURL("prompt", "none")).denied("consent_required", "consent_required")
	b.open(authorizeURL("orgId", "acme")).sees("consent").allow()
	b.granted()
}

// TestNameTakenBackBeforeTheAnswer: so is it with a name alone, of which nothing is
// remembered but that it was allowed.
func TestNameTakenBackBeforeTheAnswer(t *testing.T) {
	h := newHouse(t, logins)
	ask := func(kv ...string) string {
		return authorizeURL(append(kv, "client_id", "legacy", "orgId", "empty", "scope", "")...)
	}
	b := h.browser().open(ask()).logIn("ada").sees("consent").allow()
	b.granted()
	said := b.open(ask("prompt", "consent")).sees("consent").allowing()
	b.once(http.MethodPost, said.action, said.values.Encode())
	next := b.header.Get("Location")
	b.tab().open(accountPath).sees("account").press("revoke", "id", "legacy empty")
	b.open(next).denied("consent_required", "consent_required")
	b.open(ask("prompt", "none")).denied("consent_required", "consent_required")
}

// TestLaterDecisionCounts: an answer that was not fetched, because the network was
// away, and comes back with its tab is not what the person said last.
func TestLaterDecisionCounts(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent")
	all := b.allowing()
	b.once(http.MethodPost, all.action, all.values.Encode())
	next := b.header.Get("Location")
	b.tab().open(authorizeURL("orgId", "acme")).sees("consent").allow(boxCRM).granted()
	b.open(next).denied("consent_required", "consent_required")
	access, _ := h.redeem("web", b.open(authorizeURL("orgId", "acme", "prompt", "none")).granted()).tokens(t)
	if got := setOf(t, access); strings.Contains(got, "crm") {
		t.Errorf("got %s, want that what was refused last stays refused", got)
	}
	// Who said the same in both gets both answers.
	said := [2]*browser{b.tab().open(authorizeURL("orgId", "acme", "prompt", "consent")), b.tab().open(authorizeURL("orgId", "acme", "prompt", "consent"))}
	for _, tab := range said {
		form := tab.sees("consent").allowing()
		tab.once(http.MethodPost, form.action, form.values.Encode())
	}
	for _, tab := range said {
		tab.open(tab.header.Get("Location")).granted()
	}
}
