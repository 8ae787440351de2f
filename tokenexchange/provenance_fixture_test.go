package tokenexchange

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// askers are the clients of the matrix that bring tokens, named as the columns
// of testdata/provenance.txt are.
var askers = []string{"allowed", "not allowed", "no permit", "no target", "public", "no grant"}

func askerID(name string) string { return strings.ReplaceAll(name, " ", "-") }

// derives are the grants by which clients make one token of another, and the
// one for a token of their own.
var derives = []string{"audience_exchange", "client_delegate", "context_switch", "impersonate_user", "client_credentials"}

// deriving is a client that may ask for every audience.
func deriving(id string, permit []string, grants ...string) ClientConfig {
	c := confidential(id, grants...)
	c.Permit, c.Own, c.TargetAudiences, c.IDTokenAlg = lines(permit...), lines(), []string{shopAud, crmAud, elsewhere}, mint.ES256
	c.Scope, c.AccessTokenValidity = []string{"openid", "orders"}, Duration(time.Hour)
	return c
}

// sources are the clients that subjects are issued to. They allow not-allowed
// every grant but those that are refused, and these for every other audience. Users log in through
// web, maker derives what is derived again, nightly and robot have tokens and
// assertions of their own, and other lets nobody exchange its tokens. In the
// second life of the configuration gone is in it no more, and lost has no permit
// left.
func sources(second bool, refused []string) []ClientConfig {
	by := []string{"web", "maker", "lost", "allowed", "no-permit", "no-target", "public"}
	if !second {
		by = append(by, "gone")
	}
	var lets []AllowConfig
	for _, grant := range derives[:4] {
		line, other := AllowConfig{Grant: grant, By: by}, AllowConfig{Grant: grant, By: []string{"not-allowed"}}
		if grant == "audience_exchange" || grant == "client_delegate" {
			line.To, other.To = []string{shopAud, crmAud, elsewhere}, []string{crmAud, elsewhere}
			if !slices.Contains(refused, grant) {
				other.To = append(other.To, shopAud)
			}
			lets = append(lets, other)
		} else if !slices.Contains(refused, grant) {
			lets = append(lets, other)
		}
		lets = append(lets, line)
	}
	both, shop, logsIn := []string{"shop/* **", "crm/* **"}, []string{"shop/* **"}, append(slices.Clone(derives), "password")
	web := deriving("web", both, append(logsIn, "authorization_code", "refresh_token")...)
	web.Scope, web.Own = []string{"openid", "profile", "email", "offline_access", "orders"}, lines("shop/orders.read orders/**")
	web.AccessTokenValidity, web.RedirectURIs, web.APITokens, web.Org = 0, []string{callback}, true, "acme"
	maker, gone, lost := deriving("maker", both, derives...), deriving("gone", shop, logsIn...), deriving("lost", shop, logsIn...)
	lost.AccessTokenValidity = 0
	web.Allow, maker.Allow, gone.Allow, lost.Allow = lets, lets, lets, lets
	nightly := deriving("nightly", nil, "client_credentials")
	nightly.Permit, nightly.Own, nightly.Scope, nightly.Org = nil, lines("shop/orders.read **"), []string{"orders"}, "acme"
	robot := ClientConfig{ID: "robot", JWKSFile: "robot.json", JWKS: []byte(`{"keys":[` + jwk(robotKey().Public(), "") + `]}`), GrantTypes: []string{"client_credentials"}, Own: lines()}
	if second {
		lost.Permit = lines()
		return []ClientConfig{web, maker, lost, deriving("other", shop, logsIn...), nightly, robot}
	}
	return []ClientConfig{web, maker, lost, deriving("other", shop, logsIn...), nightly, robot, gone}
}

// provenances is the configuration of the matrix in one of its lives.
func provenances(second bool, without string, refused ...string) Config {
	shop := []string{"shop/* **"}
	public := deriving("public", shop, "audience_exchange", "context_switch")
	public.Public, public.Secrets, public.Scope = true, nil, []string{"orders"}
	target := deriving("no-target", shop, derives...)
	target.TargetAudiences = []string{crmAud}
	owns := deriving("no-permit", nil, derives...)
	owns.Permit, owns.Own = nil, lines("shop/orders.read **")
	clients := append(sources(second, refused), public, target, owns, deriving("allowed", shop, derives...), deriving("not-allowed", shop, derives...), deriving("no-grant", shop, "client_credentials"))
	for i := range clients {
		clients[i].GrantTypes = slices.DeleteFunc(slices.Clone(clients[i].GrantTypes), func(name string) bool { return name == without })
	}
	return Config{
		Issuer: issuer,
		Services: []ServiceConfig{
			{ID: "shop", Audience: shopAud, Permissions: []string{"orders.read", "orders.write", "orders.audit"}},
			{ID: "crm", Audience: crmAud, Permissions: []string{"contacts.read"}},
		},
		Clients:       clients,
		Impersonation: &ImpersonationConfig{Roles: []string{"csp:support"}, NeverRoles: []string{"csp:owner"}, Orgs: []string{"acme", "beta"}, Permit: lines("shop/orders.read orders/**", "crm/* contacts/**")},
	}
}

