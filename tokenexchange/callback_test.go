package tokenexchange

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Somebody logs in elsewhere, and the client gets what the map lines give.
func TestLoginAtAProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.says(clerk)
	b := h.browser().open(authorizeURL("login_hint", "carla", "ui_locales", "de"))
	if !strings.Contains(b.page, "Example Corp") {
		t.Fatalf("the login page does not name the provider: %s", b.page)
	}
	b.leave()
	p := h.providers["corp"]
	if d := p.departure; !strings.HasPrefix(b.at, corpIssuer+"/authorize?") || d.LoginHint != "carla" || d.Locales != "de" || d.Fresh || d.MaxAge != nil || len(d.Verifier) < 43 {
		t.Fatalf("went to %s with %+v", b.at, d)
	}
	b.comeBack("iss", corpIssuer)
	if a := p.arrival; a.Nonce != p.departure.Nonce || a.Verifier != p.departure.Verifier || a.Issuer == nil || *a.Issuer != corpIssuer || a.Code != "code-of-the-provider" {
		t.Errorf("the provider was asked with %+v", a)
	}
	if !b.asksConsent() {
		t.Fatalf("got %d %s %s, want the consent page", b.code, b.at, h.records.String())
	}
	access, refresh := h.redeem("web", b.allows(t)).tokens(t)
	said := claimsOf(t, access)
	if said["sub"] != "corp:2481" || said["acct"] != "carla@corp.example" || said["username"] != "carla" || said["domain"] != "corp" || said["context_name"] != "acme" {
		t.Errorf("the token says %v", said)
	}
	if rights := fmt.Sprint(said["allowed_resource_scope"]); !strings.Contains(rights, "orders.read") || strings.Contains(rights, "orders.write") {
		t.Errorf("the token gives %v", rights)
	}
	if got := said["auth_time"]; got != float64(h.clock.Add(-time.Second).Unix()) {
		t.Errorf("got auth_time %v, want that of the provider", got)
	}
	h.refresh("web", refresh).tokens(t)
	if b.open(accountPath); !strings.Contains(b.page, "<dd><bdi>Example Corp</bdi></dd>") {
		t.Errorf("the account page does not say where the login was: %s", b.page)
	}
}

// What does not belong to this login of this browser makes no session.
func TestCallbackRefused(t *testing.T) {
	foreign := "https://other.example.com"
	for _, tc := range []struct {
		name   string
		change func(h *house, b *browser)
		kv     []string
		status int
		reason string
	}{
		{"no state", nil, []string{"state", ""}, 400, "transaction_unknown"},
		{"a forged state", nil, []string{"state", "AAAA.BBBB.CCCC.DDDD"}, 400, "transaction_unknown"},
		{"another random part", func(h *house, _ *browser) {
			d := &h.providers["corp"].departure
			d.State = d.State[:len(d.State)-1] + string(d.State[len(d.State)-1]^1)
		}, nil, 400, "provider_answer"},
		{"another browser", func(_ *house, b *browser) { b.cookies = map[string]string{} }, nil, 400, "transaction_unknown"},
		{"a third browser with a cookie of its own", func(_ *house, b *browser) { b.cookies[browserCookie] = "AAAAAAAAAAAAAAAAAAAAAAAAAA" }, nil, 400, "transaction_unknown"},
		{"an older departure", func(h *house, b *browser) {
			old := h.providers["corp"].departure.State
			b.open(authorizePath + "?transaction=" + old[:strings.LastIndexByte(old, '.')]).leave()
			h.providers["corp"].departure.State = old
		}, nil, 400, "provider_answer"},
		{"too late", func(h *house, _ *browser) { h.clock = h.clock.Add(transactionLife) }, nil, 400, "transaction_unknown"},
		{"what the provider did not sign", func(h *house, _ *browser) {
			h.providers["corp"].err = fmt.Errorf("%w: nonce", ErrProviderAnswer)
		}, []string{"iss", foreign}, 400, "provider_answer"},
		{"the provider went away", func(h *house, _ *browser) {
			h.providers["corp"].err = fmt.Errorf("%w: down", ErrProviderUnavailable)
		}, nil, 503, "provider_unavailable"},
		{"claims that two names fit", func(h *house, _ *browser) {
			h.says(`{"sub":"2481","realm_access.roles":"writer","realm_access":{"roles":["writer"]}}`)
		}, nil, 400, "provider_answer"},
		{"claims with one name twice", func(h *house, _ *browser) {
			h.says(`{"sub":"2481","groups":["clerks"],"groups":["admins"]}`)
		}, nil, 400, "provider_answer"},
		{"nobody whom a line matches", func(h *house, _ *browser) {
			p := h.says(`{"sub":"9","groups":["staff"]}`)
			p.identity.Subject = "9"
		}, nil, 400, "no_mapping"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, logins, federated)
			h.says(clerk)
			b := h.browser().open(authorizeURL()).leave()
			if tc.change != nil {
				tc.change(h, b)
			}
			h.records.Reset()
			b.comeBack(tc.kv...)
			b.refusesWith(t, tc.status, tc.reason)
		})
	}
}

