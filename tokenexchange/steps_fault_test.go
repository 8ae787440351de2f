package tokenexchange

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// goOn does what the pages ask of ada until the client has its answer.
func (b *browser) goOn() *browser {
	b.t.Helper()
	for range 6 {
		switch {
		case strings.Contains(b.page, pageOf["login"]):
			b.logIn("ada")
		case strings.Contains(b.page, pageOf["organization"]):
			b.choose("acme")
		case strings.Contains(b.page, pageOf["consent"]):
			b.allow()
		default:
			return b
		}
	}
	return b
}

// walks are the steps of a login, each as one request, when all before is done.
var walks = map[string]func(h *house) (b *browser, step func(), page string){
	"the request": func(h *house) (*browser, func(), string) {
		b := h.browser()
		return b, func() { b.once("GET", authorizeURL(), "") }, authorizeURL()
	},
	"the page": func(h *house) (*browser, func(), string) {
		b := h.browser()
		b.once("GET", authorizeURL(), "")
		at := b.header.Get("Location")
		return b, func() { b.once("GET", at, "") }, at
	},
	"the login":        formWalk("login"),
	"the organization": formWalk("organization"),
	"the consent":      formWalk("consent"),
	"the answer": func(h *house) (*browser, func(), string) {
		b := h.consenting("ada", "acme")
		at, form := b.at, b.allowing(boxCRM)
		b.once("POST", authorizePath, form.values.Encode())
		return b, func() { b.once("GET", at, "") }, at
	},
	"a silent answer": func(h *house) (*browser, func(), string) {
		b := h.consenting("ada", "acme").allow()
		b.granted()
		h.clock = h.clock.Add(2 * consentStep / 5)
		return b, func() { b.once("GET", authorizeURL(), "") }, authorizeURL()
	},
	"another login": func(h *house) (*browser, func(), string) {
		b := h.browser().open(authorizeURL()).logIn("two").sees("organization").open(authorizeURL("prompt", "login")).sees("login")
		at, form := b.at, b.fill("login", "username", "ada", "password", password)
		return b, func() { b.once("POST", authorizePath, form.values.Encode()) }, at
	},
	"the same login again": func(h *house) (*browser, func(), string) {
		b := h.consenting("ada", "acme").open(authorizeURL("prompt", "login")).sees("login")
		at, form := b.at, b.fill("login", "username", "ada", "password", password)
		return b, func() { b.once("POST", authorizePath, form.values.Encode()) }, at
	},
}

func formWalk(page string) func(h *house) (*browser, func(), string) {
	return func(h *house) (*browser, func(), string) {
		b, forms := atStep[page](h)
		at := b.at
		return b, func() { b.once("POST", authorizePath, forms[0].values.Encode()) }, at
	}
}

// TestStoreAwayDuringALogin has the store stumble at each verb of each step. The
// person is told, goes on from the same page when it is back, and the client has
// one code in the end.
func TestStoreAwayDuringALogin(t *testing.T) {
	for name, walk := range walks {
		for _, how := range []stumblingStore{{}, {away: true}, {lost: true}} {
			t.Run(fmt.Sprintf("%s, away %v, lost %v", name, how.away, how.lost), func(t *testing.T) {
				for how.at = 1; ; how.at++ {
					h := newHouse(t, logins)
					b, step, page := walk(h)
					store := h.stumble(how)
					step()
					if store.verbs < how.at {
						if how.at < 2 {
							t.Error("the step asks no store")
						}
						return
					}
					reason := "store_unavailable"
					if name == "another login" && b.reason() == "revocation_unpublished" {
						reason = b.reason() // Of the login that ends with this one.
					}
					if b.turnedDown(503, reason).sees("failure"); t.Failed() {
						t.Fatalf("at verb %d: %v", how.at, b.record())
					}
					store.at = 0
					b.open(page).goOn()
					h.wholeAndOne(b, fmt.Sprintf("verb %d", how.at))
				}
			})
		}
	}
}

