package integration_test

import (
	"strings"
	"testing"
)

// What two readers of a path could understand differently is refused before
// anything else is said, with and without a token, and does not get past the
// guard by way of a public rule.
func TestGuardRefusesPaths(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token := g.forge(t, nil)
	targets := []string{
		"http:admin/users", "http:/admin", "mailto:orders", "*",
		"/orders/1#x", "/orders#/1", "/orders/1#",
		"//orders/1", "/orders//1", "/orders/1//", "///", "//shop.example.com/orders/1",
		"/orders/1;v=1", "/orders;/1", "/orders/%3B", "/x/..;/orders/1", "/orders;v=1/1",
		"/orders/1%2Fx", "/orders%2f1", "/%2Forders/1", "/orders/%2e%2e%2Fadmin",
		"/orders/1%5Cx", "/orders/%5c", `/orders\1`, `/orders/..\admin`,
		"/orders/%00", "/orders/1%00.png", "/orders/%0a", "/orders/%0D%0Ax", "/orders/%1f", "/orders/%7f", "/orders/%C2%85",
		"/orders/%252e%252e/admin", "/orders/%252F", "/orders/%25%32%66", "/orders/%25%32%46", "/x/%252e%252e/orders/1",
		"/orders/..", "/orders/.", "/orders/../admin", "/./orders/1", "/orders/./1", "/../orders/1",
		"/orders/%2e", "/orders/%2E%2e", "/orders/.%2e", "/orders/%2e/1", "/orders/%2e%2e/admin",
		"/orders/%ff", "/orders/\xff", "/orders/%c0%af", "/orders/%c0%ae%c0%ae/x", "/orders/%ed%a0%80", "/orders/\xc3",
		"/healthz/..", "/assets/../orders/1", "/assets/%2e%2e/orders/1", "/assets//orders", "/assets/..%2forders/1", "/assets/%5c..%5corders",
		"http://shop.example.com//orders/1", "http://shop.example.com/orders/../1", "http://shop.example.com",
	}
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			for _, headers := range [][]string{nil, {bearer(token)}, {"Authorization: Bearer x"}} {
				g.refused(t, "shop", raw("GET", target, headers...), "path_ambiguous")
			}
			g.refused(t, "csp", raw("POST", target, "csp-auth-token: "+token, "Content-Length: 0"), "path_ambiguous")
		})
	}
	// These are no HTTP, and the server says so itself.
	for _, target := range []string{"/orders/%", "/orders/%zz", "/orders/%4", "orders/1", "", "/orders/a b", "/orders/\x01", "/orders/\t"} {
		t.Run("no HTTP "+target, func(t *testing.T) {
			g.dropped(t, "shop", raw("GET", target, bearer(token), "Connection: close"))
		})
	}
	t.Run("foreign host in an absolute target", func(t *testing.T) {
		// Caddy finds no site for it: an empty answer, and no guard.
		before := g.seen()
		request := "GET http://evil.example.com/orders/1 HTTP/1.1\nHost: named.example.com\n" + bearer(token) + "\n\n"
		if got := Exchange(t, g.Addr("named"), request); got.Body != "" || g.seen() != before {
			t.Errorf("got %d %q, %d bytes at the upstream", got.Status, got.Body, g.seen()-before)
		}
	})
	t.Run("own host in an absolute target", func(t *testing.T) {
		request := "GET http://named.example.com/orders/1 HTTP/1.1\nHost: evil.example.com\n" + bearer(token) + "\n\n"
		got := g.allowed(t, "named", request)
		if got.Target != "/orders/1" || got.Get("Host") != "named.example.com" {
			t.Errorf("the upstream got %q of host %q", got.Target, got.Get("Host"))
		}
	})
	t.Run("CONNECT", func(t *testing.T) {
		before := g.seen()
		got := Exchange(t, g.Addr("shop"), "CONNECT shop.example.com:443 HTTP/1.1\nHost: shop.example.com:443\n"+bearer(token)+"\nConnection: close\n\n")
		if got.Status/100 != 4 || g.seen() != before {
			t.Errorf("got %d, %d bytes at the upstream", got.Status, g.seen()-before)
		}
	})
}

