package tokenexchange

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// result is what a successful request for a token answers with.
type result struct {
	access *mint.Issued // nil where the answer is an id token alone
	id     *mint.IssuedID
	c      *call
}

// answerRefresh puts a refresh token into the answer, if somebody logged in and
// the client may use it.
func (c *call) answerRefresh(token string) {
	if c.grant.login && slices.Contains(c.client.grants, refreshToken) {
		c.refresh = token
	}
}

// sign is the eighth step.
func (c *call) sign(made drafts) (*result, error) {
	res, s, access := &result{c: c}, c.server, ""
	if made.access != nil {
		issued, err := s.mint.Sign(*made.access)
		if err != nil {
			return nil, err
		}
		res.access, access = &issued, issued.Raw
		c.record.TokenID, c.record.Audience = issued.ID, strings.Join(issued.Audience, " ")
	}
	if made.id != nil {
		issued, err := s.mint.SignID(*made.id, access)
		if err != nil {
			return nil, err
		}
		res.id = &issued
		if made.access == nil {
			c.record.TokenID, c.record.Audience = issued.ID, issued.Audience
		}
	}
	return res, nil
}

// tokenBody is the successful answer of RFC 6749 section 5.1, RFC 8693 section
// 2.2.1 and OpenID Connect Core section 3.1.3.3.
type tokenBody struct {
	AccessToken     string          `json:"access_token"`
	TokenType       string          `json:"token_type"`
	ExpiresIn       int64           `json:"expires_in"`
	Scope           string          `json:"scope"`
	RefreshToken    string          `json:"refresh_token,omitempty"`
	IDToken         string          `json:"id_token,omitempty"`
	IssuedTokenType string          `json:"issued_token_type,omitempty"`
	Allowed         json.RawMessage `json:"allowed_resource_scope,omitempty"`
	State           string          `json:"state,omitempty"`
}

func (r *result) body() tokenBody {
	b := tokenBody{State: r.c.params["state"], RefreshToken: r.c.refresh}
	if a := r.access; a != nil {
		b.AccessToken, b.TokenType, b.ExpiresIn, b.Scope = a.Raw, "Bearer", a.ExpiresIn, a.Scope
		if r.c.grant.exchange {
			b.IssuedTokenType = tokenTypeAccess
		}
		if a.Narrowed && !a.Rights.Empty() {
			b.Allowed = json.RawMessage(a.Rights.Canonical())
		}
	}
	switch id := r.id; {
	case id == nil:
	case r.access != nil:
		b.IDToken = id.Raw
	default:
		// RFC 8693 section 2.2.1: access_token is what the issued token is called,
		// whatever it is, and N_A says that it cannot be used as one.
		b.AccessToken, b.TokenType, b.ExpiresIn, b.IssuedTokenType = id.Raw, "N_A", id.ExpiresIn, tokenTypeID
		// A client that asks by that name validates any id_token as one of its own.
		if !r.c.exchange {
			b.IDToken = id.Raw
		}
	}
	return b
}
