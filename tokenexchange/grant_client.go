package tokenexchange

import (
	"slices"
)

// grantClientCredentials is RFC 6749 section 4.4: a client's own token.
var grantClientCredentials = &grant{
	name:         "client_credentials",
	bound:        narrowing,
	confidential: true,
	draft:        draftClientCredentials,
}

func draftClientCredentials(c *call) (drafts, error) {
	org := c.client.org
	if c.org != "" && c.org != org {
		// Falling back to the client's own organization would give rights in
		// another place than the one that was asked for.
		if !slices.Contains(c.client.allowedOrgs, c.org) {
			return drafts{}, refused("org_not_allowed", "")
		}
		org = c.org
	}
	draft, err := c.server.mint.OwnClient(&c.client.Client, org)
	return drafts{access: &draft}, err
}
