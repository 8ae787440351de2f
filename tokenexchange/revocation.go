package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// RevocationKind says what a Revocation names: the claim of the tokens that are
// dead.
type RevocationKind string

// What a revocation can name.
const (
	RevokedToken   RevocationKind = "jti"       // one token, and all that came of it
	RevokedGrant   RevocationKind = "grant_id"  // a family
	RevokedSession RevocationKind = "sid"       // all tokens of one login
	RevokedSubject RevocationKind = "sub"       // a user's or client's tokens from before a time
	RevokedClient  RevocationKind = "client_id" // tokens that a client was given before a time

	// What was given to them before a time, and not their logins.
	RevokedSubjectRights RevocationKind = "sub rights"
	RevokedGrantRights   RevocationKind = "grant_id rights"
	RevokedClientRights  RevocationKind = "client_id rights"

	// Of all users of a domain, whom nobody can list, as those of another provider.
	RevokedDomain       RevocationKind = "domain"
	RevokedDomainRights RevocationKind = "domain rights"
)

// Revocation ends tokens that have not expired. Make one with a constructor;
// the zero Revocation is refused.
type Revocation struct {
	Kind  RevocationKind `json:"kind"`
	Value string         `json:"value"` // of the claim
	// Tokens whose first token was issued before it are dead. Only for a subject, a
	// client, a domain and rights; all others end their tokens whenever those were issued.
	Before time.Time `json:"before,omitzero"`
	// When the last token that it names has expired, by the tokens' own exp.
	// The revocation is forgotten then, and not sooner.
	Until time.Time `json:"until"`
}

// RevokeToken ends the token with this jti and all that was made of it, over
// however many hops. Until is its exp, which nothing that was made of it outlives.
func RevokeToken(jti string, until time.Time) Revocation {
	return Revocation{Kind: RevokedToken, Value: jti, Until: until}
}

// RevokeGrant ends all tokens of a family. Until is the family's End.
func RevokeGrant(id string, until time.Time) Revocation {
	return Revocation{Kind: RevokedGrant, Value: id, Until: until}
}

// RevokeSession ends all tokens of a login. Until is the end of the longest
// family that it began.
func RevokeSession(sid string, until time.Time) Revocation {
	return Revocation{Kind: RevokedSession, Value: sid, Until: until}
}

// RevokeSubject ends all tokens of a subject that began before a time, also
// those in which it acts for another.
func RevokeSubject(sub string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedSubject, Value: sub, Before: before, Until: until}
}

// RevokeClient ends all tokens that began before a time and were issued to a
// client, or went through it. What others made of its first tokens says nothing
// of it: that ends by its grant.
func RevokeClient(id string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedClient, Value: id, Before: before, Until: until}
}

// RevokeSubjectRights ends the tokens of a subject whose first token was issued
// before a time, also those in which it acts for another. Its logins go on, and
// give what it holds now.
func RevokeSubjectRights(sub string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedSubjectRights, Value: sub, Before: before, Until: until}
}

// RevokeGrantRights ends the tokens of a grant whose first token was issued before
// a time. What is issued of it later lives.
func RevokeGrantRights(id string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedGrantRights, Value: id, Before: before, Until: until}
}

// RevokeClientRights ends the tokens that were issued to a client, or went through
// it, and whose first token was issued before a time. Logins through it go on.
func RevokeClientRights(id string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedClientRights, Value: id, Before: before, Until: until}
}

// RevokeDomain ends all tokens and logins of the users of a domain that began
// before a time, also those in which they act for another.
func RevokeDomain(domain string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedDomain, Value: domain, Before: before, Until: until}
}

// RevokeDomainRights ends the tokens of the users of a domain whose first token
// was issued before a time. Their logins go on, and give what they hold now.
func RevokeDomainRights(domain string, before, until time.Time) Revocation {
	return Revocation{Kind: RevokedDomainRights, Value: domain, Before: before, Until: until}
}

// revocationName is what a revocation names: who repeats one says nothing new.
type revocationName struct {
	kind  RevocationKind
	value string
}

func (r Revocation) name() revocationName { return revocationName{r.Kind, r.Value} }

// maxRevokedValue is the length in bytes of the longest value.
const maxRevokedValue = 1024

// end is when no token that is named is accepted any more.
func (r Revocation) end() time.Time { return r.Until.Add(mint.LeewayExpiry) }

