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
	target   Target   // of a derived token; the zero value marks a first one
	roles    []string // of a first token, for the view perms
	validity time.Duration
	latest   time.Time // a derived token dies no later than its subject
}

// First drafts a user's first token: what the user holds now in the
// organization, meet the client's ceiling.
func (m *Mint) First(u User, c *Client) (Draft, error) {
	rights, err := c.limit(u.Rights)
	if err != nil {
		return Draft{}, err
	}
	d := first(c, rights)
	d.claims.Subject, d.claims.Account = u.Subject, u.Account
	d.claims.Username, d.claims.Domain, d.claims.ContextName = u.Username, u.Domain, u.Org
	d.claims.AuthTime = u.AuthTime.Unix()
	d.claims.SID = rand.Text()
	d.roles = u.Roles
	return d, nil
}

// OwnClient drafts a client's own token: its own lines meet its ceiling.
func (m *Mint) OwnClient(c *Client, org string) (Draft, error) {
	rights, err := c.limit(c.Own)
	if err != nil {
		return Draft{}, err
	}
	d := first(c, rights)
	d.claims.Subject, d.claims.ContextName = c.ID, org
	return d, nil
}

func first(c *Client, rights scopes.Set) Draft {
	grant := rand.Text()
	return Draft{
		claims: claims{
			ClientID: c.ID, AZP: c.ID, CID: c.ID, GrantID: grant, Context: grant,
			Scope: strings.Join(c.Scopes, " "), rights: rights,
		},
		alg: c.AccessAlg, validity: c.AccessValidity,
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

// GrantID returns the family of the token.
func (d Draft) GrantID() string { return d.claims.GrantID }

// Session returns the login session, "" for none.
func (d Draft) Session() string { return d.claims.SID }

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
