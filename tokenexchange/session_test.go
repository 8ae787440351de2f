package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// tokens are those of a code that was just given.
func (b *browser) tokens() (access, refresh, sid string) {
	b.t.Helper()
	g := b.h.redeem("web", b.granted())
	access, refresh = g.tokens(b.t)
	id, _ := g.body["id_token"].(string)
	sid, _ = claimsOf(b.t, id)["sid"].(string)
	return access, refresh, sid
}

// TestSessionIsNewAtEachLogin: whoever knew the cookie before has nothing of it.
func TestSessionIsNewAtEachLogin(t *testing.T) {
	for name, user := range map[string]string{"the same user": "ada", "another user": "two"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			// Somebody planted a session of his own in the browser.
			thief := h.browser().open(accountPath).logIn(user).sees("account")
			planted := thief.cookies[sessionCookie]
			b := h.browser()
			b.cookies[sessionCookie] = planted
			b.open(authorizeURL("prompt", "login")).sees("login").logIn("ada").sees("organization")
			if b.cookies[sessionCookie] == planted {
				t.Fatal("the session has the cookie of before")
			}
			thief.open(accountPath).sees("login")
			h.inert(func() { thief.tab().open(authorizeURL("prompt", "none")).denied("login_required", "login_required") })
			b.choose("acme").sees("consent").allow().granted()
			before := b.cookies[sessionCookie]
			b.open(authorizeURL("prompt", "login")).logIn("ada")
			old := h.browser()
			old.cookies[sessionCookie] = before
			old.open(accountPath).sees("login")
			if b.open(accountPath).sees("account"); len(b.sessions()) != 1 {
				t.Errorf("the page lists %q", b.sessions())
			}
		})
	}
}

// TestLoginAsSomebodyElse ends the login that was there, with its tokens. Who
// proves again to be the same person goes on with it.
func TestLoginAsSomebodyElse(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL("scope", "openid orders")).logIn("ada").choose("acme").sees("consent").allow()
	access, refresh, sid := b.tokens()
	h.clock = h.clock.Add(time.Minute)
	b.open(authorizeURL("scope", "openid orders", "prompt", "login")).logIn("ada").choose("acme")
	g := h.redeem("web", b.granted())
	id, _ := g.body["id_token"].(string)
	if claims := claimsOf(t, id); claims["sid"] != sid || claims["auth_time"] != float64(h.clock.Unix()) {
		t.Errorf("got sid %v and auth_time %v, want %s and now", claims["sid"], claims["auth_time"], sid)
	}
	h.lives(t, access, true)
	b.open(authorizeURL("prompt", "login")).logIn("two").sees("organization")
	h.lives(t, access, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	b.open(authorizeURL("scope", "openid orders", "prompt", "login")).logIn("ada").choose("acme")
	if _, _, again := b.tokens(); again == sid {
		t.Error("a login that had ended goes on")
	}
}

