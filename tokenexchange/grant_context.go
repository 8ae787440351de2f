package tokenexchange

import (
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantContextSwitch takes a user to another organization: a switch changes
// where, never what.
var grantContextSwitch = &grant{
	name:      contextSwitch,
	bound:     append([]string{"subject_token", "subject_token_type"}, narrowing...),
	mandatory: []string{"subject_token", "subject_token_type"},
	types:     []string{tokenTypeAccess},
	accepts:   isUserToken,
	draft:     draftContextSwitch,
}

func isUserToken(s mint.Subject) bool {
	_, ok := s.(mint.UserToken)
	return ok
}

func draftContextSwitch(c *call) (drafts, error) {
	s := c.server
	if c.org == "" {
		return drafts{}, refused("parameter_missing", "orgId")
	}
	subject, err := c.firstToken("subject_token")
	if err != nil {
		return drafts{}, err
	}
	facts := mint.Facts(subject)
	c.record.Subject, c.record.Org = facts.Subject(), facts.Org()
	if err := c.broughtBy(facts, "subject_token"); err != nil {
		return drafts{}, err
	}
	user, err := s.person(c, facts.Subject())
	if err != nil {
		return drafts{}, err
	}
	if user == nil || c.org == facts.Org() || !c.client.worksIn(c.org) {
		return drafts{}, refused("org_not_allowed", "")
	}
	there, member := user.mintUser(c.org, facts.AuthTime())
	if !member {
		return drafts{}, refused("org_not_allowed", "")
	}
	draft, err := s.mint.Switch(subject, there, &c.client.Client)
	return drafts{access: &draft}, err
}

// firstToken verifies a user's token that was made for this server itself, and
// is all that its login gave: neither derived nor narrowed, nor got with an API
// token, which is for one organization and no login.
func (c *call) firstToken(param string) (mint.UserToken, error) {
	subject, err := c.subject(param, c.server.isIssuer)
	if mint.ReasonOf(err) == mint.TokenAudience {
		err = &Refused{Reason: Reason(mint.TokenAudience), Param: param, cause: errors.New("aud lacks the issuer: the login needs the scope openid")}
	}
	if err != nil {
		return mint.UserToken{}, err
	}
	user, ok := subject.(mint.UserToken)
	switch {
	case !ok:
		return mint.UserToken{}, refused("subject_kind", param)
	case !mint.Facts(user).First():
		return mint.UserToken{}, refused("token_not_first", param)
	}
	return user, nil
}

// broughtBy asks whether the caller may begin something new with a login's
// token: the client that it was issued to may, and one that this client names in
// an allow line.
func (c *call) broughtBy(t *mint.Token, param string) error {
	if !c.mayBring(t) {
		return refused(Reason(mint.TokenAudience), param)
	}
	source, err := c.server.source(t)
	if err == nil && source != c.client && !source.lets(c.grant.name, c.client.ID) {
		err = fmt.Errorf("client %s has no line: allow %s by %s", source.ID, c.grant.name, c.client.ID)
	}
	if err != nil {
		return refusedBecause("exchange_refused", err)
	}
	// Nothing new begins from a login that has ended, or while nobody can tell.
	grant, _ := t.Claim("grant_id")
	if _, err := c.server.state.Families().Load(c, grant); errors.Is(err, ErrNotFound) {
		return &Refused{Reason: Reason(mint.TokenRevoked), Param: param, cause: err}
	} else if err != nil {
		return err
	}
	return nil
}
