package tokenexchange

import "github.com/scopegate/scopegate/tokenexchange/internal/mint"

// grantAudienceExchange turns an access token into one for another audience
// (RFC 8693): act is copied, the caller is appended to via.
var grantAudienceExchange = &grant{
	name: "audience_exchange",
	bound: []string{
		"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id",
		"subject_token", "subject_token_type", "target_audience", "requested_token_type",
	},
	mandatory: []string{"subject_token", "subject_token_type"},
	exchange:  true,
	accepts: func(s mint.Subject) bool {
		switch s.(type) {
		case mint.UserToken, mint.ClientToken, mint.DelegatedToken:
			return true
		}
		return false
	},
	draft: draftAudienceExchange,
}

func draftAudienceExchange(c *call) (mint.Draft, error) {
	target, err := c.params.one("target_audience", "audience", "resource")
	if err != nil {
		return mint.Draft{}, err
	}
	if target == "" {
		return mint.Draft{}, refused("parameter_missing", "target_audience")
	}
	subject, err := c.exchangeSubject()
	if err != nil {
		return mint.Draft{}, err
	}
	to, err := c.target(subject, target)
	if err != nil {
		return mint.Draft{}, err
	}
	return c.server.mint.Derive(subject, &c.client.Client, to)
}
