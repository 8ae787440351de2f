package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What a client block does not say.
func TestClientDefaults(t *testing.T) {
	cfg := baseConfig()
	logins(&cfg)
	cfg.client("phone").DisplayName = "A phone"
	realm := must(Compile(cfg, []string{usersPath(t, baseUsers)}))
	web, legacy := realm.clients["web"], realm.clients["legacy"]
	if web.AccessAlg != "ES256" || web.IDAlg != "RS256" || web.MaxGroups != 100 {
		t.Errorf("got %s, %s, %d groups, want ES256, RS256, 100", web.AccessAlg, web.IDAlg, web.MaxGroups)
	}
	if web.AccessValidity != 30*time.Minute || web.refreshValidity != 24*time.Hour {
		t.Errorf("got lives of %s and %s", web.AccessValidity, web.refreshValidity)
	}
	if web.pkceOptional || !slices.Equal(web.pkceMethods, []string{"S256"}) || web.acceptSubjectIP || web.apiTokens {
		t.Errorf("got %+v, want PKCE by S256, no subject_ip and no API tokens", web)
	}
	if !legacy.pkceOptional || !slices.Equal(legacy.pkceMethods, []string{"S256", "plain", "SHA256"}) {
		t.Errorf("got PKCE optional %v, methods %q", legacy.pkceOptional, legacy.pkceMethods)
	}
	if web.displayName != "web" || realm.clients["phone"].displayName != "A phone" {
		t.Errorf("got the names %q and %q", web.displayName, realm.clients["phone"].displayName)
	}
	if w := strings.Join(realm.Warnings(), "\n"); strings.Count(w, "pkce_methods plain") != 1 || !strings.Contains(w, "client legacy: pkce_methods plain") {
		t.Errorf("got the warnings %s, want one of plain", w)
	}
}

