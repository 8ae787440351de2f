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
// via. The rights are those of derive.
func (m *Mint) Derive(s Subject, caller *Client, to Target) (Draft, error) {
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
	case UserToken, DelegatedToken:
	default:
		return Draft{}, refuse(SubjectKind, "only a user's access token can be delegated")
	}
	return m.derive(s, caller, to, func(c *claims) error {
		act, err := json.Marshal(struct {
			Subject string          `json:"sub"`
			Act     json.RawMessage `json:"act,omitempty"`
		}{caller.ID, c.Act})
		if err != nil {
			return fmt.Errorf("encoding act: %w", err)
		}
		c.Act = act
		return nil
	})
}

// derive is what all derivations share: the subject's set, meet the caller's
// ceiling, meet the target's service. The directory is not asked. hop writes
// down the caller.
func (m *Mint) derive(s Subject, caller *Client, to Target, hop func(*claims) error) (Draft, error) {
	from := s.token().claims
	switch {
	case to.audience == "":
		return Draft{}, refuse(TokenAudience, "the exchange has no target")
	case len(from.actors)+len(from.Via)+1 > MaxHops:
		return Draft{}, refuse(ChainTooLong, "one more exchange would make more than 4 hops")
	case from.mayAct != nil && !from.mayAct.names(caller.ID, m.issuer):
		return Draft{}, refuse(ExchangeRefused, "may_act does not name client "+caller.ID)
	case from.Mode != "":
		return Draft{}, refuse(ExchangeRefused, "a token with scopegate_mode is for its upstream alone")
	}
	rights, err := caller.limit(from.rights.Service(to.service))
	if err != nil {
		return Draft{}, err
	}
	d := Draft{
		claims: claims{
			Subject: from.Subject, Account: from.Account, Username: from.Username, Domain: from.Domain,
			Context: from.Context, ContextName: from.ContextName, AuthTime: from.AuthTime,
			SID: from.SID, GrantID: from.GrantID, RootJTI: from.RootJTI, RootIAT: from.rootIssuedAt(),
			Act: from.Act, Via: from.Via,
			ClientID: caller.ID, AZP: caller.ID, CID: caller.ID,
			Scope: strings.Join(derivable(words(from.Scope)), " "), rights: rights,
			Narrowed: from.Narrowed || !rights.Equal(from.rights),
		},
		alg: caller.AccessAlg, target: to, validity: caller.AccessValidity, latest: time.Unix(from.Expiry, 0),
	}
	if d.claims.RootJTI == "" {
		d.claims.RootJTI = from.ID
	}
	if err := hop(&d.claims); err != nil {
		return Draft{}, err
	}
	return d, nil
}

// derivable drops what says who logged in: it never survives a derivation.
func derivable(scope []string) []string {
	return slices.DeleteFunc(scope, func(s string) bool {
		switch s {
		case "openid", "profile", "email", "offline_access":
			return true
		}
		return false
	})
}
