package tokenexchange

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func (h *house) login(kv ...string) got {
	h.t.Helper()
	return h.token("web", replaced([]string{"grant_type", "password", "username", "ada", "password", password}, kv...)...)
}

func TestRefresh(t *testing.T) {
	h := newHouse(t, logins)
	first := h.login()
	access, r0 := first.tokens(t)
	h.clock = h.clock.Add(10 * time.Minute)
	second := h.refresh("web", r0)
	again, r1 := second.tokens(t)
	if r1 == r0 {
		t.Error("the refresh token did not rotate")
	}
	if got, want := setOf(t, again), setOf(t, access); got != want {
		t.Errorf("set: got %s, want %s", got, want)
	}
	for _, claim := range []string{"sub", "grant_id", "sid", "auth_time", "scope", "context_name", "client_id"} {
		if got, want := claimsOf(t, again)[claim], claimsOf(t, access)[claim]; got != want {
			t.Errorf("%s: got %v, want %v", claim, got, want)
		}
	}
	for _, g := range []got{first, second} {
		if id, _ := g.body["id_token"].(string); id == "" || claimsOf(t, id)["sub"] != "example.com:ada" || claimsOf(t, id)["auth_time"] != claimsOf(t, access)["auth_time"] {
			t.Errorf("got %s, want an id token of the same login", g.raw)
		}
	}
	// What a request narrows is this access token, never the family.
	narrow := `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/7"]}]}]}`
	g := h.refresh("web", r1, "allowed_resource_scope", narrow, "scope", "orders", "accessTokenValiditySeconds", "60")
	small, r2 := g.tokens(t)
	if g.body["id_token"] != nil || g.body["expires_in"] != float64(60) || claimsOf(t, small)["narrowed"] != true || !strings.Contains(setOf(t, small), `["orders/7"]`) {
		t.Errorf("got %s, want the narrow access token alone", g.raw)
	}
	whole, _ := h.refresh("web", r2).tokens(t)
	if got, want := setOf(t, whole), setOf(t, access); got != want || claimsOf(t, whole)["narrowed"] != nil {
		t.Errorf("after a narrow one: got %s, want %s", got, want)
	}
}

func TestRefreshRefused(t *testing.T) {
	h := newHouse(t, logins)
	_, token := h.login().tokens(t)
	for name, c := range map[string]struct {
		client, token string
		kv            []string
		code, reason  string
	}{
		"other client":   {"console", token, nil, "invalid_grant", "refresh_token_invalid"},
		"no grant":       {"legacy", token, nil, "unauthorized_client", "grant_not_allowed"},
		"cut":            {"web", token[:len(token)-1], nil, "invalid_grant", "refresh_token_invalid"},
		"changed":        {"web", strings.Replace(token, ".0.", ".1.", 1), nil, "invalid_grant", "refresh_token_invalid"},
		"another form":   {"web", strings.Replace(token, ".0.", ".00.", 1), nil, "invalid_grant", "refresh_token_invalid"},
		"a code":         {"web", h.code(t), nil, "invalid_grant", "refresh_token_invalid"},
		"absent":         {"web", "", nil, "invalid_request", "parameter_missing"},
		"other org":      {"web", token, []string{"orgId", "beta"}, "invalid_request", "org_not_allowed"},
		"more scope":     {"web", token, []string{"scope", "reports"}, "invalid_scope", "scope_exceeded"},
		"a subject":      {"web", token, []string{"subject_token", token}, "invalid_request", "parameter_misplaced"},
		"wrong password": {"web", token, []string{"client_secret", "something else"}, "invalid_request", "client_ambiguous"},
	} {
		t.Run(name, func(t *testing.T) { h.refresh(c.client, c.token, c.kv...).refused(t, 400, c.code, c.reason) })
	}
	h.refresh("web", token, "orgId", "acme").tokens(t) // None of these used it up.
}

// Within ten seconds a lost answer can be asked for again, three times; later,
// or when the successor was used, an old token is a stolen one.
func TestRefreshReuse(t *testing.T) {
	type step struct {
		after  time.Duration
		use    int // which token of the chain
		reason string
	}
	for name, steps := range map[string][]step{
		"repeats":                {{0, 0, ""}, {time.Second, 0, ""}, {time.Second, 0, ""}, {time.Second, 0, ""}, {time.Second, 0, "refresh_token_used"}, {time.Second, 1, ""}},
		"a late repeat":          {{0, 0, ""}, {11 * time.Second, 0, "refresh_token_reused"}, {0, 1, "refresh_token_invalid"}, {0, 0, "refresh_token_invalid"}},
		"after the successor":    {{0, 0, ""}, {time.Second, 1, ""}, {time.Second, 0, "refresh_token_reused"}, {0, 2, "refresh_token_invalid"}},
		"repeats do not prolong": {{0, 0, ""}, {9 * time.Second, 0, ""}, {2 * time.Second, 0, "refresh_token_reused"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			access, token := h.login().tokens(t)
			chain, dead := []string{token}, false
			for i, s := range steps {
				h.clock = h.clock.Add(s.after)
				g := h.refresh("web", chain[s.use])
				if s.reason != "" {
					g.refused(t, 400, "invalid_grant", s.reason)
					dead = dead || s.reason == "refresh_token_reused"
					continue
				}
				_, next := g.tokens(t)
				if s.use+1 == len(chain) {
					chain = append(chain, next)
				}
				if next != chain[s.use+1] {
					t.Errorf("step %d: got another successor", i)
				}
			}
			want := scopes.ReasonAllowed
			if dead {
				want = scopes.ReasonTokenRevoked
			}
			if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != want {
				t.Errorf("the access token of the login: got %s, want %s", v.Reason, want)
			}
		})
	}
}

