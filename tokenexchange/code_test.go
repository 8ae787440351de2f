package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func TestAuthorizationCode(t *testing.T) {
	h := newHouse(t, logins)
	g := h.redeem("web", h.code(t))
	access, _ := g.tokens(t)
	if got, want := setOf(t, access), `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`; got != want {
		t.Errorf("set: got %s, want what was granted: %s", got, want)
	}
	for name, want := range map[string]any{
		"sub": "example.com:ada", "client_id": "web", "scope": "openid profile orders", "context_name": "acme",
		"auth_time": float64(h.clock.Unix()), "narrowed": nil, "act": nil, "root_jti": nil,
	} {
		if got := claimsOf(t, access)[name]; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	id, _ := g.body["id_token"].(string)
	for name, want := range map[string]any{"aud": "web", "sub": "example.com:ada", "nonce": "n-0S6_WzA2Mj", "email": nil} {
		if got := claimsOf(t, id)[name]; got != want {
			t.Errorf("id token: %s: got %v, want %v", name, got, want)
		}
	}
}

// What is wrong with a redemption is answered without using the code up.
func TestCodeMisses(t *testing.T) {
	h := newHouse(t, logins)
	other := strings.Repeat("x", 43)
	for name, c := range map[string]struct {
		client string
		kv     []string
		reason string
		burns  bool
	}{
		"wrong verifier":           {"web", []string{"code_verifier", other}, "code_verifier_wrong", true},
		"no verifier":              {"web", []string{"code_verifier", ""}, "code_verifier_wrong", true},
		"short verifier":           {"web", []string{"code_verifier", verifier[:42]}, "code_verifier_wrong", true},
		"the challenge itself":     {"web", []string{"code_verifier", pkceChallenge}, "code_verifier_wrong", true},
		"other redirect_uri":       {"web", []string{"redirect_uri", callback + "/"}, "redirect_uri_mismatch", true},
		"redirect_uri, other case": {"web", []string{"redirect_uri", strings.ToUpper(callback)}, "redirect_uri_mismatch", true},
		"other client":             {"legacy", nil, "code_invalid", false},
		"other state":              {"web", []string{"state", "another"}, "state_mismatch", false},
		"other org":                {"web", []string{"orgId", "beta"}, "org_not_allowed", false},
		"more scope":               {"web", []string{"scope", "email"}, "scope_exceeded", false},
		"more rights":              {"web", []string{"allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.write","resources":["orders/eu/1"]}]}]}`}, "resource_scope_exceeded", false},
	} {
		t.Run(name, func(t *testing.T) {
			code, tries := h.code(t), 4
			if !c.burns {
				tries = 20
			}
			errorCode := map[string]string{"state_mismatch": "invalid_request", "org_not_allowed": "invalid_request", "scope_exceeded": "invalid_scope", "resource_scope_exceeded": "invalid_scope"}[c.reason]
			if errorCode == "" {
				errorCode = "invalid_grant"
			}
			for range tries {
				h.redeem(c.client, code, c.kv...).refused(t, 400, errorCode, c.reason)
			}
			h.redeem("web", code).tokens(t)

			if c.burns {
				burnt := h.code(t)
				for range 5 {
					h.redeem(c.client, burnt, c.kv...).refused(t, 400, errorCode, c.reason)
				}
				h.redeem("web", burnt).refused(t, 400, "invalid_grant", "code_invalid")
			}
		})
	}
}

func TestCodeForms(t *testing.T) {
	h := newHouse(t, logins)
	good := h.code(t)
	for name, code := range map[string]string{
		"no code of ours": "abc", "cut": good[:len(good)-1], "longer": good + "A", "blank": " " + good, "other case": strings.ToLower(good),
		"a refresh token": func() string { _, r := h.redeem("web", h.code(t)).tokens(t); return r }(),
	} {
		if g := h.redeem("web", code); g.body["cspErrorCode"] != "code_invalid" {
			t.Errorf("%s: got %s", name, g.raw)
		}
	}
	h.clock = h.clock.Add(60 * time.Second)
	h.redeem("web", good).refused(t, 400, "invalid_grant", "code_invalid")
}

// A second use within five seconds is a repeat; a later one is a theft, and all
// that came of the code dies.
func TestCodeReuse(t *testing.T) {
	h := newHouse(t, logins)
	code := h.code(t)
	access, refresh := h.redeem("web", code).tokens(t)
	exchanged := h.exchange("batch", access, shopAud).granted(t)
	alive := func(want scopes.Reason) {
		t.Helper()
		for _, token := range []string{access, exchanged} {
			if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != want {
				t.Errorf("the guard: got %s, want %s", v.Reason, want)
			}
		}
	}
	h.clock = h.clock.Add(4 * time.Second)
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_used")
	alive(scopes.ReasonAllowed)
	// Whoever has the code alone kills nothing.
	h.clock = h.clock.Add(2 * time.Second)
	h.redeem("web", code, "code_verifier", strings.Repeat("x", 43)).refused(t, 400, "invalid_grant", "code_verifier_wrong")
	h.redeem("legacy", code).refused(t, 400, "invalid_grant", "code_invalid")
	alive(scopes.ReasonAllowed)
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
	alive(scopes.ReasonTokenRevoked)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_invalid")
}

func TestPKCEMethods(t *testing.T) {
	h := newHouse(t, logins)
	none := func(c *Code) { c.Challenge, c.Method = "", "" }
	legacy := func(c *Code) { c.Client = "legacy" }
	method := func(m, text string) func(*Code) {
		return func(c *Code) { c.Method, c.Challenge = m, text }
	}
	for name, c := range map[string]struct {
		client string
		change []func(*Code)
		kv     []string
		want   string
	}{
		"S256":                            {"web", nil, nil, ""},
		"plain, not the client's":         {"web", []func(*Code){method("plain", verifier)}, nil, "code_verifier_wrong"},
		"SHA256, not the client's":        {"web", []func(*Code){method("SHA256", pkceChallenge)}, nil, "code_verifier_wrong"},
		"an unknown method":               {"web", []func(*Code){method("S512", pkceChallenge)}, nil, "code_verifier_wrong"},
		"none, but required":              {"web", []func(*Code){none}, []string{"code_verifier", ""}, "code_verifier_wrong"},
		"none, but a verifier":            {"web", []func(*Code){none}, nil, "code_verifier_wrong"},
		"optional, none":                  {"legacy", []func(*Code){legacy, none}, []string{"code_verifier", ""}, ""},
		"optional, none, but a verifier":  {"legacy", []func(*Code){legacy, none}, nil, "code_verifier_wrong"},
		"optional, S256 without verifier": {"legacy", []func(*Code){legacy}, []string{"code_verifier", ""}, "code_verifier_wrong"},
		"plain":                           {"legacy", []func(*Code){legacy, method("plain", verifier)}, nil, ""},
		"SHA256":                          {"legacy", []func(*Code){legacy, method("SHA256", pkceChallenge)}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.redeem(c.client, h.code(t, c.change...), c.kv...)
			if c.want == "" && g.status != http.StatusOK || c.want != "" && g.body["cspErrorCode"] != c.want {
				t.Errorf("got %s, want %q", g.raw, c.want)
			}
		})
	}
}

func TestPublicClientRedeems(t *testing.T) {
	h := newHouse(t, logins)
	code := h.code(t, func(c *Code) { c.Client, c.RedirectURI, c.Scope = "phone", "http://127.0.0.1:49152/done", "openid" })
	g := h.do(form(pairs("grant_type", "authorization_code", "client_id", "phone", "code", code, "redirect_uri", "http://127.0.0.1:49152/done", "code_verifier", verifier)))
	_, refresh := g.tokens(t)
	h.do(form(pairs("grant_type", "refresh_token", "client_id", "phone", "refresh_token", refresh))).tokens(t)
}

// A code is worth nothing once its user is gone; rights are what they are now.
func TestCodeOfAUserWhoChanged(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"disabled":         {`{"id":"ada"`, `{"disabled":true,"id":"ada"`, "user_gone"},
		"gone":             {`"id":"ada","username":"ada"`, `"id":"ada9","username":"ada"`, "user_gone"},
		"logged out since": {`{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:00:01Z","id":"ada"`, "user_gone"},
		"no member":        {`"default_org":"acme","memberships":[` + "\n" + `  {"org":"acme"`, `"default_org":"beta","memberships":[` + "\n" + `  {"org":"sold"`, "user_gone"},
		"fewer rights":     {"orders.read orders/** reports", "orders.read orders/us/** reports", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			code := h.code(t)
			text := strings.Replace(baseUsers, c.from, c.to, 1)
			if text == baseUsers {
				t.Fatal("nothing was changed")
			}
			text = strings.Replace(text, `{"id":"empty"}`, `{"id":"empty"},{"id":"sold"}`, 1)
			cfg := baseConfig()
			logins(&cfg)
			h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, text)})), h.caches, ecKey(), rsaKey())
			g := h.redeem("web", code)
			if c.want != "" {
				g.refused(t, 400, "invalid_grant", c.want)
				return
			}
			access, _ := g.tokens(t)
			if got := setOf(t, access); !strings.Contains(got, `["orders/us/**"]`) {
				t.Errorf("got %s, want what was granted meet what ada holds now", got)
			}
		})
	}
}
