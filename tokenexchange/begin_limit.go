package tokenexchange

import (
	"context"
	"errors"
	"hash/maphash"
	"time"
)

// beginLimit is how many logins an address may begin. Each takes room in the
// store, and nobody had to prove anything for it. A morning's logins of an office
// behind one address fit.
var beginLimit = limit{300, 200 * time.Millisecond, 8 << 10}

// mayBegin gives too_many_attempts if the address of a request has begun too many
// logins, and counts.
func (s *Server) mayBegin(ctx context.Context) error {
	t := s.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.since(s.now()), maphash.Comparable(t.seed, addressOf(ctx))
	if wait := t.begun.wait(key, now); wait > 0 {
		return &Refused{Reason: "too_many_attempts", wait: wait, cause: errors.New("too many logins were begun from this address")}
	}
	t.begun.add(key, now)
	return nil
}

// mayBegin refuses besides what a browser opens without showing it to anybody: a
// page of another site would have its visitors use up what their address may begin.
func (v *visit) mayBegin() error {
	if shown := v.request.Header.Get("Sec-Fetch-Dest"); shown != "" && shown != "document" {
		return refusedBecause("page_required", errors.New("the browser did not open it as a page"))
	}
	return v.server.mayBegin(v)
}