// An answer is used once, whatever becomes of it.
func TestCallbackReplayed(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
	}{
		{"a good one", nil},
		{"one that was not accepted", ErrProviderAnswer},
		{"one that the provider could not judge", ErrProviderUnavailable},
		{"a denial", &LoginDenied{Code: "access_denied"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, logins, federated)
			p := h.says(clerk)
			p.err = tc.err
			b := h.browser().open(authorizeURL()).leave().comeBack()
			p.err = nil
			before := b.cookies[sessionCookie]
			h.records.Reset()
			b.comeBack()
			if b.code != 400 || !strings.Contains(h.records.String(), `"provider_answer"`) || b.cookies[sessionCookie] != before {
				t.Errorf("got %d %s, want provider_answer", b.code, h.records.String())
			}
			if p.finished != 1 {
				t.Errorf("the provider was asked %d times, want once", p.finished)
			}
		})
	}
}

// Two tabs come back with one answer at the same time: the swap lets one through,
// before the provider is asked.
func TestDepartureIsUsedUpFirst(t *testing.T) {
	h := newHouse(t, logins, federated)
	p := h.says(clerk)
	b := h.browser().open(authorizeURL()).leave()
	again := false
	h.logins["corp"] = during{p, func() {
		if again {
			return
		}
		again = true
		other := &browser{h: h, t: t, cookies: map[string]string{browserCookie: b.cookies[browserCookie]}}
		h.records.Reset()
		other.comeBack()
		other.refusesWith(t, 400, "provider_answer")
	}}
	if b.comeBack(); !again || !b.asksConsent() {
		t.Errorf("got %d %s, want the consent page", b.code, b.at)
	}
}

// A denial leads back to the login page, where other ways are open.
func TestDeniedAtTheProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.says(clerk).err = &LoginDenied{Code: "access_denied"}
	b := h.browser().open(authorizeURL()).leave()
	h.records.Reset()
	b.comeBack("code", "", "error", "access_denied")
	b.refusesWith(t, 400, "provider_denied")
	if b.logIn("ada"); b.cookies[sessionCookie] == "" {
		t.Errorf("got %d %s, want a login with a password", b.code, b.page)
	}
}

// A provider that is away stops nobody else.
func TestProviderAway(t *testing.T) {
	h := newHouse(t, logins, federated)
	b := h.browser().open(authorizeURL())
	login := b.at
	h.providers["corp"].away = fmt.Errorf("%w: connection refused", ErrProviderUnavailable)
	h.records.Reset()
	b.leave()
	b.refusesWith(t, http.StatusServiceUnavailable, "provider_unavailable")
	if b.header.Get("Retry-After") != "5" || !strings.Contains(b.page, "wait 5 seconds") || !strings.Contains(b.page, "transaction=") {
		t.Errorf("got %v %s, want a way back, in the 5 seconds for which the provider is not asked", b.header, b.page)
	}
	if b.open(login).logIn("ada"); b.cookies[sessionCookie] == "" {
		t.Errorf("got %d, want a login with a password", b.code)
	}
}

// Who was ended with the provider has to prove anew who it is when that is back:
// its old login there would begin a session that is over already.
func TestProviderThatComesBack(t *testing.T) {
	h := newHouse(t, logins, federated)
	long := h.clock.Add(-time.Hour)
	h.clock = h.clock.Add(time.Minute)
	h.changed()
	h.changed(federated)
	p := h.says(clerk)
	p.identity.AuthTime = long
	b := h.browser().open(authorizeURL()).leave()
	h.records.Reset()
	b.comeBack()
	b.refusesWith(t, 400, "provider_login_old")
	b.provesAnew(p)
}