// One credential, in one place.
func TestGuardRefusesTwoCredentials(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	a, b := g.forge(t, nil), g.forge(t, nil)
	targets := []string{"/orders/1", "/healthz", "/me", "/nowhere"}
	for name, headers := range map[string][]string{
		"two headers":              {bearer(a), bearer(b)},
		"two equal headers":        {bearer(a), bearer(a)},
		"odd case":                 {"authorization: bearer " + a, "AUTHORIZATION: BEARER " + b},
		"a token and Basic":        {bearer(a), "Authorization: Basic eDp5"},
		"Basic and a token":        {"Authorization: Basic eDp5", bearer(a)},
		"a token and an empty one": {bearer(a), "Authorization: Bearer"},
		"a token and nothing":      {bearer(a), "Authorization:"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range targets {
				g.refused(t, "shop", raw("GET", target, headers...), "token_ambiguous")
				g.refused(t, "csp", raw("GET", target, headers...), "token_ambiguous")
			}
		})
	}
	for name, headers := range map[string][]string{
		"Authorization and csp-auth-token": {bearer(a), "csp-auth-token: " + b},
		"csp-auth-token and Authorization": {"Csp-Auth-Token: " + b, bearer(a)},
		"two csp-auth-token":               {"csp-auth-token: " + a, "csp-auth-token: " + b},
		"an empty csp-auth-token":          {bearer(a), "csp-auth-token:"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range targets {
				g.refused(t, "csp", raw("GET", target, headers...), "token_ambiguous")
			}
		})
	}
	for _, query := range []string{
		"access_token=" + a, "ACCESS_TOKEN=" + a, "Access_Token=" + a, "a=b&access_token=" + a, "a=b;access_token=" + a,
		"access%5Ftoken=" + a, "access%5ftoken=" + a, "%61ccess_token=" + a, "%41CCESS_TOKEN=" + a, escaped("access_token") + "=" + a,
		"access_token", "access_token=", "&&access_token=x", "%zz=1&access_token=x", "access_token=x&access_token=y", "access_token=" + escaped(a),
	} {
		t.Run("query "+query[:min(len(query), 20)], func(t *testing.T) {
			for _, target := range targets {
				g.refused(t, "shop", raw("GET", target+"?"+query), "token_ambiguous")
				g.refused(t, "shop", raw("GET", target+"?"+query, bearer(b)), "token_ambiguous")
			}
		})
	}
	for _, query := range []string{"access_tokens=1", "my_access_token=1", "a=access_token", "a=1%26access_token=1"} {
		t.Run("harmless query "+query, func(t *testing.T) {
			if got := g.allowed(t, "shop", raw("GET", "/orders/1?"+query, bearer(a))); got.Target != "/orders/1?"+query {
				t.Errorf("the upstream got %q", got.Target)
			}
		})
	}
	// What is no credential counts as none.
	for name, header := range map[string]string{
		"nothing": "X-Nothing: 1", "Basic": "Authorization: Basic " + b64([]byte("x:"+a)), "no scheme": "Authorization: " + a,
		"Token": "Authorization: Token " + a, "DPoP": "Authorization: DPoP " + a, "a tab": "Authorization: Bearer\t" + a,
		"empty": "Authorization: Bearer", "blanks": "Authorization: Bearer    ", "Bearer twice": "Authorization: BearerBearer " + a,
		"cookie": "Cookie: csp-auth-token=" + a, "Proxy-Authorization": "Proxy-Authorization: Bearer " + a,
		"csp with underscores": "csp_auth_token: " + a, "csp with dots": "csp.auth.token: " + a, "X-Auth-Token": "X-Auth-Token: " + a,
	} {
		t.Run("none: "+name, func(t *testing.T) {
			for _, site := range []string{"shop", "csp"} {
				response := g.refused(t, site, raw("GET", "/orders/1", header), "no_token")
				if got := response.Header.Get("WWW-Authenticate"); got != `Bearer resource_metadata="https://shop.example.com/.well-known/oauth-protected-resource"` {
					t.Errorf("got %q, want no error in the challenge", got)
				}
			}
		})
	}
	t.Run("none: csp-auth-token where it is not accepted", func(t *testing.T) {
		g.refused(t, "shop", raw("GET", "/orders/1", "csp-auth-token: "+a), "no_token")
	})
}

