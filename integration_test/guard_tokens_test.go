package integration_test

import (
	"strings"
	"testing"
	"time"
)

// Every reason that a token can be refused for, with one small change to a
// token that is good otherwise.
func TestGuardRefusesTokens(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	now := time.Now().Unix()
	good := g.forge(t, nil)
	exchangedToken := strings.TrimPrefix(g.allowed(t, "shop", raw("GET", "/orders/1", bearer(good))).Get("Authorization"), "Bearer ")

	header, claims := text(t, g.key.header(nil)), text(t, g.claims(nil))
	head := func(changes map[string]any) string {
		return g.key.sign(t, text(t, g.key.header(changes)), text(t, g.claims(nil)))
	}
	payload := func(changes map[string]any) string { return g.forge(t, changes) }
	parts := strings.Split(good, ".")
	otherClaims := b64([]byte(strings.Replace(claims, "orders.read", "orders.write", 1)))
	five := map[string]any{"sub": "a1"}
	for range 4 {
		five = map[string]any{"sub": "a1", "act": five}
	}

	cases := []struct{ name, token, reason string }{
		{"garbage", "garbage-that-is-no-token-at-all-but-long", "token_malformed"},
		{"two parts", parts[0] + "." + parts[1], "token_malformed"},
		{"four parts", good + ".x", "token_malformed"},
		{"JWE parts", good + ".x.y", "token_malformed"},
		{"line feed in the signature, escaped", good + "%0a", "token_malformed"},
		{"padding", good + "=", "token_malformed"},
		{"two in one", good + ", Bearer " + good, "token_malformed"},
		{"two in one, comma", good + "," + good, "token_malformed"},
		{"crit", head(map[string]any{"crit": []string{"exp"}}), "token_malformed"},
		{"jku", head(map[string]any{"jku": g.URL("auth", "/oauth2/jwks")}), "token_malformed"},
		{"embedded jwk", head(map[string]any{"jwk": map[string]string{"kty": "EC"}}), "token_malformed"},
		{"x5c", head(map[string]any{"x5c": []string{"MIIB"}}), "token_malformed"},
		{"duplicate claim", g.key.sign(t, header, strings.Replace(claims, `{`, `{"aud":"x",`, 1)), "token_malformed"},
		{"duplicate header", g.key.sign(t, strings.Replace(header, `{`, `{"alg":"none",`, 1), claims), "token_malformed"},
		{"something after the claims", g.key.sign(t, header, claims+"{}"), "token_malformed"},
		{"claims that are a list", g.key.sign(t, header, "["+claims+"]"), "token_malformed"},
		{"no exp", payload(map[string]any{"exp": nil}), "token_malformed"},
		{"exp of a wrong type", payload(map[string]any{"exp": "4102444800"}), "token_malformed"},
		{"exp out of range", payload(map[string]any{"exp": 1e18}), "token_malformed"},
		{"exp zero", payload(map[string]any{"exp": 0}), "token_malformed"},
		{"no sub", payload(map[string]any{"sub": nil}), "token_malformed"},
		{"aud of a wrong type", payload(map[string]any{"aud": map[string]any{"a": shopAudience}}), "token_malformed"},
		{"set without resources", payload(map[string]any{"allowed_resource_scope": holds("shop", "orders.read")}), "token_malformed"},
		{"set that is a string", payload(map[string]any{"allowed_resource_scope": text(t, holds("shop", "orders.read", "**"))}), "token_malformed"},
		{"expired", payload(map[string]any{"exp": now - 10, "iat": now - 20, "nbf": now - 20}), "token_expired"},
		{"not yet valid", payload(map[string]any{"nbf": now + 900}), "token_not_yet_valid"},
		{"issued later", payload(map[string]any{"iat": now + 900}), "token_not_yet_valid"},
		{"foreign issuer", payload(map[string]any{"iss": "https://idp.example.org"}), "token_issuer"},
		{"issuer with a slash", payload(map[string]any{"iss": g.URL("auth", "/")}), "token_issuer"},
		{"for the issuer", payload(map[string]any{"aud": g.URL("auth", "")}), "token_audience"},
		{"for another service", payload(map[string]any{"aud": "https://bank.example.com"}), "token_audience"},
		{"for a longer audience", payload(map[string]any{"aud": shopAudience + "/"}), "token_audience"},
		{"for the upstream", payload(map[string]any{"aud": upstreamAudience}), "token_audience"},
		{"the exchanged one, sent back", exchangedToken, "token_audience"},
		{"id token", head(map[string]any{"typ": "JWT"}), "token_type"},
		{"no typ", head(map[string]any{"typ": nil}), "token_type"},
		{"typ in capitals", head(map[string]any{"typ": "AT+JWT"}), "token_type"},
		{"alg none", b64([]byte(text(t, g.key.header(map[string]any{"alg": "none"})))) + "." + parts[1] + ".", "token_signature"},
		{"alg none, signed", head(map[string]any{"alg": "none"}), "token_signature"},
		{"alg None without kid", head(map[string]any{"alg": "None", "kid": nil}), "token_signature"},
		{"HS256 with the public key", mac(t, g.key.publicPEM(t), text(t, g.key.header(map[string]any{"alg": "HS256"})), claims), "token_signature"},
		{"HS256, said to be ES256", mac(t, g.key.publicPEM(t), header, claims), "token_signature"},
		{"RS256 of an EC key", head(map[string]any{"alg": "RS256"}), "token_signature"},
		{"ES384", head(map[string]any{"alg": "ES384"}), "token_signature"},
		{"another key under our kid", newTestKey(t).sign(t, header, claims), "token_signature"},
		{"unknown kid", head(map[string]any{"kid": "other"}), "token_signature"},
		{"no kid", head(map[string]any{"kid": nil}), "token_signature"},
		{"other claims under a good signature", parts[0] + "." + otherClaims + "." + parts[2], "token_signature"},
		{"no signature", parts[0] + "." + parts[1] + ".", "token_signature"},
		{"bound to a key", payload(map[string]any{"cnf": map[string]any{"jkt": "x"}}), "token_binding"},
		{"bound, with null", g.key.sign(t, header, strings.Replace(claims, `{`, `{"cnf":null,`, 1)), "token_binding"},
		{"act of five hops", payload(map[string]any{"act": five}), "chain_too_long"},
		{"act and via of five", payload(map[string]any{"act": map[string]any{"sub": "a1"}, "via": []string{"b", "c", "d", "e"}}), "chain_too_long"},
		{"older than the store", payload(map[string]any{"iat": now - 3600, "nbf": now - 3600}), "token_revoked"},
		{"user whose tokens are dead", payload(map[string]any{"sub": "example.com:mallory"}), "token_revoked"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.token != exchangedToken {
				Register(t, c.token)
			}
			g.refused(t, "shop", raw("GET", "/orders/1", bearer(c.token)), c.reason)
			g.refused(t, "shop", raw("GET", "/me", bearer(c.token)), c.reason)
			g.refused(t, "csp", raw("GET", "/orders/1", "csp-auth-token: "+c.token), c.reason)
			// A stranger does not learn which paths and methods there are.
			g.refused(t, "shop", raw("DELETE", "/nowhere", bearer(c.token)), c.reason)
		})
	}
	t.Run("a cached one that expires", func(t *testing.T) {
		t.Parallel()
		short := g.forge(t, map[string]any{"exp": time.Now().Unix() + 2})
		request := raw("GET", "/orders/1", bearer(short))
		for deadline := time.Now().Add(startTimeout); ; time.Sleep(200 * time.Millisecond) {
			response := Exchange(t, g.Addr("shop"), request)
			if response.Status == 401 && strings.Contains(response.Body, `"token_expired"`) {
				return
			}
			if response.Status != 200 || time.Now().After(deadline) {
				t.Fatalf("got %d %s, want 200 until it is token_expired", response.Status, response.Body)
			}
		}
	})
}

