package tokenexchange

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestNoOpenRedirect: until it is known where the client listens the person is
// shown what is wrong, and the browser goes nowhere; whatever else is wrong too.
func TestNoOpenRedirect(t *testing.T) {
	h := newHouse(t, logins)
	known := h.consenting("ada", "acme").allow()
	known.granted()
	for name, c := range map[string]struct {
		request []string
		reason  string
	}{
		"no client":                {[]string{"client_id", ""}, "parameter_missing"},
		"a client of no name":      {[]string{"client_id", "gone"}, "client_unknown"},
		"a client in another case": {[]string{"client_id", "WEB"}, "client_unknown"},
		"a client without codes":   {[]string{"client_id", "batch"}, "grant_not_allowed"},
		"no redirect_uri":          {[]string{"redirect_uri", ""}, "parameter_missing"},
		"another path":             {[]string{"redirect_uri", callback + "/"}, "redirect_uri_unregistered"},
		"a path below":             {[]string{"redirect_uri", callback + "/more"}, "redirect_uri_unregistered"},
		"a path beside":            {[]string{"redirect_uri", "https://web.example.com/x/../callback"}, "redirect_uri_unregistered"},
		"an encoded path":          {[]string{"redirect_uri", "https://web.example.com/%63allback"}, "redirect_uri_unregistered"},
		"with a query":             {[]string{"redirect_uri", callback + "?x=1"}, "redirect_uri_unregistered"},
		"with an empty query":      {[]string{"redirect_uri", callback + "?"}, "redirect_uri_unregistered"},
		"with a fragment":          {[]string{"redirect_uri", callback + "#x"}, "redirect_uri_unregistered"},
		"another case":             {[]string{"redirect_uri", strings.ToUpper(callback)}, "redirect_uri_unregistered"},
		"a host in another case":   {[]string{"redirect_uri", "https://Web.example.com/callback"}, "redirect_uri_unregistered"},
		"a user name":              {[]string{"redirect_uri", "https://web.example.com@evil.example/callback"}, "redirect_uri_unregistered"},
		"a user name in front":     {[]string{"redirect_uri", "https://x@web.example.com/callback"}, "redirect_uri_unregistered"},
		"a subdomain":              {[]string{"redirect_uri", "https://evil.web.example.com/callback"}, "redirect_uri_unregistered"},
		"a longer domain":          {[]string{"redirect_uri", "https://web.example.com.evil.example/callback"}, "redirect_uri_unregistered"},
		"a port":                   {[]string{"redirect_uri", "https://web.example.com:443/callback"}, "redirect_uri_unregistered"},
		"http":                     {[]string{"redirect_uri", "http://web.example.com/callback"}, "redirect_uri_unregistered"},
		"no scheme":                {[]string{"redirect_uri", "//web.example.com/callback"}, "redirect_uri_unregistered"},
		"a path alone":             {[]string{"redirect_uri", "/callback"}, "redirect_uri_unregistered"},
		"a backslash":              {[]string{"redirect_uri", `https://web.example.com\@evil.example/callback`}, "redirect_uri_unregistered"},
		"a blank behind":           {[]string{"redirect_uri", callback + " "}, "redirect_uri_unregistered"},
		"a line behind":            {[]string{"redirect_uri", callback + "\r\nSet-Cookie: x=y"}, "redirect_uri_unregistered"},
		"a script":                 {[]string{"redirect_uri", "javascript:alert(1)"}, "redirect_uri_unregistered"},
		"data":                     {[]string{"redirect_uri", "data:text/html,<script>alert(1)</script>"}, "redirect_uri_unregistered"},
		"another client's":         {[]string{"client_id", "phone"}, "redirect_uri_unregistered"},
		"loopback by name":         {[]string{"client_id", "phone", "redirect_uri", "http://localhost:1234/done"}, "redirect_uri_unregistered"},
		"loopback, another path":   {[]string{"client_id", "phone", "redirect_uri", "http://127.0.0.1:1234/other"}, "redirect_uri_unregistered"},
		"loopback, another host":   {[]string{"client_id", "phone", "redirect_uri", "http://127.0.0.1:80@evil.example/done"}, "redirect_uri_unregistered"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, more := range [][]string{nil, {"prompt", "none"}, {"response_type", "token"}, {"scope", "admin"}, {"state", strings.Repeat("s", maxState+1)}} {
				target := authorizeURL(append(more, c.request...)...)
				tab := known.tab()
				tab.t, h.t = t, t
				h.inert(func() { tab.open(target).turnedDown(400, c.reason).sees("failure") })
				h.inert(func() {
					tab.send(http.MethodPost, authorizePath, must(url.Parse(target)).RawQuery).turnedDown(400, c.reason).sees("failure")
				})
				if strings.Contains(tab.page, "evil") || strings.Contains(tab.page, "javascript:") {
					t.Errorf("the page shows it: %s", tab.text())
				}
			}
		})
	}
	h.t = t
	for _, twice := range []string{"redirect_uri", "client_id", "state"} {
		h.inert(func() { known.open(authorizeURL()+"&"+twice+"=x").turnedDown(400, "parameter_repeated") })
	}
	b := h.browser().open(authorizeURL("client_id", "phone", "redirect_uri", "http://127.0.0.1:49152/done")).logIn("ada").choose("acme").allow()
	if !strings.HasPrefix(b.at, "http://127.0.0.1:49152/done?code=") {
		t.Errorf("loopback with a port: got %d at %s", b.code, b.at)
	}
}

