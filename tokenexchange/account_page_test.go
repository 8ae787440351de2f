package tokenexchange

import (
	"strings"
	"testing"
	"time"
)

const keepsAccess, losesAccess = "Keeps access when you log out.", "Loses access when you log out."

// What the account page says of a logout is true of each grant that goes on, not
// only of the newest decision.
func TestAccountTellsWhatOutlivesALogout(t *testing.T) {
	for name, tc := range map[string]struct {
		next func(b *browser)
		want string
	}{
		"offline": {func(*browser) {}, keepsAccess},
		"a later decision without it": {func(b *browser) {
			b.open(authorizeURL("prompt", "consent")).choose("acme").sees("consent").allow("offline_access").granted()
		}, keepsAccess},
		"what was remembered is over": {func(b *browser) { b.h.clock = b.h.clock.Add(consentLife) }, keepsAccess},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins, func(c *Config) { c.client("web").RefreshTokenValidity = Duration(100 * 24 * time.Hour) })
			b := h.consenting("ada", "acme").allow()
			refresh, _ := h.redeem("web", b.granted()).body["refresh_token"].(string)
			tc.next(b)
			if b.open(accountPath); b.code == 200 && strings.Contains(b.page, pageOf["login"]) {
				b.logIn("ada")
			}
			b.sees("account")
			if !strings.Contains(b.page, tc.want) || strings.Contains(b.page, losesAccess) {
				t.Errorf("the page does not say %q", tc.want)
			}
			b.press("logout").sees("logged out")
			if g := h.refresh("web", refresh); g.status != 200 {
				t.Errorf("the grant has ended: %s", g.raw)
			}
		})
	}
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow("offline_access")
	b.granted()
	if b.open(accountPath).sees("account"); !strings.Contains(b.page, losesAccess) {
		t.Errorf("the page does not say %q", losesAccess)
	}
}

// Who logged in at another provider reads so, and that a logout here is none there.
func TestLogoutTellsOfTheProvider(t *testing.T) {
	const stays = "You may still be logged in at <bdi>Example Corp</bdi>"
	h := newHouse(t, logins, federated)
	for name, leave := range map[string]func(b *browser){
		"the account page": func(b *browser) { b.press("logout") },
		"the endpoint":     func(b *browser) { b.send("POST", logoutPath, "") },
	} {
		h.says(clerk)
		b := h.browser().open(authorizeURL()).leave().comeBack().open(accountPath).sees("account")
		if !strings.Contains(b.page, "<dd><bdi>Example Corp</bdi></dd>") {
			t.Errorf("the page does not say where the login was: %s", b.text())
		}
		if leave(b); !strings.Contains(b.sees("logged out").page, stays) {
			t.Errorf("%s: the page does not say %q: %s", name, stays, b.text())
		}
		b = h.browser().open(accountPath).logIn("ada").sees("account")
		if leave(b); strings.Contains(b.sees("logged out").page, "still be logged in") {
			t.Errorf("%s: a user with a password reads %s", name, b.text())
		}
	}
}
