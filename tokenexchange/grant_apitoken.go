package tokenexchange

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// grantAPIToken is what the endpoint for API tokens does. It has no grant_type,
// so it is no row of the grant table, and no client authenticates: the API token
// says which client it belongs to.
var grantAPIToken = &grant{
	name:  "api_token",
	bound: narrowing,
	draft: draftAPIToken,
}

// apiToken takes a request with an API token through the shared steps.
func (s *Server) apiToken(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	c, err := s.begin(r, rec, read)
	if err != nil {
		return nil, err
	}
	presented, err := c.params.one("api_token", "refresh_token")
	if err != nil {
		return nil, err
	}
	if presented == "" {
		return nil, refused("parameter_missing", "api_token")
	}
	id, _, _ := strings.Cut(presented, ".")
	try := s.guess(r.Context(), guessToken, id)
	if err := try.allowed(); err != nil {
		return nil, err
	}
	token, ok := s.realm.users.apiToken(presented)
	if !ok {
		try.failed()
		return nil, refused("api_token_invalid", "")
	}
	try.succeeded(id)
	c.grant, c.client, c.token, rec.Client = grantAPIToken, token.client, token, token.client.ID
	return c.issue()
}

// draftAPIToken gives what the API token names and its owner holds now.
func draftAPIToken(c *call) (drafts, error) {
	token, s := c.token, c.server
	c.record.Subject, c.record.Org = token.user.subject(), token.org
	if c.org != "" && c.org != token.org {
		return drafts{}, refused("org_not_allowed", "")
	}
	left := token.expires.Sub(s.now())
	switch {
	case left < time.Second:
		return drafts{}, refusedBecause("api_token_invalid", errors.New("API token "+token.id+" has expired"))
	case token.user.Disabled:
		return drafts{}, refusedBecause("api_token_invalid", errors.New("user "+token.user.subject()+" is disabled"))
	}
	draft, err := c.first(token.user, token.org, time.Time{})
	if err != nil {
		return drafts{}, err
	}
	draft, err = draft.Shorten(left).Within(token.rights)
	return drafts{access: &draft}, err
}
