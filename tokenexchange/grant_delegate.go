package tokenexchange

import "github.com/scopegate/scopegate/tokenexchange/internal/mint"

// grantClientDelegate turns a user's access token into one with which the
// caller acts for the user (RFC 8693): sub stays, and the caller is put around
// any earlier act.
var grantClientDelegate = &grant{
	name: "client_delegate",
	bound: []string{
		"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id",
		"subject_token", "subject_token_type", "audience", "requested_token_type",
	},
	mandatory:    []string{"subject_token", "subject_token_type"},
	confidential: true,
	exchange:     true,
	accepts: func(s mint.Subject) bool {
		switch s.(type) {
		case mint.UserToken, mint.DelegatedToken:
			return true
		}
		return false
	},
	draft: draftClientDelegate,
}

func draftClientDelegate(c *call) (mint.Draft, error) {
	target, err := c.params.one("audience", "resource")
	if err != nil {
		return mint.Draft{}, err
	}
	subject, err := c.exchangeSubject()
	if err != nil {
		return mint.Draft{}, err
	}
	// Where nothing is asked for, the token stays where it is good already. Of
	// several audiences none is meant more than the others.
	if held := mint.Facts(subject).Audiences(); target == "" && len(held) == 1 {
		target = held[0]
	}
	to, err := c.target(subject, target)
	if err != nil {
		return mint.Draft{}, err
	}
	return c.server.mint.Delegate(subject, &c.client.Client, to)
}
