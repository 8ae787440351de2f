package caddymodule

import (
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// drainTimeout is how long a server that gave way may take for its last token or
// login: longer than passwords, stores and other OpenID providers are waited for.
const drainTimeout = 30 * time.Second

// loses revokes what one realm gave and the next one does not. The next one is at
// work already, so nobody gets it any more, once the server before has signed its
// last token. A nil channel says that there was none.
func (a *App) loses(before, after *tokenexchange.Realm, last <-chan struct{}) {
	revoke := func() time.Time {
		now := time.Now()
		next := now.Truncate(time.Second).Add(time.Second) // Tokens have whole seconds.
		lost := tokenexchange.Lost(before, after, next, now)
		if len(lost) == 0 {
			return time.Time{}
		}
		if err := a.shared.revocations.RevokeLater(lost...); err != nil {
			a.log.Error("revoking what was taken away", "error", err)
		}
		return next
	}
	first := revoke()
	if first.IsZero() {
		return
	}
	a.log.Info("something was taken away: tokens that were issued before are refused", "before", first)
	select {
	case <-last:
		return
	default:
	}
	if last == nil || a.shared.hold() != nil {
		return
	}
	go func() {
		select {
		case <-last:
		case <-time.After(drainTimeout):
		}
		if time.Now().After(first) {
			revoke()
		}
		if err := a.shared.letGo(); err != nil {
			a.log.Error("closing the store after the last revocation", "error", err)
		}
	}()
}

// provisioned counts configurations, to tell which of two came later.
var provisioned atomic.Int64

// giveWay hands over to the configuration that took over, if one did, and revokes
// what it took away: a reload is how clients change. One with another store
// refuses all tokens from before anyway.
func (a *App) giveWay() {
	if a.shared == nil { // It did not get as far.
		return
	}
	next := a.sibling()
	if next == nil || next.number <= a.number || next.shared.revocations != a.shared.revocations {
		return
	}
	a.work.Lock()
	defer a.work.Unlock()
	next.work.Lock()
	defer next.work.Unlock()
	var last <-chan struct{}
	// A request that goes on there while yet another configuration takes over may
	// find its store closed, if that is reached in another way than here.
	if old, server := a.server.Load(), next.server.Load(); old != nil && server != nil {
		last = old.GiveWay(server)
	}
	next.loses(a.work.realm, next.work.realm, last)
}
