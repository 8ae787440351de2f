package tokenexchange

import "testing"

// TestTheKeyOutlivesTheLogout holds the feed against the life of the state key that
// seals it: an entry that is kept longer than the key cannot be opened then, and all
// tokens that were issued so far would be refused.
func TestTheKeyOutlivesTheLogout(t *testing.T) {
	h := newHouse(t, leavers)
	_, id := h.hint()
	h.leave(nil, "id_token_hint", id).page(t, "Logged out", "'self'")
	_, sealed := h.realm.Lives()
	for _, e := range h.store.feed.entries {
		if e.until > h.clock.Add(sealed).UnixMilli() {
			t.Errorf("an entry is kept until %d, its key until %v", e.until, h.clock.Add(sealed))
		}
	}
}
