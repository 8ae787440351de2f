package tokenexchange

import (
	"crypto/sha256"
	"time"
	"unsafe"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Caches are what survives a reload of the configuration: verified signatures
// and finished exchanges. Every key is complete, so a changed configuration
// finds none of what it would have decided otherwise. What a token is narrowed
// to is the caller's choice, by the path, so those tokens have room of their own
// and displace nothing else. See docs/guard.md.
type Caches struct {
	verified  *cache[verifiedKey, *mint.Signed]
	exchanged *cache[exchangedKey, *exchanged]
	narrowed  *cache[exchangedKey, *exchanged]
	flights   flights
	unsettled *unsettled
}

// cacheWeight is the bound of all caches together, in bytes.
const cacheWeight = 16 << 20

// NewCaches returns empty caches.
func NewCaches() *Caches {
	return &Caches{
		verified:  newCache[verifiedKey, *mint.Signed](cacheWeight / 2),
		exchanged: newCache[exchangedKey, *exchanged](cacheWeight * 3 / 8),
		narrowed:  newCache[exchangedKey, *exchanged](cacheWeight / 8),
		unsettled: newUnsettled(),
	}
}

// verifiedKey names a token as bytes and the keys that it was verified with.
type verifiedKey struct{ token, ring [sha256.Size]byte }

// verify checks the signature of a token, or remembers that it was checked.
// Only a signature that holds is remembered, and nothing that changes with
// time is: expiry, audience and revocation are judged at each use.
func (s *Server) verify(raw string) (*mint.Signed, [sha256.Size]byte, error) {
	// The conversion without a copy is safe: Sum256 only reads.
	key := verifiedKey{token: sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw))), ring: s.ring.Digest()}
	if signed, ok := s.caches.verified.get(key, s.now()); ok {
		return signed, key.token, nil
	}
	v, err := s.caches.flights.do(func() (any, error) {
		// Another flight may have landed between the look above and this one.
		if signed, ok := s.caches.verified.get(key, s.now()); ok {
			return signed, nil
		}
		signed, err := s.ring.Verify(raw)
		if err == nil {
			s.caches.verified.put(key, signed, signed.Expiry().Add(mint.LeewayExpiry), signed.Size())
		}
		return signed, err
	}, key.token, key.ring)
	if err != nil {
		return nil, key.token, err
	}
	return v.(*mint.Signed), key.token, nil
}

// admit verifies one of our own tokens of a typ and judges it now.
func (s *Server) admit(raw, typ string, audience func([]string) bool) (mint.Subject, error) {
	signed, _, err := s.verify(raw)
	if err != nil {
		return nil, err
	}
	return s.judge(signed, typ, audience)
}

// judge looks before and after the set whether that was read: a revocation can
// come, and the reading end, between a look at the set and one after it; and what
// is found to be missing meanwhile was missing before.
func (s *Server) judge(signed *mint.Signed, typ string, audience func([]string) bool) (mint.Subject, error) {
	issued := signed.IssuedAt()
	unread := s.revocations.unknown(issued)
	subject, err := signed.Admit(mint.Conditions{
		Now: s.now(), Issuer: s.realm.issuer, Type: typ, Audience: audience, Revoked: s.revoked,
	})
	if err == nil && (unread || s.revocations.unknown(issued)) {
		return nil, errRevocationsUnread
	}
	return subject, err
}

// errRevocationsUnread is no word about the token: the caller may try again.
var errRevocationsUnread = &mint.Refusal{
	Reason: mint.Reason(scopes.ReasonRevocationsStale.String()), Detail: "the feed of revocations is being read back",
}

// isIssuer is the audience of tokens that are meant for this server itself.
func (s *Server) isIssuer(aud []string) bool {
	for _, a := range aud {
		if a == s.realm.issuer {
			return true
		}
	}
	return false
}

// revoked tells why a token is dead although it has not expired, "" if it lives. A store
// that was lost forgot what it had to refuse, so all that was issued before
// its epoch is refused; and a user who is gone, disabled or has a later
// tokens_not_before takes all tokens along, those with which that user acts for
// another one too.
func (s *Server) revoked(id mint.Identifiers) string {
	if id.IssuedAt.Before(s.epoch.Created.Truncate(time.Second)) {
		return "issued before the store's epoch: the store is new, or was lost"
	}
	if why := s.revocations.why(id); why != "" {
		return why
	}
	if why := s.realm.dead(id.Operator, id.IssuedAt); why != "" {
		return "of the operator: " + why
	}
	return s.realm.dead(id.Subject, id.LoginAt)
}
