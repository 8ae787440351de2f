package tokenexchange

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func TestGuardReasons(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.client("batch").Allow = append(c.client("batch").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"crmonly"}, To: []string{shopAud}})
		plain := confidential("plain", "password")
		plain.Permit = lines("crm/* **")
		plain.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batch"}, To: []string{shopAud}}}
		c.Clients = append(c.Clients, plain)
	})
	g := h.shop(t)
	ada, nightly := h.adas(), h.nightlys()
	crm := h.adas("allowed_resource_scope", `{"servicesScopes":[{"serviceDefinitionId":"crm","permissions":[{"permissionId":"contacts.read"}]}]}`)
	writer := h.adas("allowed_resource_scope", scopeOf("orders.write"))
	empty := h.token("batch", "grant_type", "client_credentials").granted(t)
	// crmonly's exchange to the shop holds nothing there: identity-only.
	hollow := h.exchange("crmonly", ada, shopAud).granted(t)
	long := ada
	for range 4 {
		long = h.exchange("batch", long, shopAud).granted(t)
	}
	kim := h.token("web", "grant_type", "password", "username", "kim", "password", password).granted(t)
	parts := strings.Split(ada, ".")
	cases := []struct {
		name, method, target, token string
		want                        scopes.Reason
		status                      int
	}{
		{"held", "GET", "/orders/7", ada, scopes.ReasonAllowed, 200},
		{"HEAD follows GET", "HEAD", "/orders/7", ada, scopes.ReasonAllowed, 200},
		{"a client's own token", "GET", "/orders/7", nightly, scopes.ReasonAllowed, 200},
		{"authenticated", "GET", "/me", ada, scopes.ReasonAllowed, 200},
		{"public", "GET", "/healthz", "", scopes.ReasonAllowed, 200},
		{"public, with a broken token", "GET", "/healthz", "x", scopes.ReasonAllowed, 200},
		{"another service's right", "GET", "/contacts", ada, scopes.ReasonAllowed, 200},
		{"no token", "GET", "/orders/7", "", scopes.ReasonNoToken, 401},
		{"no token and no rule", "GET", "/nothing", "", scopes.ReasonNoToken, 401},
		{"not a token", "GET", "/orders/7", "x", scopes.ReasonTokenMalformed, 401},
		{"changed", "GET", "/orders/7", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), scopes.ReasonTokenSignature, 401},
		{"made for crm", "GET", "/orders/7", crm, scopes.ReasonTokenAudience, 401},
		{"made for the issuer", "GET", "/orders/7", empty, scopes.ReasonTokenAudience, 401},
		{"made for the upstream", "GET", "/orders/7", h.upstreams(t, ada), scopes.ReasonTokenAudience, 401},
		{"dead by the users file", "GET", "/orders/7", kim, scopes.ReasonTokenRevoked, 401},
		{"no rule", "GET", "/nothing", ada, scopes.ReasonNoRule, 403},
		{"other case", "GET", "/ORDERS/7", ada, scopes.ReasonNoRule, 403},
		{"slash at the end", "GET", "/orders/7/", ada, scopes.ReasonNoRule, 403},
		{"method", "DELETE", "/orders/7", ada, scopes.ReasonMethodNotAllowed, 403},
		{"unknown method", "BREW", "/orders/7", ada, scopes.ReasonMethodNotAllowed, 403},
		{"never, whoever asks", "TRACE", "/healthz", "", scopes.ReasonMethodNotAllowed, 403},
		{"permission", "GET", "/orders/7", writer, scopes.ReasonPermissionMissing, 403},
		{"resource", "POST", "/orders/7", ada, scopes.ReasonResourceMissing, 403},
		{"whole subtree", "GET", "/all", ada, scopes.ReasonResourceMissing, 403},
		{"identity-only", "GET", "/orders/7", hollow, scopes.ReasonNoResourceScope, 403},
		{"another service's right, not held", "GET", "/contacts", nightly, scopes.ReasonServiceMissing, 403},
		{"variable", "GET", "/orders/*", ada, scopes.ReasonVariableRejected, 403},
		{"no consent of the client", "GET", "/me", hollow, scopes.ReasonExchangeRefused, 403},
		{"one hop too many", "GET", "/orders/7", long, scopes.ReasonChainTooLong, 401},
		{"path", "GET", "/orders/1%2F2", ada, scopes.ReasonPathAmbiguous, 400},
		{"path, before the token", "GET", "/x/..;/orders/1", "", scopes.ReasonPathAmbiguous, 400},
		{"path, public or not", "GET", "//healthz", "", scopes.ReasonPathAmbiguous, 400},
		{"token in the query", "GET", "/healthz?access_token=x", "", scopes.ReasonTokenAmbiguous, 400},
		{"copy in the query", "GET", "/orders/7?again=" + ada, ada, scopes.ReasonTokenLeak, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := bearer(c.method, c.target, c.token)
			v, a := h.pass(g, r)
			if v.Reason != c.want || a.status != c.status {
				t.Fatalf("got %s %d (%v), want %s %d", v.Reason, a.status, v.cause, c.want, c.status)
			}
			if a.record["decision_id"] != v.DecisionID || a.record["reason"] != c.want.String() || a.record["service"] != "shop" {
				t.Errorf("got the record %v", a.record)
			}
			if c.want == scopes.ReasonAllowed {
				if a.record["level"] != "DEBUG" {
					t.Errorf("an allowed request is logged at %v", a.record["level"])
				}
				return
			}
			if auth := r.Header["Authorization"]; auth != nil || v.Token.Authorize(http.Header{}) && c.want != scopes.ReasonTokenLeak {
				t.Errorf("a refused request has Authorization %q, or a verdict with a token", auth)
			}
			if a.body["reason"] != c.want.String() || a.body["decision_id"] != v.DecisionID || a.header.Get("Scopegate-Decision") != v.DecisionID {
				t.Errorf("got the answer %s with the headers %v", a.raw, a.header)
			}
			if (a.header.Get("WWW-Authenticate") == "") != (a.status >= 500) || c.want == scopes.ReasonNoToken && a.header.Get("WWW-Authenticate") != `Bearer resource_metadata="`+shopAud+ResourcePath+`"` {
				t.Errorf("got the challenge %q", a.header.Get("WWW-Authenticate"))
			}
			insufficient := slices.Contains([]scopes.Reason{scopes.ReasonPermissionMissing, scopes.ReasonResourceMissing, scopes.ReasonNoResourceScope, scopes.ReasonServiceMissing}, c.want)
			if (a.body["required"] != nil) != insufficient {
				t.Errorf("required: got %v for %s", a.body["required"], c.want)
			}
		})
	}
}