// TestCookiesThatAreNone: each is nobody's, and what we did not make asks no store.
func TestCookiesThatAreNone(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme")
	at := b.at
	good, known := b.cookies[sessionCookie], b.cookies[browserCookie]
	store := h.stumble(stumblingStore{})
	parts := strings.Split(good, ".")
	for name, bad := range map[string]string{
		"empty":                  "",
		"nonsense":               "nonsense",
		"another end":            good[:len(good)-1] + string(good[len(good)-1]^1),
		"another id":             parts[0] + "." + strings.Repeat("A", len(parts[1])) + "." + parts[2],
		"another key":            "00000000." + parts[1] + "." + parts[2],
		"without its end":        parts[0] + "." + parts[1],
		"with more":              good + ".x",
		"too long":               good + strings.Repeat("A", maxCookie),
		"the transaction's name": b.fields().Get("transaction"),
		"the form's mark":        b.fields().Get("session"),
	} {
		t.Run(name, func(t *testing.T) {
			forger := h.browser()
			forger.t = t
			send := func(r *http.Request) { r.Header.Set("Cookie", sessionCookie+"="+bad) }
			store.verbs = 0
			forger.send("GET", authorizeURL("prompt", "none"), "", send).denied("login_required", "login_required")
			if store.verbs > 0 {
				t.Errorf("the store was asked %d times", store.verbs)
			}
		})
	}
	for name, cookie := range map[string]string{
		"twice":               sessionCookie + "=" + good + "; " + sessionCookie + "=" + good,
		"another one first":   sessionCookie + "=x; " + sessionCookie + "=" + good,
		"without the prefix":  "scopegate-session=" + good,
		"in another spelling": strings.ToLower(sessionCookie) + "=" + good,
	} {
		t.Run(name, func(t *testing.T) {
			forger := h.browser()
			forger.t = t
			forger.send("GET", authorizeURL("prompt", "none"), "", func(r *http.Request) { r.Header.Set("Cookie", cookie) }).denied("login_required", "login_required")
		})
	}
	for name, c := range map[string]struct{ cookie, transaction string }{
		"no browser":               {"", at},
		"two browsers":             {browserCookie + "=" + known + "; " + browserCookie + "=" + known, at},
		"another browser":          {browserCookie + "=AAAAAAAAAAAAAAAAAAAAAAAAAA", at},
		"the mark of the browser":  {browserCookie + "=" + browserMark(known), at},
		"no transaction":           {browserCookie + "=" + known, authorizePath + "?transaction=x"},
		"a transaction made up":    {browserCookie + "=" + known, at[:len(at)-1] + string(at[len(at)-1]^1)},
		"the session's own cookie": {browserCookie + "=" + known, authorizePath + "?transaction=" + good},
	} {
		t.Run(name, func(t *testing.T) {
			forger := h.browser()
			forger.t = t
			store.verbs = 0
			h.inert(func() {
				forger.send("GET", c.transaction, "", func(r *http.Request) { r.Header.Set("Cookie", c.cookie) }).turnedDown(400, "transaction_unknown")
			})
			if c.transaction != at && store.verbs > 0 {
				t.Errorf("the store was asked %d times", store.verbs)
			}
		})
	}
	b.open(at).sees("consent")
}

// TestLoginOfAClockThatWasAhead is none, as a token of such an iat is none: what ends
// the logins of before now would not end it. A little ahead is forgiven, but no age.
func TestLoginOfAClockThatWasAhead(t *testing.T) {
	for _, c := range []struct {
		ahead   time.Duration
		request []string
		page    string
	}{
		{time.Hour, nil, "login"},
		{time.Hour, []string{"max_age", "60"}, "login"},
		{20 * time.Second, nil, "organization"},
		{20 * time.Second, []string{"max_age", "60"}, "organization"},
		{20 * time.Second, []string{"max_age", "0"}, "login"},
	} {
		h := newHouse(t, logins)
		h.clock = start.Add(c.ahead)
		b := h.browser().open(accountPath).logIn("ada").sees("account")
		h.clock, b.peer = start, "192.0.2.2:1234" // What an address began is counted by another clock.
		t.Logf("%v ahead, %q", c.ahead, c.request)
		b.open(authorizeURL(c.request...)).sees(c.page)
	}
}

// TestLoginsThatFail look alike, whatever is wrong.
func TestLoginsThatFail(t *testing.T) {
	var first string
	for name, c := range map[string]struct{ user, password string }{
		"a wrong password":      {"ada", "wrong"},
		"nobody":                {"zoe", password},
		"disabled":              {"bob", password},
		"without a password":    {"eve", password},
		"a name of two":         {"sam", password},
		"nothing":               {"", ""},
		"a password for a name": {password, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			b := h.browser().open(authorizeURL()).sees("login")
			form := b.fill("login", "username", c.user, "password", c.password)
			h.inert(func() { b.submit(form).turnedDown(400, "credentials_wrong").sees("login") })
			if b.cookies[sessionCookie] != "" || len(b.header.Values("Set-Cookie")) > 0 {
				t.Error("a cookie was set")
			}
			if b.record()["sub"] != nil {
				t.Errorf("got the record %v", b.record())
			}
			// The pages differ in nothing but the name that was typed, and names of records.
			text := b.text()
			if c.user != "" {
				text = strings.ReplaceAll(text, ` value="`+c.user+`"`, ` value=""`)
			}
			text = hiddenField.ReplaceAllString(strings.ReplaceAll(text, " autofocus", ""), "")
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("the page tells what was wrong:\n%s\n%s", text, first)
			}
			b.logIn("ada").sees("organization") // With the same form.
		})
	}
}

