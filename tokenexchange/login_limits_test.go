package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBegunLoginsAreCounted by address: each takes room in the store, and nobody
// has to prove anything for it.
func TestBegunLoginsAreCounted(t *testing.T) {
	for name, begin := range map[string]func(*browser){
		"by a link": func(b *browser) { b.once(http.MethodGet, authorizeURL(), "") },
		"by a form": func(b *browser) {
			b.once(http.MethodPost, authorizePath, strings.TrimPrefix(authorizeURL(), authorizePath+"?"))
		},
		"of the account": func(b *browser) { b.once(http.MethodGet, accountPath, "") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			h.slow.begun = newDebts(limit{5, 200 * time.Millisecond, 16})
			b := h.browser()
			for range 5 {
				if begin(b); b.code != 303 {
					t.Fatalf("got %d %s, want a login that begins", b.code, b.reason())
				}
			}
			begin(b)
			b.turnedDown(429, "too_many_attempts")
			other := h.browser()
			other.peer = "203.0.113.9:1"
			if begin(other); other.code != 303 {
				t.Errorf("another address: got %d", other.code)
			}
			h.clock = h.clock.Add(200 * time.Millisecond)
			if begin(b); b.code != 303 {
				t.Errorf("later: got %d", b.code)
			}
		})
	}
}

// TestNobodyIsLoggedInUnread: while nobody knows which sessions were ended, none counts.
func TestNobodyIsLoggedInUnread(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow()
	b.granted()
	h.revocations.reading.unread.Store(h.clock.UnixMilli())
	b.open(accountPath).turnedDown(503, "revocations_stale")
	b.open(authorizeURL()).turnedDown(503, "revocations_stale")
	h.revocations.reading.unread.Store(0)
	b.open(accountPath).sees("account")
}
