package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
)

// TestNothingIsToldBeforeConsent: a client that a person has never agreed to could
// ask without a page, again and again, and learn what the person has.
func TestNothingIsToldBeforeConsent(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(accountPath).logIn("ada").sees("account")
	probes := map[string]struct {
		kv     []string
		reason string
	}{
		"a right that ada has not": {[]string{"orgId", "acme", "allowed_resource_scope", scopeOf("orders.write", "orders/us/1")}, "resource_scope_exceeded"},
		"an organization":          {[]string{"orgId", "gamma"}, "org_not_allowed"},
		"that there are several":   {nil, "organization_required"},
	}
	for name, c := range probes {
		b.open(authorizeURL(append(c.kv, "prompt", "none")...)).denied("consent_required", "consent_required")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// A client that she knows is told what is wrong.
	h.consenting("ada", "acme").allow()
	for name, c := range probes {
		b.open(authorizeURL(append(c.kv, "prompt", "none")...))
		if got := b.record()["reason"]; got != c.reason {
			t.Errorf("%s: got %v, want %s", name, got, c.reason)
		}
	}
}

// TestLoginsThatNobodySees: what another page loads begins no login, so that it
// cannot use up what the address of its visitor may begin.
func TestLoginsThatNobodySees(t *testing.T) {
	h := newHouse(t, logins)
	as := func(dest string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Dest", dest)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
	}
	query := strings.TrimPrefix(authorizeURL(), authorizePath+"?")
	h.inert(func() {
		for _, dest := range []string{"image", "iframe", "empty", "script", "Document", "frame"} {
			b := h.browser()
			b.once(http.MethodGet, authorizeURL(), "", as(dest))
			b.denied("interaction_required", "page_required")
			b.once(http.MethodPost, authorizePath, query, as(dest))
			b.denied("interaction_required", "page_required")
			b.once(http.MethodGet, accountPath, "", as(dest))
			if b.code != 400 || b.record()["reason"] != "page_required" {
				t.Errorf("%s: the account: got %d %v", dest, b.code, b.record())
			}
		}
	})
	// What needs no page is answered in a frame, and a page to whom shows it.
	b := h.consenting("ada", "acme").allow()
	b.once(http.MethodGet, authorizeURL("prompt", "none"), "", as("iframe"))
	b.granted()
	h.browser().send(http.MethodGet, authorizeURL(), "", as("document")).sees("login")
}

func TestDestination(t *testing.T) {
	for uri, want := range map[string]string{
		"https://web.example.com/callback": "web.example.com", "http://127.0.0.1:3000/x": "127.0.0.1:3000",
		"com.example.app:/callback": "com.example.app", "com.example.app://bank.example.com/callback": "com.example.app",
	} {
		if got := destination(uri); got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}
