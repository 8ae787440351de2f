package tokenexchange

import (
	"sync"
	"testing"
	"time"
)

// TestSayingItAgainPublishesNothing repeats one logout, which needs no
// authentication, and one revocation: the feed keeps each entry for as long as
// the longest family may live, so what repeats must not fill it.
func TestSayingItAgainPublishesNothing(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	access, _ := login.tokens(t)
	entries := func() int { return len(h.store.feed.entries) }
	before := entries()
	for range 10 {
		h.revokeAs("web", access).done(t, true)
		h.clock = h.clock.Add(time.Second)
	}
	if got := entries() - before; got != 1 {
		t.Errorf("one token, revoked ten times: got %d entries of the feed, want 1", got)
	}
	before = entries()
	for range 100 {
		h.leave(nil, "id_token_hint", id).page(t, "Logged out", "'self'")
		h.clock = h.clock.Add(time.Second)
	}
	if got := entries() - before; got < 1 || got > 2 {
		t.Errorf("one login, ended a hundred times within two minutes: got %d entries of the feed, want 1 or 2", got)
	}
	if _, sealed := h.realm.Lives(); h.store.feed.entries[len(h.store.feed.entries)-1].until > h.clock.Add(sealed).UnixMilli() {
		t.Error("the last entry outlives the key that it is sealed with: it would end all tokens")
	}
	another := h.another(leavers)
	another.lives(t, access, false)
}

// TestSayingItAgainWhileItIsNotSaidYet has a second request ask for the same while
// the first one waits for the store: it is not told that all know.
func TestSayingItAgainWhileItIsNotSaidYet(t *testing.T) {
	h := newHouse(t, leavers)
	until := h.clock.Add(time.Hour)
	v := h.revocations
	for name, state := range map[string]func(){
		"on its way":         func() { v.outbox.begin([]Revocation{RevokeGrant("on its way", until)}) },
		"waits in the box":   func() { v.outbox.keep([]Revocation{RevokeGrant("waits in the box", until)}) },
		"did not fit, so no": func() { v.outbox.mu.Lock(); v.outbox.lost = until.Add(time.Hour); v.outbox.mu.Unlock() },
	} {
		v.add(RevokeGrant(name, until))
		state()
		before := len(h.store.feed.entries)
		if err := v.Revoke(t.Context(), h.state, RevokeGrant(name, until)); err != nil {
			t.Fatal(err)
		}
		if got := len(h.store.feed.entries) - before; got != 1 {
			t.Errorf("%s: got %d entries, want 1", name, got)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = v.Revoke(t.Context(), h.state, RevokeGrant("many at once", until)) })
	}
	wg.Wait()
	if got := v.Unpublished(); got != 0 {
		t.Errorf("got %d that wait, want 0", got)
	}
}
