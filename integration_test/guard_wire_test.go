package integration_test

import (
	"net/http"
	"strings"
	"testing"
)

// Tricks with headers that a proxy treats specially, written byte by byte.
func TestGuardOnTheWire(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token, other := g.forge(t, nil), g.forge(t, nil)
	with := func(headers ...string) string { return raw("GET", "/orders/1", append(headers, bearer(token))...) }

	for name, headers := range map[string][]string{
		"Connection names our header":            {"Connection: Authorization"},
		"Connection, close and ours":             {"Connection: close, authorization"},
		"Connection in odd case":                 {"cONNECTION: aUtHoRiZaTiOn"},
		"Connection twice":                       {"Connection: keep-alive", "Connection: X-Forwarded-For, Authorization"},
		"Connection with odd commas":             {"Connection: ,,Authorization ,\t, close,"},
		"Proxy-Connection":                       {"Proxy-Connection: Authorization"},
		"Keep-Alive":                             {"Keep-Alive: Authorization", "Connection: Keep-Alive"},
		"method override":                        {"X-HTTP-Method-Override: DELETE", "X-Http-Method: DELETE", "x-method-override: DELETE"},
		"original URL":                           {"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Original-URI: /admin", "X-Original-Method: PUT"},
		"HTTP2-Settings":                         {"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		"another token for a proxy":              {"Proxy-Authorization: Bearer " + other},
		"csp-auth-token of another":              {"csp-auth-token: " + other},
		"csp-auth-token of another, twice":       {"CSP-Auth-Token: " + other, "csp-AUTH-token: " + token},
		"csp-auth-token, underscores":            {"csp_auth_token: " + other, "CSP_Auth-Token: " + other},
		"csp-auth-token, dots":                   {"Csp.Auth.Token: " + other, "csp.auth-token: " + other},
		"cookie":                                 {"Cookie: csp-auth-token=" + other},
		"cookie among others":                    {"Cookie: a=b; csp-auth-token=" + other + "; c=d", "Cookie: e=f"},
		"cookie in odd case":                     {"cookie: CSP-Auth-Token=" + other + ";csp_auth_token=" + other},
		"cookie in quotes":                       {`Cookie: csp-auth-token="` + other + `"; a=b`},
		"cookie with blanks":                     {"Cookie: a=b ;\t csp-auth-token =" + other},
		"cookie after a comma":                   {"Cookie: a=b, csp-auth-token=" + other},
		"cookies on several lines":               {"Cookie: csp-auth-token=" + other, "Cookie: CSP-AUTH-TOKEN=" + token, "Cookie: a=b"},
		"decision id":                            {"Scopegate-Decision: forged"},
		"identity of a proxy":                    {"X-Forwarded-User: root", "Remote-User: root"},
		"TE":                                     {"TE: trailers", "Connection: TE"},
		"Upgrade to h2c":                         {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		"Upgrade to two things":                  {"Connection: Upgrade", "Upgrade: websocket, h2c"},
		"Upgrade on two lines":                   {"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"},
		"Upgrade to something":                   {"Connection: Upgrade, Authorization", "Upgrade: TLS/1.0"},
		"Transfer-Encoding and no body":          {"Transfer-Encoding: chunked\n\n0"},
		"another scheme for a proxy, underscore": {"proxy_authorization: Bearer " + other},
	} {
		t.Run(name, func(t *testing.T) {
			request := with(headers...)
			if strings.HasSuffix(headers[0], "\n\n0") {
				request = raw("GET", "/orders/1", bearer(token), headers[0], "")
			}
			got := g.allowed(t, "shop", request)
			exchanged(t, got)
			if cookies := got.Get("Cookie"); strings.Contains(name, "cookie") && strings.Contains(strings.Join(headers, ""), "a=b") && name != "cookie after a comma" && !strings.Contains(cookies, "a=b") {
				t.Errorf("Cookie: got %q, want the other cookies kept", cookies)
			}
			for _, field := range []string{"Upgrade", "Scopegate-Decision", "X-Forwarded-User", "Remote-User"} {
				if got.Values(field) != nil {
					t.Errorf("the upstream got %s: %s", field, got.Get(field))
				}
			}
		})
	}
	for name, header := range map[string]string{
		"odd case": "aUTHORIZATION: bEARER " + token, "two blanks": "Authorization: Bearer  " + token, "blanks around": "Authorization:  \t Bearer " + token + " \t",
		"no blank after the colon": "Authorization:Bearer " + token, "folded": "Authorization: Bearer\n  " + token,
	} {
		t.Run("spelt with "+name, func(t *testing.T) {
			exchanged(t, g.allowed(t, "shop", raw("GET", "/orders/1", header)))
		})
	}
	t.Run("comma-joined", func(t *testing.T) {
		g.refused(t, "shop", raw("GET", "/orders/1", bearer(token)+", Bearer "+other), "token_malformed")
	})

	// What Go itself refuses: nothing may arrive, neither now nor as a second request.
	smuggled := "GET /orders/2 HTTP/1.1\nHost: shop.example.com\n" + bearer(token) + "\nConnection: close\n\n"
	for name, headers := range map[string][]string{
		"two Host":                    {"Host: admin.example.com"},
		"blank before the colon":      {"X-A : b"},
		"Authorization with a blank":  {"Authorization : Bearer " + other},
		"no name":                     {": x"},
		"NUL in a value":              {"X-A: a\x00b"},
		"CR in a value":               {"X-A: a\rX-B: c"},
		"fold first":                  {" X-A: b"},
		"two lengths":                 {"Content-Length: 5", "Content-Length: 6"},
		"length with a sign":          {"Content-Length: +5"},
		"length in hex":               {"Content-Length: 0x5"},
		"identity":                    {"Transfer-Encoding: identity"},
		"chunked twice":               {"Transfer-Encoding: chunked, chunked"},
		"chunked on two lines":        {"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
		"chunked and identity":        {"Transfer-Encoding: chunked, identity"},
		"chunked with a vertical tab": {"Transfer-Encoding: \vchunked"},
		"unknown coding":              {"Transfer-Encoding: xchunked"},
	} {
		t.Run("no HTTP: "+name, func(t *testing.T) {
			request := raw("POST", "/orders/1", append([]string{bearer(token)}, headers...)...)
			if name == "fold first" {
				request = strings.Replace(raw("POST", "/orders/1", bearer(token)), "Host:", " X: y\nHost:", 1)
			}
			g.dropped(t, "shop", request+"0\n\n"+smuggled)
		})
	}
	t.Run("length and chunked", func(t *testing.T) {
		// RFC 9112 section 6.3: chunked wins, and no length goes on.
		before := len(g.upstream.Requests())
		socket := Dial(t, g.Addr("shop"))
		socket.Send(strings.ReplaceAll(raw("POST", "/orders/1", bearer(token), "Content-Length: 3", "Transfer-Encoding: chunked", "Connection: close")+"3\nabc\n0\n\n"+smuggled, "\n", "\r\n"))
		socket.Rest()
		for _, got := range g.upstream.Requests()[before:] {
			if exchanged(t, got); got.Target != "/orders/1" || string(got.Body) != "abc" || got.Values("Content-Length") != nil {
				t.Errorf("the upstream got %q with body %q and %v", got.Line, got.Body, got.Header)
			}
		}
	})
	t.Run("pipelined", func(t *testing.T) {
		before := len(g.upstream.Requests())
		socket := Dial(t, g.Addr("shop"))
		socket.Send(strings.ReplaceAll(raw("GET", "/orders/1", bearer(token))+raw("GET", "/orders/1")+smuggled, "\n", "\r\n"))
		for _, want := range []int{200, 401, 200} {
			if got := socket.Response("GET"); got.Status != want {
				t.Errorf("got %d, want %d", got.Status, want)
			}
		}
		for _, got := range g.upstream.Requests()[before:] {
			exchanged(t, got)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		g.upstream.Reply(Reply{Upgrade: "websocket"})
		defer g.upstream.Reply(Reply{})
		before := len(g.upstream.Requests())
		socket := Dial(t, g.Addr("shop"))
		socket.Send(strings.ReplaceAll(with("Connection: Upgrade, Authorization", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "csp-auth-token: "+other), "\n", "\r\n"))
		if got := socket.Response("GET"); got.Status != http.StatusSwitchingProtocols {
			t.Fatalf("got %d, want 101", got.Status)
		}
		socket.Send("ping")
		if got := socket.Read(4); got != "ping" {
			t.Errorf("got %q through the tunnel, want ping", got)
		}
		got := g.upstream.Request(t, before)
		exchanged(t, got)
		if !strings.EqualFold(got.Get("Connection"), "Upgrade") || !strings.EqualFold(got.Get("Upgrade"), "websocket") {
			t.Errorf("got Connection %q, Upgrade %q", got.Get("Connection"), got.Get("Upgrade"))
		}
	})
	t.Run("websocket without a token", func(t *testing.T) {
		g.refused(t, "shop", raw("GET", "/orders/1", "Connection: Upgrade", "Upgrade: websocket"), "no_token")
	})
}

// Caddy drops header names with "_" and "." by itself, unless it is told not to.
func TestGuardAliases(t *testing.T) {
	t.Parallel()
	expected := `debug
	servers {
		expected_underscore_headers csp_auth_token x_http_method_override x_copy remote_user
		expected_dot_headers csp.auth.token x.original.url x.copy
	}`
	g := startGuardedConfig(t, Config{Caddyfile: strings.Replace(shopIssuer, "debug", expected, 1) + oneGuard})
	token, other := g.forge(t, nil), g.forge(t, nil)
	got := g.allowed(t, "shop", raw("GET", "/orders/1", bearer(token), "CSP_Auth_Token: "+other, "Csp.Auth.Token: "+other,
		"X_HTTP_Method_Override: DELETE", "x.original.url: /admin", "remote_user: root", "x_copy: kept"))
	exchanged(t, got)
	if got.Values("remote_user") != nil || got.Get("x_copy") != "kept" {
		t.Errorf("the upstream got %v", got.Header)
	}
	for _, header := range []string{"x_copy: ", "x.copy: "} {
		g.refused(t, "shop", raw("GET", "/orders/1", bearer(token), header+token), "token_leak")
	}
	for _, header := range []string{"csp_auth_token: ", "csp.auth.token: "} {
		g.refused(t, "csp", raw("GET", "/orders/1", header+token), "no_token")
		g.refused(t, "csp", raw("GET", "/healthz", header+token, "x_copy: "+token), "token_leak")
	}
}

// Trailers come when the decision has long been made.
func TestGuardTrailers(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token, other := g.forge(t, nil), g.forge(t, nil)
	cases := map[string]struct{ declared, trailers string }{
		"declared":                     {"Authorization", bearer(other)},
		"declared and sent again":      {"Authorization, X-Ok", "X-Ok: yes\n" + bearer(token)},
		"undeclared":                   {"", bearer(other)},
		"undeclared beside a declared": {"X-Ok", "X-Ok: yes\n" + bearer(other)},
		"odd case":                     {"X-Ok, aUTHORIZATION", "X-Ok: yes\nAUTHORIZATION: x\nauthorization: Bearer " + other},
		"csp-auth-token":               {"X-Ok, Csp-Auth-Token", "X-Ok: yes\ncsp-auth-token: " + other},
		"csp_auth_token":               {"X-Ok, csp_auth_token", "X-Ok: yes\ncsp_auth_token: " + other},
		"csp.auth.token, undeclared":   {"X-Ok", "X-Ok: yes\ncsp.auth.token: " + other},
		"cookie":                       {"X-Ok, Cookie", "X-Ok: yes\nCookie: csp-auth-token=" + other},
		"Proxy-Authorization":          {"X-Ok, Proxy-Authorization", "X-Ok: yes\nProxy-Authorization: Bearer " + other},
		"method override":              {"X-Ok", "X-Ok: yes\nX-HTTP-Method-Override: DELETE\nX-Original-URL: /admin"},
		"copy, declared":               {"X-Ok, X-Late", "X-Ok: yes\nX-Late: " + token},
		"copy, undeclared":             {"X-Ok", "X-Ok: yes\nX-Late: a " + token},
		"copy, percent-encoded":        {"X-Ok, X-Late", "X-Ok: yes\nX-Late: 100% " + escaped(token)},
		"copy under a second value":    {"X-Ok, X-Late", "X-Ok: yes\nX-Late: a\nX-Late: " + token},
		"copy, folded":                 {"X-Ok, X-Late", "X-Ok: yes\nX-Late: a\n\t" + token},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/orders/1", "/hooks"} {
				for _, body := range []string{"", "3\nabc\n"} {
					headers := []string{bearer(token), "Transfer-Encoding: chunked"}
					if c.declared != "" {
						headers = append(headers, "Trailer: "+c.declared)
					}
					got := g.allowed(t, "shop", raw("POST", target, headers...)+body+"0\n"+c.trailers+"\n\n")
					if target == "/orders/1" {
						exchanged(t, got)
					}
					ok := ""
					for _, field := range got.Trailer {
						if field.Name == "X-Ok" {
							ok = field.Value
						} else {
							t.Errorf("%s: the upstream got the trailer %s: %s", target, field.Name, field.Value)
						}
					}
					if strings.Contains(c.declared, "X-Ok") && ok != "yes" {
						t.Errorf("%s: the upstream got trailers %v, want X-Ok: yes", target, got.Trailer)
					}
				}
			}
		})
	}
}
