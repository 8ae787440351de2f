package tokenexchange

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAccountListsOnesOwn, and nobody else's can be ended by its id.
func TestAccountListsOnesOwn(t *testing.T) {
	h := newHouse(t, logins)
	h.withUsers(strings.Replace(baseUsers, `{"org":"acme"},{"org":"beta"}]}`, `{"org":"acme","permissions":["shop/orders.read **"]},{"org":"beta"}]}`, 1))
	ada := h.consenting("ada", "acme").allow()
	access, refresh, _ := ada.tokens()
	phone := h.browser().open(authorizeURL("client_id", "legacy"), asDevice("Phone/1.0 <b>"))
	phone.logIn("ada").choose("beta").sees("consent").allow().granted()
	two := h.browser().open(authorizeURL()).logIn("two").choose("acme").sees("consent").allow()
	two.granted()

	ada.open(accountPath).sees("account")
	two.open(accountPath).sees("account")
	if len(ada.sessions()) != 2 || !slices.Equal(ada.grants(), []string{"legacy beta", "web acme"}) || len(two.sessions()) != 1 || !slices.Equal(two.grants(), []string{"web acme"}) {
		t.Fatalf("ada sees %q and %q, two %q and %q", ada.sessions(), ada.grants(), two.sessions(), two.grants())
	}
	if strings.Contains(ada.page, "<b>") || strings.Contains(ada.page, "two@") {
		t.Errorf("got the page %s", ada.text())
	}
	for name, form := range map[string]filled{
		"a session of somebody else":  two.fill("end-session", "id", ada.sessions()[0]),
		"the cookie of a session":     two.fill("end-session", "id", ada.cookies[sessionCookie]),
		"no session":                  two.fill("end-session"),
		"a grant of somebody else":    two.fill("revoke", "id", "legacy beta"),
		"a client without an org":     two.fill("revoke", "id", "web"),
		"a subject in front":          two.fill("revoke", "id", "example.com:ada web acme"),
		"nothing":                     two.fill("revoke"),
		"too long for a record's key": two.fill("revoke", "id", strings.Repeat("x", 60000)),
	} {
		t.Run(name, func(t *testing.T) {
			two.t, h.t = t, t
			h.inert(func() { two.tab().submit(form).sees("account") })
		})
	}
	two.t, h.t = t, t
	for name, c := range map[string]struct {
		form   filled
		reason string
	}{
		"the mark of another session": {two.fill("revoke", "id", "web acme").with("session", ada.fields().Get("session")), "session_ended"},
		"no mark":                     {two.fill("logout").with("session", ""), "session_ended"},
		"no step":                     {two.fill(""), "form_malformed"},
		"another step":                {two.fill("consent"), "form_malformed"},
		"two ids": {func() filled {
			f := two.fill("revoke", "id", "web acme")
			f.values.Add("id", "web beta")
			return f
		}(), "parameter_repeated"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := two.tab()
			tab.t, h.t = t, t
			h.inert(func() { tab.submit(c.form).turnedDown(400, c.reason) })
		})
	}
	h.t = t
	h.lives(t, access, true)
	h.refresh("web", refresh).tokens(t)
	h.inert(func() { h.browser().submit(two.fill("logout")).turnedDown(400, "session_ended") })
}

func asDevice(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("User-Agent", name) }
}

// TestGrantIsTakenBack with all that came of it, whatever its form.
func TestGrantIsTakenBack(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	access, refresh, _ := b.tokens()
	second, _, _ := b.open(authorizeURL()).tokens()
	unused := b.open(authorizeURL()).granted()
	beta, _, _ := b.open(authorizeURL("orgId", "beta")).allow().tokens()
	waiting := b.tab().open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent")

	b.open(accountPath).press("revoke", "id", "web acme").sees("account")
	if !slices.Equal(b.grants(), []string{"web beta"}) {
		t.Errorf("the page lists %q", b.grants())
	}
	h.lives(t, access, false)
	h.lives(t, second, false)
	grant, _ := claimsOf(t, access)["grant_id"].(string)
	if f, err := h.state.Families().Load(t.Context(), grant); !errors.Is(err, ErrNotFound) {
		t.Errorf("the record of the family: got %+v, %v", f, err)
	}
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.redeem("web", unused).refused(t, 400, "invalid_grant", "code_invalid")
	if v := h.introspectAs("web", beta); v.body["active"] != true {
		t.Errorf("what was granted for another organization: got %v", v.body)
	}
	b.open(authorizeURL("prompt", "none", "orgId", "acme")).denied("consent_required", "consent_required")
	b.open(authorizeURL("orgId", "acme")).sees("consent")
	waiting.allow().granted() // Asked anew, granted anew.
}

