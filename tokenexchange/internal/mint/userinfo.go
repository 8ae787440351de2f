package mint

import "slices"

// Userinfo is what the userinfo endpoint tells of a user (OpenID Connect Core
// section 5.3): what an id token of the same login would say by now.
type Userinfo struct {
	Subject     string `json:"sub"`
	Account     string `json:"acct,omitempty"`
	Username    string `json:"username,omitempty"`
	Domain      string `json:"domain,omitempty"`
	Context     string `json:"context,omitempty"`
	ContextName string `json:"context_name,omitempty"`
	identity
}

// Tell says of a user, as the directory has the user now, what the scope of a
// login's token allows its client to know. A word that the client may not have
// any more is left out, as at a refresh. Narrowing takes rights away, and says
// nothing of who the user is, so a narrowed token will do.
func (c *Client) Tell(s UserToken, now User) (Userinfo, error) {
	from := s.t.claims
	switch {
	case !s.t.FromLogin():
		return Userinfo{}, refuse(SubjectKind, "the access token is not that of a login, as it was issued")
	case from.ClientID != c.ID || from.Subject != now.Subject || from.ContextName != now.Org:
		return Userinfo{}, refuse(ExchangeRefused, "the token is another client's, another user's or for another organization")
	}
	scope := within(words(from.Scope), c.Scopes)
	if !slices.Contains(scope, "openid") {
		return Userinfo{}, refuse(ScopeExceeded, "the scope lacks openid")
	}
	var told claims
	now.describe(&told)
	told.identity.tell(&now, scope)
	told.identity.cut(c.MaxGroups)
	return Userinfo{
		Subject: told.Subject, Account: told.Account, Username: told.Username, Domain: told.Domain,
		Context: from.Context, ContextName: told.ContextName, identity: told.identity,
	}, nil
}
