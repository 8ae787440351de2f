package tokenexchange

import (
	"strconv"
	"testing"
	"time"
)

// TestLogoutLastsIntoTheLastHour logs out at odd minutes: what the end is rounded to
// is never before the last moment of the longest family.
func TestLogoutLastsIntoTheLastHour(t *testing.T) {
	for _, odd := range []time.Duration{0, time.Second, 29 * time.Minute, time.Hour - time.Second} {
		h := newHouse(t, leavers)
		h.clock = h.clock.Add(odd)
		_, id := h.hint()
		sid := text(t, id, "sid")
		h.leave(nil, "id_token_hint", id).page(t, "Logged out", "'self'")
		h.clock = h.clock.Add(h.realm.longestFamily())
		h.revocations.Len() // forgets what is over
		if !h.revocations.holds(ofSessions, sid, 0) {
			t.Errorf("after %v: the logout is forgotten before the longest family ends", odd)
		}
	}
}

// TestRevokedWithoutStoreIsNotForgotten is what a sweep leaves of a revocation whose
// family nobody could look up.
func TestRevokedWithoutStoreIsNotForgotten(t *testing.T) {
	long := func(c *Config) { logins(c); c.client("web").RefreshTokenValidity = Duration(72 * time.Hour) }
	h := newHouse(t, long)
	_, refresh := h.login().tokens(t)
	h.clock = h.clock.Add(time.Hour) // Nothing of it is remembered without the store.
	store := h.store
	h.store = NewMemoryStore(func() time.Time { return h.clock })
	_ = h.store.Close()
	h.Server = h.reload(h.caches, long)
	h.revokeAs("web", refresh).refused(t, 503, "temporarily_unavailable", "revocation_unpublished")
	h.store = store
	h.Server = h.reload(h.caches, long)
	h.clock = start.Add(72*time.Hour - time.Second)
	h.revocations.Len() // forgets what is over
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// TestIntrospectedEndOfAShortFamily has a family whose refresh tokens end before its
// first access token does.
func TestIntrospectedEndOfAShortFamily(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login("refreshTokenValiditySeconds", "60").tokens(t)
	told := h.introspectAs("web", refresh).told(t)
	if want := strconv.FormatInt(start.Add(time.Minute).Unix(), 10); strconv.FormatFloat(told["exp"].(float64), 'f', 0, 64) != want {
		t.Errorf("got exp %v, want %s: then the token endpoint refuses it", told["exp"], want)
	}
	h.clock = start.Add(time.Minute)
	h.introspectAs("web", refresh).inactive(t, "not found")
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
}

// TestHintsThatWereMade has an id token that says of which other one it was made and
// nothing else of the way: no login gave it.
func TestHintsThatWereMade(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	access, _ := login.tokens(t)
	made := forge("JWT", claimsOf(t, id), map[string]any{"root_jti": "R", "root_iat": start.Unix()})
	h.leave(nil, "id_token_hint", made).refused(t, 400, "invalid_request", "id_token_hint_invalid")
	h.lives(t, access, true)
}