// A fault of the store in the middle of a login is no answer about the person.
func TestCallbackWithoutTheStore(t *testing.T) {
	h := newHouse(t, logins, federated)
	p := h.says(clerk)
	b := h.browser().open(authorizeURL()).leave()
	h.state.store = &stateStore{Store: h.store, fail: errors.New("away")}
	h.records.Reset()
	b.comeBack()
	b.refusesWith(t, 503, "store_unavailable")
	if p.finished != 0 {
		t.Error("the provider was asked although the departure could not be used up")
	}
	h.state.store = h.store
	if b.comeBack(); !b.asksConsent() {
		t.Errorf("got %d %s, want a login once the store is back", b.code, b.at)
	}
}

// A second provider sends the browser on to the first one, in the hope that what
// that one answers is taken to the second (mix-up, RFC 9700 section 4.4). The first
// one sends browsers back to the address that is its own.
func TestAnswersAreNotMixedUp(t *testing.T) {
	h := newHouse(t, logins, federated, func(c *Config) {
		evil := c.UsersOIDC[0]
		evil.Issuer, evil.Domain, evil.DisplayName = "https://evil.example.com", "evil", "A way in"
		c.UsersOIDC = append(c.UsersOIDC, evil)
	})
	evil := h.providers["evil"]
	b := h.browser().open(authorizeURL())
	b.open(b.at + "&provider=evil")
	for _, at := range []string{"/oauth2/callback/corp", "/oauth2/callback/CORP", "/oauth2/callback/Evil"} {
		h.records.Reset()
		b.open(at + "?" + pairs("state", evil.departure.State, "code", secret("a code of the provider", "code-of-the-provider")))
		b.refusesWith(t, 400, "provider_answer")
	}
	if evil.finished != 0 {
		t.Errorf("a code of corp was taken to the other provider: %+v", evil.arrival)
	}
	uris := map[string]bool{}
	for domain, p := range h.realm.Providers() {
		uris[p.RedirectURI] = true
		if want := h.realm.issuer + "/oauth2/callback/" + domain; p.RedirectURI != want {
			t.Errorf("browsers come back from %s to %s, want %s", domain, p.RedirectURI, want)
		}
	}
	if len(uris) != 2 {
		t.Errorf("two providers have one redirect_uri: %v", uris)
	}
	for _, path := range []string{"/oauth2/callback", "/oauth2/callback/", "/oauth2/callback/a/b", "/oauth2/callback/a:b"} {
		if Owns(path) {
			t.Errorf("%s is of no provider", path)
		}
	}
}

// Whom no line matches any more holds nothing from then on, in whichever login; and
// nothing is kept of a stranger whom none ever matched.
func TestNoLineMatchesAnyMore(t *testing.T) {
	h := newHouse(t, logins, federated)
	signIn := func(subject, groups string) *browser {
		p := h.says(`{"sub":"` + subject + `","groups":[` + groups + `]}`)
		p.identity.Subject = subject
		return h.browser().open(authorizeURL()).leave().comeBack()
	}
	first := signIn("9", `"clerks"`)
	_, refresh := h.redeem("web", first.sees("consent").allow().granted()).tokens(t)
	h.clock = h.clock.Add(2 * time.Second)
	signIn("9", `"guests"`).refusesWith(t, 400, "no_mapping")
	first.open(accountPath).sees("login")
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "user_gone")
	signIn("10", `"guests"`).refusesWith(t, 400, "no_mapping")
	if _, err := h.state.Accounts().Find(t.Context(), "corp:10"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an account is kept of a stranger: %v", err)
	}
}

// Each departure asks the provider's metadata and takes a turn in the store: an
// address has no more of them than of logins.
func TestDeparturesAreBounded(t *testing.T) {
	h := newHouse(t, logins, federated)
	b := h.browser().open(authorizeURL())
	away := b.at + "&provider=corp"
	for range beginLimit.atOnce + 5 {
		if b.open(away); b.code == http.StatusTooManyRequests {
			return
		}
	}
	t.Errorf("got %d after as many departures as one likes", b.code)
}

// What a browser takes along is for one departure.
func TestDeparturesShareNothing(t *testing.T) {
	h := newHouse(t, logins, federated)
	b := h.browser().open(authorizeURL())
	away := b.at + "&provider=corp"
	seen := map[string]bool{}
	for range 3 {
		b.open(away)
		d := h.providers["corp"].departure
		for _, text := range []string{d.State, d.Nonce, d.Verifier} {
			if seen[text] || len(text) < 26 {
				t.Errorf("%q is no text of its own", text)
			}
			seen[text] = true
		}
	}
}