// TestNamesAreText on every page, whoever made them up.
func TestNamesAreText(t *testing.T) {
	const evil = `<script>alert(1)</script>`
	h := newHouse(t, logins)
	h.withUsers(strings.NewReplacer(`"id":"beta"`, `"id":"beta","name":"`+evil+`"`, `"username":"two"`, `"username":"two`+evil+`"`).Replace(baseUsers), func(c *Config) {
		c.client("web").DisplayName = evil
	})
	b := h.browser()
	for _, page := range []func(){
		func() { b.open(authorizeURL("login_hint", evil, "state", evil, "ui_locales", evil)).sees("login") },
		func() { b.press("login", "username", evil, "password", "wrong").sees("login") },
		func() { b.logIn("two" + evil).sees("organization") },
		func() { b.choose("beta").sees("consent") },
		func() { b.allow().answers(evil) },
		func() { b.open(accountPath+"?ui_locales="+url.QueryEscape(evil), asDevice(evil)).sees("account") },
		func() { b.open(logoutPath + "?client_id=web&state=" + url.QueryEscape(evil)).sees("logout") },
		func() { b.open(authorizeURL("redirect_uri", evil, "client_id", evil)).sees("failure") },
		func() { b.open(authorizePath + "?transaction=" + url.QueryEscape(evil)).sees("failure") },
	} {
		page()
		if strings.Contains(b.page, "<script") || strings.Contains(b.page, evil) {
			t.Errorf("%s: got %s", b.at, b.text())
		}
		if policy := b.header.Get("Content-Security-Policy"); b.page != "" && (!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script") || !strings.Contains(policy, "frame-ancestors 'none'")) {
			t.Errorf("%s: got the policy %q", b.at, policy)
		}
	}
}

// TestWhereAFormOfALoginLeads, by a redirect of ours and those of the application
// after it: to where the answer goes and where its client lets people be sent to,
// and not to another redirect URI, another client's, or all of the web.
func TestWhereAFormOfALoginLeads(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) {
		web, phone, legacy := c.client("web"), c.client("phone"), c.client("legacy")
		web.RedirectURIs = append(web.RedirectURIs, "https://tenant.example.org/callback")
		web.PostLogoutRedirectURIs = []string{"https://home.example.com/bye", callback, "http://[::1]:8000/bye"}
		phone.RedirectURIs = append(phone.RedirectURIs, "http://[::1]/done", "com.example.phone:/done")
		phone.PostLogoutRedirectURIs = []string{"com.example.phone:/bye"}
		legacy.PostLogoutRedirectURIs = []string{"https://legacy.example.com/"}
	})
	for _, c := range []struct{ client, uri, want string }{
		{"web", callback, "'self' https://web.example.com https://home.example.com"},
		{"web", "https://tenant.example.org/callback", "'self' https://tenant.example.org https://home.example.com https://web.example.com"},
		{"phone", "http://127.0.0.1:49152/done", "'self' http://127.0.0.1:49152 com.example.phone:"},
		{"phone", "http://[::1]:49152/done", "'self' http: com.example.phone:"},
		{"phone", "com.example.phone:/done", "'self' com.example.phone:"},
	} {
		b := h.browser()
		leads := func(page, want string) {
			t.Helper()
			b.sees(page)
			_, policy, _ := strings.Cut(b.header.Get("Content-Security-Policy"), "; form-action ")
			if got, _, _ := strings.Cut(policy, ";"); got != want {
				t.Errorf("%s at %s, the page %s: got form-action %s, want %s", c.client, c.uri, page, got, want)
			}
		}
		b.open(authorizeURL("client_id", c.client, "redirect_uri", c.uri))
		leads("login", c.want)
		b.logIn("ada")
		leads("organization", c.want)
		b.choose("acme")
		leads("consent", c.want)
		b.open(accountPath)
		leads("account", "'self'")
		b.open(logoutPath + "?client_id=" + c.client)
		leads("logout", "'self'")
		b.open(authorizeURL("client_id", c.client, "redirect_uri", c.uri+"/"))
		leads("failure", "'self'")
	}
}

// answers holds an answer with another state.
func (b *browser) answers(state string) {
	b.t.Helper()
	u, err := url.Parse(b.at)
	if b.code != 303 || err != nil || u.Query().Get("state") != state || u.Query().Get("code") == "" || strings.ContainsAny(b.at, "<>") {
		b.t.Errorf("got %d to %s", b.code, b.at)
	}
}

