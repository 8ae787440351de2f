package mint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// modeAudit is the claim scopegate_mode of a token that was not enough for its
// request.
const modeAudit = "audit"

// Derive drafts an exchange: act is copied whole and the caller is appended to
// via. The rights are those of derive. An id token is no access token and holds
// no rights: DeriveID exchanges it.
func (m *Mint) Derive(s Subject, caller *Client, to Target) (Draft, error) {
	switch s.(type) {
	case UserToken, ClientToken, DelegatedToken, ImpersonatedToken:
	default:
		return Draft{}, refuse(SubjectKind, "only an access token can be exchanged for one")
	}
	return m.derive(s, caller, to, func(c *claims) error {
		c.Via = append(slices.Clone(c.Via), caller.ID)
		return nil
	})
}

// Delegate drafts a token with which the caller acts for a user: the caller is
// put around any earlier act, so that the outermost actor is the latest (RFC
// 8693 section 4.1), and via is copied. A client's own token has no user to act
// for, and an id token is no access token: both are refused.
func (m *Mint) Delegate(s Subject, caller *Client, to Target) (Draft, error) {
	switch s.(type) {
	case UserToken, DelegatedToken, ImpersonatedToken:
	default:
		return Draft{}, refuse(SubjectKind, "only a user's access token can be delegated")
	}
	return m.derive(s, caller, to, func(c *claims) (err error) {
		c.Act, err = actOf(caller.ID, c.Act)
		return err
	})
}

// actOf returns the claim act of a new actor around the earlier ones.
func actOf(actor string, earlier json.RawMessage) (json.RawMessage, error) {
	act, err := json.Marshal(struct {
		Subject string          `json:"sub"`
		Act     json.RawMessage `json:"act,omitempty"`
	}{actor, earlier})
	if err != nil {
		return nil, fmt.Errorf("encoding act: %w", err)
	}
	return act, nil
}

// derive is what all exchanges of access tokens share: the subject's set, meet
// the caller's ceiling, meet the target's service. The directory is not asked.
// hop writes down the caller.
func (m *Mint) derive(s Subject, caller *Client, to Target, hop func(*claims) error) (Draft, error) {
	from, err := m.source(s, caller)
	switch {
	case to.audience == "":
		return Draft{}, refuse(TokenAudience, "the exchange has no target")
	case err != nil:
		return Draft{}, err
	}
	// Only a guard brings such a token, and only to its own upstream. Anywhere
	// else it would be the start of a chain that an operator may not begin.
	if _, impersonated := s.(ImpersonatedToken); impersonated && !to.upstream {
		return Draft{}, refuse(SubjectKind, "an impersonated token can be exchanged for an upstream alone")
	}
	rights, err := caller.limit(from.rights.Service(to.service))
	if err != nil {
		return Draft{}, err
	}
	d := Draft{
		claims: from.inherit(caller), alg: caller.AccessAlg, target: to,
		validity: caller.AccessValidity, latest: time.Unix(from.Expiry, 0),
	}
	c := &d.claims
	from.sameUser(c)
	c.Act, c.Via, c.rights = from.Act, from.Via, rights
	c.Scope = strings.Join(derivable(words(from.Scope)), " ")
	c.Narrowed = from.Narrowed || !rights.Equal(from.rights)
	if err := hop(c); err != nil {
		return Draft{}, err
	}
	return d, nil
}

// source returns the claims that a derivation starts from, if the caller may
// make one at all.
func (m *Mint) source(s Subject, caller *Client) (*claims, error) {
	t := s.token()
	if t == nil {
		return nil, refuse(SubjectKind, "the subject was not verified")
	}
	from := t.claims
	switch {
	case len(from.actors)+len(from.Via)+1 > MaxHops:
		return nil, refuse(ChainTooLong, "one more exchange would make more than 4 hops")
	case from.mayAct != nil && !from.mayAct.names(caller.ID, m.issuer):
		return nil, refuse(ExchangeRefused, "may_act does not name client "+caller.ID)
	case from.Mode != "":
		return nil, refuse(ExchangeRefused, "a token with scopegate_mode is for its upstream alone")
	}
	return from, nil
}

// inherit returns what every token that is made from this one says: which chain
// it belongs to, so that a revocation reaches it, and whom it is issued to.
func (c *claims) inherit(caller *Client) claims {
	root, parents := c.lineage()
	return claims{
		ClientID: caller.ID, AZP: caller.ID, CID: caller.ID,
		Context: c.Context, SID: c.SID, GrantID: c.GrantID, RootJTI: root, RootIAT: c.rootIssuedAt(), ParentJTIs: parents,
	}
}

// sameUser writes whom the derived token is about: whom this one is.
func (c *claims) sameUser(derived *claims) {
	derived.Subject, derived.Account, derived.Username, derived.Domain = c.Subject, c.Account, c.Username, c.Domain
	derived.ContextName, derived.AuthTime = c.ContextName, c.AuthTime
}

// derivable drops what says who logged in: it never survives a derivation.
func derivable(scope []string) []string {
	return slices.DeleteFunc(scope, func(s string) bool {
		switch s {
		case "openid", "profile", "email", Offline:
			return true
		}
		return false
	})
}
