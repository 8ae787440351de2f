package mint

import (
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// MaxImpersonation is how long a token lives with which an operator acts for
// another user, at most.
const MaxImpersonation = 10 * time.Minute

// Switch drafts a token of the same user in another organization. The user says
// what is held there now. The rights are that, meet the caller's ceiling, and of
// it only those permissions of services that the subject holds too, on whatever
// resources: a switch changes where, never what. The token has no single target,
// so its audiences are those of a first token.
func (m *Mint) Switch(s UserToken, u User, caller *Client) (Draft, error) {
	from, err := m.firstHand(s, caller)
	switch {
	case err != nil:
		return Draft{}, err
	case u.Subject != from.Subject:
		return Draft{}, refuse(ExchangeRefused, "the subject token is another user's")
	case u.Org == "" || u.Org == from.ContextName:
		return Draft{}, refuse(ExchangeRefused, "a switch needs another organization than the token's")
	}
	rights, err := caller.limit(u.Rights)
	if err != nil {
		return Draft{}, err
	}
	d := m.anew(from, u, caller, rights.Pairs(from.rights))
	d.claims.AuthTime = from.AuthTime
	d.claims.Via = []string{caller.ID}
	return d, nil
}

// Impersonate drafts a token of a customer with which the user of the actor's
// token, an operator, acts. The rights are the customer's, meet the ceiling of
// impersonation, meet the caller's. It belongs to the operator's login: what ends
// that one, or the actor's token, ends this one too.
func (m *Mint) Impersonate(actor UserToken, customer User, caller *Client, ceiling scopes.Set) (Draft, error) {
	from, err := m.firstHand(actor, caller)
	switch {
	case err != nil:
		return Draft{}, err
	case !isUser(from.Subject) || !isUser(customer.Subject):
		return Draft{}, refuse(SubjectKind, "only a user impersonates a user")
	case customer.Subject == from.Subject:
		return Draft{}, refuse(ExchangeRefused, "nobody impersonates themselves")
	}
	rights, err := meet(customer.Rights, ceiling)
	if err == nil {
		rights, err = caller.limit(rights)
	}
	if err != nil {
		return Draft{}, err
	}
	d := m.anew(from, customer, caller, rights)
	d.validity = min(d.validity, MaxImpersonation)
	// The token says no auth_time, since the customer did not log in. What ends
	// the operator's login must find it all the same.
	if from.AuthTime != 0 {
		d.claims.RootIAT = min(d.claims.RootIAT, from.AuthTime)
	}
	if d.claims.Act, err = actOf(from.Subject, nil); err != nil {
		return Draft{}, err
	}
	return d, nil
}

// firstHand returns the claims of a token with which its holder may begin
// something new here: made from a login for this server, and whole. Anything
// else would give back what was taken away on the way.
func (m *Mint) firstHand(s UserToken, caller *Client) (*claims, error) {
	from, err := m.source(s, caller)
	switch {
	case err != nil:
		return nil, err
	case !s.t.First():
		return nil, refuse(SubjectKind, "only a first token that was not narrowed is accepted here")
	case !slices.Contains(from.Audience, m.issuer):
		return nil, refuse(TokenAudience, "the token is not meant for the issuer")
	}
	return from, nil
}

// anew drafts a token with rights that were asked for anew, in the chain of an
// earlier one. Its scope lies in that of the earlier one and in the caller's.
func (m *Mint) anew(from *claims, u User, caller *Client, rights scopes.Set) Draft {
	d := Draft{
		claims: from.inherit(caller), alg: caller.AccessAlg,
		validity: caller.AccessValidity, latest: time.Unix(from.Expiry, 0),
	}
	u.describe(&d.claims)
	d.claims.rights, d.claims.Narrowed = rights, !rights.Equal(u.Rights)
	d.claims.Scope = strings.Join(within(derivable(words(from.Scope)), caller.Scopes), " ")
	return d
}
