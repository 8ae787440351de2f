package tokenexchange

import (
	"fmt"
	"testing"
	"time"
)

// published returns how many entries of the feed hold revocations.
func (h *house) published() (n int) {
	h.t.Helper()
	for _, e := range h.store.feed.entries {
		if opened, err := h.state.openEntry(e.entry); err != nil {
			h.t.Fatal(err)
		} else if len(opened.Revoked) > 0 {
			n++
		}
	}
	return n
}

// TestRevokedAgainIsNotWrittenAgain has clients that ask for one thing without
// end: they are answered, and the store does not grow.
func TestRevokedAgainIsNotWrittenAgain(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	access, refresh := login.tokens(t)
	for name, again := range map[string]func(){
		"an access token": func() { h.revokeAs("web", access).done(t, true) },
		"a login":         func() { h.leave(ownSite, "id_token_hint", id).page(t, "Logged out", "'self'") },
	} {
		h.clock = h.clock.Truncate(time.Hour).Add(time.Minute)
		before := h.published()
		for range 50 {
			again()
			h.clock = h.clock.Add(time.Second)
		}
		if got := h.published() - before; got != 1 {
			t.Errorf("%s: got %d entries of the feed, want 1", name, got)
		}
		h.clock = h.clock.Add(11 * time.Second) // The store may have lost it.
		again()
		if got := h.published() - before; got != 2 {
			t.Errorf("%s, a minute later: got %d entries, want 2", name, got)
		}
	}
	before := h.published()
	for range 10 {
		h.revokeAs("web", refresh)
	}
	if got := h.published() - before; got != 1 {
		t.Errorf("a refresh token: got %d entries, want 1", got)
	}
}

// TestNewsOfARevocation tells what was published from what is stricter, or was
// not published.
func TestNewsOfARevocation(t *testing.T) {
	until := start.Add(time.Hour)
	sub := RevokeSubject("s", start, until)
	for name, c := range map[string]struct {
		r     Revocation
		after time.Duration
		news  bool
	}{
		"the same":       {sub, 0, false},
		"ends sooner":    {RevokeSubject("s", start, until.Add(-time.Second)), 0, false},
		"names less":     {RevokeSubject("s", start.Add(-time.Second), until), 0, false},
		"ends later":     {RevokeSubject("s", start, until.Add(time.Second)), 0, true},
		"names more":     {RevokeSubject("s", start.Add(time.Millisecond), until), 0, true},
		"another":        {RevokeSubject("t", start, until), 0, true},
		"another kind":   {RevokeClient("s", start, until), 0, true},
		"a while later":  {sub, toldFor - time.Millisecond, false},
		"a minute later": {sub, toldFor, true},
	} {
		told := newTold()
		told.add([]Revocation{sub}, start)
		if got := len(told.news([]Revocation{c.r}, start.Add(c.after))) == 1; got != c.news {
			t.Errorf("%s: got news %v, want %v", name, got, c.news)
		}
	}
	told := newTold()
	for i := range 2 * maxTold {
		told.add([]Revocation{RevokeToken(fmt.Sprint(i), until)}, start)
	}
	if len(told.at) != maxTold {
		t.Errorf("got %d remembered, want %d", len(told.at), maxTold)
	}
}
