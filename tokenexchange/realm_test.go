package tokenexchange

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Each row makes one thing wrong; the error must say what, where and what was
// expected.
func TestCompileErrors(t *testing.T) {
	web := func(change func(*ClientConfig)) func(*Config) { return func(c *Config) { change(c.client("web")) } }
	shop := func(change func(*ServiceConfig)) func(*Config) { return func(c *Config) { change(&c.Services[0]) } }
	client := func(change func(*ClientConfig)) func(*Config) {
		return func(c *Config) {
			added := confidential("added", "password")
			added.Permit = lines()
			change(&added)
			c.Clients = append(c.Clients, added)
		}
	}
	cases := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no issuer", func(c *Config) { c.Issuer = "" }, `issuer: "": expected an https URL without a path`},
		{"issuer over http", func(c *Config) { c.Issuer = "http://auth.example.com" }, "expected https; http only on loopback"},
		{"issuer with a path", func(c *Config) { c.Issuer = "https://auth.example.com/x" }, "without a path"},
		{"issuer with a slash", func(c *Config) { c.Issuer = "https://auth.example.com/" }, "without a path"},
		{"issuer with a query", func(c *Config) { c.Issuer = "https://auth.example.com?x" }, "without a path"},
		{"issuer with a user", func(c *Config) { c.Issuer = "https://u@auth.example.com" }, "without a path"},
		{"issuer without a host", func(c *Config) { c.Issuer = "https://" }, "without a path"},
		{"issuer of another scheme", func(c *Config) { c.Issuer = "ftp://auth.example.com" }, "expected https"},
		{"issuer that looks like loopback", func(c *Config) { c.Issuer = "http://127.0.0.1.example.com" }, "only on loopback"},
		{"service without an id", shop(func(s *ServiceConfig) { s.ID = "" }), "expected an id of 1 to 128 characters"},
		{"service id with a slash", shop(func(s *ServiceConfig) { s.ID = "a/b" }), "service a/b: expected an id"},
		{"service id with the CSP prefix", shop(func(s *ServiceConfig) { s.ID = "external/shop" }), "expected an id"},
		{"service twice", func(c *Config) { c.Services = append(c.Services, c.Services[0]) }, "service shop: a second service of this id"},
		{"no audience", shop(func(s *ServiceConfig) { s.Audience = "" }), `audience: "": expected a URL or URN`},
		{"audience no URL", shop(func(s *ServiceConfig) { s.Audience = "shop" }), `audience: "shop": expected a URL or URN`},
		{"audience with a blank", shop(func(s *ServiceConfig) { s.Audience = "https://a b" }), "expected a URL or URN"},
		{"audience is the issuer", shop(func(s *ServiceConfig) { s.Audience = issuer }), "is already that of the issuer"},
		{"audience of another", shop(func(s *ServiceConfig) { s.Audience = crmAud }), "is already that of service shop"},
		{"upstream is the audience", shop(func(s *ServiceConfig) { s.UpstreamAudience = shopAud }), "must be used once"},
		{"upstream is another's audience", shop(func(s *ServiceConfig) { s.UpstreamAudience = crmAud }), "must be used once"},
		{"audience is another's upstream", shop(func(s *ServiceConfig) { s.Audience = "urn:scopegate:upstream:crm" }), "must be used once"},
		{"permission twice", shop(func(s *ServiceConfig) { s.Permissions = []string{"a", "a"} }), `permissions: "a" is declared twice`},
		{"permission with a slash", shop(func(s *ServiceConfig) { s.Permissions = []string{"a/b"} }), `permissions: id "a/b"`},
		{"permission a star", shop(func(s *ServiceConfig) { s.Permissions = []string{"*"} }), `permissions: id "*"`},
		{"client id short", client(func(c *ClientConfig) { c.ID = "ab" }), "client ab: expected an id of 3 to 128 characters"},
		{"client id with a colon", client(func(c *ClientConfig) { c.ID = "guard:shop" }), "client guard:shop: expected an id"},
		{"client id with a newline", client(func(c *ClientConfig) { c.ID = "abc\n" }), "expected an id"},
		{"client twice", client(func(c *ClientConfig) { c.ID = "web" }), "client web: a second client of this id"},
		{"no secret and not public", client(func(c *ClientConfig) { c.Secrets = nil }), "expected secret, jwks_file or public"},
		{"public with a secret", client(func(c *ClientConfig) { c.Public = true }), "public and secret exclude each other"},
		{"three secrets", client(func(c *ClientConfig) { c.Secrets = append(c.Secrets, c.Secrets[0], c.Secrets[0]) }), "at most two live secrets"},
		{"no grant", client(func(c *ClientConfig) { c.GrantTypes = nil }), "grant_types: expected at least one of authorization_code, refresh_token, client_credentials"},
		{"unknown grant", client(func(c *ClientConfig) { c.GrantTypes = []string{"client_exchange"} }), `grant_types: unrecognized "client_exchange"`},
		{"grant by its long name", client(func(c *ClientConfig) { c.GrantTypes = []string{vmwarePrefix + "password"} }), "grant_types: unrecognized"},
		{"grant by the RFC's name", client(func(c *ClientConfig) { c.GrantTypes = []string{exchangeGrant} }), "grant_types: unrecognized"},
		{"grant twice", client(func(c *ClientConfig) { c.GrantTypes = []string{"password", "password"} }), "password is listed twice"},
		{"public with client_credentials", client(func(c *ClientConfig) {
			c.Public, c.Secrets, c.GrantTypes = true, nil, []string{"client_credentials"}
		}), "client_credentials is for clients with a secret"},
		{"client_credentials without own", client(func(c *ClientConfig) { c.GrantTypes = []string{"client_credentials"} }), "client_credentials needs own lines; expected some, or own none"},
		{"neither permit nor own", client(func(c *ClientConfig) { c.Permit = nil }), "expected permit or own lines"},
		{"permit of no service", client(func(c *ClientConfig) { c.Permit = lines("nope/x **") }), `permit: "nope/x": there is no service "nope"; expected one of the services: crm, shop`},
		{"permit of no permission", client(func(c *ClientConfig) { c.Permit = lines("shop/x **") }), "service shop declares no such permission; expected one of orders.read, orders.write"},
		{"permit without a service", client(func(c *ClientConfig) { c.Permit = lines("orders.read **") }), "expected SERVICE/PERMISSION"},
		{"permit without a permission", client(func(c *ClientConfig) { c.Permit = lines("shop/ **") }), "expected SERVICE/PERMISSION"},
		{"permit without a pattern", client(func(c *ClientConfig) { c.Permit = lines("shop/orders.read") }), "at least one resource pattern"},
		{"permit with a bad pattern", client(func(c *ClientConfig) { c.Permit = lines("shop/orders.read a//b") }), "permit: shop/orders.read a//b"},
		{"permit with {org}", client(func(c *ClientConfig) { c.Permit = lines("shop/orders.read {org}/x") }), "only {org} in the users file"},
		{"own of no permission", client(func(c *ClientConfig) { c.Own = lines("shop/x **") }), `own: "shop/x"`},
		{"all of a service that declares nothing", func(c *Config) {
			c.Services = append(c.Services, ServiceConfig{ID: "bare", Audience: "https://bare"})
			c.client("web").Permit = lines("bare/* **")
		}, "service bare declares no permissions"},
		{"a group scope without a group", web(func(c *ClientConfig) { c.Scope = []string{"grpn://"} }), "scope: grpn:// selects no group"},
		{"a group id scope without a group", web(func(c *ClientConfig) { c.Scope = []string{"grpid://"} }), "scope: grpid:// selects no group"},
		{"openid in two spellings", web(func(c *ClientConfig) { c.Scope = []string{"openid", "openid_offline_access"} }), "scope: openid is listed twice"},
		{"scope with a blank", web(func(c *ClientConfig) { c.Scope = []string{"a b"} }), "expected a scope token"},
		{"scope empty", web(func(c *ClientConfig) { c.Scope = []string{""} }), "expected a scope token"},
		{"scope twice", web(func(c *ClientConfig) { c.Scope = []string{"a", "a"} }), "scope: a is listed twice"},
		{"target is the issuer", web(func(c *ClientConfig) { c.TargetAudiences = []string{issuer} }), "target_audiences: the issuer is no target"},
		{"target is an upstream", web(func(c *ClientConfig) { c.TargetAudiences = []string{"urn:scopegate:upstream:shop"} }), "which only its guard may ask for; expected " + shopAud},
		{"validity negative", web(func(c *ClientConfig) { c.AccessTokenValidity = Duration(-time.Hour) }), "access_token_validity: -1h0m0s: expected at least 1s"},
		{"validity below a second", web(func(c *ClientConfig) { c.AccessTokenValidity = 1 }), "expected at least 1s"},
		{"refresh validity negative", web(func(c *ClientConfig) { c.RefreshTokenValidity = -1 }), "refresh_token_validity"},
		{"algorithm", web(func(c *ClientConfig) { c.AccessTokenAlg = "HS256" }), `access_token_alg: "HS256": expected ES256 or RS256`},
		{"algorithm none", web(func(c *ClientConfig) { c.AccessTokenAlg = "none" }), "expected ES256 or RS256"},
		{"org with a slash", web(func(c *ClientConfig) { c.Org = "a/b" }), `org: "a/b"`},
		{"allowed org a star", web(func(c *ClientConfig) { c.AllowedOrgs = []string{"*"} }), `allowed_orgs: "*"`},
		{"allow of no grant", web(func(c *ClientConfig) { c.Allow = []AllowConfig{{Grant: "refresh_token", By: []string{"batch"}}} }), `allow: unrecognized grant "refresh_token"`},
		{"allow of a grant without subject", web(func(c *ClientConfig) { c.Allow = []AllowConfig{{Grant: "password", By: []string{"batch"}}} }), "allow: unrecognized grant"},
		{"allow by nobody", web(func(c *ClientConfig) { c.Allow = []AllowConfig{{Grant: "audience_exchange"}} }), "by: expected at least one client"},
		{"allow by an unknown client", web(func(c *ClientConfig) { c.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batsh"}}} }), `by: no client "batsh"`},
		{"allow by a guard", web(func(c *ClientConfig) {
			c.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"guard:shop"}}}
		}), `no client "guard:shop"`},
		{"allow to what is not there", web(func(c *ClientConfig) { c.Permit = lines() }), "allow: without to,"},
		{"empty target", web(func(c *ClientConfig) { c.TargetAudiences = []string{""} }), "target_audiences: an empty audience"},
		{"allow to an upstream", web(func(c *ClientConfig) {
			c.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batch"}, To: []string{"urn:scopegate:upstream:shop"}}}
		}), "allow: to: urn:scopegate:upstream:shop"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := baseConfig()
			c.change(&cfg)
			realm, err := Compile(cfg, nil)
			if err == nil || realm != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestCompileAccepts(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"as it is":           func(*Config) {},
		"nothing but issuer": func(c *Config) { *c = Config{Issuer: issuer} },
		"http on loopback":   func(c *Config) { c.Issuer = "http://127.0.0.1:8080" },
		"http on localhost":  func(c *Config) { c.Issuer = "http://localhost:8080" },
		"permit none":        func(c *Config) { w := c.client("web"); w.Permit, w.Allow = lines(), nil },
		"own audience":       func(c *Config) { c.Services[0].UpstreamAudience = "https://inside.example.com" },
	} {
		cfg := baseConfig()
		change(&cfg)
		if realm, err := Compile(cfg, nil); err != nil || realm.Issuer() != cfg.Issuer {
			t.Errorf("%s: got %v", name, err)
		}
	}
	realm := must(Compile(baseConfig(), nil))
	if w := realm.Warnings(); len(w) != 2 || !strings.Contains(w[0], "client web: the password grant") {
		t.Errorf("got the warnings %q, want one for each client with the password grant", w)
	}
	if p, ok := realm.Service("shop"); !ok || len(p) != 2 {
		t.Errorf("got %q, %v", p, ok)
	}
	if _, ok := realm.Service("nope"); ok || realm.Declares("shop", "x") || realm.Declares("nope", "x") || !realm.Declares("shop", "orders.read") {
		t.Error("Service or Declares does not follow the configuration")
	}
}

func TestNewRefuses(t *testing.T) {
	h := newHouse(t)
	good := Runtime{SigningKeys: []SigningKey{ecKey()}, StateKeys: []StateKey{stateKey}, Store: h.store, Caches: NewCaches(), Throttles: NewThrottles(), Revocations: h.revocations, Epoch: h.epoch, Log: h.log}
	for name, c := range map[string]struct {
		change func(*Runtime)
		realm  *Realm
		want   string
	}{
		"no realm":       {func(*Runtime) {}, nil, "a realm, caches, throttles, revocations, a logger and an epoch are needed"},
		"no caches":      {func(r *Runtime) { r.Caches = nil }, h.realm, "are needed"},
		"no throttles":   {func(r *Runtime) { r.Throttles = nil }, h.realm, "are needed"},
		"no revocations": {func(r *Runtime) { r.Revocations = nil }, h.realm, "are needed"},
		"no feed":        {func(r *Runtime) { r.Store = struct{ Store }{r.Store} }, h.realm, "no feed"},
		"no logger":      {func(r *Runtime) { r.Log = nil }, h.realm, "are needed"},
		"no epoch":       {func(r *Runtime) { r.Epoch = Epoch{} }, h.realm, "are needed"},
		"no keys":        {func(r *Runtime) { r.SigningKeys = nil }, h.realm, "no signing key"},
		"a key twice":    {func(r *Runtime) { r.SigningKeys = []SigningKey{ecKey(), ecKey()} }, h.realm, "used twice"},
		"another alg":    {func(r *Runtime) { r.SigningKeys = []SigningKey{rsaKey()} }, h.realm, "access_token_alg: ES256: there is no signing_key for it; expected one with a P-256 key, or the line access_token_alg RS256"},
		"no store":       {func(r *Runtime) { r.Store = nil }, h.realm, "no store"},
		"no state key":   {func(r *Runtime) { r.StateKeys = nil }, h.realm, "no state key"},
	} {
		rt := good
		c.change(&rt)
		if s, err := New(c.realm, rt); err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", name, s, err, c.want)
		}
	}
}

func TestDuration(t *testing.T) {
	var d Duration
	for text, good := range map[string]bool{`"30m"`: true, `"1h30m"`: true, `30`: false, `"30"`: false, `""`: false, `null`: false, `{}`: false} {
		if err := json.Unmarshal([]byte(text), &d); (err == nil) != good {
			t.Errorf("%s: got %v, want good %v", text, err, good)
		}
	}
	if got := string(must(json.Marshal(Duration(90 * time.Second)))); got != `"1m30s"` {
		t.Errorf("got %s", got)
	}
}
