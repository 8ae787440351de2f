package tokenexchange

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// preflight is what a browser sends before DELETE with a token.
func preflight(target string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, target, nil)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Method", "DELETE")
	for _, f := range change {
		f(r)
	}
	return r
}

func with(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

// The paths differ in all that rules can say about a path.
var preflightTargets = []string{"/orders/7", "/nothing", "/me", "/healthz", "/all", "/orders/*"}

func TestPreflightIsBlockedByDefault(t *testing.T) {
	h := newHouse(t)
	for _, o := range []GuardOptions{{}, {Preflight: PreflightBlock}} {
		for _, target := range preflightTargets {
			if v, a := h.pass(h.shopWith(t, o), preflight(target)); v.Reason != scopes.ReasonNoToken || a.status != 401 {
				t.Errorf("%q %s: got %s %d, want no_token", o.Preflight, target, v.Reason, a.status)
			}
		}
		g := must(h.Guard("shop", policy(t, "shop", "public OPTIONS /open"), o))
		if v, _ := h.pass(g, preflight("/open")); !v.Allowed() || v.Rule != "OPTIONS /open" {
			t.Errorf("a rule for OPTIONS: got %s", v.Reason)
		}
	}
}

// Only what a browser sends as a preflight is treated as one.
func TestWhatIsAPreflight(t *testing.T) {
	h := newHouse(t)
	for name, change := range map[string]func(*http.Request){
		"GET":                   func(r *http.Request) { r.Method = "GET" },
		"POST":                  func(r *http.Request) { r.Method = "POST" },
		"options":               func(r *http.Request) { r.Method = "options" },
		"no Origin":             func(r *http.Request) { r.Header.Del("Origin") },
		"Origin empty":          with("Origin", ""),
		"two Origins":           with("Origin", "https://a.example", "https://b.example"),
		"no method":             func(r *http.Request) { r.Header.Del("Access-Control-Request-Method") },
		"method empty":          with("Access-Control-Request-Method", ""),
		"two methods":           with("Access-Control-Request-Method", "GET", "PUT"),
		"method, a list":        with("Access-Control-Request-Method", "GET, PUT"),
		"method with a newline": with("Access-Control-Request-Method", "GET\r\nX: y"),
		"with a body":           func(r *http.Request) { r.ContentLength = 1 },
		"with a chunked body":   func(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} },
		"with a trailer":        func(r *http.Request) { r.Trailer = http.Header{"X": nil} },
		"with an upgrade":       with("Upgrade", "websocket"),
	} {
		for _, o := range []string{PreflightPass, PreflightAnswer} {
			if v, a := h.pass(h.shopWith(t, GuardOptions{Preflight: o}), preflight("/orders/7", change)); v.Reason != scopes.ReasonNoToken || a.status != 401 {
				t.Errorf("%s, %s: got %s %d, want no_token", name, o, v.Reason, a.status)
			}
		}
	}
}

// The limit of "pass": a preflight gets to every path of the upstream without a
// token, on the canonical path, and with nothing of what the caller sent as a
// credential. Nothing else gets there, see TestWhatIsAPreflight.
func TestPreflightPasses(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shopWith(t, GuardOptions{Preflight: PreflightPass}), h.adas()
	for _, target := range preflightTargets {
		for name, token := range map[string]string{"none": "", "good": ada, "bad": "x"} {
			r := preflight(target)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Csp-Auth-Token", token)
				r.Header.Set("X-Forwarded-User", "root")
			}
			v, a := h.pass(g, r)
			if !v.Allowed() || v.Rule != "preflight" || v.Subject != "" || a.record["rule"] != "preflight" || a.record["sub"] != nil {
				t.Errorf("%s, token %s: got %s and the record %v", target, name, v.Reason, a.record)
			}
			if v.Token.Authorize(http.Header{}) || r.Header["Authorization"] != nil || r.Header["Csp-Auth-Token"] != nil || r.Header["X-Forwarded-User"] != nil {
				t.Errorf("%s, token %s: forwarded with %v", target, name, slices.Collect(maps.Keys(r.Header)))
			}
		}
	}
	r := preflight("/orders/%37")
	if h.pass(g, r); r.URL.EscapedPath() != "/orders/7" {
		t.Errorf("forwarded to %s, want the canonical path", r.URL)
	}
	for name, c := range map[string]struct {
		r    *http.Request
		want scopes.Reason
	}{
		"a path with two readings": {preflight("/x/..;/orders"), scopes.ReasonPathAmbiguous},
		"a token in the query":     {preflight("/orders/7?access_token=x"), scopes.ReasonTokenAmbiguous},
		"two tokens":               {preflight("/orders/7", with("Authorization", "Bearer a", "Bearer b")), scopes.ReasonTokenAmbiguous},
		"a copy of the token":      {preflight("/orders/7?again="+ada, with("Authorization", "Bearer "+ada)), scopes.ReasonTokenLeak},
	} {
		if v, a := h.pass(g, c.r); v.Reason != c.want || a.status != 400 {
			t.Errorf("%s: got %s %d, want %s", name, v.Reason, a.status, c.want)
		}
	}
}

