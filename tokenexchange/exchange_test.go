package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// upstreams returns a token as the guard of the shop forwards it.
func (h *house) upstreams(t testing.TB, subject string) string {
	t.Helper()
	admitted, err := h.admit(subject, mint.TypeAccess, func([]string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	target, _ := h.mint.Upstream("shop")
	client := guardClient(h.realm.services["shop"], mint.ES256)
	header := map[string][]string{}
	must(h.mint.SignUpstream(must(h.mint.Derive(admitted, client, target)))).Authorize(header)
	return secret("an upstream token", strings.TrimPrefix(header["Authorization"][0], "Bearer "))
}

func TestExchangeRules(t *testing.T) {
	h := newHouse(t)
	ada, nightly := h.adas(), h.nightlys()
	batchs := h.exchange("batch", ada, shopAud).granted(t)
	mobile := h.do(form(pairs("grant_type", "password", "username", "ada", "password", password, "client_id", "mobile"))).granted(t)
	upstream := h.upstreams(t, ada)
	// A guard that acts as a client issues to that client: no audience is asked of its own tokens.
	_, acting := h.forwarded(t, h.shopWith(t, GuardOptions{Client: "batch"}), bearer("GET", "/me", ada))
	both := forge("at+jwt", claimsOf(t, batchs), map[string]any{"aud": []string{shopAud, "urn:scopegate:upstream:crm"}})
	cases := []struct {
		name string
		got  got
		code string
		want string
	}{
		{"a foreign subject, with permit for a service in its aud", h.exchange("batch", ada, shopAud), "", ""},
		{"a client's own token", h.exchange("batch", nightly, shopAud), "", ""},
		{"its own token again", h.exchange("batch", batchs, shopAud), "", ""},
		{"target in other case", h.exchange("batch", ada, "HTTPS://shop.example.com"), "invalid_target", "target_not_allowed"},
		{"target with a slash", h.exchange("batch", ada, shopAud+"/"), "invalid_target", "target_not_allowed"},
		{"target not listed", h.exchange("batch", ada, "https://other.example"), "invalid_target", "target_not_allowed"},
		{"the upstream audience", h.exchange("batch", ada, "urn:scopegate:upstream:shop"), "invalid_target", "target_not_allowed"},
		{"the issuer", h.exchange("batch", ada, issuer), "invalid_target", "target_not_allowed"},
		{"a service id", h.exchange("batch", ada, "shop"), "invalid_target", "target_not_allowed"},
		{"two targets in one", h.exchange("batch", ada, shopAud+" "+crmAud), "invalid_target", "target_not_allowed"},
		{"listed, but no allow line reaches it", h.exchange("batch", nightly, crmAud), "unauthorized_client", "exchange_refused"},
		{"listed, but web has no line there", h.exchange("batch", ada, "https://elsewhere.example"), "unauthorized_client", "exchange_refused"},
		{"the source has no allow line", h.exchange("batch", mobile, shopAud), "unauthorized_client", "exchange_refused"},
		{"the caller is not in the line", h.exchange("crmonly", nightly, shopAud), "invalid_request", "token_audience"},
		{"own token, to where its own line does not reach", h.exchange("batch", batchs, crmAud), "unauthorized_client", "exchange_refused"},
		{"a foreign subject without permit for its aud", h.exchange("crmonly", batchs, shopAud), "invalid_request", "token_audience"},
		{"an upstream token", h.exchange("batch", upstream, shopAud), "invalid_request", "token_audience"},
		{"an upstream token, to whom it was issued", h.exchange("batch", acting, shopAud), "invalid_request", "token_audience"},
		{"an upstream audience beside a good one", h.exchange("batch", both, shopAud), "invalid_request", "token_audience"},
		{"no token", h.exchange("batch", "x", shopAud), "invalid_request", "token_malformed"},
		{"a token and a blank", h.exchange("batch", ada+" ", shopAud), "invalid_request", "token_malformed"},
		{"a changed token", h.exchange("batch", ada[:len(ada)-8]+"AAAAAAAA", shopAud), "invalid_request", "token_signature"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.want == "" {
				c.got.granted(t)
				return
			}
			c.got.refused(t, 400, c.code, c.want)
		})
	}
	for _, typ := range []string{"urn:ietf:params:oauth:token-type:jwt", "access_token", accessURN + " ", strings.ToUpper(accessURN)} {
		g := h.token("batch", "grant_type", "audience_exchange", "subject_token", ada, "subject_token_type", typ, "target_audience", shopAud)
		g.refused(t, 400, "invalid_request", "parameter_invalid")
		if typ != accessURN {
			h.exchange("batch", ada, shopAud, "requested_token_type", typ).refused(t, 400, "invalid_request", "parameter_invalid")
		}
	}
	h.exchange("batch", ada, shopAud, "requested_token_type", accessURN).granted(t)
}

// A caller gets the subject's rights, met with its own ceiling: never its own.
func TestExchangeGivesNothingNew(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.client("batch").Own = lines("shop/* **")
		c.client("web").Allow = append(c.client("web").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}})
	})
	narrow := h.adas("allowed_resource_scope", scopeOf("orders.read", "orders/7"))
	token := h.exchange("batch", narrow, shopAud).granted(t)
	if got, want := setOf(t, token), setOf(t, narrow); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	h.exchange("batch", narrow, shopAud, "allowed_resource_scope", scopeOf("orders.read", "orders/8")).refused(t, 400, "invalid_scope", "resource_scope_exceeded")
	h.exchange("batch", narrow, shopAud, "scope", "email").refused(t, 400, "invalid_scope", "scope_exceeded")
	// What is derived stays under what it was derived from.
	h.exchange("batch", token, shopAud, "allowed_resource_scope", scopeOf("orders.write")).refused(t, 400, "invalid_scope", "resource_scope_exceeded")
}

