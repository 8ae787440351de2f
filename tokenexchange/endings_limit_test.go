package tokenexchange

import (
	"testing"
	"time"
)

// TestOneClientDoesNotEndTheTokensOfOthers has clients that end their own tokens and
// logins, again and again. The limit and the room of the set are made small here;
// in a house it is 2^20 entries, which one client would fill within minutes.
func TestOneClientDoesNotEndTheTokensOfOthers(t *testing.T) {
	h := newHouse(t, leavers)
	h.slow.endings = newDebts(limit{40, 10 * time.Second, 16})
	h.revocations.limit = 200
	ada, _ := h.login().tokens(t)
	other, _ := h.login("username", "two", "orgId", "acme").tokens(t)
	refusedAfter := func(most int, end func() got) {
		t.Helper()
		for n := range 250 {
			if g := end(); g.status != 200 {
				g.refused(t, 429, "temporarily_unavailable", "too_many_attempts")
				if n != most {
					t.Errorf("got refused after %d, want after %d", n, most)
				}
				return
			}
		}
		t.Errorf("got all of 250 ended, want no more than %d at once", most)
	}
	refusedAfter(40, func() got { return h.revokeAs("nightly", h.nightlys()) })
	last := ""
	refusedAfter(40, func() got {
		_, last = h.hint()
		return h.leave(nil, "id_token_hint", last)
	})
	refusedAfter(0, func() got { // Of the same user and client.
		_, refresh := h.login("scope", "openid offline_access").tokens(t)
		return h.revokeAs("web", refresh)
	})
	h.lives(t, ada, true)
	// Others can, and who waits can again.
	h.revokeAs("web", other).done(t, true)
	h.clock = h.clock.Add(10 * time.Second)
	h.leave(nil, "id_token_hint", last).page(t, "Logged out", "'self'")
	for range 50 { // It is ended: that costs nothing.
		h.leave(nil, "id_token_hint", last).page(t, "Logged out", "'self'")
	}
	h.lives(t, ada, true)
}