func TestForwardedToken(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	r := bearer("GET", "/orders/%37?a=%2F", ada)
	v, _ := h.pass(g, r)
	if !v.Allowed() {
		t.Fatal(v.Reason, v.cause)
	}
	claims := claimsOf(t, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	for name, want := range map[string]any{
		"aud": "urn:scopegate:upstream:shop", "sub": "example.com:ada", "client_id": "guard:shop", "azp": "guard:shop", "scope": "orders",
		"root_jti": claimsOf(t, ada)["jti"], "root_iat": claimsOf(t, ada)["iat"], "exp": claimsOf(t, ada)["exp"], "act": nil, "context_name": "acme",
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if set := string(must(json.Marshal(claims["allowed_resource_scope"]))); strings.Contains(set, "crm") || !strings.Contains(set, "orders/**") {
		t.Errorf("got the set %s, want the shop's part alone", set)
	}
	if r.URL.Path != "/orders/7" || r.URL.EscapedPath() != "/orders/7" || r.URL.RawQuery != "a=%2F" || r.URL.Host != "" {
		t.Errorf("forwarded to %s", r.URL)
	}
	public := bearer("GET", "/healthz", ada)
	if v, _ := h.pass(g, public); !v.Allowed() || public.Header["Authorization"] != nil {
		t.Errorf("public: got %s and Authorization %q, want none", v.Reason, public.Header["Authorization"])
	}
}

func TestZeroGuardAndVerdict(t *testing.T) {
	v := (&Guard{}).Decide(bearer("GET", "/healthz", ""), Presented{})
	if v.Allowed() || v.Reason != scopes.ReasonNotReady || (&Verdict{}).Allowed() {
		t.Errorf("got %s, want not_ready", v.Reason)
	}
	w := httptest.NewRecorder()
	v.WriteRefusal(w)
	(&Guard{}).Record(t.Context(), bearer("GET", "/", ""), v)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	h := newHouse(t)
	if _, err := h.Guard("nowhere", policy(t, "shop"), GuardOptions{}); err == nil || !strings.Contains(err.Error(), "guard nowhere: there is no service of this name") {
		t.Errorf("a guard of no service: got %v", err)
	}
	if _, err := h.Guard("shop", nil, GuardOptions{}); err == nil || !strings.Contains(err.Error(), "guard shop: there are no rules") {
		t.Errorf("a guard without rules: got %v", err)
	}
	r := bearer("GET", "/healthz", "x")
	if (&Verdict{}).Forward(r, Presented{}) || r.Header["Authorization"] != nil {
		t.Error("a verdict that refuses forwards, or leaves Authorization in the request")
	}
}

// A guard that may pass on less than the token holds decides on that less.
func TestDecidesOnWhatIsForwarded(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	narrow := *g.client
	narrow.GuardOf, narrow.Ceilings = "", true
	narrow.Permit = must(scopes.NewSet(scopes.Entry{Service: "shop", Permission: "orders.read", Resource: must(scopes.ParsePattern("orders/1"))}))
	g.client = &narrow
	for target, want := range map[string]scopes.Reason{"/orders/1": scopes.ReasonAllowed, "/orders/2": scopes.ReasonResourceMissing} {
		if v, _ := h.pass(g, bearer("GET", target, ada)); v.Reason != want {
			t.Errorf("%s: got %s, want %s", target, v.Reason, want)
		}
	}
}

// A signature is remembered; whether the token is good is asked each time.
func TestCacheHitsAreJudged(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	check := func(want scopes.Reason) {
		t.Helper()
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", ada)); v.Reason != want {
			t.Errorf("got %s, want %s", v.Reason, want)
		}
	}
	if v, _ := h.pass(g, bearer("GET", "/orders/7", ada)); !v.Allowed() {
		t.Fatal(v.Reason)
	}
	if n, _ := h.caches.verified.totals(); n != 1 {
		t.Fatalf("got %d verified tokens, want the cache to be used", n)
	}
	check(scopes.ReasonAllowed)
	h.epoch = Epoch{ID: "f", Created: start.Add(time.Second)}
	first := h.Server
	h.Server = h.reload(h.caches)
	check(scopes.ReasonTokenRevoked)
	h.epoch = Epoch{ID: "e", Created: start}
	h.Server = h.reload(h.caches, func(c *Config) { c.Services[0].Audience = "https://moved.example.com" })
	check(scopes.ReasonTokenAudience)
	h.Server = h.reload(h.caches, func(c *Config) { c.client("web").Permit = lines("crm/* **") })
	check(scopes.ReasonExchangeRefused)
	h.Server = first
	h.clock = start.Add(30*time.Minute + 4*time.Second)
	check(scopes.ReasonTokenExpired) // no time left for the forwarded one
	h.clock = start.Add(30*time.Minute + 5*time.Second)
	check(scopes.ReasonTokenExpired)
	h.clock = start.Add(-31 * time.Second)
	check(scopes.ReasonTokenNotYetValid)
}

// A stampede of one new token costs one signature: all get the same bytes.
func TestStampede(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	const n = 64
	tokens := make([]string, n)
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			r := bearer("GET", "/orders/7", ada)
			p := Take(r, false)
			ready.Done()
			<-gate
			if v := g.Decide(r, p); v.Allowed() && v.Forward(r, p) {
				tokens[i] = r.Header.Get("Authorization")
			}
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	for i, token := range tokens {
		if token == "" || token != tokens[0] {
			t.Fatalf("request %d got another token than request 0", i)
		}
	}
	if entries, _ := h.caches.exchanged.totals(); entries != 2 {
		t.Errorf("got %d entries, want one derivation and one signed token", entries)
	}
}
