package tokenexchange

import (
	"net/http"
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
