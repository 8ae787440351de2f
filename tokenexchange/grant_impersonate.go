package tokenexchange

import (
	"errors"
	"slices"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// tokenTypeAccount is the subject_token_type of impersonate_user: the subject
// is an e-mail address.
const tokenTypeAccount = "urn:vmware:params:oauth:token-type:acct"

// grantImpersonateUser gives an operator a token that says the customer's name
// and the operator's (act). Such a token may be exchanged by a guard and
// nothing else, so no grant accepts it.
var grantImpersonateUser = &grant{
	name:         impersonateUser,
	bound:        append([]string{"subject_token", "subject_token_type", "actor_token", "actor_token_type"}, narrowing...),
	mandatory:    []string{"subject_token", "subject_token_type", "actor_token", "actor_token_type"},
	confidential: true,
	draft:        draftImpersonateUser,
}

func draftImpersonateUser(c *call) (drafts, error) {
	s, rules := c.server, c.server.realm.impersonation
	if rules == nil {
		return drafts{}, refused("grant_not_allowed", "")
	}
	if c.params["subject_token_type"] != tokenTypeAccount {
		return drafts{}, refused("parameter_invalid", "subject_token_type")
	}
	actor, err := c.operator(rules)
	if err != nil {
		return drafts{}, err
	}
	// Whoever may not be impersonated is answered like one who does not exist:
	// an operator learns no addresses.
	customer := s.realm.users.account(c.params["subject_token"])
	org, why := rules.refuses(customer, mint.Facts(actor).Subject(), c.org)
	if why == "" && !c.client.worksIn(org) {
		why = "client " + c.client.ID + " has an allowed_orgs line without " + org
	}
	if why != "" {
		return drafts{}, refusedBecause("impersonation_refused", errors.New(why))
	}
	c.record.Subject = customer.subject()
	there, _ := customer.mintUser(org, mint.Facts(actor).AuthTime())
	draft, err := s.mint.Impersonate(actor, there, &c.client.Client, rules.permit)
	return drafts{access: &draft}, err
}

// operator verifies the actor token: a login that was just made, by a user who
// holds one of the roles now.
func (c *call) operator(rules *impersonation) (mint.UserToken, error) {
	actor, err := c.firstToken("actor_token")
	if err != nil {
		return mint.UserToken{}, err
	}
	s, facts := c.server, mint.Facts(actor)
	c.record.Actor, c.record.Org = facts.Subject(), facts.Org()
	if err := c.broughtBy(facts, "actor_token"); err != nil {
		return mint.UserToken{}, err
	}
	user, err := s.person(c, facts.Subject())
	if err != nil {
		return mint.UserToken{}, err
	}
	if user == nil {
		return mint.UserToken{}, refused("actor_not_allowed", "")
	}
	held, member := user.in(facts.Org())
	if !member || !slices.ContainsFunc(rules.roles, func(role string) bool { return slices.Contains(held.roles, role) }) {
		return mint.UserToken{}, refused("actor_not_allowed", "")
	}
	if facts.AuthTime().Add(rules.maxAuthAge).Before(s.now()) {
		return mint.UserToken{}, refused("login_too_old", "")
	}
	return actor, nil
}

// refuses tells in which organization the customer may be impersonated, or why
// not, for the log.
func (rules *impersonation) refuses(customer *User, operator, asked string) (org, why string) {
	switch {
	case customer == nil:
		return "", "not exactly one enabled account has this verified e-mail address"
	case customer.subject() == operator:
		return "", "the operator is the account itself"
	}
	for _, m := range customer.Memberships {
		for _, role := range m.Roles {
			if slices.Contains(rules.neverRoles, role) {
				return "", "the account " + customer.subject() + " has the role " + role
			}
		}
	}
	in := func(org string) bool {
		_, member := customer.in(org)
		return member && slices.Contains(rules.orgs, org)
	}
	switch {
	case asked != "":
		org = asked
	case in(customer.DefaultOrg):
		org = customer.DefaultOrg
	default:
		// Of several organizations none is meant more than the others.
		common := slices.DeleteFunc(slices.Clone(rules.orgs), func(org string) bool { return !in(org) })
		if len(common) == 1 {
			org = common[0]
		}
	}
	if !in(org) {
		return "", "the account " + customer.subject() + " is in no organization that the block impersonation names and the request can mean"
	}
	return org, ""
}
