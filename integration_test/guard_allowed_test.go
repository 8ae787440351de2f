package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const oneGuard = `
http://:{{port "shop"}} {
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://:{{port "csp"}} {
	guard shop {
		accept csp-auth-token
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://named.example.com:{{port "named"}} {
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
`

// What is allowed reaches the upstream with one token, made for it, holding no
// more than the presented one's part for this service.
func TestGuardAllows(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	user := g.token("web", "grant_type=password", "username=alice", "password="+password)
	client := g.token("web", "grant_type=client_credentials")

	t.Run("exchanged and narrowed", func(t *testing.T) {
		claims := exchanged(t, g.allowed(t, "shop", raw("GET", "/orders/1", bearer(client))))
		want := any(map[string]any{"servicesScopes": []any{map[string]any{
			"serviceDefinitionId": "shop",
			"permissions":         []any{map[string]any{"permissionId": "orders.read", "resources": []any{"files/**", "orders/**"}}},
		}}})
		if diff := cmp.Diff(want, claims["allowed_resource_scope"]); diff != "" {
			t.Errorf("allowed_resource_scope: want (-), got (+):\n%s", diff)
		}
		if claims["sub"] != "web" || claims["iss"] != g.URL("auth", "") || claims["narrowed"] != true {
			t.Errorf("got claims %v", claims)
		}
	})
	t.Run("the subject stays", func(t *testing.T) {
		claims := exchanged(t, g.allowed(t, "shop", raw("PUT", "/orders/1", bearer(user))))
		if claims["sub"] != "example.com:alice" || claims["root_jti"] != claimsOf(t, user)["jti"] {
			t.Errorf("got claims %v", claims)
		}
		if got, want := claims["exp"].(float64), claimsOf(t, user)["exp"].(float64); got > want {
			t.Errorf("exp: got %v, later than the presented token's %v", got, want)
		}
	})
	t.Run("again, from the cache", func(t *testing.T) {
		first := g.allowed(t, "shop", raw("GET", "/orders/2", bearer(client))).Get("Authorization")
		second := g.allowed(t, "shop", raw("GET", "/orders/3", bearer(client)))
		exchanged(t, second)
		if second.Get("Authorization") != first {
			t.Error("the second request got another token, want the cached one")
		}
	})
	t.Run("HEAD follows GET", func(t *testing.T) {
		got := g.allowed(t, "shop", raw("HEAD", "/orders/1", bearer(client)))
		exchanged(t, got)
		if got.Method != http.MethodHead {
			t.Errorf("got %s, want HEAD", got.Method)
		}
	})
	t.Run("authenticated", func(t *testing.T) {
		exchanged(t, g.allowed(t, "shop", raw("GET", "/me", bearer(client))))
	})
	t.Run("authenticated, holding nothing", func(t *testing.T) {
		none := g.forge(t, map[string]any{"allowed_resource_scope": nil})
		if claims := exchanged(t, g.allowed(t, "shop", raw("GET", "/me", bearer(none)))); claims["allowed_resource_scope"] != nil {
			t.Errorf("got %v, want no allowed_resource_scope", claims)
		}
	})
	t.Run("a right of another service is not forwarded", func(t *testing.T) {
		both := g.forge(t, map[string]any{
			"aud":                    []string{shopAudience, "https://bank.example.com"},
			"allowed_resource_scope": holds("bank", "accounts.read", "accounts/7"),
		})
		if claims := exchanged(t, g.allowed(t, "shop", raw("GET", "/accounts/7", bearer(both)))); claims["allowed_resource_scope"] != nil {
			t.Errorf("got %v, want nothing of the bank's", claims)
		}
	})
	for name, headers := range map[string][]string{
		"public":                          nil,
		"public with a token":             {bearer(client)},
		"public with a bad token":         {"Authorization: Bearer x.y.z"},
		"public with a csp token":         {"Csp-Auth-Token: " + client},
		"public with another scheme":      {"Authorization: Basic " + b64([]byte("alice:"+client))},
		"public with a cookie of a token": {"Cookie: csp-auth-token=" + client},
	} {
		t.Run(name, func(t *testing.T) {
			for _, site := range []string{"shop", "csp"} {
				got := g.allowed(t, site, raw("GET", "/healthz", headers...))
				if got.Values("Authorization") != nil || got.Values("Cookie") != nil {
					t.Errorf("got Authorization %q, Cookie %q, want none", got.Get("Authorization"), got.Get("Cookie"))
				}
			}
		})
	}
	t.Run("csp-auth-token", func(t *testing.T) {
		exchanged(t, g.allowed(t, "csp", raw("GET", "/orders/1", "csp-auth-token: "+client)))
		exchanged(t, g.allowed(t, "csp", raw("GET", "/orders/1", "csp-auth-token: "+client, bearer(client))))
	})

	for _, c := range []struct{ target, upstream string }{
		{"/orders/1", "/orders/1"},
		{"/orders/%61%2D%7e", "/orders/a-~"},
		{"/orders/%c3%a9", "/orders/%C3%A9"},
		{"/orders/\xc3\xa9", "/orders/%C3%A9"},
		{"/orders/a%20b", "/orders/a%20b"},
		{"/orders/a|b", "/orders/a%7Cb"},
		{"/%6frders/1", "/orders/1"},
		{"/orders/100%25", "/orders/100%25"},
		{"/orders/a:b@c,d=e+f", "/orders/a:b@c,d=e+f"},
		{"/orders/...", "/orders/..."},
		{"/orders/1?a=%2F..%00;b&c=//%zz", "/orders/1?a=%2F..%00;b&c=//%zz"},
		{"/orders/1?", "/orders/1?"},
		{"http://shop.example.com/orders/%31", "/orders/1"},
	} {
		t.Run("path "+c.target, func(t *testing.T) {
			token := g.forge(t, map[string]any{"allowed_resource_scope": holds("shop", "orders.read", "orders/**")})
			if strings.Contains(c.target, "%25") { // A literal holds no percent sign.
				c.target, c.upstream = strings.ReplaceAll(c.target, "/orders", "/me"), strings.ReplaceAll(c.upstream, "/orders", "/me")
			}
			if got := g.allowed(t, "shop", raw("GET", c.target, bearer(token))); got.Target != c.upstream {
				t.Errorf("the upstream got %q, want %q", got.Target, c.upstream)
			}
		})
	}
}