// check refuses what could not be found again, or would end something else.
func (r Revocation) check() error {
	index := r.Kind.index()
	timed := index >= ofSubjects
	switch {
	case index < 0:
		return errors.New("a revocation has no kind that is known")
	case r.Value == "" || len(r.Value) > maxRevokedValue || !utf8.ValidString(r.Value):
		return fmt.Errorf("a revocation by %s has a value of %d bytes; expected 1 to %d of UTF-8", r.Kind, len(r.Value), maxRevokedValue)
	case timed == r.Before.IsZero():
		return fmt.Errorf("a revocation by %s: a time before which tokens are dead belongs to sub, client_id, domain and rights, and to no other", r.Kind)
	case r.Until.IsZero():
		return fmt.Errorf("a revocation by %s has no end", r.Kind)
	}
	return nil
}

// The places of the kinds in a set. Those from ofSubjects on have a time.
const (
	ofTokens = iota
	ofGrants
	ofSessions
	ofSubjects
	ofClients
	ofSubjectRights
	ofGrantRights
	ofClientRights
	ofDomains
	ofDomainRights
)

// ofLogins are the kinds that end what gives new tokens, and of which the store
// has no record besides.
var ofLogins = []int{ofSessions, ofSubjects, ofClients, ofDomains}

var revocationKinds = [...]RevocationKind{
	ofTokens: RevokedToken, ofGrants: RevokedGrant, ofSessions: RevokedSession, ofSubjects: RevokedSubject, ofClients: RevokedClient,
	ofSubjectRights: RevokedSubjectRights, ofGrantRights: RevokedGrantRights, ofClientRights: RevokedClientRights,
	ofDomains: RevokedDomain, ofDomainRights: RevokedDomainRights,
}

func (k RevocationKind) index() int {
	for i, known := range revocationKinds {
		if k == known {
			return i
		}
	}
	return -1
}

// revoke ends tokens here at once, and tells every process that shares the
// store. Call it before the swap that revokes a record: a record that is
// revoked is not looked at again. An error that is ErrStoreUnavailable says that
// others may not know of it; here it holds all the same.
func (s *Server) revoke(ctx context.Context, what ...Revocation) error {
	return s.revocations.Revoke(ctx, s.state, what...)
}

// publishTimeout is longer than any store needs to give up.
const publishTimeout = 5 * time.Second

// Revoke ends tokens here at once, and publishes that through the store of s,
// which seals it. An error that is ErrStoreUnavailable says that other processes
// do not know of it; here it holds all the same, and is published once the store
// is back, if this process lives that long. It goes on when the request that
// caused it is given up: else a thief could stop it by hanging up.
func (v *Revocations) Revoke(ctx context.Context, s *State, what ...Revocation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	alive, err := aliveOf(what, v.now())
	if err != nil {
		return fmt.Errorf("revoking: %w", err)
	}
	for _, r := range alive {
		v.add(r)
	}
	feed, ok := s.store.(Feed)
	if !ok {
		return fmt.Errorf("revoking: %w: it has no feed", ErrStoreUnavailable)
	}
	alive = v.told.news(alive, v.now())
	rest, err := s.publish(ctx, feed, alive)
	v.told.add(alive[:len(alive)-len(rest)], v.now())
	v.outbox.keep(rest, maxOutbox)
	return err
}

// RevokeLater ends tokens here at once, and has that published in the background,
// at once or when the store is back: for what no caller waits for. One that is
// refused holds up none of the others.
func (v *Revocations) RevokeLater(what ...Revocation) (err error) {
	now := v.now()
	var good []Revocation
	for _, r := range what {
		alive, wrong := aliveOf([]Revocation{r}, now)
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("revoking: %w", wrong))
			continue
		}
		for _, r := range alive {
			v.add(r)
			good = append(good, r)
		}
	}
	v.outbox.keep(good, maxRevocations)
	return err
}

// aliveOf checks revocations, and leaves out those whose tokens are over.
func aliveOf(what []Revocation, now time.Time) (alive []Revocation, err error) {
	for _, r := range what {
		if err := r.check(); err != nil {
			return nil, err
		}
		if r.Before.After(now.Add(settled)) {
			return nil, fmt.Errorf("a revocation by %s: the time before which tokens are dead is in the future", r.Kind)
		}
		if r.end().After(now) {
			alive = append(alive, r)
		}
	}
	return alive, nil
}