func TestRefreshEnds(t *testing.T) {
	h := newHouse(t, logins)
	_, token := h.login("refreshTokenValiditySeconds", "3600").tokens(t)
	for range 5 {
		h.clock = h.clock.Add(11 * time.Minute)
		_, token = h.refresh("web", token, "refreshTokenValiditySeconds", "7200").tokens(t)
	}
	h.clock = h.clock.Add(5 * time.Minute)
	h.refresh("web", token).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// Rights are computed anew at every use, and a user who is gone ends the family
// for good.
func TestRefreshComputesRightsAnew(t *testing.T) {
	h := newHouse(t, logins)
	_, token := h.login().tokens(t)
	with := func(users string, change ...func(*Config)) {
		cfg := baseConfig()
		logins(&cfg)
		for _, f := range change {
			f(&cfg)
		}
		h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, users)})), h.caches, ecKey(), rsaKey())
	}
	use := func() string {
		t.Helper()
		var access string
		access, token = h.refresh("web", token).tokens(t)
		return access
	}
	full := setOf(t, use())
	with(strings.Replace(baseUsers, "shop/orders.write orders/eu/**", "shop/orders.write orders/eu/1", 1))
	if got := setOf(t, use()); !strings.Contains(got, `["orders/eu/1"]`) {
		t.Errorf("ada lost rights: got %s", got)
	}
	with(baseUsers, func(c *Config) { c.client("web").Permit = lines("shop/orders.read orders/9") })
	if got := setOf(t, use()); !strings.Contains(got, `["orders/9"]`) || strings.Contains(got, "write") {
		t.Errorf("the client lost rights: got %s", got)
	}
	with(strings.Replace(baseUsers, "shop/orders.read orders/**", "shop/orders.read **", 1))
	if got := setOf(t, use()); got != full {
		t.Errorf("ada got more rights: got %s, want what the login gave: %s", got, full)
	}
	with(strings.Replace(baseUsers, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1))
	h.refresh("web", token).refused(t, 400, "invalid_grant", "user_gone")
	with(baseUsers)
	h.refresh("web", token).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// A family whose refresh tokens end soon is still known while its access token
// lives: a code that comes again kills it.
func TestRefreshEndsBeforeAccess(t *testing.T) {
	h := newHouse(t, logins)
	code := h.code(t)
	g := h.redeem("web", code, "refreshTokenValiditySeconds", "5")
	access, refresh := g.tokens(t)
	if g.body["expires_in"] != float64(1800) {
		t.Errorf("got expires_in %v: the parameter is about the refresh token", g.body["expires_in"])
	}
	h.clock = h.clock.Add(6 * time.Second)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); !v.Allowed() {
		t.Errorf("before: got %s", v.Reason)
	}
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("after: got %s", v.Reason)
	}
}

// An answer that would be too large is refused before anything is used up.
func TestTooLargeUsesNothingUp(t *testing.T) {
	h := newHouse(t, logins)
	var groups, ids []string
	for i := range 100 {
		id := fmt.Sprintf("%s-%03d", strings.Repeat("g", 60), i)
		groups, ids = append(groups, `{"id":"`+id+`","name":"`+id+`"}`), append(ids, `"`+id+`"`)
	}
	users := strings.Replace(baseUsers, `"groups":[{"id":"g1","name":"G"}]`, `"groups":[`+strings.Join(groups, ",")+`]`, 1)
	h.withUsers(strings.Replace(users, `"groups":["g1"]`, `"groups":[`+strings.Join(ids, ",")+`]`, 1))
	scope := func(c *Code) { c.Scope = "openid group_names" }
	code := h.code(t, scope)
	h.redeem("web", code).refused(t, 400, "invalid_scope", "token_too_large")
	_, token := h.redeem("web", code, "maxGroupsInIdToken", "5").tokens(t)
	h.refresh("web", token).refused(t, 400, "invalid_scope", "token_too_large")
	g := h.refresh("web", token, "maxGroupsInIdToken", "5")
	g.tokens(t)
	id := claimsOf(t, g.body["id_token"].(string))
	if names, _ := id["group_names"].([]any); len(names) != 5 || id["groups_truncated"] != true {
		t.Errorf("got %v, want five groups and the mark", id)
	}
}
