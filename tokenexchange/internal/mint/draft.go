package mint

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Draft is what a token will say. The zero value cannot be signed. Its methods
// return a narrower draft, never a wider one.
type Draft struct {
	claims   claims // all but what signing computes: aud of a first token, perms, jti, iat
	alg      string
	idAlg    string // of the id token beside a first token
	groups   int    // the most that its lists of groups can have
	target   Target // of an exchange; the zero value is no single audience
	user     *User  // whom a first token speaks of, nil for all others
	login    string // the session that a first token began in, "" for none
	offline  bool   // the grant has offline_access, whatever this token was narrowed to
	validity time.Duration
	latest   time.Time // the end of the subject, which a derived token does not outlive; zero of a first one
}

// First drafts a user's first token: what the user holds now in the
// organization, meet the client's ceiling. A login begins a session.
func (m *Mint) First(u User, c *Client) (Draft, error) {
	rights, err := c.limit(u.Rights)
	if err != nil {
		return Draft{}, err
	}
	d := first(c, rights, rand.Text())
	d.speaksOf(u)
	if d.claims.AuthTime != 0 { // An API token begins no session.
		d.login = rand.Text()
	}
	return d, nil
}

// Granted is what a user granted to a client and is asked for again: with a
// code, a refresh token or an API token.
type Granted struct {
	ID       string // the grant_id
	Session  string // of the login, "" for none; its id tokens name it, see [Offline]
	Scope    string // words set apart by blanks
	Set      scopes.Set
	Narrowed bool // by the request or the user who consented
	Roles    []string
}

// Renew drafts a token of a grant, with rights computed anew: what the user
// holds now, meet the client's ceiling now, meet what was granted. A word of the
// scope that the client may not have any more is left out.
func (m *Mint) Renew(u User, c *Client, g Granted) (Draft, error) {
	if g.ID == "" {
		return Draft{}, refuse(TokenSpent, "the grant has no id")
	}
	rights, err := c.limit(u.Rights)
	if err == nil {
		rights, err = meet(rights, g.Set)
	}
	if err != nil {
		return Draft{}, err
	}
	d := first(c, rights, g.ID)
	u.Roles = within(g.Roles, u.Roles)
	d.speaksOf(u)
	d.login, d.claims.Narrowed = g.Session, g.Narrowed
	d.claims.Scope = strings.Join(within(words(g.Scope), c.Scopes), " ")
	d.offline = d.HasScope(Offline)
	return d, nil
}

func (d *Draft) speaksOf(u User) {
	u.describe(&d.claims)
	d.claims.AuthTime = authTime(u.AuthTime)
	d.user = &u
}

// OwnClient drafts a client's own token: its own lines meet its ceiling.
func (m *Mint) OwnClient(c *Client, org string) (Draft, error) {
	rights, err := c.limit(c.Own)
	if err != nil {
		return Draft{}, err
	}
	d := first(c, rights, rand.Text())
	d.claims.Subject, d.claims.ContextName = c.ID, org
	return d, nil
}

func first(c *Client, rights scopes.Set, grant string) Draft {
	return Draft{
		claims: claims{
			ClientID: c.ID, AZP: c.ID, CID: c.ID, GrantID: grant, Context: grant,
			Scope: strings.Join(c.Scopes, " "), rights: rights,
		},
		alg: c.AccessAlg, idAlg: c.IDAlg, groups: c.MaxGroups, validity: c.AccessValidity,
	}
}

func meet(a, b scopes.Set) (scopes.Set, error) {
	set, err := a.Meet(b)
	if err != nil {
		return scopes.Set{}, refuse(ResourceTooLarge, err.Error())
	}
	return set, nil
}

// Rights returns the set that the token will hold.
func (d Draft) Rights() scopes.Set { return d.claims.rights }

// Scope returns the scope that the token will have.
func (d Draft) Scope() string { return d.claims.Scope }

// HasScope reports whether the word is in the scope that the token will have.
func (d Draft) HasScope(word string) bool { return slices.Contains(words(d.claims.Scope), word) }

// Narrowed reports whether the token will hold less than it could have.
func (d Draft) Narrowed() bool { return d.claims.Narrowed }

// Roles returns the roles that the token's user held.
func (d Draft) Roles() []string {
	if d.user == nil {
		return nil
	}
	return slices.Clone(d.user.Roles)
}

