package tokenexchange

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
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
	s = c.enter()
	defer s.leave()
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
	grant := token.grant()
	if s.revocations.unknown(s.now()) {
		return drafts{}, errRevocationsUnread
	}
	if s.revocations.endedGrant(grant) {
		return drafts{}, refusedBecause("api_token_invalid", errors.New("API token "+token.id+": its grant was revoked, or its entry was gone within the last eleven minutes"))
	}
	now, member := token.user.mintUser(token.org, time.Time{})
	if !member || !c.client.worksIn(token.org) {
		return drafts{}, refused("org_not_allowed", "")
	}
	now.Roles = nil // What its holder may do is all that an API token names.
	draft, err := s.mint.Renew(now, &c.client.Client, mint.Granted{ID: grant, Scope: strings.Join(c.client.Scopes, " "), Set: now.Rights})
	if err != nil {
		return drafts{}, err
	}
	c.commit = c.keepGrant
	draft, err = draft.Shorten(left).Within(token.rights)
	return drafts{access: &draft}, err
}

// grant is the grant_id of all tokens that come of an entry: it follows from the
// entry, so that whoever sees it gone can name them.
func (t *apiToken) grant() string {
	sum := sha256.Sum256(append([]byte("grant of an API token\x00"+t.id+"\x00"), t.secret.sum[:]...))
	return "api-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// keepGrant records that a token of the grant lives, as beginFamily does for a
// grant of its own. A grant that was revoked gives none.
func (c *call) keepGrant(d mint.Draft) error {
	err := c.server.state.Families().Keep(c, c.attempt, Grant{
		ID: d.GrantID(), Subject: d.Subject(), Client: c.client.ID, Org: d.Org(), Set: d.Rights().Canonical(), Scope: d.Scope(),
	}, c.lifeEnd(d))
	if errors.Is(err, ErrNotFound) {
		return refusedBecause("api_token_invalid", err)
	}
	return err
}
