package tokenexchange

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantPassword is RFC 6749 section 4.3, which RFC 9700 section 2.4 advises
// against: off unless a client lists it, and a warning at start.
var grantPassword = &grant{
	name:      "password",
	bound:     []string{"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id"},
	mandatory: []string{"username", "password"},
	draft:     draftPassword,
}

func draftPassword(c *call) (mint.Draft, error) {
	s := c.server
	user, err := s.login(c, c.params["username"], c.params["password"])
	if err != nil {
		return mint.Draft{}, err
	}
	c.record.Subject = user.subject()
	org := c.org
	if org == "" {
		org = user.DefaultOrg
	}
	if len(c.client.allowedOrgs) > 0 && !slices.Contains(c.client.allowedOrgs, org) {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	member, ok := user.mintUser(org, s.now())
	if !ok {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	return s.mint.First(member, &c.client.Client)
}

// begin records the family of a user's first token. It comes before the
// signature: a token whose family nobody remembers could not be revoked.
func (c *call) begin(d mint.Draft) error {
	attempt, err := c.attempt()
	if err != nil {
		return err
	}
	life := c.client.refreshValidity
	if asked := c.params.seconds("refreshTokenValiditySeconds"); asked > 0 && asked < life {
		life = asked
	}
	now := c.server.now()
	_, err = c.server.state.Families().Begin(c, attempt, Family{
		Grant: Grant{
			ID: d.GrantID(), Subject: d.Subject(), Client: c.client.ID, Org: d.Org(), Session: d.Session(),
			Set: d.Rights().Canonical(), Scope: d.Scope(),
		},
		Created: now, End: now.Add(max(life, time.Second)),
	})
	return err
}
