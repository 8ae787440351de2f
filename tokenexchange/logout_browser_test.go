package tokenexchange

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// leaver is somebody who is logged in at two browsers.
type leaver struct {
	*browser
	here, there       string // access tokens of the two logins
	hereHint, farHint string // their id tokens
	far               *browser
}

func newLeaver(h *house) *leaver {
	h.t.Helper()
	l := &leaver{}
	login := func() (*browser, string, string) {
		b := h.browser().open(authorizeURL("scope", "openid orders", "orgId", "acme")).logIn("ada")
		if strings.Contains(b.page, pageOf["consent"]) {
			b.allow()
		}
		g := h.redeem("web", b.granted())
		access, _ := g.tokens(h.t)
		hint, _ := g.body["id_token"].(string)
		return b, access, hint
	}
	l.browser, l.here, l.hereHint = login()
	l.far, l.there, l.farHint = login()
	return l
}

// TestLogoutOfABrowser goes through all that can come together: whose login ends,
// who is asked first, and where the person goes then.
func TestLogoutOfABrowser(t *testing.T) {
	ways := map[string]func(l *leaver, query string){
		"GET":             func(l *leaver, query string) { l.open(logoutPath + "?" + query) },
		"POST":            func(l *leaver, query string) { l.send("POST", logoutPath, query) },
		"POST from a far": func(l *leaver, query string) { l.send("POST", logoutPath, query, headers(otherSite["another site"])) },
	}
	for way, send := range ways {
		for _, cookie := range []string{"live", "none", "over"} {
			for _, hint := range []string{"", "own", "another"} {
				for _, next := range []string{"", bye} {
					t.Run(fmt.Sprintf("%s, cookie %s, hint %s, to %s", way, cookie, hint, next), func(t *testing.T) {
						h := newHouse(t, leavers)
						l := newLeaver(h)
						switch cookie {
						case "none":
							l.cookies = map[string]string{}
						case "over":
							h.clock = start.Add(sessionLife)
						}
						kv := []string{"client_id", "web", "post_logout_redirect_uri", next, "state", "s"}
						switch hint {
						case "own":
							kv = append(kv, "id_token_hint", l.hereHint)
						case "another":
							kv = append(kv, "id_token_hint", l.farHint)
						}
						send(l, pairs(kv...))
						if hint == "" && cookie == "none" {
							l.turnedDownProgram("parameter_missing")
							return
						}
						if asked := way != "POST" && (cookie != "live" || hint != "own"); asked {
							l.sees("logout")
							l.ended(h, false, false)
							if l.record()["cause"] == nil || cookie != "none" && l.cookies[sessionCookie] == "" {
								t.Errorf("got the record %v", l.record())
							}
							f := l.fill("")
							f.action = logoutPath
							l.submit(f.with("step", ""))
						}
						if next == "" {
							l.sees("logged out")
						} else if l.code != 303 || l.at != bye+"?state=s" {
							t.Errorf("got %d to %s", l.code, l.at)
						}
						if l.cookies[sessionCookie] != "" {
							t.Error("the cookie is left")
						}
						l.ended(h, cookie == "live" || hint == "own", hint == "another")
						page := "account"
						if hint == "another" || cookie == "over" {
							page = "login"
						}
						l.far.open(accountPath).sees(page)
					})
				}
			}
		}
	}
}

// turnedDownProgram holds an answer to who takes no HTML against a refusal.
func (b *browser) turnedDownProgram(reason string) {
	b.t.Helper()
	if b.code != 400 || b.reason() != reason || !strings.Contains(b.page, `"cspErrorCode":"`+reason+`"`) {
		b.t.Errorf("got %d %v %s, want %s", b.code, b.record(), b.page, reason)
	}
}

// ended holds which of the two logins has ended.
func (l *leaver) ended(h *house, here, there bool) {
	h.t.Helper()
	for token, want := range map[string]bool{l.here: !here, l.there: !there} {
		// Both are an hour old where a session was over, and their tokens too.
		if h.clock.Sub(start) > 20*time.Minute {
			continue
		}
		if got := h.introspectAs("web", token).body["active"]; got != want {
			h.t.Errorf("the token of the login (here: %v): got active %v, want %v", token == l.here, got, want)
		}
	}
}

