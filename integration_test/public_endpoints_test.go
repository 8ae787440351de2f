package integration_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	appOrigin    = "https://app.example.com"
	resourcePath = "/.well-known/oauth-protected-resource"
)

// startPublic runs shopIssuer with a client whose application runs in browsers.
func startPublic(t *testing.T) *guarded {
	t.Helper()
	const app = `client spa {
			public
			grant_types authorization_code password
			redirect_uri https://app.example.com/callback
			scope openid profile
			permit shop/orders.read orders/**
			id_token_alg ES256
		}
		client teller {`
	issuer := strings.NewReplacer("client teller {", app, "grant_types audience_exchange\n", "grant_types audience_exchange\n\t\t\tid_token_alg ES256\n",
		"grant_types client_credentials audience_exchange\n", "grant_types client_credentials audience_exchange\n\t\t\tid_token_alg ES256\n").Replace(shopIssuer)
	return startGuardedConfig(t, Config{Caddyfile: issuer})
}

// spaToken logs alice in from the application.
func (g *guarded) spaToken(scope string) string {
	g.t.Helper()
	r := g.NewRequest(http.MethodPost, "auth", "/oauth2/token",
		"grant_type=password&client_id=spa&username=alice&password="+password+"&scope="+scope,
		"Content-Type: application/x-www-form-urlencoded", "Origin: "+appOrigin)
	got := g.Do(r)
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil || body.Token == "" || got.Header.Get("Access-Control-Allow-Origin") != appOrigin {
		g.t.Fatalf("got %d %s %v, want a token that the application can read", got.Status, got.Body, got.Header)
	}
	return body.Token
}

