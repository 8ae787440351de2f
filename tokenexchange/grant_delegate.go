package tokenexchange

import (
	"errors"
	"slices"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantClientDelegate turns a user's access token into one with which the
// caller acts for the user (RFC 8693): sub stays, and the caller is put around
// any earlier act.
var grantClientDelegate = &grant{
	name:         clientDelegate,
	bound:        append([]string{"subject_token", "subject_token_type", "audience", "requested_token_type"}, narrowing...),
	mandatory:    []string{"subject_token", "subject_token_type"},
	confidential: true,
	exchange:     true,
	types:        []string{tokenTypeAccess},
	accepts: func(s mint.Subject) bool {
		switch s.(type) {
		case mint.UserToken, mint.DelegatedToken:
			return true
		}
		return false
	},
	draft: draftClientDelegate,
}

func draftClientDelegate(c *call) (drafts, error) {
	target, err := c.params.one("audience", "resource")
	if err != nil {
		return drafts{}, err
	}
	if t := c.params["requested_token_type"]; t != "" && t != tokenTypeAccess {
		return drafts{}, refused("parameter_invalid", "requested_token_type")
	}
	subject, err := c.exchangeSubject()
	if err != nil {
		return drafts{}, err
	}
	// Where nothing is asked for, the token stays where it is good already. Of
	// several audiences none is meant more than the others. The issuer, which is
	// among them after a login with openid, is never a target.
	held := slices.DeleteFunc(mint.Facts(subject).Audiences(), func(aud string) bool { return aud == c.server.realm.issuer })
	if target == "" && len(held) == 1 {
		target = held[0]
	}
	if target == "" {
		return drafts{}, refusedBecause("target_not_allowed", errors.New("no audience was sent, and the subject token has several"))
	}
	to, err := c.target(subject, target)
	if err != nil {
		return drafts{}, err
	}
	draft, err := c.server.mint.Delegate(subject, &c.client.Client, to)
	return drafts{access: &draft}, err
}
