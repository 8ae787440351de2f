package mint

import (
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Leeway for clocks that differ (docs/tokens.md).
const (
	LeewayNotBefore = 30 * time.Second
	LeewayExpiry    = 5 * time.Second
)

// Subject is a token that was presented and verified, by kind. A grant's row
// names the kinds that it accepts; there is no other way to get one than
// Signed.Admit.
type Subject interface{ token() *Token }

// The kinds of subject.
type (
	// UserToken is an access token of a user, without an actor.
	UserToken struct{ t *Token }
	// ClientToken is a client's own access token: it has no user to act for.
	ClientToken struct{ t *Token }
	// IDToken says who logged in and is never an access token.
	IDToken struct{ t *Token }
	// DelegatedToken is a user's access token that a client acts with (act).
	DelegatedToken struct{ t *Token }
	// ImpersonatedToken is a user's access token that another user, an operator,
	// acts with. The operator is the innermost actor; guards may stand around.
	ImpersonatedToken struct{ t *Token }
)

func (s UserToken) token() *Token         { return s.t }
func (s ClientToken) token() *Token       { return s.t }
func (s IDToken) token() *Token           { return s.t }
func (s DelegatedToken) token() *Token    { return s.t }
func (s ImpersonatedToken) token() *Token { return s.t }

// Facts returns what the token behind a subject says.
func Facts(s Subject) *Token { return s.token() }

// Token is what an admitted token says. It cannot be changed.
type Token struct{ claims *claims }

// Subject returns the claim sub.
func (t *Token) Subject() string { return t.claims.Subject }

// ClientID returns the client that the token was issued to: of an access token
// its client_id, of an id token its one audience.
func (t *Token) ClientID() string { return t.claims.ClientID }

// ID returns the claim jti.
func (t *Token) ID() string { return t.claims.ID }

// Org returns the organization, "" for none.
func (t *Token) Org() string { return t.claims.ContextName }

// Actor returns the sub of the one who acts, "" where nobody acts for the subject.
func (t *Token) Actor() string {
	if len(t.claims.actors) == 0 {
		return ""
	}
	return t.claims.actors[0]
}

// Audiences returns the claim aud.
func (t *Token) Audiences() []string { return slices.Clone(t.claims.Audience) }

// First reports whether the token was made from a login or a client's own
// rights, and nothing was taken away from it since. Nobody logs in with an API
// token: it is for one organization, and says nothing new of who its user is.
func (t *Token) First() bool {
	return t.underived() && !t.claims.Narrowed && (t.claims.AuthTime != 0 || !isUser(t.claims.Subject))
}

// FromLogin reports whether the token is what a user's login gave, narrowed or
// not. One got with an API token is none.
func (t *Token) FromLogin() bool {
	return t.underived() && t.claims.AuthTime != 0 && isUser(t.claims.Subject)
}

// underived reports whether the token was made from no other one.
func (t *Token) underived() bool {
	c := t.claims
	return c.RootJTI == "" && c.Act == nil && len(c.Via) == 0
}

// HasScope reports whether the word is in the OAuth scope of the token.
func (t *Token) HasScope(word string) bool { return slices.Contains(words(t.claims.Scope), word) }

// AuthTime returns when the user logged in, the zero time where nobody did.
func (t *Token) AuthTime() time.Time {
	if t.claims.AuthTime == 0 {
		return time.Time{}
	}
	return time.Unix(t.claims.AuthTime, 0)
}

// Hops reports whether the test holds for every client that the token went
// through: those in act, and those in via. An operator who acts is a user and
// no client; see [Identifiers].
func (t *Token) Hops(test func(client string) bool) bool {
	acted := t.claims.actors
	if t.claims.operator() != "" {
		acted = acted[:len(acted)-1]
	}
	for _, chain := range [...][]string{acted, t.claims.Via} {
		for _, client := range chain {
			if !test(client) {
				return false
			}
		}
	}
	return true
}

var claimNames = []string{"sub", "client_id", "azp", "cid", "sid", "grant_id", "acct", "username", "domain", "context", "context_name"}

// ClaimNames returns the names that [Token.Claim] knows.
func ClaimNames() []string { return slices.Clone(claimNames) }

// Claim returns a claim that is one string and says who the token is about or
// through whom it came. No other claim is given out: least of all rights, or
// who acts.
func (t *Token) Claim(name string) (string, bool) {
	if !slices.Contains(claimNames, name) {
		return "", false
	}
	value := *t.claims.text(name)
	return value, value != ""
}

// Rights returns the set that the token holds.
func (t *Token) Rights() scopes.Set { return t.claims.rights }

// Expiry returns when the token dies.
func (t *Token) Expiry() time.Time { return time.Unix(t.claims.Expiry, 0) }

// Identifiers are what a revocation can name. Parents are the tokens between the
// first one of the chain, RootID, and this one. Operator is the user who acts for
// the subject, "" for none: what ends that one's tokens ends this one too. Hops
// are the clients in act and via. IssuedAt is when the first token of the chain
// was issued.
type Identifiers struct {
	ID, RootID, GrantID, Session, Subject, Operator, ClientID string
	Parents                                                   [maxParents]string
	Hops                                                      [MaxHops]string
	IssuedAt                                                  time.Time
	LoginAt                                                   time.Time // of the user, IssuedAt where nobody logged in
}

// Conditions are what a token is judged by. The zero value admits nothing.
type Conditions struct {
	Now      time.Time
	Issuer   string
	Type     string                         // the typ that is meant: TypeAccess or TypeID
	Audience func(aud []string) bool        // nil admits no audience
	Revoked  func(Identifiers) (why string) // "" is alive; nil means that it cannot be told, and admits nothing
}

// Admit judges a token whose signature holds, now. The order is fixed, so that
// one token has one reason.
func (s *Signed) Admit(c Conditions) (Subject, error) {
	k := &s.claims
	exp, nbf, iat := time.Unix(k.Expiry, 0), time.Unix(k.NotBefore, 0), time.Unix(k.IssuedAt, 0)
	switch {
	case c.Type == "" || s.typ != c.Type:
		return nil, refuse(TokenType, "typ is "+safe(s.typ)+", expected "+c.Type)
	case c.Issuer == "" || k.Issuer != c.Issuer:
		return nil, refuse(TokenIssuer, "iss is not "+c.Issuer)
	case s.typ == TypeID && len(k.Audience) != 1:
		return nil, refuse(TokenAudience, "aud of an id token is not exactly one")
	case c.Audience == nil || !c.Audience(k.Audience):
		return nil, refuse(TokenAudience, "aud is not meant for here")
	case !c.Now.Before(exp.Add(LeewayExpiry)):
		return nil, refuse(TokenExpired, "")
	case c.Now.Add(LeewayNotBefore).Before(nbf) || c.Now.Add(LeewayNotBefore).Before(iat):
		return nil, refuse(TokenNotYetValid, "")
	case k.binding:
		return nil, refuse(TokenBinding, "tokens with cnf are not accepted")
	case len(k.actors)+len(k.Via) > MaxHops:
		return nil, refuse(ChainTooLong, "more than 4 hops in act and via")
	case c.Revoked == nil:
		return nil, refuse(TokenRevoked, "revocations are unknown")
	}
	if why := c.Revoked(s.Identifiers()); why != "" {
		return nil, refuse(TokenRevoked, why)
	}
	return s.subject(), nil
}

// Expiry returns when the token dies by its own claim.
func (s *Signed) Expiry() time.Time { return time.Unix(s.claims.Expiry, 0) }

// IssuedAt returns when the first token of the chain was issued.
func (s *Signed) IssuedAt() time.Time { return time.Unix(s.claims.rootIssuedAt(), 0) }

// Identifiers returns what a revocation can name. They are signed, not judged.
func (s *Signed) Identifiers() Identifiers {
	k := &s.claims
	id := Identifiers{
		ID: k.ID, RootID: k.RootJTI, GrantID: k.GrantID, Session: k.SID,
		Subject: k.Subject, Operator: k.operator(), ClientID: k.ClientID, IssuedAt: s.IssuedAt(),
	}
	id.LoginAt = id.IssuedAt
	if k.AuthTime != 0 && k.AuthTime < id.LoginAt.Unix() {
		id.LoginAt = time.Unix(k.AuthTime, 0)
	}
	copy(id.Parents[:], k.ParentJTIs)
	// A longer chain is never admitted.
	copy(id.Hops[copy(id.Hops[:], k.actors):], k.Via)
	return id
}

// subject tells the kind. A user's sub has a colon, <domain>:<id>, which no
// client id can have, so a client can never be taken for a user.
func (s *Signed) subject() Subject {
	t := &Token{claims: &s.claims}
	switch {
	case s.typ != TypeAccess:
		return IDToken{t}
	case !strings.Contains(s.claims.Subject, ":"):
		return ClientToken{t}
	case s.claims.operator() != "":
		return ImpersonatedToken{t}
	case len(s.claims.actors) > 0:
		return DelegatedToken{t}
	}
	return UserToken{t}
}

// safe keeps what a stranger wrote out of logs, beyond a few harmless words.
func safe(typ string) string {
	switch typ {
	case "", "JWT", "at+jwt", "jwt", "application/at+jwt":
		return "\"" + typ + "\""
	}
	return "something else"
}