// What a browser application does, with what a browser sends by itself.
func TestBrowserApplication(t *testing.T) {
	t.Parallel()
	g := startPublic(t)
	token := g.spaToken("openid+profile")
	const asking = "Access-Control-Request-Method: GET\nAccess-Control-Request-Headers: authorization"
	for _, path := range []string{"/oauth2/userinfo", "//csp/gateway/am/api/userinfo"} {
		preflight := Exchange(t, g.Addr("auth"), raw("OPTIONS", path, "Origin: "+appOrigin, asking))
		if preflight.Status != 204 || preflight.Header.Get("Access-Control-Allow-Origin") != appOrigin ||
			preflight.Header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" || preflight.Body != "" {
			t.Errorf("%s: got %d %v to a preflight", path, preflight.Status, preflight.Header)
		}
		got := g.Get("auth", path, bearer(token), "Origin: "+appOrigin)
		if got.Status != 200 || !strings.Contains(got.Body, `"sub":"example.com:alice"`) || !strings.Contains(got.Body, `"preferred_username":"alice"`) ||
			got.Header.Get("Access-Control-Allow-Origin") != appOrigin || got.Header.Get("Vary") != "Origin" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s %v", path, got.Status, got.Body, got.Header)
		}
		head := Exchange(t, g.Addr("auth"), raw("HEAD", path, bearer(token)))
		if head.Status != 200 || head.Body != "" {
			t.Errorf("HEAD %s: got %d %q", path, head.Status, head.Body)
		}
	}
	for name, request := range map[string]string{
		"another origin":     raw("OPTIONS", "/oauth2/userinfo", "Origin: https://evil.example", asking),
		"no preflight":       raw("OPTIONS", "/oauth2/userinfo", "Origin: "+appOrigin),
		"of nobody":          raw("OPTIONS", "/oauth2/introspect", "Origin: "+appOrigin, asking),
		"the server itself":  raw("PUT", "/oauth2/userinfo", bearer(token)),
		"with a cookie":      raw("DELETE", "/oauth2/userinfo", "Cookie: a=b", "Origin: "+appOrigin),
		"organizations":      raw("POST", "/csp/gateway/am/api/orgs/acme", bearer(token)),
		"the key, for all":   raw("DELETE", "/csp/gateway/am/api/auth/token-public-key"),
		"a preflight's body": raw("OPTIONS", "/oauth2/userinfo", "Origin: "+appOrigin, asking, "Content-Length: 1") + "x",
	} {
		if got := Exchange(t, g.Addr("auth"), request); got.Status != 405 || got.Header.Get("Allow") == "" || got.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: got %d %v, want 405", name, got.Status, got.Header)
		}
	}
	refused := g.Get("auth", "/oauth2/userinfo", bearer(g.spaToken("profile")), "Origin: "+appOrigin)
	if refused.Status != 403 || refused.Header.Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="openid"` ||
		refused.Header.Get("Access-Control-Allow-Origin") != appOrigin || !strings.Contains(refused.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("without openid: got %d %s %v", refused.Status, refused.Body, refused.Header)
	}
	for path, want := range map[string]int{"acme": 200, "other": 404, "acme%2Fx": 0, "acme/": 0, "%2e%2e": 404} {
		got := g.Get("auth", "/csp/gateway/am/api/orgs/"+path, bearer(token))
		if want == 0 { // No endpoint: nothing of this site answers it, and Caddy does with nothing.
			if got.Body != "" {
				t.Errorf("orgs/%s: got %d %s", path, got.Status, got.Body)
			}
			continue
		}
		if got.Status != want || want == 200 && got.Body != `{"id":"acme","name":"acme","displayName":"acme"}`+"\n" {
			t.Errorf("orgs/%s: got %d %s, want %d", path, got.Status, got.Body, want)
		}
	}
	if got := g.Get("auth", "/csp/gateway/am/api/auth/token-public-key?format=jwks", "Origin: https://anybody.example"); got.Status != 200 ||
		got.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.Body, `"kid":"`+g.key.kid+`"`) {
		t.Errorf("public key: got %d %s %v", got.Status, got.Body, got.Header)
	}
}

// A client that knows the URL of an API alone finds who issues its tokens, and
// the API itself hears nothing of it.
func TestProtectedResource(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	const want = `"resource":"https://shop.example.com"`
	challenge := Exchange(t, g.Addr("shop"), "GET /orders/1 HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: evil.example\n\n")
	if got := challenge.Header.Get("WWW-Authenticate"); got != `Bearer resource_metadata="https://shop.example.com`+resourcePath+`"` {
		t.Errorf("got the challenge %s", got)
	}
	for _, site := range []string{"shop", "csp"} {
		for target, status := range map[string]int{
			resourcePath: 200, resourcePath + "?x=1": 200, "/.well-known/oauth%2Dprotected-resource": 200,
			resourcePath + "/": 404, resourcePath + "/shop": 404, resourcePath + "/../../orders/1": 404, resourcePath + "/..%2f..%2forders": 404,
		} {
			for _, host := range []string{"shop.example.com", "evil.example"} {
				got := Exchange(t, g.Addr(site), "GET "+target+" HTTP/1.1\nHost: "+host+"\nOrigin: https://any.example\n\n")
				if got.Status != status || (status == 200) != strings.Contains(got.Body, want) || strings.Contains(got.Body, "evil") ||
					got.Header.Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("%s %s: got %d %s %v, want %d", site, target, got.Status, got.Body, got.Header, status)
				}
			}
		}
		for _, request := range []string{raw("POST", resourcePath, "Content-Length: 0"), raw("BREW", resourcePath), raw("OPTIONS", resourcePath)} {
			if got := Exchange(t, g.Addr(site), request); got.Status != 405 {
				t.Errorf("%s: got %d, want 405", request, got.Status)
			}
		}
	}
	if n := g.seen(); n != 0 {
		t.Errorf("the upstream got %d bytes", n)
	}
	var document struct {
		Servers []string `json:"authorization_servers"`
	}
	body := g.Get("shop", resourcePath).Body
	if err := json.Unmarshal([]byte(body), &document); err != nil || len(document.Servers) != 1 {
		t.Fatalf("got %s, %v, want one server", body, err)
	}
	if got := g.Get("auth", "/.well-known/oauth-authorization-server"); !strings.Contains(got.Body, `"issuer":"`+document.Servers[0]+`"`) {
		t.Errorf("%s is not the issuer of %s", document.Servers[0], got.Body)
	}
}
