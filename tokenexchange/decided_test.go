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

// TestLessIsGrantedMeanwhile: a silent login that was looked at before a person
// granted less in another tab does not answer with what was granted before.
func TestLessIsGrantedMeanwhile(t *testing.T) {
	changed := 0
	for verb := 1; ; verb++ {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme").allow()
		b.granted()
		other := b.tab().open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent")
		store := &interruptingStore{MemoryStore: h.store, at: verb, do: func() { other.allow(boxCRM).granted() }}
		h.state.store = store
		b.open(authorizeURL())
		if store.verbs < verb {
			break
		}
		store.at = 0
		if b.record()["cause"] == "the consent was changed at the same time" {
			b.denied("consent_required", "consent_required")
			changed++
			continue
		}
		access, _ := h.redeem("web", b.granted()).tokens(t)
		if strings.Contains(setOf(t, access), "crm") && changed == 0 {
			t.Fatalf("verb %d: what was taken away was given", verb)
		}
	}
	if changed == 0 {
		t.Error("nobody saw the change")
	}
}

// TestOrganizationOfTheRequestIsLost to the client, while the person is asked.
func TestOrganizationOfTheRequestIsLost(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL("orgId", "beta")).logIn("ada").sees("consent")
	h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"acme"} })
	b.allow().denied("invalid_request", "org_not_allowed")
}

// TestGrantedWhileTakenBack has a person press Allow in one tab while Revoke of
// another one is at work. Whichever counts: what goes on is on the account page.
func TestGrantedWhileTakenBack(t *testing.T) {
	for verb := 1; ; verb++ {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme").allow()
		b.granted()
		other := b.tab().open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent")
		account := b.tab().open(accountPath).sees("account")
		store := &interruptingStore{MemoryStore: h.store, at: verb, do: func() { other.allow() }}
		h.state.store = store
		account.press("revoke", "id", "web acme").sees("account")
		if store.verbs < verb {
			return
		}
		store.at = 0
		lives := false
		if strings.Contains(other.at, "code=") {
			lives = h.redeem("web", other.granted()).status == 200
		}
		listed := len(b.tab().open(accountPath).sees("account").grants()) > 0
		silent := strings.Contains(b.open(authorizeURL("prompt", "none", "orgId", "acme")).at, "code=")
		if (lives || silent) && !listed {
			t.Errorf("verb %d: a grant lives: %v, a consent is remembered: %v, and the page lists nothing", verb, lives, silent)
		}
	}
}
