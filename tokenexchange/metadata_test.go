package tokenexchange

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func (h *house) metadataDocument() map[string]any {
	h.t.Helper()
	g := h.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	if g.status != 200 {
		h.t.Fatalf("got %d %s", g.status, g.raw)
	}
	return g.body
}

// What the metadata names is there, and what it leaves out nobody of this
// configuration could use.
func TestMetadataOfEndpoints(t *testing.T) {
	secretBased, keyed := "[client_secret_basic client_secret_post]", "[client_secret_basic client_secret_post private_key_jwt]"
	for name, c := range map[string]struct {
		change func(*Config)
		want   map[string]string
	}{
		"every grant": {logins, map[string]string{
			"introspection_endpoint": issuer + "/oauth2/introspect", "introspection_endpoint_auth_methods_supported": secretBased,
			"revocation_endpoint": issuer + "/oauth2/revoke", "revocation_endpoint_auth_methods_supported": "[client_secret_basic client_secret_post none]",
			"userinfo_endpoint": issuer + "/oauth2/userinfo", "end_session_endpoint": issuer + "/oauth2/logout",
			"authorization_endpoint": issuer + "/oauth2/authorize", "pushed_authorization_request_endpoint": issuer + "/oauth2/par",
		}},
		"clients with keys": {robots, map[string]string{
			"introspection_endpoint": issuer + "/oauth2/introspect", "introspection_endpoint_auth_methods_supported": keyed,
			"introspection_endpoint_auth_signing_alg_values_supported": "[ES256 RS256]",
			"revocation_endpoint": issuer + "/oauth2/revoke", "revocation_endpoint_auth_methods_supported": strings.Replace(keyed, " private", " none private", 1),
			"revocation_endpoint_auth_signing_alg_values_supported": "[ES256 RS256]", "token_endpoint_auth_signing_alg_values_supported": "[ES256 RS256]",
		}},
		"public clients alone": {func(c *Config) { c.Clients = []ClientConfig{*c.client("mobile")} }, map[string]string{
			"revocation_endpoint": issuer + "/oauth2/revoke", "revocation_endpoint_auth_methods_supported": "[none]",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			body := newHouse(t, c.change).metadataDocument()
			for member, value := range body {
				path, ours := strings.CutPrefix(fmt.Sprint(value), issuer)
				if !strings.HasSuffix(member, "_endpoint") && member != "jwks_uri" {
					continue
				}
				e, there := endpoints[path]
				if !ours || !there {
					t.Errorf("%s: %v is not in the table of endpoints", member, value)
				}
				if slices.Contains(e.methods, "GET") != slices.Contains([]string{"jwks_uri", "userinfo_endpoint", "end_session_endpoint", "authorization_endpoint"}, member) {
					t.Errorf("%s: %v takes %v", member, value, e.methods)
				}
			}
			for _, member := range []string{
				"introspection_endpoint", "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
				"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
				"token_endpoint_auth_signing_alg_values_supported", "userinfo_endpoint", "end_session_endpoint", "authorization_endpoint", "pushed_authorization_request_endpoint",
			} {
				want, there := c.want[member]
				if value, has := body[member]; has != there || has && fmt.Sprint(value) != want {
					t.Errorf("%s: got %v, want %q", member, value, want)
				}
			}
			if body["request_uri_parameter_supported"] != false {
				t.Error("request_uri_parameter_supported is left out, which means true")
			}
		})
	}
}

// claims_supported names what id tokens and userinfo say, and nothing that no
// client can ask for.
func TestMetadataOfClaims(t *testing.T) {
	h := newHouse(t, logins)
	h.withUsers(lovelace, telling, func(c *Config) { c.client("web").MaxGroupsInIDToken = 2 })
	supported := h.metadataDocument()["claims_supported"].([]any)
	login := h.login()
	access, _ := login.tokens(t)
	for what, claims := range map[string]map[string]any{"the id token": claimsOf(t, login.body["id_token"].(string)), "userinfo": h.userinfo(access).body} {
		for name := range claims {
			if !slices.Contains(supported, any(name)) {
				t.Errorf("%s has %s, which is not in claims_supported", what, name)
			}
		}
	}
	if !slices.Contains(supported, "groups_truncated") || !slices.Contains(supported, "nonce") {
		t.Errorf("got %v", supported)
	}
	for _, name := range []string{"group_ids", "email", "name"} {
		h.withUsers(baseUsers, func(c *Config) {
			c.client("web").Scope = slices.DeleteFunc(c.client("web").Scope, func(word string) bool { return word == "email" || word == "profile" })
		})
		if slices.Contains(h.metadataDocument()["claims_supported"].([]any), any(name)) {
			t.Errorf("%s is promised, and no client can ask for it", name)
		}
	}
	if claims, has := newHouse(t).metadataDocument()["claims_supported"]; has {
		t.Errorf("nobody gets an id token, and yet there is %v", claims)
	}
}
