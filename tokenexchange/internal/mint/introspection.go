package mint

// Introspected returns what RFC 7662 section 2.2 says about an active access
// token: every claim as it is signed, encoded as JSON. Nothing in it is wider
// than what the token says itself to who holds it.
func (t *Token) Introspected() any {
	return struct {
		Active bool   `json:"active"`
		Type   string `json:"token_type"`
		*claims
	}{true, "Bearer", t.claims}
}

// Audited reports whether the token was made for a request that was not allowed,
// and passed only because its guard does not enforce yet. It is worth nothing
// anywhere else.
func (t *Token) Audited() bool { return t.claims.Mode != "" }

// IssuedTo reports whether the issuer gave the token to the client. Of an id
// token that is azp: its audience may be somebody whom the client sent it to. It
// is signed, not judged.
func (s *Signed) IssuedTo(issuer, client string) bool {
	to := s.claims.ClientID
	if s.typ == TypeID {
		to = s.claims.AZP
	}
	return s.claims.Issuer == issuer && client != "" && to == client
}

// IsAccess reports whether the token is an access token, and not an id token.
func (s *Signed) IsAccess() bool { return s.typ == TypeAccess }

// Login is what an id token says about the login that it was issued at.
type Login struct{ Client, Session, Subject, Org string }

// Login returns the login of an id token of this issuer. It reports false for
// any other token, and for one that a client sent on to another audience. The
// token may have expired: it is no proof that its holder may do something, only a
// name that nobody can make up.
func (s *Signed) Login(issuer string) (Login, bool) {
	k := &s.claims
	l := Login{Client: k.AZP, Session: k.SID, Subject: k.Subject, Org: k.ContextName}
	ok := s.typ == TypeID && issuer != "" && k.Issuer == issuer && l.Client != "" && l.Session != "" &&
		len(k.Audience) == 1 && k.Audience[0] == l.Client && k.RootJTI == "" && len(k.Via) == 0
	if !ok {
		return Login{}, false
	}
	return l, true
}
