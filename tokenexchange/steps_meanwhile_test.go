package tokenexchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestWhatChangesBetweenTwoSteps has a consent on its way when something is taken
// away: nobody is granted what is not there any more.
func TestWhatChangesBetweenTwoSteps(t *testing.T) {
	users := func(edits ...string) func(*house) {
		return func(h *house) {
			users := baseUsers
			for i := 0; i < len(edits); i += 2 {
				if !strings.Contains(users, edits[i]) {
					h.t.Fatalf("no %s", edits[i])
				}
				users = strings.Replace(users, edits[i], edits[i+1], 1)
			}
			h.withUsers(users)
		}
	}
	config := func(change func(*Config)) func(*house) {
		return func(h *house) { h.withUsers(baseUsers, change) }
	}
	for name, c := range map[string]struct {
		change func(*house)
		reason string // of the answer to Allow
		next   string // the page that comes then, or the error that the client is told
	}{
		"nothing":                             {func(*house) {}, "allowed", "code"},
		"a reload":                            {config(func(*Config) {}), "allowed", "code"},
		"a right lost":                        {users(`,"crm/contacts.read **"`, ``), "offer_changed", "consent"},
		"a right more":                        {users(`orders/** reports`, `orders/** ** reports`), "allowed", "code"}, // Beyond the permit.
		"a right within the permit":           {users(`"shop/orders.write orders/eu/**",`, `"shop/orders.write orders/eu/1",`), "offer_changed", "consent"},
		"the organization lost":               {users(`"default_org":"acme",`, ``, `{"org":"acme","roles":["csp:org_member"],"groups":["g1"],"permissions":["shop/orders.read orders/** reports/{org}/*","shop/orders.write orders/eu/**","crm/contacts.read **"]},`, ``), "step_expired", "organization"},
		"disabled":                            {users(`"default_org":"acme"`, `"default_org":"acme","disabled":true`), "session_ended", "login"},
		"gone":                                {users(`{"id":"ada"`, `{"id":"adb"`), "session_ended", "login"},
		"logged out everywhere":               {users(`"default_org":"acme"`, `"default_org":"acme","tokens_not_before":"2026-05-01T12:00:01Z"`), "session_ended", "login"},
		"the permit narrowed":                 {config(func(c *Config) { c.client("web").Permit = lines("shop/orders.read orders/**") }), "offer_changed", "consent"},
		"a word taken away":                   {config(func(c *Config) { c.client("web").Scope = []string{"openid", "orders"} }), "scope_exceeded", "invalid_scope"},
		"what is required":                    {config(func(c *Config) { c.client("web").Required = *lines("crm/contacts.read **") }), "offer_changed", "consent"},
		"the organization not for the client": {config(func(c *Config) { c.client("web").AllowedOrgs = []string{"beta", "empty"} }), "step_expired", "organization"},
		"the client": {config(func(c *Config) {
			c.client("web").ID = "other"
			c.client("other").Secrets = nil
			c.client("other").Public = true
			c.client("other").GrantTypes = []string{"authorization_code"}
		}), "client_unknown", "failure"},
		"the redirect_uri": {config(func(c *Config) { c.client("web").RedirectURIs = []string{callback + "/"} }), "client_unknown", "failure"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			b := h.consenting("ada", "acme")
			at, form := b.at, b.allowing()
			c.change(h)
			b.submit(form)
			if c.reason != "allowed" && b.reason() != c.reason {
				t.Errorf("got %d %v, want %s", b.code, b.record(), c.reason)
			}
			if c.next == "invalid_scope" {
				b.denied("invalid_scope", c.reason)
				return
			}
			if c.next == "code" {
				b.granted()
				return
			}
			b.turnedDown(400, c.reason)
			if c.next == "failure" {
				b.open(at).turnedDown(400, c.reason)
				return
			}
			if b.open(at).sees(c.next); c.next == "consent" {
				want := b.boxes()
				access, _ := h.redeem("web", b.allow().granted()).tokens(t)
				if got := strings.Contains(setOf(t, access), "crm"); got != (strings.Contains(strings.Join(want, " "), "crm") || name == "what is required") {
					t.Errorf("the page had %q, and the token %s", want, setOf(t, access))
				}
			}
		})
	}
}

// TestSessionEndedBetweenTwoSteps from another browser, and by a hint.
func TestSessionEndedBetweenTwoSteps(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme")
	at, form := b.at, b.allowing()
	other := h.browser().open(accountPath).logIn("ada").sees("account")
	other.press("end-session", "id", other.sessions()[1])
	h.inert(func() { b.submit(form).turnedDown(400, "session_ended") })
	b.open(at).sees("login").logIn("ada").sees("organization")
	h.inert(func() { b.tab().submit(form).turnedDown(400, "step_expired") })
	b.choose("acme").sees("consent").allow().granted()
}

// TestOrganizationOfAnotherTab does not slip under a page: two tabs are for one
// client, and the rights are the same in both organizations.
func TestOrganizationOfAnotherTab(t *testing.T) {
	h := newHouse(t, logins)
	h.withUsers(strings.Replace(baseUsers, `{"org":"acme"},{"org":"beta"}]}`, `{"org":"acme","permissions":["shop/orders.read **"]},{"org":"beta","permissions":["shop/orders.read **"]}]}`, 1))
	b := h.browser().open(authorizeURL("scope", "openid")).logIn("two").choose("acme").sees("consent").allow()
	b.granted()
	b.open(authorizeURL()).sees("consent") // For acme, as it was chosen in this session.
	form, at := b.allowing(), b.at
	b.tab().open(authorizeURL("prompt", "consent")).choose("beta").sees("consent").allow().granted()
	h.inert(func() { b.submit(form).turnedDown(400, "offer_changed").sees("consent") })
	if b.open(at).granted(); b.record()["org"] != "beta" {
		t.Errorf("got %v", b.record())
	}
}

