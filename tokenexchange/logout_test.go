package tokenexchange

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	bye     = "https://web.example.com/bye"
	byeMore = "https://web.example.com:8443/bye?from=shop&x=1"
	byeApp  = "com.example.app:/bye"
)

// leavers is the configuration of all logins, with places to go afterwards.
func leavers(c *Config) {
	logins(c)
	web, phone := c.client("web"), c.client("phone")
	web.PostLogoutRedirectURIs, web.DisplayName = []string{bye, byeMore}, `Web "Shop" <b>& more</b>`
	phone.PostLogoutRedirectURIs = []string{byeApp}
	phone.RefreshTokenValidity = Duration(72 * time.Hour)
}

// hint logs ada in, online, and returns the answer and its id token.
func (h *house) hint(kv ...string) (got, string) {
	h.t.Helper()
	g := h.login(replaced([]string{"scope", "openid orders"}, kv...)...)
	id, _ := g.body["id_token"].(string)
	return g, id
}

// leave sends a logout as a program does, or as a browser with these headers.
func (h *house) leave(headers map[string]string, kv ...string) got {
	h.t.Helper()
	r := form(pairs(kv...))
	r.URL.Path = "/oauth2/logout"
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return h.do(r)
}

// visit follows a link to the logout.
func (h *house) visit(kv ...string) got {
	h.t.Helper()
	return h.do(httptest.NewRequest("GET", "/oauth2/logout?"+pairs(kv...), nil))
}

// styleOf finds the one style that the policy of a page lets it have.
var styleOf = regexp.MustCompile(`(?s)<style>(.*?)</style>`)

// TestLogoutSpeaksTheLanguageOfTheClient asks and answers in one language, whatever
// the browser prefers.
func TestLogoutSpeaksTheLanguageOfTheClient(t *testing.T) {
	h := newHouse(t, leavers)
	_, id := h.hint()
	asked := h.visit("id_token_hint", id, "ui_locales", `de-AT <b>"`)
	ended := h.leave(ownSite, asked.fields(t)...)
	for name, g := range map[string]got{"asked": asked, "ended": ended} {
		if g.status != 200 || !strings.Contains(g.raw, `<html lang="de" `) || strings.Contains(g.raw, `<b>"`) {
			t.Errorf("%s: got %d %s, want a page in German", name, g.status, g.raw)
		}
	}
}