// A copy of the presented token anywhere else would go upstream as it came.
func TestGuardRefusesCopies(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token := g.forge(t, nil)
	end := token[len(token)-32:]
	headers := map[string]string{
		"header": "X-Copy: " + token, "with scheme": "X-Forwarded-Authorization: Bearer " + token,
		"the end only": "X-Copy: " + end, "in quotes": `X-Copy: "` + token + `"`, "in a list": "X-Copy: a, " + token + ", b",
		"cookie": "Cookie: session=" + token, "second cookie": "Cookie: a=b\nCookie: c=d; session=\"" + token + "\"",
		"Referer": "Referer: https://shop.example.com/?t=" + token, "Proxy-Authorization": "Proxy-Authorization: Bearer " + token,
		"X-Forwarded-Host": "X-Forwarded-Host: " + token, "folded": "X-Copy: a\n\t" + token,
		"percent-encoded": "X-Copy: " + escaped(token), "percent-encoded twice": "X-Copy: " + escaped(escaped(end)),
		"percent-encoded after what is none": "X-Copy: 100% " + escaped(token), "percent-encoded in part": "X-Copy: %zz" + token[:len(token)-9] + escaped(token[len(token)-9:]),
	}
	for name, header := range headers {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/orders/1", "/healthz", "/me"} {
				g.refused(t, "shop", raw("GET", target, bearer(token), header), "token_leak")
				g.refused(t, "csp", raw("GET", target, "csp-auth-token: "+token, header), "token_leak")
			}
		})
	}
	for name, target := range map[string]string{
		"query": "/orders/1?t=" + token, "query, public": "/healthz?" + token, "query, percent-encoded": "/orders/1?t=" + escaped(token),
		"query, percent-encoded after what is none": "/healthz?q=100%&t=" + escaped(token), "query name": "/orders/1?" + token + "=1",
		"path, public": "/assets/" + token, "path": "/me/" + token, "path, percent-encoded": "/assets/a/" + escaped(token) + "/b",
	} {
		t.Run(name, func(t *testing.T) {
			g.refused(t, "shop", raw("GET", target, bearer(token)), "token_leak")
		})
	}
	t.Run("host", func(t *testing.T) {
		g.refused(t, "shop", strings.Replace(raw("GET", "/healthz", bearer(token)), "shop.example.com", end+".example.com", 1), "token_leak")
	})
	t.Run("of a token that is no credential", func(t *testing.T) {
		g.refused(t, "shop", raw("GET", "/healthz", "csp-auth-token: "+token, "X-Copy: "+token), "token_leak")
		g.refused(t, "shop", raw("GET", "/healthz", "Cookie: csp-auth-token="+token, "X-Copy: "+token), "token_leak")
	})
	// A copy in what is refused for another reason must not get into the log.
	other := g.forge(t, map[string]any{"allowed_resource_scope": holds("shop", "orders.write", "orders/1")})
	expired := g.forge(t, map[string]any{"exp": 1000})
	t.Run("in the path of a refused request", func(t *testing.T) {
		g.refused(t, "shop", raw("GET", "/nowhere/"+other, bearer(other)), "no_rule")
		g.refused(t, "shop", raw("GET", "/nowhere/"+expired, bearer(expired)), "token_expired")
		g.refused(t, "shop", raw("GET", "/orders/"+other[len(other)-60:], bearer(other)), "permission_missing")
		g.refused(t, "shop", raw("GET", "/assets/"+other, bearer(other), bearer(other)), "token_ambiguous")
	})
}
