package tokenexchange

import (
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantPassword is RFC 6749 section 4.3, which RFC 9700 section 2.4 advises
// against: off unless a client lists it, and a warning at start.
var grantPassword = &grant{
	name:      "password",
	bound:     narrowing,
	mandatory: []string{"username", "password"},
	login:     true,
	draft:     draftPassword,
}

func draftPassword(c *call) (drafts, error) {
	at := c.server.now() // Not after the wait for a turn: the users are those of now.
	user, err := c.server.login(c, c.params["username"], c.params["password"])
	if err != nil {
		return drafts{}, err
	}
	c.record.Subject = user.subject()
	org := c.org
	if org == "" {
		org = user.DefaultOrg
	}
	draft, err := c.first(user, org, at)
	return drafts{access: &draft}, err
}

// first drafts the first token of a family that begins with this request: all
// that the user holds now in the organization, within the client's ceiling.
func (c *call) first(user *User, org string, authTime time.Time) (mint.Draft, error) {
	if !c.client.worksIn(org) {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	now, member := user.mintUser(org, authTime)
	if !member {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	c.commit = func(d mint.Draft) error { return c.beginFamily(d, authTime) }
	return c.server.mint.First(now, &c.client.Client)
}

// beginFamily records the family of a user's first token. It comes before the
// signature: a token whose family nobody remembers could not be revoked.
func (c *call) beginFamily(d mint.Draft, authTime time.Time) error {
	refreshEnd, end := c.familyEnds(d)
	refresh, err := c.server.state.Families().Begin(c, c.attempt, Family{
		Grant: Grant{
			ID: d.GrantID(), Subject: d.Subject(), Client: c.client.ID, Org: d.Org(), Session: d.Session(),
			Set: d.Rights().Canonical(), Scope: d.Scope(), Narrowed: d.Narrowed(), Roles: strings.Join(d.Roles(), " "), AuthTime: authTime,
		},
		Created: c.server.now(), RefreshEnd: refreshEnd, End: end,
	})
	c.answerRefresh(refresh)
	return err
}

// familyEnds returns when a family that begins now can be refreshed no more, and
// when its record ends: not before its first access token, so that a second use
// of the code that it came from is still known for what it is.
func (c *call) familyEnds(d mint.Draft) (refresh, record time.Time) {
	record = c.lifeEnd(d)
	if !c.grant.login || !slices.Contains(c.client.grants, refreshToken) {
		return record, record
	}
	life := c.client.refreshValidity
	if asked := c.params.seconds("refreshTokenValiditySeconds"); asked > 0 && asked < life {
		life = asked
	}
	if refresh = c.server.now().Add(life); refresh.After(record) {
		record = refresh
	}
	return refresh, record
}

// signingSlack is how much later than here a draft is signed, at most.
const signingSlack = time.Minute

// lifeEnd returns when the token of a draft is over, whatever its clock says.
func (c *call) lifeEnd(d mint.Draft) time.Time {
	return c.server.now().Add(d.Validity() + mint.LeewayExpiry + signingSlack)
}
