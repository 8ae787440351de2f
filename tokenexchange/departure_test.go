package tokenexchange

import (
	"strings"
	"testing"
)

// TestProviderThatWasLeft knows the way back, and must not end the login that the
// person made in the place of the one there.
func TestProviderThatWasLeft(t *testing.T) {
	for name, logsIn := range map[string]func(b *browser, login string){
		"in the page of the login": func(b *browser, login string) { b.tab().open(login).logIn("ada").sees("organization") },
		"in another tab":           func(b *browser, _ string) { b.tab().open(accountPath).logIn("ada").sees("account") },
	} {
		h := newHouse(t, logins, federated)
		b := h.browser().open(authorizeURL()).sees("login")
		login := b.at
		b.leave()
		logsIn(b, login)
		h.says(clerk)
		if b.comeBack().sees("organization"); h.providers["corp"].finished > 0 {
			t.Errorf("%s: the provider was asked who came", name)
		}
		if b.open(accountPath).sees("account"); !strings.Contains(b.page, "<bdi>ada</bdi>") {
			t.Errorf("%s: ada is logged in no more\n%s", name, b.text())
		}
		// Who is logged in can leave, and come back as somebody else.
		b.open(authorizeURL("prompt", "login")).sees("login").leave().comeBack()
		if !b.asksConsent() || !strings.Contains(b.page, "carla@corp.example") {
			t.Errorf("%s: got %d %s", name, b.code, b.reason())
		}
	}
}

// TestTwoTabsAtAProvider go there at once, as when a browser opens again all that was
// open: the second goes on with the login of the first.
func TestTwoTabsAtAProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	one := h.browser().open(authorizeURL()).sees("login")
	two := one.tab().open(authorizeURL()).sees("login")
	one.leave()
	first := h.says(clerk).departure.State
	two.leave().comeBack()
	one.comeBack("state", first)
	for n, tab := range []*browser{one, two} {
		if !tab.asksConsent() || h.providers["corp"].finished != 1 {
			t.Fatalf("tab %d: got %d %s after %d logins", n+1, tab.code, tab.reason(), h.providers["corp"].finished)
		}
		tab.allow().granted()
	}
}

// TestDomainOfAnotherProvider is given to it while a browser is away: the one that
// had it knows all that the browser took along, and could bring an answer of the
// new one that is somebody else's.
func TestDomainOfAnotherProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	b := h.browser().open(authorizeURL()).sees("login").leave()
	h.Server = h.reload(h.caches, logins, federated, func(c *Config) { c.UsersOIDC[0].Issuer = "https://other.example.com" })
	h.says(clerk)
	b.comeBack().turnedDown(400, "provider_unknown")
	if h.providers["corp"].finished > 0 || b.cookies[sessionCookie] != "" {
		t.Errorf("the new provider was asked %d times who came", h.providers["corp"].finished)
	}
}
