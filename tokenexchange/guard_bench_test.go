package tokenexchange

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkGuardHot is what the guard adds to a request whose token it has
// seen: take, decide, forward.
func BenchmarkGuardHot(b *testing.B) {
	h := newHouse(b)
	g, token := h.shop(b), h.adas()
	g.log = slog.New(slog.DiscardHandler) // as in production: allowed requests are debug records
	b.ReportAllocs()
	for b.Loop() {
		r := hotRequest(token)
		p := Take(r, false)
		v := g.Decide(r, p)
		if !v.Allowed() || !v.Forward(r, p) {
			b.Fatalf("got %s, want allowed", v.Reason)
		}
		g.Record(r.Context(), r, v)
	}
}

func hotRequest(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header["Authorization"] = []string{"Bearer " + token}
	r.Header["User-Agent"] = []string{"bench"}
	r.Header["Accept-Encoding"] = []string{"gzip"}
	return r
}

// BenchmarkRequestAlone is the cost of making the request that
// BenchmarkGuardHot makes, to be taken off.
func BenchmarkRequestAlone(b *testing.B) {
	token := newHouse(b).adas()
	b.ReportAllocs()
	for b.Loop() {
		hotRequest(token)
	}
}