// race sends requests at the same time, and counts how many were given a code and
// how many were told that it was refused by the person.
func (h *house) race(requests []*http.Request) (codes, denied, steps int) {
	var all sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, len(requests))
	for i, r := range requests {
		answers[i] = httptest.NewRecorder()
		all.Go(func() { h.ServeHTTP(answers[i], r) })
	}
	all.Wait()
	for _, w := range answers {
		switch to := w.Header().Get("Location"); {
		case strings.Contains(to, "code="):
			codes++
		case strings.Contains(to, "error=access_denied"):
			denied++
		case w.Code == 303:
			steps++
		case w.Code != 400:
			h.t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	return codes, denied, steps
}

// TestConsentIsTakenOnce of all who press a button of a page at the same time.
func TestConsentIsTakenOnce(t *testing.T) {
	for round := range 8 {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme")
		at, allow, part, deny := b.at, b.allowing(), b.allowing(boxCRM), b.fill("deny")
		var requests []*http.Request
		for i := range 32 {
			form := []filled{allow, part, deny}[i%(2+round%2)]
			requests = append(requests, b.request("POST", authorizePath, form.values.Encode()))
		}
		codes, denied, steps := h.race(requests)
		if codes != 0 || denied+steps != 1 || round%2 == 0 && denied > 0 {
			t.Fatalf("got %d codes, %d denials and %d decisions, want one of the last two", codes, denied, steps)
		}
		requests = nil
		for range 32 {
			requests = append(requests, b.request("GET", at, ""))
		}
		codes, _, _ = h.race(requests)
		if codes != steps {
			t.Errorf("got %d codes, want %d", codes, steps)
		}
		if lists := must(h.state.Holdings().load(t.Context(), "example.com:ada")); denied == 1 && (len(lists.Grants) > 0 || len(lists.Allowed) > 0) {
			t.Errorf("it was denied, and there is %+v", lists)
		}
		if b.open(authorizeURL("orgId", "acme")); denied == 1 {
			b.sees("consent")
		} else {
			b.granted()
		}
	}
}

// TestLoginIsTakenOnce of all who press the button: one session comes of it.
func TestLoginIsTakenOnce(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL())
	var requests []*http.Request
	for i := range 16 {
		name := []string{"ada", "two"}[i%2]
		requests = append(requests, b.request("POST", authorizePath, b.fill("login", "username", name, "password", password).values.Encode()))
	}
	records := len(h.stored())
	if _, _, steps := h.race(requests); steps != 1 {
		t.Errorf("got %d logins, want 1", steps)
	}
	if got := len(h.stored()) - records; got != 2 {
		t.Errorf("got %d records more, want a session and a list", got)
	}
	var sessions int
	for _, subject := range []string{"example.com:ada", "example.com:two"} {
		sessions += len(must(h.state.Holdings().load(t.Context(), subject)).Sessions)
	}
	if sessions != 1 {
		t.Errorf("got %d sessions, want 1", sessions)
	}
}

// TestDecisionOfSomebodyElse: who logs in between Allow and its answer, and may do
// the same, has decided nothing.
func TestDecisionOfSomebodyElse(t *testing.T) {
	h := newHouse(t, logins)
	one := strings.Replace(baseUsers, `{"id":"two"`, `{"id":"one","username":"one","domain":"example.com","password_hash":"`+cheap+`","memberships":[{"org":"acme"},{"org":"beta"}]},{"id":"two"`, 1)
	h.withUsers(one)
	b := h.browser().open(authorizeURL("orgId", "acme")).logIn("one").sees("consent")
	at, form := b.at, b.allowing()
	b.once("POST", authorizePath, form.values.Encode())
	b.tab().open(authorizeURL("prompt", "login", "orgId", "acme")).logIn("two").sees("consent")
	b.open(at).sees("consent")
	if lists := must(h.state.Holdings().load(t.Context(), "example.com:two")); len(lists.Grants)+len(lists.Allowed) > 0 {
		t.Errorf("got %+v", lists)
	}
	b.allow().granted()
}

// TestGrantIsGivenWhileItIsTakenBack: whatever comes first, what works is seen.
func TestGrantIsGivenWhileItIsTakenBack(t *testing.T) {
	for verb := 1; ; verb++ {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme").allow()
		b.granted()
		asked := b.tab().open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent")
		account := b.tab().open(accountPath).sees("account")
		code := ""
		store := &interruptingStore{MemoryStore: h.store, at: verb, do: func() { code = asked.allow().granted() }}
		h.state.store = store
		account.press("revoke", "id", "web acme").sees("account")
		if store.verbs < verb {
			return
		}
		store.at = 0
		if g := h.redeem("web", code); g.status == 200 {
			access, _ := g.tokens(t)
			if account.open(accountPath).sees("account"); len(account.grants()) != 1 {
				t.Fatalf("verb %d: a token works and the page lists %q", verb, account.grants())
			}
			account.press("revoke", "id", "web acme")
			h.lives(t, access, false)
		}
	}
}