func TestSourceClientIsGone(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	h.exchange("batch", ada, shopAud).granted(t)
	h.Server = h.reload(h.caches, func(c *Config) {
		c.Clients = slices.DeleteFunc(c.Clients, func(c ClientConfig) bool { return c.ID == "web" })
	})
	h.exchange("batch", ada, shopAud).refused(t, 400, "unauthorized_client", "exchange_refused")
	h.Server = h.reload(h.caches, func(c *Config) { c.client("web").Allow = nil })
	g := h.exchange("batch", ada, shopAud)
	g.refused(t, 400, "unauthorized_client", "exchange_refused")
	if cause, want := g.record["cause"].(string), "client web has no line: allow audience_exchange by batch to "+shopAud; !strings.Contains(cause, want) {
		t.Errorf("got the cause %q, want the line to add: %q", cause, want)
	}
	if strings.Contains(g.raw, "web") {
		t.Errorf("the answer tells the caller about another client: %s", g.raw)
	}
}

func TestActorToken(t *testing.T) {
	h := newHouse(t)
	ada, nightly := h.adas(), h.nightlys()
	own := h.token("batch", "grant_type", "client_credentials").granted(t)
	do := func(client string, kv ...string) got {
		return h.token(client, append([]string{"grant_type", exchangeGrant, "subject_token", ada, "subject_token_type", accessURN, "audience", shopAud}, kv...)...)
	}
	for name, c := range map[string]struct {
		params []string
		want   string
	}{
		"its own":                   {[]string{"actor_token", own, "actor_token_type", accessURN}, ""},
		"without its type":          {[]string{"actor_token", own}, "parameter_invalid"},
		"only its type":             {[]string{"actor_token_type", accessURN}, "token_malformed"},
		"another type":              {[]string{"actor_token", own, "actor_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "parameter_invalid"},
		"a user's":                  {[]string{"actor_token", ada, "actor_token_type", accessURN}, "token_audience"},
		"another client's":          {[]string{"actor_token", nightly, "actor_token_type", accessURN}, "token_audience"},
		"not a token":               {[]string{"actor_token", "x", "actor_token_type", accessURN}, "token_malformed"},
		"an exchanged one, as well": {[]string{"actor_token", h.exchange("batch", ada, shopAud).granted(t), "actor_token_type", accessURN}, "token_audience"},
	} {
		t.Run(name, func(t *testing.T) {
			g := do("batch", c.params...)
			if c.want != "" {
				g.refused(t, 400, "invalid_request", c.want)
				return
			}
			if claims := claimsOf(t, g.granted(t)); claims["act"] != nil || claims["sub"] != "example.com:ada" {
				t.Errorf("the actor token changed something: %v", claims)
			}
		})
	}
	// Another client's token with the issuer in aud gets as far as the kind.
	crm := newHouse(t, func(c *Config) { c.client("nightly").Own = lines() })
	other := crm.nightlys()
	crm.token("batch", "grant_type", exchangeGrant, "subject_token", crm.adas(), "subject_token_type", accessURN, "audience", shopAud,
		"actor_token", other, "actor_token_type", accessURN).refused(t, 400, "invalid_request", "subject_kind")
}

func TestSubjectIsJudgedNow(t *testing.T) {
	h := newHouse(t)
	ada, kim := h.adas(), h.token("web", "grant_type", "password", "username", "kim", "password", password).granted(t)
	h.exchange("batch", ada, shopAud).granted(t)
	h.exchange("batch", kim, shopAud).refused(t, 400, "invalid_request", "token_revoked") // tokens_not_before
	h.clock = start.Add(30 * time.Minute)
	h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_expired") // no time left
	h.clock = start.Add(30*time.Minute + mint.LeewayExpiry)
	h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_expired")
	kim = h.token("web", "grant_type", "password", "username", "kim", "password", password).granted(t)
	h.exchange("batch", kim, shopAud).granted(t)
	h.clock = start.Add(-time.Minute)
	h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_not_yet_valid")

	// A store that was lost forgot what was revoked.
	h.clock = start.Add(time.Minute)
	h.epoch = Epoch{ID: "f", Created: start.Add(time.Second)}
	h.Server = h.reload(h.caches)
	h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_revoked")
	h.exchange("batch", h.adas(), shopAud).granted(t)
}

// Tokens of another issuer, or of this one under keys that are gone, are
// refused whatever they say.
func TestForeignTokens(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	other := newHouse(t, func(c *Config) { c.Issuer = "https://other.example.com" })
	h.exchange("batch", other.adas(), shopAud).refused(t, 400, "invalid_request", "token_issuer") // the same keys
	cfg := baseConfig()
	realm := must(Compile(cfg, []string{usersPath(t, baseUsers)}))
	h.Server = h.serve(realm, h.caches, ecOther(), rsaKey())
	h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_signature")
	h.Server = h.serve(realm, h.caches, ecOther(), rsaKey(), ecKey())
	h.exchange("batch", ada, shopAud).granted(t) // kept for verification
}

func TestChainAtTheEndpoint(t *testing.T) {
	h := newHouse(t)
	token := h.adas()
	for range 4 {
		token = h.exchange("batch", token, shopAud).granted(t)
	}
	h.exchange("batch", token, shopAud).refused(t, 400, "invalid_request", "chain_too_long")
}

func TestStoreIsAway(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	g := h.token("web", "grant_type", "password", "username", "ada", "password", password)
	g.refused(t, 503, "temporarily_unavailable", "store_unavailable")
	h.nightlys()
	h.exchange("batch", ada, shopAud).granted(t)
	h.token("web", "grant_type", "password", "username", "ada", "password", "wrong").refused(t, 400, "invalid_grant", "credentials_wrong")
}
