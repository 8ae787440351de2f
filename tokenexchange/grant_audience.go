package tokenexchange

import "github.com/scopegate/scopegate/tokenexchange/internal/mint"

// grantAudienceExchange turns a token into one for another audience (RFC 8693):
// act is copied, the caller is appended to via, and what went in comes out.
var grantAudienceExchange = &grant{
	name: audienceExchange,
	bound: append([]string{
		"subject_token", "subject_token_type", "target_audience", "requested_token_type",
	}, narrowing...),
	mandatory: []string{"subject_token", "subject_token_type"},
	exchange:  true,
	types:     []string{tokenTypeAccess, tokenTypeID},
	accepts: func(s mint.Subject) bool {
		switch s.(type) {
		case mint.UserToken, mint.ClientToken, mint.DelegatedToken, mint.IDToken:
			return true
		}
		return false
	},
	draft: draftAudienceExchange,
}

func draftAudienceExchange(c *call) (made drafts, err error) {
	target, err := c.params.one("target_audience", "audience", "resource")
	if err != nil {
		return made, err
	}
	if target == "" {
		return made, refused("parameter_missing", "target_audience")
	}
	wanted := c.params["requested_token_type"]
	if wanted != "" && wanted != tokenTypeAccess && wanted != tokenTypeID {
		return made, refused("parameter_invalid", "requested_token_type")
	}
	subject, err := c.exchangeSubject()
	if err != nil {
		return made, err
	}
	to, err := c.target(subject, target)
	if err != nil {
		return made, err
	}
	access, id := c.kinds(subject, wanted)
	if access {
		draft, err := c.server.mint.Derive(subject, &c.client.Client, to)
		if err != nil {
			return made, err
		}
		made.access = &draft
	}
	if id {
		draft, err := c.server.mint.DeriveID(subject, &c.client.Client, to)
		if err != nil {
			return made, err
		}
		made.id = &draft
	}
	return made, nil
}

// kinds tells which tokens an audience exchange makes. A caller whose own scope
// has openid gets both of a login's token, unless it asks for one of them, or
// asks by the name of RFC 8693, which has one answer.
func (c *call) kinds(subject mint.Subject, wanted string) (access, id bool) {
	switch {
	case wanted != "":
		return wanted == tokenTypeAccess, wanted == tokenTypeID
	case isIDToken(subject):
		return false, true
	}
	user, isUser := subject.(mint.UserToken)
	both := isUser && !c.exchange && c.client.opens() && mint.Facts(user).First() && mint.Facts(user).HasScope("openid")
	return true, both
}

func isIDToken(s mint.Subject) bool {
	_, ok := s.(mint.IDToken)
	return ok
}