// TestLoginHintIsFilledIn, as text and nothing else.
func TestLoginHintIsFilledIn(t *testing.T) {
	h := newHouse(t, logins)
	for _, hint := range []string{"ada", `"><script>alert(1)</script>`, "a\r\nSet-Cookie: x=y", "{{.Form}}", "\u202eada"} {
		b := h.browser().open(authorizeURL("login_hint", hint, "ui_locales", `de "><script>`)).sees("login")
		if strings.Contains(b.page, "<script") || !strings.Contains(b.page, `name="username" value="`) {
			t.Errorf("%q: got %s", hint, b.page)
		}
		if len(b.header.Values("Set-Cookie")) > 1 {
			t.Errorf("%q: got the cookies %q", hint, b.header.Values("Set-Cookie"))
		}
	}
}

// TestStateComesBack byte by byte, in answers of both kinds, and breaks out of nothing.
func TestStateComesBack(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	b.granted()
	for _, state := range []string{"s", "a&b=c#d", "a\r\nLocation: https://evil.example/", `"><script>`, "é\u202e", "a+b c%20d", strings.Repeat("s", maxState), "\x00"} {
		for _, more := range [][]string{nil, {"prompt", "none", "orgId", "beta"}, {"response_type", "token"}, {"scope", "admin"}} {
			b.open(authorizeURL(append([]string{"state", state}, more...)...))
			to := b.header.Get("Location")
			if b.code != 303 || !strings.HasPrefix(to, callback+"?") || strings.ContainsAny(to, "\r\n\x00 \"<>") {
				t.Fatalf("state %q, %q: got %d to %q", state, more, b.code, to)
			}
			u, err := url.Parse(to)
			if err != nil || u.Query().Get("state") != state || u.Query().Get("iss") != issuer || u.Fragment != "" {
				t.Errorf("state %q, %q: got it back in %q", state, more, to)
			}
			if names := slices.Sorted(maps.Keys(u.Query())); u.Query().Has("code") == u.Query().Has("error") {
				t.Errorf("got %q", names)
			}
		}
	}
	b.open(authorizeURL("state", strings.Repeat("s", maxState+1)))
	if u, err := url.Parse(b.at); err != nil || u.Query().Get("error") != "invalid_request" || u.Query().Has("state") {
		t.Errorf("a state beyond its bound: got %s", b.at)
	}
}

// TestRecordsOfALogin holds the audit records to what happened: a page that was
// shown is no code that was issued.
func TestRecordsOfALogin(t *testing.T) {
	b := newHouse(t, logins).browser()
	var got []string
	for _, step := range []func(){
		func() { b.open(authorizeURL()) },
		func() { b.logIn("ada") },
		func() { b.press("organization", "organization", "acme") },
		func() { b.press("consent", "scope", "profile") },
	} {
		step()
		for _, record := range b.records {
			got = append(got, strings.TrimSpace(fmt.Sprint(record["grant"], " ", record["cause"])))
		}
	}
	want := []string{
		"<nil> no code yet: a login begins", "<nil> no code yet: the person is asked to log in",
		"<nil> no code yet: a step was done", "<nil> no code yet: the person is asked for an organization",
		"<nil> no code yet: a step was done", "<nil> no code yet: the person is asked for consent",
		"<nil> no code yet: a step was done", "authorization_code <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whoever registers an address reads in the log what was asked for, and nothing
// that could be a secret.
func TestUnregisteredAddressInTheLog(t *testing.T) {
	h := newHouse(t, logins)
	for uri, want := range map[string]string{
		callback + "/":                `client web has no redirect_uri "https://web.example.com/callback/"`,
		"https:ada:word@evil.example": `client web has no redirect_uri "https:evil.example (and a user name, a query or a fragment)"`,
		// What differs is in sight.
		callback + "#": `client web has no redirect_uri "https://web.example.com/callback (and a user name, a query or a fragment)"`,
		"HTTPS" + strings.TrimPrefix(callback, "https"): `client web has no redirect_uri "HTTPS://web.example.com/callback"`,
		"https://ada:word@evil.example/c?code=letter#x": `client web has no redirect_uri "https://evil.example/c (and a user name, a query or a fragment)"`,
		"app:word\x1b[31m":                                  "client web has no redirect_uri (no URI)",
		"app:\u202eword":                                    `client web has no redirect_uri "app:\u202eword"`,
		"https://evil.example/%0d%0aword":                   `client web has no redirect_uri "https://evil.example/%0d%0aword"`,
		"https://evil.example/" + strings.Repeat("w", 4000): `client web has no redirect_uri "https://evil.example/` + strings.Repeat("w", 179) + `"`,
	} {
		b := h.browser().open(authorizeURL("redirect_uri", uri)).turnedDown(400, "redirect_uri_unregistered")
		if got := b.record()["cause"]; got != want {
			t.Errorf("got the cause %q, want %q", got, want)
		}
	}
}
