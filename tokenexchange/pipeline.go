package tokenexchange

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// call is one token request on its way through the steps.
type call struct {
	context.Context
	server   *Server
	attempt  Attempt
	params   parameters
	grant    *grant
	exchange bool // by the name of RFC 8693
	client   *client
	org      string // orgId or org_id, "" where it was not sent
	record   *Record

	// What a grant adds to the shared steps.
	commit  func(mint.Draft) error // does what can be done once only
	nonce   string                 // of the id token
	token   *apiToken              // that was presented
	refresh string                 // the refresh token of the answer
}

// token takes a token request through the shared steps. The order matters:
// the client is authenticated before anything that it sent is looked at
// further, and everything is decided before a signature is made.
func (s *Server) token(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	// 1 Parse.
	c, err := s.begin(r, rec, read)
	if err != nil {
		return nil, err
	}
	s = c.enter()
	defer s.leave()

	// 2 Find the grant.
	name := c.params["grant_type"]
	if name == "" {
		return nil, refused("parameter_missing", "grant_type")
	}
	c.grant, c.exchange = findGrant(name), name == exchangeGrant
	if c.grant == nil && !c.exchange {
		return nil, refused("grant_unknown", "")
	}

	// 3 Authenticate the client.
	if c.client, err = s.authenticate(r, c.params); err != nil {
		return nil, err
	}
	rec.Client = c.client.ID

	// 4 May this client use the grant?
	if err := c.permitted(); err != nil {
		return nil, err
	}
	return c.issue()
}

// begin reads a request to one of the endpoints that issue tokens.
func (s *Server) begin(r *http.Request, rec *Record, read func() (parameters, error)) (*call, error) {
	params, err := read()
	if err != nil {
		return nil, err
	}
	attempt, err := s.state.NewAttempt()
	return &call{Context: r.Context(), server: s, params: params, record: rec, attempt: attempt}, err
}

// issue is the part that all requests for a token share once it is known who
// asks, and by which grant.
func (c *call) issue() (reply, error) {
	c.record.Grant = c.grant.name

	// 5 Hold the grant-bound parameters against the grant's row.
	if err := c.bind(); err != nil {
		return nil, err
	}
	ask, err := c.params.ask()
	if err != nil {
		return nil, err
	}

	// 6 The grant says what the tokens are.
	made, err := c.grant.draft(c)
	if err != nil {
		return nil, err
	}

	// 7 Narrow them by what was asked.
	if made, err = c.narrow(made, ask); err != nil {
		return nil, err
	}

	c.awaitRights(made.access)

	// What can be done once only is done here: after all that can refuse the
	// request, and before there is a token.
	if c.commit != nil {
		if err := c.server.mint.Fits(*made.access, made.id); err != nil {
			return nil, err
		}
		if err := c.commit(*made.access); err != nil {
			return nil, err
		}
	}

	// 8 Sign.
	res, err := c.sign(made)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, res.body()) }, nil
}

// narrow cuts the drafts by the request. An id token has neither rights nor
// scope that a request could ask a part of.
func (c *call) narrow(made drafts, ask *scopes.Ask) (drafts, error) {
	asked, life, groups := c.params.scope(), c.params.seconds("accessTokenValiditySeconds"), c.params.number("maxGroupsInIdToken")
	if made.id != nil {
		// That of an exchange stands beside the access token, or in its place.
		id := made.id.CapGroups(groups).Shorten(life)
		made.id = &id
	}
	if made.access == nil {
		switch {
		case ask != nil:
			return made, refused(Reason(mint.ResourceExceeded), "")
		case len(asked) > 0:
			return made, refused(Reason(mint.ScopeExceeded), "")
		}
		return made, nil
	}
	d, err := made.access.Narrow(ask)
	if err == nil {
		d, err = d.Limit(asked)
	}
	if err != nil {
		return made, err
	}
	d = d.Shorten(life)
	c.record.Subject, c.record.Org = d.Subject(), d.Org()
	made.access = &d
	if c.grant.login && d.HasScope("openid") {
		id, err := d.Identity(mint.IDOptions{Nonce: c.nonce, MaxGroups: groups})
		if err != nil {
			return made, err
		}
		made.id = &id
	}
	return made, nil
}

// permitted resolves the name of RFC 8693 and asks whether the client lists
// the grant.
func (c *call) permitted() error {
	if c.exchange {
		for _, g := range grants {
			if !g.exchange || !slices.Contains(c.client.grants, g.name) {
				continue
			}
			if c.grant != nil {
				return refused("grant_ambiguous", "")
			}
			c.grant = g
		}
	}
	if c.grant == nil || !slices.Contains(c.client.grants, c.grant.name) || c.grant.confidential && c.client.public {
		return refusedBecause("grant_not_allowed", errors.New("client "+c.client.ID+" does not list this grant in its grant_types"))
	}
	return nil
}
