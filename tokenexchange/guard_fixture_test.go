package tokenexchange

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// policy reads rules, one a line.
func policy(t testing.TB, service string, rules ...string) *scopes.Policy {
	t.Helper()
	var parsed []scopes.Rule
	for _, rule := range rules {
		parsed = append(parsed, must(scopes.ParseRule("test", strings.Fields(rule)...)))
	}
	declared := func(service, permission string) bool { return service == "crm" && permission == "contacts.read" }
	return must(scopes.NewPolicy(service, []string{"orders.read", "orders.write"}, declared, ClaimNames(), parsed))
}

func (h *house) shop(t testing.TB) *Guard { return h.shopWith(t, GuardOptions{}) }

func (h *house) shopWith(t testing.TB, o GuardOptions) *Guard {
	t.Helper()
	return must(h.Guard("shop", policy(t, "shop",
		"GET /orders/{id} orders.read orders/{id}",
		"POST /orders/{id} orders.write orders/{id}",
		"GET /all orders.read **",
		"GET /reports/{path...} orders.read reports/{path...}",
		"GET /contacts crm/contacts.read contacts",
		"authenticated GET /me",
		"public GET /healthz",
	), o))
}

// pass takes a request to the guard as the handler does, and returns the
// verdict, the answer to a refused request and the audit record.
func (h *house) pass(g *Guard, r *http.Request) (*Verdict, got) {
	h.t.Helper()
	h.records.Reset()
	p := Take(r, true)
	v := g.Decide(r, p)
	if v.Allowed() {
		v.Forward(r, p)
	}
	w := httptest.NewRecorder()
	if !v.Allowed() {
		v.WriteRefusal(w)
		_, _ = showing{}.Write(w.Body.Bytes())
	} else if auth := r.Header.Get("Authorization"); auth != "" {
		secret("an upstream token", auth)
	}
	g.Record(r.Context(), r, v)
	a := got{status: w.Code, header: w.Header(), raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.body)
	if err := json.Unmarshal(h.records.Bytes(), &a.record); err != nil {
		h.t.Fatalf("the log is not one record: %v: %s", err, h.records.String())
	}
	return v, a
}

func bearer(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}
