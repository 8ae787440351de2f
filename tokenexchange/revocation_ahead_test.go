package tokenexchange

import (
	"bytes"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// TestTokensOfAClockThatIsAhead has a token of a replica whose clock is ahead by
// as much as iat may be. Where its revocation may be missing, it is refused like
// any other that was issued so far.
func TestTokensOfAClockThatIsAhead(t *testing.T) {
	for name, lose := range map[string]func(v *Revocations, r Revocation){
		"a gap": func(v *Revocations, _ Revocation) {
			(&follower{set: v}).ended(t.Context(), FeedGap("x", "the feed was trimmed"))
		},
		"an entry that cannot be opened": func(v *Revocations, _ Revocation) {
			(&follower{set: v}).apply(bytes.Repeat([]byte{0x5a}, 100))
		},
		"an overflow": func(v *Revocations, r Revocation) {
			v.limit = 1
			v.add(r)
			v.add(RevokeGrant("another", r.Until))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.clock = start.Add(mint.LeewayNotBefore)
			token := h.adas()
			h.clock = start
			h.passes(t, token, true)
			lose(h.revocations, RevokeToken(text(t, token, "jti"), start.Add(time.Hour)))
			h.passes(t, token, false)
			h.clock = start.Add(mint.LeewayNotBefore + time.Second)
			h.passes(t, h.adas(), true)
		})
	}
}

// passes holds whether the guard lets a token pass.
func (h *house) passes(t *testing.T, token string, want bool) {
	t.Helper()
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Allowed() != want {
		t.Errorf("got %s, want allowed %t", v.Reason, want)
	}
}