// page holds a page against what all pages have in common.
func (g got) page(t testing.TB, title, formAction string) {
	t.Helper()
	if g.status != 200 || !strings.Contains(g.raw, "<title>"+title+"</title>") {
		t.Fatalf("got %d %s, want the page %q", g.status, g.raw, title)
	}
	style := styleOf.FindStringSubmatch(g.raw)
	if style == nil {
		t.Fatalf("the page has no style: %s", g.raw)
	}
	sum := sha256.Sum256([]byte(style[1]))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action " + formAction + "; base-uri 'none'; frame-ancestors 'none'"
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Security-Policy": policy,
	} {
		if got := g.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, no := range []string{"<script", "<b>", "javascript:", " on", "http-equiv", "<a "} {
		if strings.Contains(strings.ReplaceAll(g.raw, "content=", ""), no) {
			t.Errorf("the page has %q: %s", no, g.raw)
		}
	}
	if !strings.Contains(g.raw, `of <bdi>Web &#34;Shop&#34; &lt;b&gt;&amp; more&lt;/b&gt;</bdi>`) {
		t.Errorf("the page does not name the application: %s", g.raw)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields returns what the button of a page sends, and where.
func (g got) fields(t testing.TB) (kv []string) {
	t.Helper()
	if !strings.Contains(g.raw, `<form method="post" action="/oauth2/logout">`) || strings.Count(g.raw, "<form") != 1 {
		t.Fatalf("the page has not its one form: %s", g.raw)
	}
	for _, m := range hidden.FindAllStringSubmatch(g.raw, -1) {
		kv = append(kv, html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return kv
}

var ownSite = map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://example.com"}

// TestLogoutByTheButton walks as a user does: a link of the application, the
// page, the button, and on to where the application wants the user.
func TestLogoutByTheButton(t *testing.T) {
	for name, c := range map[string]struct{ uri, state, formAction, next string }{
		"nowhere":               {"", "", "'self'", ""},
		"nowhere, with a state": {"", "s", "'self'", ""},
		"somewhere":             {bye, "", "'self' https://web.example.com", bye},
		"with a state":          {bye, `a&b="<é>#`, "'self' https://web.example.com", bye + "?state=" + url.QueryEscape(`a&b="<é>#`)},
		"with a query":          {byeMore, "1&x=2 3", "'self' https://web.example.com:8443", byeMore + "&state=1%26x%3D2+3"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, leavers)
			login, id := h.hint()
			access, refresh := login.tokens(t)
			g := h.visit("id_token_hint", id, "post_logout_redirect_uri", c.uri, "state", c.state, "client_id", "web", "ui_locales", "fr en", "logout_hint", "ada")
			g.page(t, "Log out", c.formAction)
			h.lives(t, access, true) // Nobody was asked yet.
			g = h.leave(ownSite, g.fields(t)...)
			if c.next == "" {
				g.page(t, "Logged out", "'self'")
			} else if g.status != 303 || g.header.Get("Location") != c.next || g.header.Get("Cache-Control") != "no-store" || g.header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("got %d with the headers %v, want 303 to %s", g.status, g.header, c.next)
			}
			if r := g.record; r["allowed"] != true || r["endpoint"] != "logout" || r["client_id"] != "web" || r["sub"] != "example.com:ada" || r["org"] != "acme" || r["cause"] != nil {
				t.Errorf("got the record %v", r)
			}
			h.lives(t, access, false)
			h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
		})
	}
}

// TestLogoutByAProgram needs no button: it is no browser.
func TestLogoutByAProgram(t *testing.T) {
	for name, c := range map[string]struct {
		member, path string
		json         bool
		more         []string
		status       int
		body         string
	}{
		"a form":            {"id_token_hint", "/oauth2/logout", false, nil, 200, "Logged out"},
		"CSP, JSON":         {"idToken", "/csp/gateway/am/api/auth/logout", true, nil, 200, ""},
		"standard, JSON":    {"id_token_hint", "/oauth2/logout", true, nil, 200, ""},
		"JSON, and then on": {"idToken", "/csp/gateway/am/api/auth/logout", true, []string{"post_logout_redirect_uri", bye}, 303, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, leavers)
			login, id := h.hint()
			access, _ := login.tokens(t)
			kv := append([]string{c.member, id}, c.more...)
			r := form(pairs(kv...))
			if c.json {
				body := map[string]string{}
				for i := 0; i < len(kv); i += 2 {
					body[kv[i]] = kv[i+1]
				}
				r = form(string(must(json.Marshal(body))))
				r.Header.Set("Content-Type", "application/json")
			}
			r.URL.Path = c.path
			g := h.do(r)
			if g.status != c.status || (c.body == "") != (g.raw == "") || !strings.Contains(g.raw, c.body) {
				t.Errorf("got %d %q, want %d and %q", g.status, g.raw, c.status, c.body)
			}
			h.lives(t, access, false)
		})
	}
	h := newHouse(t, leavers)
	if g := h.do(httptest.NewRequest("GET", "/csp/gateway/am/api/auth/logout", nil)); g.status != 405 || g.header.Get("Allow") != "POST" {
		t.Errorf("GET under the CSP name: got %d and Allow %q", g.status, g.header.Get("Allow"))
	}
}