// TestLoginsThatFailWhereAnotherIsLoggedIn are not recorded as that one's.
func TestLoginsThatFailWhereAnotherIsLoggedIn(t *testing.T) {
	h := newHouse(t, logins, federated)
	b := h.browser().open(accountPath).logIn("ada").sees("account")
	b.open(authorizeURL("prompt", "login")).press("login", "username", "two", "password", "wrong").turnedDown(400, "credentials_wrong")
	if sub := b.record()["sub"]; sub != nil {
		t.Errorf("a wrong password of another: got sub %v", sub)
	}
	h.says(`{"sub":"7"}`).identity.Subject = "7"
	b.leave().comeBack().turnedDown(400, "no_mapping")
	if sub := b.record()["sub"]; sub != nil {
		t.Errorf("a stranger of a provider: got sub %v", sub)
	}
	b.open(authorizeURL("prompt", "login")).logIn("two")
	if sub := b.record()["sub"]; sub != "example.com:two" {
		t.Errorf("got sub %v", sub)
	}
}

// TestGuessesAtTheLoginPage are slowed as at the token endpoint, and the page says
// for how long.
func TestGuessesAtTheLoginPage(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL()).sees("login")
	for range 10 {
		b.press("login", "username", "ada", "password", "wrong").turnedDown(400, "credentials_wrong")
	}
	b.logIn("ada").turnedDown(429, "too_many_attempts").sees("login")
	if got := b.header.Get("Retry-After"); got != "60" || !strings.Contains(b.text(), "60 seconds") && !strings.Contains(b.text(), "1 minute") {
		t.Errorf("got Retry-After %q and the page %s", got, b.text())
	}
	elsewhere := h.browser()
	elsewhere.peer = "192.0.2.2:1234"
	elsewhere.open(authorizeURL()).logIn("ada").sees("organization")
	h.clock = h.clock.Add(time.Minute)
	b.logIn("ada").sees("organization")
}

// TestBegunLoginsAreBounded for each address: nobody had to prove anything.
func TestBegunLoginsAreBounded(t *testing.T) {
	h := newHouse(t, logins)
	known := h.consenting("ada", "acme").allow()
	known.granted()
	b := h.browser()
	for _, name := range []string{"allowed_resource_scope", "servicesPermissionsScopesDto"} {
		h.inert(func() { // Of how much one takes as well.
			b.open(authorizeURL(name, scopeOf("orders.read", strings.Repeat("orders/1 ", 2<<10)))).denied("invalid_request", "parameter_invalid")
		})
	}
	for i := range beginLimit.atOnce - 1 {
		switch i % 3 {
		case 0:
			b.once("GET", authorizeURL(), "")
		case 1:
			b.once("GET", accountPath, "")
		case 2:
			b.once("POST", authorizePath, strings.TrimPrefix(authorizeURL(), authorizePath+"?"))
		}
		if b.code != 303 {
			t.Fatalf("login %d: got %d %v", i, b.code, b.record())
		}
	}
	for _, target := range []string{authorizeURL(), accountPath} {
		h.inert(func() { b.tab().open(target).turnedDown(429, "too_many_attempts") })
	}
	h.inert(func() {
		b.send("POST", authorizePath, strings.TrimPrefix(authorizeURL(), authorizePath+"?")).turnedDown(429, "too_many_attempts")
	})
	known.open(authorizeURL()).granted() // Who is logged in begins nothing.
	elsewhere := h.browser()
	elsewhere.peer = "192.0.2.2:1234"
	elsewhere.open(authorizeURL()).sees("login")
	h.clock = h.clock.Add(200 * time.Millisecond)
	b.open(authorizeURL()).sees("login")
	b.tab().open(authorizeURL()).turnedDown(429, "too_many_attempts")
}
