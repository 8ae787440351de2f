package tokenexchange

import (
	"fmt"
	"strings"
	"testing"
)

// TestNoWordIsGrantedThatWasUnticked: where openid was not asked for, a person can
// untick all words, and grant rights alone.
func TestNoWordIsGrantedThatWasUnticked(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme", "scope", "offline_access orders").allow("offline_access", "orders")
	holds := func(code string) {
		t.Helper()
		g := h.redeem("web", code)
		access, refresh := g.tokens(t)
		if got := claimsOf(t, access)["scope"]; got != nil && got != "" || setOf(t, access) == "" {
			t.Errorf("got the scope %q and the set %s, want rights without a word", got, setOf(t, access))
		}
		access, _ = h.refresh("web", refresh).tokens(t)
		if got := claimsOf(t, access)["scope"]; got != nil && got != "" {
			t.Errorf("after a refresh: got the scope %q, want none", got)
		}
	}
	holds(b.granted())
	holds(b.open(authorizeURL("scope", "offline_access orders")).granted())
}

// TestAnyProgramCanBeAPublicApp (RFC 8252 section 8.6): whoever gets the answer on
// this machine is the client that it says it is, and nothing else. So a person is
// asked each time, where the address does not tell whose it is.
func TestAnyProgramCanBeAPublicApp(t *testing.T) {
	spa := func(c *Config) {
		logins(c)
		phone := c.client("phone")
		phone.RedirectURIs = append(phone.RedirectURIs, "https://phone.example.com/done", "com.example.phone:/done", "http://localhost:7000/done")
		c.client("web").RedirectURIs = append(c.client("web").RedirectURIs, "http://127.0.0.1/done")
	}
	for _, c := range []struct {
		client, first, second string
		silent                bool
	}{
		{"phone", "http://127.0.0.1:5001/done", "http://127.0.0.1:5002/done", false},
		{"phone", "http://127.0.0.1:5001/done", "http://127.0.0.1:5001/done", false},
		{"phone", "http://localhost:7000/done", "http://localhost:7000/done", false},
		{"phone", "com.example.phone:/done", "com.example.phone:/done", false},
		{"phone", "https://phone.example.com/done", "com.example.phone:/done", false},
		{"phone", "com.example.phone:/done", "https://phone.example.com/done", true},
		{"web", "http://127.0.0.1:5001/done", "http://127.0.0.1:5002/done", true}, // It has a secret.
	} {
		h := newHouse(t, spa)
		request := func(uri string, more ...string) string {
			return authorizeURL(append([]string{"client_id", c.client, "redirect_uri", uri, "orgId", "acme"}, more...)...)
		}
		b := h.browser().open(request(c.first)).logIn("ada").sees("consent").allow()
		b.open(request(c.second, "prompt", "none"))
		if got := !strings.Contains(b.at, "error=consent_required"); got != c.silent || b.code != 303 {
			t.Errorf("%+v: with prompt=none got %d to %s", c, b.code, b.at)
		}
		if b.open(request(c.second)); !c.silent && !strings.Contains(b.page, "You are asked again each time.") {
			t.Errorf("%+v: the page does not say that it comes again", c)
		}
		if c.silent != strings.Contains(b.at, "code=") {
			t.Errorf("%+v: got %d to %s", c, b.code, b.at)
		}
		if !c.silent {
			if b.sees("consent").allow(); !strings.Contains(b.at, "code=") {
				t.Errorf("%+v: after the consent got %d to %s", c, b.code, b.at)
			}
		}
	}
}

// TestRefusedOnceIsNarrowedLater: who unticks a right has a narrowed token, which
// has no roles and begins nothing else. It does not become a whole one because the
// right is lost meanwhile, and nothing is left to untick.
func TestRefusedOnceIsNarrowedLater(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow(boxCRM)
	narrowed := func(code string) {
		t.Helper()
		access, _ := h.redeem("web", code).tokens(t)
		claims := claimsOf(t, access)
		if perms := fmt.Sprint(claims["perms"]); claims["narrowed"] != true || strings.Contains(perms, "csp:") {
			t.Errorf("got narrowed %v and perms %s, want a narrowed token without roles", claims["narrowed"], perms)
		}
	}
	narrowed(b.granted())
	h.withUsers(strings.Replace(baseUsers, `,"crm/contacts.read **"`, "", 1))
	narrowed(b.open(authorizeURL()).granted())

	b.open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent").allow()
	b.granted()
	access, _ := h.redeem("web", b.open(authorizeURL()).granted()).tokens(t)
	if claims := claimsOf(t, access); claims["narrowed"] != nil || !strings.Contains(fmt.Sprint(claims["perms"]), "csp:org_member") {
		t.Errorf("who granted all of it got %v", claims)
	}
}
