package tokenexchange

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// browsers gives the public client phone redirect URIs of applications in
// browsers, and web, which has a secret, one too.
func browsers(c *Config) {
	logins(c)
	c.client("phone").RedirectURIs = []string{
		"https://app.example.com/callback", "https://App2.Example.com:443/a?b=c", "https://app3.example.com:8443/",
		"http://127.0.0.1/done", "com.example.app:/callback",
	}
}

// classes says of each endpoint whose scripts may read it.
var classes = map[string][]string{
	"*": {
		"/oauth2/jwks", "/csp/gateway/am/api/auth/keys", publicKeyPath, "/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server", "/csp/gateway/am/api/auth/.well-known/openid-configuration",
	},
	"apps": {
		"/oauth2/token", "/csp/gateway/am/api/auth/token", "/csp/gateway/am/api/auth/authorize", "/oauth2/par",
		"/oauth2/revoke", "/csp/gateway/am/api/auth/revoke", "/oauth2/userinfo", "/csp/gateway/am/api/userinfo",
	},
}

func TestCrossOrigin(t *testing.T) {
	h := newHouse(t, browsers)
	origins := map[string]bool{
		"https://app.example.com": true, "https://app2.example.com": true, "https://app3.example.com:8443": true,
		"https://app3.example.com": false, "https://app2.example.com:443": false, "https://APP.example.com": false,
		"http://app.example.com": false, "https://web.example.com": false, "https://evil.example": false, "http://127.0.0.1": false,
		"https://app.example.com.evil.example": false, "https://app.example.com/": false, "null": false, "": false,
		"com.example.app://": false, "https://": false, "*": false,
	}
	for path, e := range endpoints {
		class := "none"
		for name, paths := range classes {
			if slices.Contains(paths, path) {
				class = name
			}
		}
		for origin, app := range origins {
			allowed := ""
			switch {
			case class == "*":
				allowed = "*"
			case class == "apps" && app:
				allowed = origin
			}
			// All of these are refused or bare requests: an error is an answer too.
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS"} {
				r := httptest.NewRequest(method, path, nil)
				r.Header.Set("Origin", origin)
				g := h.do(r)
				checkOrigin(t, method+" "+path+" from "+origin, g.header, allowed, class == "apps")
				if method == "OPTIONS" || !slices.Contains(e.methods, method) {
					if g.status != 405 || g.header.Get("Allow") != strings.Join(e.methods, ", ") {
						t.Errorf("%s %s: got %d, Allow %q", method, path, g.status, g.header.Get("Allow"))
					}
				}
			}
			r := httptest.NewRequest("OPTIONS", path, nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "authorization, x-secret")
			g := h.do(r)
			checkOrigin(t, "preflight of "+path+" from "+origin, g.header, allowed, class == "apps")
			// A preflight without an origin is none.
			if preflight := allowed != "" && origin != ""; !preflight {
				if g.status != 405 || g.header.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("preflight of %s from %q: got %d %v, want 405", path, origin, g.status, g.header)
				}
			} else if g.status != 204 || g.raw != "" || g.record != nil ||
				g.header.Get("Access-Control-Allow-Methods") != strings.Join(e.methods, ", ") ||
				g.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" {
				t.Errorf("preflight of %s from %s: got %d %v", path, origin, g.status, g.header)
			}
		}
	}
}

func checkOrigin(t *testing.T, what string, h http.Header, allowed string, varies bool) {
	t.Helper()
	if got := h.Values("Access-Control-Allow-Origin"); len(got) > 1 || h.Get("Access-Control-Allow-Origin") != allowed {
		t.Errorf("%s: got Access-Control-Allow-Origin %q, want %q", what, got, allowed)
	}
	if (h.Get("Access-Control-Expose-Headers") != "") != (allowed != "") {
		t.Errorf("%s: got Access-Control-Expose-Headers %q", what, h.Get("Access-Control-Expose-Headers"))
	}
	if slices.Contains(h.Values("Vary"), "Origin") != varies {
		t.Errorf("%s: got Vary %q", what, h.Values("Vary"))
	}
	if got := h.Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("%s: got Access-Control-Allow-Credentials %q, want it never", what, got)
	}
}

// CORS is the browser's matter: a request is answered as any other, and a browser
// application can read what was wrong.
func TestCrossOriginAnswers(t *testing.T) {
	h := newHouse(t, browsers)
	ask := func(origin ...string) got {
		r := form(pairs("grant_type", "client_credentials"))
		r.SetBasicAuth("nightly", secretOf("nightly"))
		r.Header["Origin"] = origin
		return h.do(r)
	}
	for _, origin := range [][]string{nil, {"https://evil.example"}, {"https://app.example.com", "https://evil.example"}, {"https://app.example.com"}} {
		g := ask(origin...)
		g.granted(t)
		allowed := ""
		if len(origin) == 1 && origin[0] == "https://app.example.com" {
			allowed = origin[0]
		}
		checkOrigin(t, strings.Join(origin, " and "), g.header, allowed, true)
	}
	r := form("grant_type=client_credentials&client_id=phone")
	r.Header.Set("Origin", "https://app.example.com")
	g := h.do(r)
	g.refused(t, 400, "unauthorized_client", "grant_not_allowed")
	checkOrigin(t, "an error", g.header, "https://app.example.com", true)
	r = bearer("GET", "/oauth2/userinfo", "x")
	r.Header.Set("Origin", "https://app.example.com")
	g = h.do(r)
	checkOrigin(t, "a bearer error", g.header, "https://app.example.com", true)
	g.toBearer(t, 401, "invalid_token", "token_malformed", `Bearer error="invalid_token"`)
	// So can it that the server is not ready.
	r = form("grant_type=x")
	r.Header.Set("Origin", "https://app.example.com")
	for realm, allowed := range map[*Realm]string{nil: "", h.realm: "https://app.example.com"} {
		w := httptest.NewRecorder()
		if ServeNotReady(w, r, realm, h.log); w.Code != 503 {
			t.Errorf("got %d, want 503", w.Code)
		}
		checkOrigin(t, "not ready", w.Header(), allowed, true)
	}
	// A client with a secret is no application in a browser.
	h = newHouse(t, logins)
	if len(h.realm.appOrigins) != 0 {
		t.Errorf("got the origins %v of clients with secrets and of loopback", h.realm.appOrigins)
	}
}

// Preflights bring neither token nor body, and are not confused with requests.
func TestPreflightsOfEndpoints(t *testing.T) {
	h := newHouse(t, browsers)
	for name, change := range map[string]func(*http.Request){
		"no method asked for": func(r *http.Request) { r.Header.Del("Access-Control-Request-Method") },
		"no method at all":    func(r *http.Request) { r.Header.Set("Access-Control-Request-Method", "a b") },
		"two methods":         func(r *http.Request) { r.Header.Add("Access-Control-Request-Method", "GET") },
		"no origin":           func(r *http.Request) { r.Header.Del("Origin") },
		"two origins":         func(r *http.Request) { r.Header.Add("Origin", "https://app2.example.com") },
		"a body":              func(r *http.Request) { r.ContentLength = 3 },
		"a POST":              func(r *http.Request) { r.Method = "POST" },
	} {
		r := httptest.NewRequest("OPTIONS", "/oauth2/token", nil)
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", "POST")
		change(r)
		if g := h.do(r); g.status == 204 || g.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: got %d %v, want no answer to a preflight", name, g.status, g.header)
		}
	}
}