// wholeAndOne holds what came of a login against what it must be: one code that
// works once, listed, with a consent that is remembered.
func (h *house) wholeAndOne(b *browser, when string) {
	h.t.Helper()
	if b.code != 303 || b.reason() != "allowed" {
		h.t.Fatalf("%s: got %d %v\n%s", when, b.code, b.record(), b.text())
	}
	access, _ := h.redeem("web", b.granted()).tokens(h.t)
	lists := must(h.state.Holdings().load(h.t.Context(), "example.com:ada"))
	listed := false
	for _, g := range lists.Grants {
		listed = listed || g.ID == claimsOf(h.t, access)["grant_id"]
	}
	if !listed || len(lists.Allowed) != 1 {
		h.t.Errorf("%s: got the lists %+v, want the grant and one client", when, lists)
	}
	b.open(authorizeURL("prompt", "none")).granted()
	if b.open(accountPath).sees("account"); len(b.grants()) != 1 {
		h.t.Errorf("%s: the account page lists %q", when, b.grants())
	}
}

// TestStoreAwayWithoutAPage has the client told that asked for no page.
func TestStoreAwayWithoutAPage(t *testing.T) {
	for at := 1; ; at++ {
		h := newHouse(t, logins)
		b := h.consenting("ada", "acme").allow()
		b.granted()
		store := h.stumble(stumblingStore{at: at})
		b.open(authorizeURL("prompt", "none"))
		if store.verbs < at {
			break
		}
		b.denied("temporarily_unavailable", "store_unavailable")
		store.at = 0
		b.open(authorizeURL("prompt", "none")).granted()
	}
}

// TestStoreAwayWithAPushedRequest: nobody could come back to where it was used up.
func TestStoreAwayWithAPushedRequest(t *testing.T) {
	for at := 1; ; at++ {
		h := newHouse(t, logins)
		b := h.browser()
		store := h.stumble(stumblingStore{})
		u := must(url.Parse(authorizeURL()))
		b.once("POST", authorizePath, u.RawQuery)
		to := b.header.Get("Location")
		store.at = store.verbs + at
		b.once("GET", to, "")
		if store.verbs < store.at {
			break
		}
		if b.code == 303 {
			b.denied("temporarily_unavailable", "store_unavailable")
			store.at = 0
			continue
		}
		b.turnedDown(503, "store_unavailable")
		store.at = 0
		b.open(to).goOn()
		h.wholeAndOne(b, fmt.Sprintf("verb %d", at))
	}
}

// TestStoreAwayDuringAnEnd has the store stumble while something is ended: what
// was said to be ended is, and who tries again ends it.
func TestStoreAwayDuringAnEnd(t *testing.T) {
	for name, button := range map[string]func(b *browser) filled{
		"a grant":           func(b *browser) filled { return b.fill("revoke", "id", "web acme") },
		"another session":   func(b *browser) filled { return b.fill("end-session", "id", b.sessions()[1]) },
		"the session":       func(b *browser) filled { return b.fill("logout") },
		"the logout button": func(*browser) filled { return filled{logoutPath, url.Values{}} },
	} {
		for _, how := range []stumblingStore{{}, {away: true}, {lost: true}} {
			t.Run(fmt.Sprintf("%s, away %v, lost %v", name, how.away, how.lost), func(t *testing.T) {
				for how.at = 1; ; how.at++ {
					h := newHouse(t, logins)
					b := h.consenting("ada", "acme").allow()
					if name == "another session" {
						b.granted()
						b = h.browser().open(accountPath).logIn("ada").sees("account")
					}
					b.open(accountPath).sees("account")
					form := button(b)
					store := h.stumble(how)
					b.submit(form)
					if store.verbs < how.at {
						return
					}
					if reason := b.reason(); b.code != 503 || reason != "store_unavailable" && reason != "revocation_unpublished" {
						t.Fatalf("verb %d: got %d %v", how.at, b.code, b.record())
					}
					store.at = 0
					h.clock = h.clock.Add(2 * toldFor)
					b.submit(form)
					if b.reason() != "allowed" && b.reason() != "session_ended" && b.reason() != "parameter_missing" {
						t.Fatalf("verb %d: got %d %v", how.at, b.code, b.record())
					}
					lists := must(h.state.Holdings().load(t.Context(), "example.com:ada"))
					switch name {
					case "a grant":
						b.open(authorizeURL()).sees("consent")
						if len(lists.Grants)+len(lists.Allowed) > 0 {
							t.Errorf("verb %d: got %+v", how.at, lists)
						}
					case "another session":
						if b.open(accountPath).sees("account"); len(b.sessions()) != 1 {
							t.Errorf("verb %d: got %q", how.at, b.sessions())
						}
					default:
						b.open(accountPath).sees("login")
					}
				}
			})
		}
	}
}