// The guard's own answer is equal for every path, also for one that is public
// or has a rule for OPTIONS, and never allows cookies.
func TestPreflightIsAnswered(t *testing.T) {
	h := newHouse(t)
	rules := []string{"GET /orders/{id} orders.read orders/{id}", "public OPTIONS /open", "authenticated OPTIONS /me", "public GET /healthz"}
	g := must(h.Guard("shop", policy(t, "shop", rules...), GuardOptions{Preflight: PreflightAnswer}))
	for _, target := range append(preflightTargets, "/open") {
		v, a := h.pass(g, preflight(target, with("Access-Control-Request-Headers", "authorization, content-type", "x-a,")))
		want := http.Header{
			"Access-Control-Allow-Origin":  {"*"},
			"Access-Control-Allow-Methods": {"DELETE"},
			"Access-Control-Allow-Headers": {"authorization, content-type, x-a"},
			"Access-Control-Max-Age":       {"600"},
			"Vary":                         {"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"},
		}
		if v.Allowed() || a.status != http.StatusNoContent || a.raw != "" || !maps.EqualFunc(a.header, want, slices.Equal[[]string]) {
			t.Errorf("%s: forwarded is %v, got %d %v %q, want %v", target, v.Allowed(), a.status, a.header, a.raw, want)
		}
		if a.record["allowed"] != true || a.record["rule"] != "preflight" || a.record["level"] != "DEBUG" {
			t.Errorf("%s: got the record %v", target, a.record)
		}
	}
	if _, a := h.pass(g, preflight("/x")); a.status != 204 || a.header["Access-Control-Allow-Headers"] != nil {
		t.Errorf("without headers: got %d %v", a.status, a.header)
	}
	for name, list := range map[string]string{
		"a blank": "x a", "a line end": "x\r\nSet-Cookie: a=b", "a quote": `"x"`, "no ASCII": "é", "4 KiB": strings.Repeat("abcd,", 1100),
	} {
		v, a := h.pass(g, preflight("/orders/7", with("Access-Control-Request-Headers", list)))
		if v.Allowed() || v.Reason != scopes.ReasonVariableRejected || a.status != 400 || a.body["error"] != "invalid_request" || a.header["Access-Control-Allow-Origin"] != nil {
			t.Errorf("%s: got %s %d %s", name, v.Reason, a.status, a.raw)
		}
	}
	for target, want := range map[string]int{"/x/..;/orders": 400, "/orders/7?access_token=x": 400} {
		if _, a := h.pass(g, preflight(target)); a.status != want {
			t.Errorf("%s: got %d, want %d", target, a.status, want)
		}
	}
}

// Who does not know of answers, and asks only whether to forward, does not.
func TestAnsweredPreflightIsNotForwarded(t *testing.T) {
	h := newHouse(t)
	r := preflight("/orders/7")
	p := Take(r, false)
	if v := h.shopWith(t, GuardOptions{Preflight: PreflightAnswer}).Decide(r, p); v.Allowed() {
		t.Error("the verdict says to forward what the guard answers itself")
	}
}

// What no rule names looks the same, whatever there is, to who has a token; to
// all others everything looks the same anyway.
func TestHideExistence(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shopWith(t, GuardOptions{HideExistence: true}), h.adas()
	answers := map[string]string{}
	for target, want := range map[string]scopes.Reason{
		"GET /nothing": scopes.ReasonNoRule, "GET /ORDERS/7": scopes.ReasonNoRule,
		"DELETE /orders/7": scopes.ReasonMethodNotAllowed, "POST /me": scopes.ReasonMethodNotAllowed, "POST /healthz": scopes.ReasonMethodNotAllowed,
	} {
		method, path, _ := strings.Cut(target, " ")
		v, a := h.pass(g, bearer(method, path, ada))
		if v.Reason != want || a.record["reason"] != want.String() || a.record["level"] != "WARN" {
			t.Errorf("%s: got %s and the record %v, want %s", target, v.Reason, a.record, want)
		}
		if a.status != 404 || a.body["error"] != "not_found" || a.body["reason"] != "no_rule" || a.header["Www-Authenticate"] != nil {
			t.Errorf("%s: got %d %s", target, a.status, a.raw)
		}
		a.header.Del("Scopegate-Decision")
		text := strings.ReplaceAll(a.raw, v.DecisionID, "") + strings.Join(slices.Sorted(maps.Keys(a.header)), " ")
		answers[text] = target
		for _, token := range []string{"", "x"} {
			if _, a := h.pass(g, bearer(method, path, token)); a.status != 401 {
				t.Errorf("%s with the token %q: got %d, want 401", target, token, a.status)
			}
		}
	}
	if len(answers) != 1 {
		t.Errorf("got %d different answers: %v", len(answers), answers)
	}
	if v, a := h.pass(g, bearer("POST", "/orders/7", ada)); v.Reason != scopes.ReasonResourceMissing || a.status != 403 {
		t.Errorf("too few rights: got %s %d", v.Reason, a.status)
	}
	if _, a := h.pass(h.shop(t), bearer("GET", "/nothing", ada)); a.status != 403 {
		t.Errorf("without the option: got %d", a.status)
	}
}
