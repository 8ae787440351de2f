package tokenexchange

import (
	"slices"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantClientCredentials is RFC 6749 section 4.4: a client's own token.
var grantClientCredentials = &grant{
	name:         "client_credentials",
	bound:        []string{"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id"},
	confidential: true,
	draft:        draftClientCredentials,
}

func draftClientCredentials(c *call) (mint.Draft, error) {
	org := c.client.org
	if c.org != "" && c.org != org {
		// Falling back to the client's own organization would give rights in
		// another place than the one that was asked for.
		if !slices.Contains(c.client.allowedOrgs, c.org) {
			return mint.Draft{}, refused("org_not_allowed", "")
		}
		org = c.org
	}
	return c.server.mint.OwnClient(&c.client.Client, org)
}
