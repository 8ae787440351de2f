package tokenexchange

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// A signer that fails forwards nothing: neither the caller's token nor a
// request without one. The next request, with a signer that works, goes on.
func TestSignerFails(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	good := g.client.AccessAlg
	g.client.AccessAlg = "no such algorithm"
	r := bearer(http.MethodGet, "/orders/7", ada)
	v, a := h.pass(g, r)
	if v.Reason != scopes.ReasonExchangeUnavailable || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %s, %d %v, want exchange_unavailable, 503 with Retry-After", v.Reason, a.status, a.header)
	}
	if got := r.Header.Values("Authorization"); len(got) > 0 {
		t.Error("the request still has an Authorization header")
	}
	g.client.AccessAlg = good
	g.users.digest[0]++ // as a configuration with the working signer has
	if v, _ := h.pass(g, bearer(http.MethodGet, "/orders/7", ada)); !v.Allowed() {
		t.Errorf("afterwards: got %s, want allowed", v.Reason)
	}
}

// The proxy path needs no store: what is away is not asked.
func TestGuardWithoutStore(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	if v, _ := h.pass(g, bearer(http.MethodGet, "/orders/7", ada)); !v.Allowed() {
		t.Errorf("got %s, want allowed", v.Reason)
	}
}

// A request whose client has gone decides like any other, and does not spoil
// the flight that others wait for.
func TestCancelledRequestsInAStampede(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	reasons := make([]scopes.Reason, 32)
	var group sync.WaitGroup
	for i := range reasons {
		group.Go(func() {
			r := bearer(http.MethodGet, "/orders/7", ada)
			if i%2 == 0 {
				r = r.WithContext(gone)
			}
			reasons[i] = g.Decide(r, Take(r, false)).Reason
		})
	}
	group.Wait()
	for i, reason := range reasons {
		if reason != scopes.ReasonAllowed {
			t.Errorf("request %d: got %s, want allowed", i, reason)
		}
	}
}

// A token that somebody put into the path is neither a credential nor a line
// of the log, and no part of the answer.
func TestTokensInThePathAreNotLogged(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	for _, path := range []string{"/orders/" + ada, "/nowhere/" + ada + "/x", "/orders/eyJhbGciOiJub25lIn0.e30."} {
		_, a := h.pass(g, httptest.NewRequest(http.MethodGet, path, nil))
		logged, _ := a.record["path"].(string)
		if logged == "" || strings.Contains(logged, "eyJ") || len(logged) > 600 {
			t.Errorf("got the path %q in the record, want it without the token", logged)
		}
	}
	login := newHouse(t, logins)
	_, refresh := login.redeem("web", login.code(t)).tokens(t)
	api, _ := adasToken(t)
	for what, token := range map[string]string{"code": login.code(t), "refresh token": refresh, "API token": api, "part of a segment": "x-" + refresh + ".json"} {
		for _, target := range []string{"/orders/" + token, "/nowhere/" + token + "/x", "/reports/" + token + "/y"} {
			for _, method := range []string{"GET", "POST"} {
				for _, bearing := range []string{"", ada} {
					_, a := h.pass(g, bearer(method, target, bearing))
					if logged, _ := a.record["path"].(string); !strings.Contains(logged, "/...") || strings.Contains(a.raw+fmt.Sprint(a.record), token[len(token)-20:]) {
						t.Errorf("%s, %s: got %s, %v, want it nowhere", what, method, a.raw, a.record)
					}
				}
			}
		}
	}
	long := "/" + strings.Repeat("ab/", 400) + "x"
	if _, a := h.pass(g, httptest.NewRequest(http.MethodGet, long, nil)); len(a.record["path"].(string)) > 520 {
		t.Errorf("got a path of %d bytes in the record, want it cut", len(a.record["path"].(string)))
	}
}

// A method is what the caller likes, a whole token too. Records have those that
// are known, and those of rules.
func TestMethodsInRecords(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	g := must(h.Guard("shop", policy(t, "shop", "PURGE /orders/{id} orders.write orders/{id}", "GET /orders/{id} orders.read orders/{id}"), GuardOptions{}))
	for method, want := range map[string]string{
		"GET": "GET", "HEAD": "HEAD", "PATCH": "PATCH", "OPTIONS": "OPTIONS", "TRACE": "TRACE", "PURGE": "PURGE",
		"BREW": "other", "get": "other", strings.Repeat("A", 4096): "other", ada: "other", ada[len(ada)-40:]: "other", "": "other",
	} {
		for _, token := range []string{ada, ""} {
			for _, guard := range []*Guard{g, NotReady("shop", h.log)} {
				r := bearer("GET", "/orders/eu/7", token)
				r.URL.Path, r.Method = "/orders/7", method
				if _, a := h.pass(guard, r); a.record["method"] != want && (guard == g || method != "PURGE") {
					t.Errorf("%.20s: got the method %v in the record, want %s", method, a.record["method"], want)
				}
			}
		}
	}
}

// A raw blank or # in the query could end the request line for an upstream.
func TestQueryThatEndsEarly(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	for query, want := range map[string]scopes.Reason{
		"a HTTP/1.1 b": scopes.ReasonPathAmbiguous, "a#b": scopes.ReasonPathAmbiguous,
		"a=1&b=%20%23": scopes.ReasonAllowed, "a=1+2": scopes.ReasonAllowed,
	} {
		r := bearer(http.MethodGet, "/orders/7", ada)
		r.URL.RawQuery = query
		if v, _ := h.pass(g, r); v.Reason != want {
			t.Errorf("?%s: got %s, want %s", query, v.Reason, want)
		}
	}
}

// The ceiling of a guard is its service, however many permissions that has.
func TestGuardOfALargeService(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.client("batch").Permit = lines("shop/orders.read **") // shop/* would be 502 entries
		for i := range 500 {
			c.Services[0].Permissions = append(c.Services[0].Permissions, fmt.Sprintf("permission.number.%d", i))
		}
	})
	v, _ := h.pass(h.shop(t), bearer(http.MethodGet, "/orders/7", h.adas()))
	if !v.Allowed() {
		t.Errorf("got %s, want allowed", v.Reason)
	}
}
