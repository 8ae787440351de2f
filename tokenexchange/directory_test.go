package tokenexchange

import (
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// What somebody lost is lost at once, whatever tokens are out.
func TestTokensOfAUserWhoIsGone(t *testing.T) {
	for name, leave := range map[string]func(d *Directory){
		"disabled":              func(d *Directory) { d.bySubject["example.com:ada"].Disabled = true },
		"deleted":               func(d *Directory) { delete(d.bySubject, "example.com:ada") },
		"the last user deleted": func(d *Directory) { clear(d.bySubject) },
		"tokens_not_before": func(d *Directory) {
			later := start.Add(time.Minute)
			d.bySubject["example.com:ada"].TokensNotBefore = &later
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			g, ada, own := h.shop(t), h.adas(), h.nightlys()
			pass := func(token string) *Verdict {
				v, _ := h.pass(g, bearer(http.MethodGet, "/orders/7", token))
				return v
			}
			if v := pass(ada); !v.Allowed() {
				t.Fatalf("before: got %s, want allowed", v.Reason)
			}
			leave(h.realm.users)
			if v := pass(ada); v.Reason != scopes.ReasonTokenRevoked {
				t.Errorf("on the proxy path: got %s, want token_revoked", v.Reason)
			}
			h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_revoked")
			if v := pass(own); !v.Allowed() {
				t.Errorf("a client's own token: got %s, want allowed", v.Reason)
			}
		})
	}
}

func TestStateIsEchoed(t *testing.T) {
	h := newHouse(t)
	g := h.token("nightly", "grant_type", "client_credentials", "state", "a b&c")
	g.granted(t)
	if got := g.body["state"]; got != "a b&c" {
		t.Errorf("got state %v, want what was sent", got)
	}
}

// A copy of a header that holds no credential is no leak of one.
func TestCopiesOfHarmlessHeadersAreNoLeak(t *testing.T) {
	h := newHouse(t)
	path := "/orders/a-name-that-is-longer-than-thirty-two-bytes"
	r := bearer(http.MethodGet, path, h.adas())
	r.Header.Set("X-Original-Url", path)
	r.Header.Set("X-Forwarded-Uri", path)
	if v, _ := h.pass(h.shop(t), r); !v.Allowed() {
		t.Errorf("got %s, want allowed", v.Reason)
	}
	if r.Header.Get("X-Original-Url") != "" || r.Header.Get("X-Forwarded-Uri") != "" {
		t.Error("the headers reach the upstream")
	}
}