// TestLogoutOfAClockThatIsBehind ends a login that lies ahead of it: nobody is told
// that one has ended that goes on at another process.
func TestLogoutOfAClockThatIsBehind(t *testing.T) {
	h := newHouse(t, leavers)
	h.clock = start.Add(time.Hour)
	l := newLeaver(h)
	cookie := l.cookies[sessionCookie]
	h.clock = start
	l.send("POST", logoutPath, "").sees("logged out")
	h.clock = start.Add(time.Hour)
	if got := h.introspectAs("web", l.here).body["active"]; got != false {
		t.Errorf("the token of the login: got active %v, want false", got)
	}
	l.cookies[sessionCookie] = cookie
	l.open(accountPath).sees("login")
}

// TestLogoutGoesNowhereElse by the cookie alone.
func TestLogoutGoesNowhereElse(t *testing.T) {
	for name, c := range map[string]struct {
		kv     []string
		reason string
	}{
		"without a client":       {[]string{"post_logout_redirect_uri", bye}, "post_logout_redirect_uri_mismatch"},
		"a client of no name":    {[]string{"post_logout_redirect_uri", bye, "client_id", "gone"}, "parameter_invalid"},
		"another client's":       {[]string{"post_logout_redirect_uri", byeApp, "client_id", "web"}, "post_logout_redirect_uri_mismatch"},
		"where codes go":         {[]string{"post_logout_redirect_uri", callback, "client_id", "web"}, "post_logout_redirect_uri_mismatch"},
		"another site":           {[]string{"post_logout_redirect_uri", "https://evil.example", "client_id", "web"}, "post_logout_redirect_uri_mismatch"},
		"a hint of nobody":       {[]string{"id_token_hint", "nonsense"}, "id_token_hint_invalid"},
		"a hint for another one": {[]string{"client_id", "phone", "id_token_hint", "own"}, "parameter_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, leavers)
			l := newLeaver(h)
			for i, v := range c.kv {
				if v == "own" {
					c.kv[i] = l.hereHint
				}
			}
			html := headers(map[string]string{"Accept": "text/html"})
			h.inert(func() {
				l.send("GET", logoutPath+"?"+pairs(c.kv...), "", html).turnedDown(400, c.reason).sees("failure")
			})
			h.inert(func() { l.send("POST", logoutPath, pairs(c.kv...), html).turnedDown(400, c.reason).sees("failure") })
			l.ended(h, false, false)
			if l.cookies[sessionCookie] == "" {
				t.Error("the cookie is gone")
			}
		})
	}
}

// TestLogoutByAProgramWithACookie gets JSON's answer, which is nothing, and ends the
// session as well.
func TestLogoutByAProgramWithACookie(t *testing.T) {
	h := newHouse(t, leavers)
	l := newLeaver(h)
	body := `{"idToken":"` + l.farHint + `"}`
	l.send("POST", "/csp/gateway/am/api/auth/logout", body, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })
	if l.code != 200 || l.page != "" || l.cookies[sessionCookie] != "" {
		t.Errorf("got %d %q", l.code, l.page)
	}
	l.ended(h, true, true)
	l.open(accountPath).sees("login")
}

// TestEndsOfAPersonAreBounded, as those of a client are: nobody fills the memory of
// all guards with the ends of his own logins.
func TestEndsOfAPersonAreBounded(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	access, _, _ := b.tokens()
	for i := range endingLimit.atOnce {
		if err := h.mayEnd("", "example.com:ada", RevokeSession(fmt.Sprint(i), h.clock.Add(time.Hour))); err != nil {
			t.Fatalf("end %d: got %v", i, err)
		}
	}
	b.open(accountPath).sees("account")
	for _, form := range []filled{b.fill("logout"), b.fill("revoke", "id", "web acme")} {
		b.tab().submit(form).turnedDown(429, "too_many_attempts")
	}
	h.lives(t, access, true)
	other := h.browser().open(accountPath).logIn("two").sees("account")
	other.press("logout").sees("logged out")
	h.clock = h.clock.Add(endingLimit.each)
	b.press("logout").sees("logged out")
}
