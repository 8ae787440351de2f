package tokenexchange

import (
	"errors"
	"hash/maphash"
	"time"
)

// endingLimit is how much of one subject a client may end. The set of revocations
// has room for all, and who could fill it would end the tokens of everybody: it
// takes far more than a hundred subjects now. Nobody has so many logins by hand.
var endingLimit = limit{4096, 10 * time.Second, 4 << 10}

// mayEnd gives too_many_attempts if a client has ended too much of a subject, and
// counts. What is ended already takes no room and costs nothing, so who repeats a
// logout keeps nobody from the next one.
func (s *Server) mayEnd(client, subject string, what Revocation) error {
	if s.revocations.knows(what) {
		return nil
	}
	t := s.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.since(s.now()), maphash.Comparable(t.seed, [2]string{client, subject})
	if wait := t.endings.wait(key, now); wait > 0 {
		return &Refused{Reason: "too_many_attempts", wait: wait, cause: errors.New("the client ended too many tokens or logins of this subject")}
	}
	t.endings.add(key, now)
	return nil
}

// knows reports whether what a revocation names is ended here already.
func (v *Revocations) knows(r Revocation) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.holds(r.Kind.index(), r.Value, 0)
}
