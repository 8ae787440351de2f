package tokenexchange

import (
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// TestFullOfLoginsOfAClockThatIsAhead has more logins end than fit: those end too
// that another process began whose clock is ahead.
func TestFullOfLoginsOfAClockThatIsAhead(t *testing.T) {
	v := NewRevocations(func() time.Time { return start })
	v.limit = 4
	for i := range v.limit + 1 {
		v.add(RevokeSession(fmt.Sprint(i), start.Add(time.Hour)))
	}
	for _, c := range []struct {
		ahead time.Duration
		ended bool
	}{{0, true}, {settled - time.Second, true}, {settled + time.Second, false}} {
		at := start.Add(c.ahead)
		if got := v.named(mint.Identifiers{GrantID: "g", IssuedAt: at, LoginAt: at}); (got != "") != c.ended {
			t.Errorf("a login %s ahead: got %q, want that it has ended: %t", c.ahead, got, c.ended)
		}
	}
	if got := v.entries(); got != 0 {
		t.Errorf("all logins have ended, and %d are kept", got)
	}
}
