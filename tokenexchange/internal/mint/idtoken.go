package mint

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"time"
)

// IDDraft is what an id token will say (OpenID Connect Core section 2). The zero
// value cannot be signed. It has no rights, and nothing makes an access token
// of it.
type IDDraft struct {
	claims   claims // without what signing computes: iss, jti, dates, at_hash
	alg      string
	validity time.Duration
	latest   time.Time // of a derived one: the end of its subject
}

// IDOptions is what a request says of the id token beside its access token.
type IDOptions struct {
	Nonce     string // of the authorization request; a refreshed id token has none
	MaxGroups int    // maxGroupsInIdToken; 0 where it was not asked
}

// Identity drafts the id token beside a first token with openid, after that was
// narrowed. It is for the client alone and lives as long as the access token.
func (d Draft) Identity(o IDOptions) (IDDraft, error) {
	if d.user == nil || !d.HasScope("openid") {
		return IDDraft{}, refuse(ScopeExceeded, "an id token stands beside a first token of a user with openid")
	}
	from := &d.claims
	c := claims{
		Audience: audience{from.ClientID}, AZP: from.ClientID,
		SID: d.login, GrantID: from.GrantID, Context: from.Context,
	}
	from.sameUser(&c)
	c.identity.tell(d.user, words(from.Scope))
	c.Nonce = o.Nonce
	id := IDDraft{claims: c, alg: d.idAlg, validity: d.validity}
	id.claims.identity.cut(d.groups)
	return id.CapGroups(o.MaxGroups), nil
}

// DeriveID drafts the exchange for an id token whose one audience is the target:
// of an id token, or, by a client with openid in its scope line, of a first token
// with openid that was not narrowed. The groups of an id token are copied. Names
// and e-mail were told to the client that asked for them and are not told on.
func (m *Mint) DeriveID(s Subject, caller *Client, to Target) (IDDraft, error) {
	switch s.(type) {
	case IDToken, UserToken:
	default:
		return IDDraft{}, refuse(SubjectKind, "an id token is made from an id token, or from a user's first token")
	}
	from, err := m.source(s, caller)
	switch {
	case to.audience == "":
		return IDDraft{}, refuse(TokenAudience, "the exchange has no target")
	case to.upstream:
		return IDDraft{}, refuse(TargetNotUpstream, "an id token is never for an upstream")
	case err != nil:
		return IDDraft{}, err
	case from.Act != nil || !isUser(from.Subject):
		return IDDraft{}, refuse(SubjectKind, "an id token is about a user for whom nobody acts")
	}
	c := from.inherit(caller)
	c.ClientID, c.CID = "", ""
	from.sameUser(&c)
	c.Audience, c.Via = audience{to.audience}, append(slices.Clone(from.Via), caller.ID)
	if user, ok := s.(UserToken); ok {
		switch {
		case !user.t.First() || !user.t.HasScope("openid"):
			return IDDraft{}, refuse(SubjectKind, "the access token is not a first one with openid that was not narrowed")
		case !slices.Contains(caller.Scopes, "openid"):
			return IDDraft{}, refuse(ExchangeRefused, "client "+caller.ID+" has no openid in its scope line")
		}
	} else {
		c.GroupIDs, c.GroupNames, c.GroupsTruncated = from.GroupIDs, from.GroupNames, from.GroupsTruncated
		c.cut(caller.MaxGroups)
	}
	return IDDraft{claims: c, alg: caller.IDAlg, validity: caller.AccessValidity, latest: time.Unix(from.Expiry, 0)}, nil
}

// CapGroups keeps at most n groups in each list. Anything but 1 or more changes
// nothing, and neither does more than the client may have.
func (d IDDraft) CapGroups(n int) IDDraft {
	if n >= 1 {
		d.claims.cut(n)
	}
	return d
}

// Shorten makes the token live for v if that is less than it would.
func (d IDDraft) Shorten(v time.Duration) IDDraft {
	if v >= time.Second && v < d.validity {
		d.validity = v
	}
	return d
}

// IssuedID is a signed id token. It is never an access token.
type IssuedID struct {
	Raw       string
	ID        string
	ExpiresIn int64 // seconds
	Audience  string
}

// SignID signs an id token. With access, the access token in the same answer,
// it says at_hash; empty text is no such token.
func (m *Mint) SignID(d IDDraft, access string) (IssuedID, error) {
	c, err := m.completeID(d, access)
	if err != nil {
		return IssuedID{}, err
	}
	raw, err := m.encode(&c, d.alg, TypeID)
	if err != nil {
		return IssuedID{}, err
	}
	return IssuedID{Raw: raw, ID: c.ID, ExpiresIn: c.Expiry - c.IssuedAt, Audience: c.Audience[0]}, nil
}

func (m *Mint) completeID(d IDDraft, access string) (claims, error) {
	c := d.claims
	if c.Subject == "" || c.AZP == "" || len(c.Audience) != 1 || d.validity < time.Second {
		return c, refuse(TokenSpent, "an empty draft cannot be signed")
	}
	var err error
	if c.IssuedAt, c.Expiry, err = m.life(d.validity, d.latest); err != nil {
		return c, err
	}
	c.Issuer, c.ID = m.issuer, rand.Text()
	if access != "" {
		// ES256 and RS256 both hash with SHA-256 (OpenID Connect Core 3.1.3.6).
		sum := sha256.Sum256([]byte(access))
		c.AtHash = b64(sum[:len(sum)/2])
	}
	return c, nil
}