// people is the users file of the matrix. ada is the customer, nia one who holds
// nothing, olga the operator; uma, dan, out and chief cannot be impersonated, and
// oleg cannot impersonate. In the second life dan and dora are disabled, and rolf
// is no operator any more.
func people(second bool, tokens ...APIToken) string {
	type member = map[string]any
	in := func(org string, role string, permissions ...string) member {
		m := member{"org": org, "permissions": append([]string{}, permissions...)}
		if role != "" {
			m["roles"] = []string{role}
		}
		return m
	}
	user := func(id string, memberships ...member) member {
		return member{
			"id": id, "username": id, "domain": "example.com", "email": id + "@example.com", "email_verified": true,
			"password_hash": cheap, "default_org": "acme", "memberships": memberships,
		}
	}
	ada := user("ada",
		in("acme", "csp:org_member", "shop/orders.read orders/** reports/{org}/*", "shop/orders.write orders/eu/**", "crm/contacts.read **"),
		in("beta", "", "shop/orders.read orders/beta/**", "shop/orders.audit **", "crm/contacts.read beta/**"), in("empty", ""))
	dora, rolf, uma := user("dora", in("acme", "csp:support", "shop/orders.read **")), user("rolf", in("acme", "csp:support", "shop/orders.read **")), user("uma", in("acme", ""))
	dan, out := user("dan", in("acme", "")), user("out", in("empty", ""))
	uma["email_verified"], out["default_org"] = false, "empty"
	if second {
		dora["disabled"], dan["disabled"] = true, true
		rolf["memberships"] = []member{in("acme", "", "shop/orders.read **")}
	}
	operator := in("acme", "csp:support", "shop/orders.read **")
	return string(must(json.Marshal(map[string]any{
		"orgs": []member{{"id": "acme"}, {"id": "beta"}, {"id": "empty"}}, "groups": []member{}, "api_tokens": tokens,
		"users": []member{
			ada, dora, rolf, uma, dan, out, user("oleg", in("acme", "", "shop/orders.read **")),
			user("olga", operator, in("beta", "", "shop/orders.read **"), in("empty", "")), user("nia", in("acme", "")), user("chief", in("acme", "csp:owner")),
		},
	})))
}

// provenance is a house at the time of the walk, and all that can be presented.
type provenance struct {
	*house
	servers  map[string]*Server // by grant
	guards   map[string]*Guard  // by grant and column
	subjects []presentable
	actors   []presentable
	own      map[string]string // the client's own token, by id
	keeps    map[string]string // what the walk must not use up
}

// apiTokenOf draws an API token, through web, that gives all its user holds.
func apiTokenOf(t testing.TB, user string) (string, APIToken) {
	t.Helper()
	token, entry, err := NewAPIToken(APIToken{
		User: "example.com:" + user, Org: "acme", Client: "web", Expires: "2027-01-01T00:00:00Z", Permissions: []string{"shop/* **", "crm/* **"},
	}, start)
	if err != nil {
		t.Fatal(err)
	}
	return secret("an API token", token), entry
}

// life puts a life of the matrix's configuration to work. It remembers nothing
// of another one.
func (h *house) life(tokens []APIToken, second bool, without string, refused ...string) *Server {
	h.t.Helper()
	return h.serve(must(Compile(provenances(second, without, refused...), []string{usersPath(h.t, people(second, tokens...))})), NewCaches(), ecKey(), rsaKey())
}

func newProvenance(t *testing.T) *provenance {
	t.Helper()
	h := newHouse(t)
	adas, one := apiTokenOf(t, "ada")
	olgas, two := apiTokenOf(t, "olga")
	tokens := []APIToken{one, two}
	h.Server = h.life(tokens, false, "")
	p := &provenance{house: h, servers: map[string]*Server{}, guards: map[string]*Guard{}, own: map[string]string{}}
	expired, late, long := p.begin()
	h.clock = h.clock.Add(16 * time.Minute)
	p.subjects = p.customers(expired, adas, p.login("web", "olga"))
	p.actors = p.operators(late, long, olgas)

	// The second life begins: clients and users are others than they were.
	guarded := h.life(tokens, true, "", "audience_exchange", "client_delegate")
	for _, g := range provenanceGrants {
		p.servers[g.name] = guarded
		if g.callers[0] == "issued to" {
			p.servers[g.name] = h.life(tokens, true, g.without, g.grant)
		}
	}
	h.Server = guarded
	for _, exchange := range []string{"audience_exchange", "client_delegate"} {
		for column, client := range map[string]string{"built-in": "", "as allowed": "allowed", "as not allowed": "not-allowed", "as no permit": "no-permit"} {
			p.guards["guard, "+exchange+" "+column] = h.shopWith(t, GuardOptions{Exchange: exchange, Client: client})
		}
	}
	for _, client := range append([]string{"web", "maker", "lost", "other", "nightly"}, askers...) {
		if client = askerID(client); client != "public" {
			p.own[client] = p.token(client, "grant_type", "client_credentials").granted(t)
		}
	}
	h.clock = h.clock.Add(50 * time.Second)
	return p
}