// The reasons of the decision itself, which only the holder of a good token
// learns.
func TestGuardDecides(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	reader := g.forge(t, nil)
	cases := []struct{ name, token, method, target, reason string }{
		{"no rule", reader, "GET", "/nowhere", "no_rule"},
		{"case matters", reader, "GET", "/ORDERS/1", "no_rule"},
		{"trailing slash", reader, "GET", "/orders/1/", "no_rule"},
		{"root", reader, "GET", "/", "no_rule"},
		{"one segment more", reader, "GET", "/orders/1/2", "no_rule"},
		{"method", reader, "DELETE", "/orders/1", "method_not_allowed"},
		{"method in small letters", reader, "get", "/orders/1", "method_not_allowed"},
		{"unknown method", reader, "FROBNICATE", "/orders/1", "method_not_allowed"},
		{"OPTIONS", reader, "OPTIONS", "/orders/1", "method_not_allowed"},
		{"public in another method", reader, "POST", "/healthz", "method_not_allowed"},
		{"HEAD of a POST rule", reader, "HEAD", "/hooks", "method_not_allowed"},
		{"no set", g.forge(t, map[string]any{"allowed_resource_scope": nil}), "GET", "/orders/1", "no_resource_scope"},
		{"other service only", g.forge(t, map[string]any{"allowed_resource_scope": holds("bank", "accounts.read", "accounts/**")}), "GET", "/orders/1", "service_missing"},
		{"other service needed", reader, "GET", "/accounts/1", "service_missing"},
		{"permission", reader, "PUT", "/orders/1", "permission_missing"},
		{"undeclared permission", g.forge(t, map[string]any{"allowed_resource_scope": holds("shop", "orders.admin", "**")}), "GET", "/orders/1", "service_missing"},
		{"resource", g.forge(t, map[string]any{"allowed_resource_scope": holds("shop", "orders.read", "orders/1")}), "GET", "/orders/10", "resource_missing"},
		{"subtree", g.forge(t, map[string]any{"allowed_resource_scope": holds("shop", "orders.read", "files/a/*")}), "GET", "/files/a/b/c", "resource_missing"},
		{"star as a value", reader, "GET", "/orders/*", "variable_rejected"},
		{"stars as a value", reader, "GET", "/orders/%2A%2a", "variable_rejected"},
		{"percent as a value", reader, "GET", "/orders/100%25", "variable_rejected"},
		{"long value", reader, "GET", "/orders/" + strings.Repeat("a", 129), "variable_rejected"},
		{"unknown client", g.forge(t, map[string]any{"client_id": "stranger"}), "GET", "/orders/1", "exchange_refused"},
		{"client without consent", g.forge(t, map[string]any{"client_id": "teller"}), "GET", "/orders/1", "exchange_refused"},
		{"client without consent, authenticated rule", g.forge(t, map[string]any{"client_id": "teller"}), "GET", "/me", "exchange_refused"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "HEAD" {
				before := g.seen()
				if got := Exchange(t, g.Addr("shop"), raw(c.method, c.target, bearer(c.token))); got.Status != 403 || g.seen() != before {
					t.Errorf("got %d, %d bytes at the upstream", got.Status, g.seen()-before)
				}
				return
			}
			response := g.refused(t, "shop", raw(c.method, c.target, bearer(c.token)), c.reason)
			missing := strings.HasSuffix(c.reason, "_missing") || c.reason == "no_resource_scope"
			if got := strings.Contains(response.Body, `"required"`); got != missing {
				t.Errorf("required: got %v, want %v: %s", got, missing, response.Body)
			}
		})
	}
	t.Run("the log names the line to add", func(t *testing.T) {
		mark := g.Mark()
		g.refused(t, "shop", raw("GET", "/orders/1", bearer(g.forge(t, map[string]any{"client_id": "teller"}))), "exchange_refused")
		if got := g.WaitLog(mark, MsgIs("decision")).String("cause"); !strings.Contains(got, "permit shop/*") || !strings.Contains(got, "teller") {
			t.Errorf("got cause %q", got)
		}
	})
}
