package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
)

// TestDecisionIsForWhatWasSeen: between the button and the answer is a redirect, and
// with a fault of the store minutes. What a person decided counts for this person,
// login and organization, and for this offer; else the page is shown again.
func TestDecisionIsForWhatWasSeen(t *testing.T) {
	for name, between := range map[string]func(*house, *browser){
		"somebody else logs in": func(_ *house, b *browser) {
			b.open(authorizeURL("prompt", "login", "client_id", "legacy")).sees("login").logIn("kim2")
		},
		"the same one logs in again": func(_ *house, b *browser) {
			b.open(authorizeURL("prompt", "login", "client_id", "legacy")).sees("login").logIn("ada")
		},
		"a right more": func(h *house, _ *browser) {
			h.withUsers(strings.Replace(baseUsers, `"shop/orders.read orders/** reports/{org}/*"`, `"shop/orders.read **"`, 1), func(c *Config) {
				c.client("web").Permit = lines("shop/* **", "crm/* **")
			})
		},
		"a right less": func(h *house, _ *browser) { h.withUsers(strings.Replace(baseUsers, `,"crm/contacts.read **"`, "", 1)) },
		"something required": func(h *house, _ *browser) {
			h.withUsers(baseUsers, func(c *Config) { c.client("web").Required = *lines("crm/contacts.read **") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			baseUsers := strings.Replace(baseUsers, `"users":[`, `"users":[
 {"id":"kim2","username":"kim2","domain":"example.com","password_hash":"`+cheap+`","memberships":[{"org":"acme","permissions":["shop/orders.read orders/**","shop/orders.write orders/eu/**","crm/contacts.read **"]}]},`, 1)
			h.withUsers(baseUsers)
			b := h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent")
			said := b.allowing(boxCRM)
			b.once(http.MethodPost, said.action, said.values.Encode())
			next := b.header.Get("Location")
			between(h, b.tab())
			b.open(next).sees("consent")
		})
	}
}
