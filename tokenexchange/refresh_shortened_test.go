package tokenexchange

import (
	"strings"
	"testing"
	"time"
)

// TestLoginOfALongerValidityEnds begins a login while refresh tokens live for a
// month. Then they are given a day; the user is disabled, and is back after a week:
// who is put back has to log in again.
func TestLoginOfALongerValidityEnds(t *testing.T) {
	month := func(c *Config) { c.client("web").RefreshTokenValidity = Duration(30 * 24 * time.Hour) }
	h := newHouse(t, logins, month)
	_, refresh := h.login().tokens(t)
	h.withUsers(baseUsers) // A day.
	change := func(users string) {
		before := h.realm
		h.withUsers(users)
		if err := h.revocations.RevokeLater(Lost(before, h.realm, h.clock.Add(time.Second), h.clock)...); err != nil {
			t.Fatal(err)
		}
	}
	h.clock = h.clock.Add(time.Hour)
	change(strings.Replace(baseUsers, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1))
	h.clock = h.clock.Add(7 * 24 * time.Hour)
	change(baseUsers)
	h.revocations.Len() // As metrics do: what is over is forgotten.
	h.clock = h.clock.Add(time.Second)
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}
