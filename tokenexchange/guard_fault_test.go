package tokenexchange

import (
	"context"
	"net/http"
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
	g.digest[0]++ // as a configuration with the working signer has
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