// Validity returns how long the token will live, unless its subject ends sooner.
func (d Draft) Validity() time.Duration { return d.validity }

// GrantID returns the family of the token.
func (d Draft) GrantID() string { return d.claims.GrantID }

// Session returns the session of the login, "" for none.
func (d Draft) Session() string { return d.login }

// Offline is the scope of a grant that goes on when the login has ended (OpenID
// Connect Core section 11). Its access tokens have no sid, so that what ends the
// login does not name them; its id tokens do.
const Offline = "offline_access"

// sid returns the login that a token ends with, "" for none. Of a derived token,
// which speaks of no user of its own, that is what its subject says.
func (d Draft) sid() string {
	if d.user == nil {
		return d.claims.SID
	}
	if d.offline || d.HasScope(Offline) {
		return ""
	}
	return d.login
}

// Subject returns the claim sub.
func (d Draft) Subject() string { return d.claims.Subject }

// Org returns the organization, "" for none.
func (d Draft) Org() string { return d.claims.ContextName }

// Narrow keeps of the draft's set what was asked for. A nil ask means that
// nothing was asked, and changes nothing. Asking for more than is held is
// refused with the excess, never cut.
func (d Draft) Narrow(ask *scopes.Ask) (Draft, error) {
	if ask == nil {
		return d, nil
	}
	set, excess, err := ask.Resolve(d.claims.rights)
	if err != nil {
		return Draft{}, refuse(ResourceTooLarge, err.Error())
	}
	if len(excess) > 0 {
		return Draft{}, &Refusal{Reason: ResourceExceeded, Excess: excess, Detail: fmt.Sprintf("%d of the entries that were asked for are not held", len(excess))}
	}
	if set.Empty() {
		return Draft{}, refuse(ResourceExceeded, "nothing of what was asked for is held")
	}
	if !set.Equal(d.claims.rights) {
		d.claims.rights, d.claims.Narrowed = set, true
	}
	return d, nil
}

// Limit keeps of the draft's OAuth scope what was asked for (RFC 6749 section
// 3.3). An empty list changes nothing; more than was granted is refused.
func (d Draft) Limit(asked []string) (Draft, error) {
	if len(asked) == 0 {
		return d, nil
	}
	granted := words(d.claims.Scope)
	var kept []string
	for _, s := range granted {
		if slices.Contains(asked, s) {
			kept = append(kept, s)
		}
	}
	for _, s := range asked {
		if !slices.Contains(granted, s) {
			return Draft{}, refuse(ScopeExceeded, "")
		}
	}
	if len(kept) < len(granted) {
		d.claims.Scope, d.claims.Narrowed = strings.Join(kept, " "), true
	}
	return d, nil
}

// LimitTo keeps of the draft's OAuth scope what was granted of it. Unlike for Limit,
// an empty list leaves nothing.
func (d Draft) LimitTo(scope []string) Draft {
	granted := words(d.claims.Scope)
	if kept := within(granted, scope); len(kept) < len(granted) {
		d.claims.Scope, d.claims.Narrowed = strings.Join(kept, " "), true
	}
	return d
}

// Refused marks a draft that holds all that can be granted now, of somebody who
// refused to grant all before.
func (d Draft) Refused() Draft {
	d.claims.Narrowed = true
	return d
}

// Within keeps of the draft's set what is also in the other one. Nothing in
// common leaves an identity-only token.
func (d Draft) Within(set scopes.Set) (Draft, error) {
	rights := set
	if !d.claims.rights.Contains(set) { // Else set is the meet of both, found faster.
		var err error
		if rights, err = meet(d.claims.rights, set); err != nil {
			return Draft{}, err
		}
	}
	if !rights.Equal(d.claims.rights) {
		d.claims.rights, d.claims.Narrowed = rights, true
	}
	return d, nil
}

// Audited marks the token of a request that only passes because its guard does
// not enforce yet. Such a token is for one upstream and never leaves through
// the token endpoint, so any other draft is lost.
func (d Draft) Audited() Draft {
	if !d.target.upstream {
		return Draft{}
	}
	d.claims.Mode = modeAudit
	return d
}

// Shorten makes the token live for v if that is less than it would. The
// parameter accessTokenValiditySeconds can do nothing else.
func (d Draft) Shorten(v time.Duration) Draft {
	if v >= time.Second && v < d.validity {
		d.validity = v
	}
	return d
}