// TestGrantIsTakenBackMeanwhile: a login that was on its way to its answer, silent,
// gives no code that works when the person was told that it is over.
func TestGrantIsTakenBackMeanwhile(t *testing.T) {
	for verb := 1; ; verb++ {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme").allow()
		b.granted()
		account := b.tab().open(accountPath).sees("account")
		store := &interruptingStore{MemoryStore: h.store, at: verb, do: func() { account.press("revoke", "id", "web acme").sees("account") }}
		h.state.store = store
		b.open(authorizeURL())
		if store.verbs < verb {
			return
		}
		store.at = 0
		if b.code == 200 {
			b.sees("consent")
			continue
		}
		if b.code != 303 || b.reason() != "allowed" {
			b.denied("consent_required", "consent_required")
			continue
		}
		code := b.granted()
		b.tab().open(authorizeURL("prompt", "none")).denied("consent_required", "consent_required")
		h.redeem("web", code).refused(t, 400, "invalid_grant", "code_invalid")
		if account.open(accountPath).sees("account"); len(account.grants()) > 0 {
			t.Errorf("the page lists %q", account.grants())
		}
		if t.Failed() {
			t.Fatalf("at verb %d", verb)
		}
	}
}

// TestSessionIsEnded from another browser, with its online tokens.
func TestSessionIsEnded(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL("scope", "openid orders")).logIn("ada").choose("acme").allow()
	online, refresh, _ := b.tokens()
	offline := h.redeem("web", b.open(authorizeURL("scope", "openid offline_access")).allow().granted())
	_, lasting := offline.tokens(t)
	other := h.browser().open(accountPath).logIn("ada").sees("account")
	if got := other.sessions(); len(got) != 2 {
		t.Fatalf("got %q", got)
	}
	records := len(h.stored())
	other.press("end-session", "id", other.sessions()[1]).sees("account")
	if len(other.sessions()) != 1 || len(h.stored()) != records-1 {
		t.Errorf("got %q and %d records, want one session and one record less than %d", other.sessions(), len(h.stored()), records)
	}
	h.lives(t, online, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.refresh("web", lasting).tokens(t)
	b.open(accountPath).sees("login")
	if l := must(h.state.Holdings().load(t.Context(), "example.com:ada")); len(l.Grants) != 1 {
		t.Errorf("got %+v, want the grant that lasts", l.Grants)
	}
	other.press("end-session", "id", other.sessions()[0]).sees("logged out")
	if other.cookies[sessionCookie] != "" {
		t.Error("the cookie is left")
	}
	other.open(accountPath).sees("login")
}

// TestListsAreBounded: what falls out of one has ended.
func TestListsAreBounded(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	access, refresh, _ := b.tokens()
	first := b.cookies[sessionCookie]
	for i := range maxListed - 1 {
		h.clock = h.clock.Add(time.Second)
		b.open(authorizeURL()).granted()
		if i%100 == 98 {
			h.lives(t, access, true)
		}
	}
	h.clock = h.clock.Add(time.Second)
	b.open(authorizeURL()).granted()
	h.lives(t, access, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	if l := must(h.state.Holdings().load(t.Context(), "example.com:ada")); len(l.Grants) != maxListed {
		t.Errorf("got %d grants", len(l.Grants))
	}
	// Sessions, as many as there can be, and one more.
	for i := range maxListed {
		other := h.browser()
		other.peer = fmt.Sprintf("198.51.100.%d:1", i)
		other.open(accountPath).logIn("ada").sees("account")
		h.clock = h.clock.Add(time.Second)
		if i == maxListed-2 {
			b.open(accountPath).sees("account")
		}
	}
	if b.cookies[sessionCookie] != first {
		t.Fatal("the session changed")
	}
	b.open(accountPath).sees("login")
	if l := must(h.state.Holdings().load(t.Context(), "example.com:ada")); len(l.Sessions) != maxListed {
		t.Errorf("got %d sessions", len(l.Sessions))
	}
}

// TestClientsOfAnAccountAreBounded: the consent that falls out is forgotten, with
// what came of it.
func TestClientsOfAnAccountAreBounded(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	access, _, _ := b.tokens()
	err := h.state.Holdings().change(t.Context(), must(h.state.NewAttempt()), "example.com:ada", func(l *holdings) {
		for i := range maxListed - 1 {
			l.allow(allowed{Client: fmt.Sprintf("c%d", i), Org: "acme", Since: h.clock.Add(time.Second), End: h.clock.Add(consentLife)})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.open(authorizeURL()).granted()
	h.clock = h.clock.Add(2 * time.Second)
	b.open(authorizeURL("client_id", "legacy")).choose("acme").sees("consent").allow().granted()
	b.open(authorizeURL()).sees("consent")
	h.lives(t, access, false)
	if l := must(h.state.Holdings().load(t.Context(), "example.com:ada")); len(l.Allowed) != maxListed || len(l.Grants) != 1 {
		t.Errorf("got %d clients and %d grants", len(l.Allowed), len(l.Grants))
	}
}

// TestGrantIsListedAsLongAsItsTokensLive: what is in no list could not be ended.
func TestGrantIsListedAsLongAsItsTokensLive(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	code := b.granted()
	h.clock = h.clock.Add(CodeLife - time.Millisecond)
	_, refresh := h.redeem("web", code).tokens(t)
	h.clock = h.clock.Add(24*time.Hour - time.Second)
	access, _ := h.refresh("web", refresh).tokens(t)
	h.clock = h.clock.Add(29 * time.Minute)
	h.lives(t, access, true)
	other := h.browser().open(accountPath).logIn("ada").sees("account")
	if len(other.sessions()) != 1 {
		t.Errorf("the page lists %q, and all but one are over", other.sessions())
	}
	other.press("revoke", "id", "web acme").sees("account")
	h.lives(t, access, false)
}