// TestLogoutFromOtherSites has browsers that another site sent with a POST: they
// TestLogoutIsRefused has what ends nothing and sends nobody anywhere, by GET and
// by POST.
func TestLogoutIsRefused(t *testing.T) {
	h := everyGrant(t)
	change := func(c *Config) {
		delegates(c)
		leavers(c)
		web, batch := c.client("web"), c.client("batch")
		web.Allow = append(web.Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}, To: []string{"web"}})
		batch.TargetAudiences = append(batch.TargetAudiences, "web")
	}
	h.Server = h.reload(h.caches, change)
	login, id := h.hint()
	access, _ := login.tokens(t)
	claims := claimsOf(t, id)
	sentOn, _ := h.token("batch", "grant_type", "audience_exchange", "subject_token", id, "subject_token_type", idURN, "target_audience", "web").body["id_token"].(string)
	with := func(typ string, change map[string]any) string { return forge(typ, claims, change) }
	if h.leave(ownSite, "id_token_hint", with("JWT", map[string]any{"sid": "another"})).status != 200 {
		t.Fatal("what the table forges is not what would be good")
	}
	for name, c := range map[string]struct {
		kv     []string
		reason string
	}{
		"nothing":                       {nil, "parameter_missing"},
		"a client alone":                {[]string{"client_id", "web", "post_logout_redirect_uri", bye}, "parameter_missing"},
		"an access token":               {[]string{"id_token_hint", access}, "id_token_hint_invalid"},
		"an access token as idToken":    {[]string{"idToken", access}, "id_token_hint_invalid"},
		"an access token for itself":    {[]string{"id_token_hint", with("at+jwt", map[string]any{"client_id": "web"})}, "id_token_hint_invalid"},
		"no token":                      {[]string{"id_token_hint", "something"}, "id_token_hint_invalid"},
		"another issuer's":              {[]string{"id_token_hint", with("JWT", map[string]any{"iss": "https://other.example.com"})}, "id_token_hint_invalid"},
		"another key's":                 {[]string{"id_token_hint", resigned(with("JWT", nil))}, "id_token_hint_invalid"},
		"of a client that is gone":      {[]string{"id_token_hint", with("JWT", map[string]any{"aud": "gone", "azp": "gone"})}, "id_token_hint_invalid"},
		"of no login":                   {[]string{"id_token_hint", with("JWT", map[string]any{"sid": nil})}, "id_token_hint_invalid"},
		"for two":                       {[]string{"id_token_hint", with("JWT", map[string]any{"aud": []string{"web", "phone"}})}, "id_token_hint_invalid"},
		"sent on to somebody":           {[]string{"id_token_hint", with("JWT", map[string]any{"aud": "phone"})}, "id_token_hint_invalid"},
		"exchanged":                     {[]string{"id_token_hint", secret("an id token", sentOn)}, "id_token_hint_invalid"},
		"exchanged by its own client":   {[]string{"id_token_hint", with("JWT", map[string]any{"via": []string{"web"}})}, "id_token_hint_invalid"},
		"made of another token":         {[]string{"id_token_hint", with("JWT", map[string]any{"root_jti": "R", "root_iat": start.Unix()})}, "id_token_hint_invalid"},
		"two spellings":                 {[]string{"id_token_hint", id, "idToken", access}, "parameter_conflict"},
		"twice":                         {[]string{"id_token_hint", id, "id_token_hint", id}, "parameter_repeated"},
		"of another client than it say": {[]string{"id_token_hint", id, "client_id", "phone"}, "parameter_invalid"},
		"a state beyond its bound":      {[]string{"id_token_hint", id, "state", strings.Repeat("s", maxState+1)}, "parameter_invalid"},
		"to another site":               {[]string{"id_token_hint", id, "post_logout_redirect_uri", "https://evil.example/bye"}, "post_logout_redirect_uri_mismatch"},
		"to another path":               {[]string{"id_token_hint", id, "post_logout_redirect_uri", bye + "/"}, "post_logout_redirect_uri_mismatch"},
		"with more of a query":          {[]string{"id_token_hint", id, "post_logout_redirect_uri", bye + "?x=1"}, "post_logout_redirect_uri_mismatch"},
		"with a user name":              {[]string{"id_token_hint", id, "post_logout_redirect_uri", "https://web.example.com@evil.example/bye"}, "post_logout_redirect_uri_mismatch"},
		"in another case":               {[]string{"id_token_hint", id, "post_logout_redirect_uri", strings.ToUpper(bye)}, "post_logout_redirect_uri_mismatch"},
		"where codes go":                {[]string{"id_token_hint", id, "post_logout_redirect_uri", callback}, "post_logout_redirect_uri_mismatch"},
		"where another client goes":     {[]string{"id_token_hint", id, "post_logout_redirect_uri", byeApp}, "post_logout_redirect_uri_mismatch"},
		"to a script":                   {[]string{"id_token_hint", id, "post_logout_redirect_uri", "javascript:alert(1)"}, "post_logout_redirect_uri_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, g := range []got{h.visit(c.kv...), h.leave(ownSite, c.kv...), h.leave(nil, c.kv...)} {
				g.refused(t, 400, "invalid_request", c.reason)
				if g.header.Get("Location") != "" {
					t.Errorf("sent to %s", g.header.Get("Location"))
				}
			}
		})
	}
	r := form(pairs("id_token_hint", id))
	r.URL.Path, r.URL.RawQuery = "/oauth2/logout", "id_token_hint="+id
	h.do(r).refused(t, 400, "invalid_request", "query_parameters")
	h.do(httptest.NewRequest("GET", "/oauth2/logout?id_token_hint=%zz", nil)).refused(t, 400, "invalid_request", "body_malformed")
	h.do(httptest.NewRequest("GET", "/oauth2/logout?x="+strings.Repeat("x", maxBody), nil)).refused(t, 400, "invalid_request", "body_too_large")
	if g := h.do(httptest.NewRequest("PUT", "/oauth2/logout", nil)); g.status != 405 || g.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: got %d and Allow %q", g.status, g.header.Get("Allow"))
	}
	h.lives(t, access, true)
}

// TestLogoutLater takes an id token that has expired, a login that has ended, and
// a doubled slash, which must not become the host that the button sends to.
func TestLogoutLater(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	_, refresh := login.tokens(t)
	h.clock = h.clock.Add(23 * time.Hour)
	access, refresh := h.refresh("web", refresh).tokens(t)
	g := h.do(httptest.NewRequest("GET", "http://example.com//oauth2/logout?"+pairs("id_token_hint", id), nil))
	g.page(t, "Log out", "'self'")
	for range 2 {
		h.leave(ownSite, g.fields(t)...).page(t, "Logged out", "'self'")
	}
	h.lives(t, access, false)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// TestLogoutPolicies lets a form go on only to what is registered, and says of a
