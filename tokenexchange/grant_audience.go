package tokenexchange

import (
	"slices"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

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
	if t := c.params["requested_token_type"]; t != "" && t != tokenTypeAccess {
		return mint.Draft{}, refused("parameter_invalid", "requested_token_type")
	}
	subject, err := c.exchangeSubject()
	if err != nil {
		return mint.Draft{}, err
	}
	facts := mint.Facts(subject)
	if c.org != "" && c.org != facts.Org() {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	to, ok := c.server.mint.Target(target)
	if !ok || !slices.Contains(c.client.targets, target) {
		return mint.Draft{}, refused("target_not_allowed", "")
	}
	// A client that is no longer configured cannot be asked, and so refuses.
	source, known := c.server.realm.clients[facts.ClientID()]
	if !known || !source.allows(c.grant.name, c.client.ID, target) {
		return mint.Draft{}, refusedBecause("exchange_refused", missingAllow(facts.ClientID(), c.grant.name, c.client.ID, target))
	}
	return c.server.mint.Derive(subject, &c.client.Client, to)
}

// exchangeSubject verifies subject_token, and actor_token where RFC 8693 has
// one: it must be the caller's own token and changes nothing.
func (c *call) exchangeSubject() (mint.Subject, error) {
	if c.params["actor_token"] != "" || c.params["actor_token_type"] != "" {
		actor, err := c.subject("actor_token", c.server.isIssuer)
		if err != nil {
			return nil, err
		}
		own, isClient := actor.(mint.ClientToken)
		if !isClient || mint.Facts(own).Subject() != c.client.ID || mint.Facts(own).ClientID() != c.client.ID {
			return nil, refused("subject_kind", "actor_token")
		}
	}
	// Whom the token was issued to is known after its signature was checked;
	// until then its audience is taken as it is and judged below.
	var audiences []string
	subject, err := c.subject("subject_token", func(aud []string) bool { audiences = aud; return true })
	if err != nil {
		return nil, err
	}
	facts := mint.Facts(subject)
	c.record.Subject, c.record.Org = facts.Subject(), facts.Org()
	if facts.ClientID() != c.client.ID && !c.server.mint.Accepts(&c.client.Client, audiences) {
		return nil, refused(Reason(mint.TokenAudience), "subject_token")
	}
	return subject, nil
}