// A word that cannot have a meaning is a mistake, not decoration.
func TestClientWords(t *testing.T) {
	for name, c := range map[string]struct {
		client string
		change func(*ClientConfig)
		want   string
	}{
		"codes without a redirect_uri": {"web", func(c *ClientConfig) { c.RedirectURIs = nil }, "grant_types: authorization_code needs a redirect_uri line"},
		"a redirect_uri without codes": {"batch", func(c *ClientConfig) { c.RedirectURIs = []string{callback} }, "redirect_uri: it has no meaning without the grant authorization_code"},
		"a logout URI without codes":   {"batch", func(c *ClientConfig) { c.PostLogoutRedirectURIs = []string{callback} }, "post_logout_redirect_uri: it has no meaning"},
		"pkce without codes":           {"batch", func(c *ClientConfig) { c.PKCE = "optional" }, "pkce: it has no meaning"},
		"pkce_methods without codes":   {"batch", func(c *ClientConfig) { c.PKCEMethods = []string{"S256"} }, "pkce_methods: it has no meaning"},
		"required without codes":       {"batch", func(c *ClientConfig) { c.Required = *lines("shop/orders.read orders/1") }, "required: it has no meaning"},
		"required outside of permit":   {"web", func(c *ClientConfig) { c.Required = *lines("crm/* **", "shop/orders.write orders/**") }, "required: shop/orders.write orders/** is outside of the client's permit lines"},
		"required outside of own": {"web", func(c *ClientConfig) {
			c.Permit, c.Own, c.Required = nil, lines("shop/orders.read orders/*"), *lines("shop/orders.read orders/**")
		}, "is outside of the client's own lines"},
		"required on no pattern":             {"web", func(c *ClientConfig) { c.Required = []PermissionLine{{Permission: "shop/orders.read"}} }, "required: shop/orders.read: expected at least one resource pattern"},
		"the second redirect_uri":            {"web", func(c *ClientConfig) { c.RedirectURIs = []string{callback, "/x"} }, `redirect_uri: "/x": expected an absolute URI`},
		"a redirect_uri twice":               {"web", func(c *ClientConfig) { c.RedirectURIs = []string{callback, callback} }, "it is given twice"},
		"a logout URI":                       {"web", func(c *ClientConfig) { c.PostLogoutRedirectURIs = []string{"http://web.example.com"} }, "post_logout_redirect_uri:"},
		"an app's URI of a web client":       {"web", func(c *ClientConfig) { c.RedirectURIs = []string{"com.example.app:/x"} }, "which is a public client"},
		"pkce of another word":               {"web", func(c *ClientConfig) { c.PKCE = "off" }, `pkce: unrecognized "off"; expected required or optional`},
		"pkce optional of a public client":   {"phone", func(c *ClientConfig) { c.PKCE = "optional" }, "pkce: a public client has nothing else"},
		"a PKCE method in lower case":        {"web", func(c *ClientConfig) { c.PKCEMethods = []string{"s256"} }, `pkce_methods: unrecognized "s256"`},
		"a PKCE method twice":                {"web", func(c *ClientConfig) { c.PKCEMethods = []string{"plain", "plain"} }, "plain is listed twice"},
		"refresh_token alone":                {"phone", func(c *ClientConfig) { c.GrantTypes, c.RedirectURIs = []string{"refresh_token"}, nil }, "refresh_token only goes on with what another grant began"},
		"refresh_token and a client's own":   {"nightly", func(c *ClientConfig) { c.GrantTypes = append(c.GrantTypes, "refresh_token") }, "refresh_token only goes on"},
		"impersonate_user of a public one":   {"phone", func(c *ClientConfig) { c.GrantTypes = append(c.GrantTypes, "impersonate_user") }, "impersonate_user is for clients with a secret or keys"},
		"allow context_switch to":            {"web", func(c *ClientConfig) { c.Allow[1].To = []string{shopAud} }, "allow: to: context_switch has no target audience"},
		"allow context_switch by nobody":     {"web", func(c *ClientConfig) { c.Allow[1].By = nil }, "by: expected at least one client"},
		"allow context_switch by an unknown": {"web", func(c *ClientConfig) { c.Allow[1].By = []string{"consloe"} }, `by: no client "consloe"`},
		"an id token algorithm":              {"web", func(c *ClientConfig) { c.IDTokenAlg = "HS256" }, `id_token_alg: "HS256": expected ES256 or RS256`},
		"fewer than no groups":               {"web", func(c *ClientConfig) { c.MaxGroupsInIDToken = -1 }, "max_groups_in_id_token: -1: expected at least 1"},
		"a name of two lines":                {"web", func(c *ClientConfig) { c.DisplayName = "a\nb" }, "display_name:"},
		"a name that turns around":           {"web", func(c *ClientConfig) { c.DisplayName = "a\u202eb" }, "display_name:"},
		"a name that is no text":             {"web", func(c *ClientConfig) { c.DisplayName = "a\xff" }, "display_name:"},
		"a long name":                        {"web", func(c *ClientConfig) { c.DisplayName = strings.Repeat("ä", 129) }, "expected at most 128 characters"},
		"public and keys":                    {"phone", func(c *ClientConfig) { c.JWKSFile = "x" }, "jwks_file: public and jwks_file exclude each other"},
		"a secret and keys":                  {"web", func(c *ClientConfig) { c.JWKS = []byte("{}") }, "jwks_file: secret and jwks_file exclude each other"},
		"an empty allowed org":               {"web", func(c *ClientConfig) { c.AllowedOrgs = []string{""} }, "allowed_orgs: "},
		"keys that nobody read":              {"web", func(c *ClientConfig) { c.Secrets, c.JWKSFile = nil, "x" }, "jwks_file: the file was not read"},
		"no grant":                           {"web", func(c *ClientConfig) { *c = confidential("web"); c.Permit = lines() }, "grant_types: expected at least one"},
	} {
		cfg := baseConfig()
		logins(&cfg)
		c.change(cfg.client(c.client))
		if realm, err := Compile(cfg, []string{usersPath(t, baseUsers)}); err == nil || realm != nil || !strings.Contains(err.Error(), "client "+c.client+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error of client %s with %q", name, err, c.client, c.want)
		}
	}
	for name, change := range map[string]func(*Config){
		"API tokens are all that a client is for": func(c *Config) { p := c.client("phone"); p.GrantTypes, p.RedirectURIs, p.APITokens = nil, nil, true },
		"an app with a scheme of its own": func(c *Config) {
			c.client("phone").RedirectURIs = []string{"com.example.app:/done", "http://127.0.0.1/done"}
		},
		"a long name": func(c *Config) { c.client("web").DisplayName = strings.Repeat("ä", 128) },
		"scopes of every kind": func(c *Config) {
			c.client("web").Scope = []string{"openid_offline_access", "group_ids", "grpn://a", "grpid://b"}
		},
		"id tokens with ES256":   func(c *Config) { c.client("web").IDTokenAlg = "ES256" },
		"a logout URI":           func(c *Config) { c.client("web").PostLogoutRedirectURIs = []string{"https://web.example.com/"} },
		"codes, no PKCE line":    func(c *Config) { c.client("legacy").PKCE, c.client("legacy").PKCEMethods = "", nil },
		"PKCE that is required":  func(c *Config) { c.client("phone").PKCE = "required" },
		"subject_ip is accepted": func(c *Config) { c.client("batch").AcceptSubjectIP = true },
	} {
		cfg := baseConfig()
		logins(&cfg)
		change(&cfg)
		if _, err := Compile(cfg, []string{usersPath(t, baseUsers)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One word of a scope line may stand for two.
func TestScopeOfTwoWords(t *testing.T) {
	cfg := baseConfig()
	cfg.client("web").Scope = []string{"orders", "openid_offline_access"}
	if got := must(Compile(cfg, nil)).clients["web"].Scopes; !slices.Equal(got, []string{"orders", "openid", "offline_access"}) {
		t.Errorf("got %q, want the three words", got)
	}
}

// A key for every token that a client can get is there when the server starts.
func TestKeysOfClients(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		change func(*Config)
		keys   []SigningKey
		want   string
	}{
		"no id tokens":            {func(*Config) {}, []SigningKey{ecKey()}, ""},
		"openid":                  {func(c *Config) { c.client("web").Scope = []string{"openid"} }, []SigningKey{ecKey()}, "id_token_alg: RS256: there is no signing_key for it; expected one with an RSA key, or the line id_token_alg ES256"},
		"openid in the long word": {func(c *Config) { c.client("web").Scope = []string{"openid_offline_access"} }, []SigningKey{ecKey()}, "id_token_alg: RS256"},
		"openid with the other key": {func(c *Config) {
			w := c.client("web")
			w.Scope, w.IDTokenAlg = []string{"openid"}, "ES256"
			noExchange(c)
		}, []SigningKey{ecKey()}, ""},
		"an exchange of somebody's openid": {func(c *Config) { w := c.client("web"); w.Scope, w.IDTokenAlg = []string{"openid"}, "ES256" }, []SigningKey{ecKey()}, "id_token_alg: RS256"},
		"both keys":                        {func(c *Config) { c.client("web").Scope = []string{"openid"} }, []SigningKey{ecKey(), rsaKey()}, ""},
	} {
		cfg := baseConfig()
		c.change(&cfg)
		s, err := New(must(Compile(cfg, nil)), Runtime{
			SigningKeys: c.keys, StateKeys: []StateKey{stateKey}, Store: h.store, Caches: NewCaches(), Throttles: NewThrottles(), Revocations: h.revocations, Epoch: h.epoch, Log: h.log,
		})
		if (err == nil) != (c.want == "") || (s != nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// noExchange takes audience_exchange from the clients that have it.
func noExchange(c *Config) {
	for _, id := range []string{"batch", "crmonly"} {
		c.client(id).GrantTypes, c.client(id).Own = []string{"client_credentials"}, lines()
	}
}
