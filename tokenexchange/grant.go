package tokenexchange

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// tokenTypeAccess is the token_type of RFC 8693 section 3 for access tokens.
const tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"

// exchangeGrant is the name of RFC 8693: an alias that dispatches on the
// client, never on parameters.
const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

// vmwarePrefix, before the name with dashes, is the other name of every grant.
const vmwarePrefix = "urn:vmware:params:oauth:grant-type:"

// grant is one row of the table.
type grant struct {
	name         string
	bound        []string // grant-bound parameters that it accepts
	mandatory    []string
	confidential bool                    // public clients may not use it
	exchange     bool                    // RFC 8693 has it under its own name
	accepts      func(mint.Subject) bool // the kinds of subject_token; nil accepts none
	draft        func(*call) (mint.Draft, error)
}

// grants is the grant table. A grant is a row here and one function that
// returns a draft; it sees neither the ResponseWriter nor the signer, and
// cannot skip a shared step.
var grants = []*grant{grantClientCredentials, grantPassword, grantAudienceExchange, grantClientDelegate}

// grantNames returns the short names that a client may list.
func grantNames() []string {
	var names []string
	for _, g := range grants {
		names = append(names, g.name)
	}
	return names
}

func findGrant(name string) *grant {
	if dashed, ok := strings.CutPrefix(name, vmwarePrefix); ok && !strings.Contains(dashed, "_") {
		name = strings.ReplaceAll(dashed, "-", "_")
	}
	for _, g := range grants {
		if g.name == name {
			return g
		}
	}
	return nil
}

// call is one token request on its way through the steps.
type call struct {
	context.Context
	server   *Server
	attempt  func() (Attempt, error)
	params   parameters
	grant    *grant
	exchange bool // by the name of RFC 8693
	client   *client
	org      string // orgId or org_id, "" where it was not sent
	record   *Record
}

// result is what a successful token request answers with.
type result struct {
	issued mint.Issued
	c      *call
}

// token takes a token request through the shared steps. The order matters:
// the client is authenticated before anything that it sent is looked at
// further, and everything is decided before a signature is made.
func (s *Server) token(r *http.Request, rec *Record, read func() (parameters, error)) (*result, error) {
	// 1 Parse.
	params, err := read()
	if err != nil {
		return nil, err
	}
	c := &call{Context: r.Context(), server: s, params: params, record: rec, attempt: s.state.NewAttempt}

	// 2 Find the grant.
	name := params["grant_type"]
	if name == "" {
		return nil, refused("parameter_missing", "grant_type")
	}
	c.grant, c.exchange = findGrant(name), name == exchangeGrant
	if c.grant == nil && !c.exchange {
		return nil, refused("grant_unknown", "")
	}

	// 3 Authenticate the client.
	if c.client, err = s.authenticate(r, params); err != nil {
		return nil, err
	}
	rec.Client = c.client.ID

	// 4 May this client use the grant?
	if err := c.permitted(); err != nil {
		return nil, err
	}
	rec.Grant = c.grant.name

	// 5 Hold the grant-bound parameters against the grant's row.
	if err := c.bind(); err != nil {
		return nil, err
	}
	ask, err := c.ask()
	if err != nil {
		return nil, err
	}

	// 6 The grant says what the token is.
	draft, err := c.grant.draft(c)
	if err != nil {
		return nil, err
	}
	rec.Subject, rec.Org = draft.Subject(), draft.Org()

	// 7 Narrow it by what was asked.
	if draft, err = narrow(draft, c.params, ask); err != nil {
		return nil, err
	}
	if c.grant.name == grantPassword.name {
		if err := c.begin(draft); err != nil {
			return nil, err
		}
	}

	// 8 Sign.
	issued, err := s.mint.Sign(draft)
	if err != nil {
		return nil, err
	}
	rec.TokenID, rec.Audience = issued.ID, strings.Join(issued.Audience, " ")
	return &result{issued: issued, c: c}, nil
}

func narrow(d mint.Draft, p parameters, ask *scopes.Ask) (mint.Draft, error) {
	d, err := d.Narrow(ask)
	if err != nil {
		return d, err
	}
	d, err = d.Limit(strings.Fields(p["scope"]))
	return d.Shorten(p.seconds("accessTokenValiditySeconds")), err
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
		return refused("grant_not_allowed", "")
	}
	return nil
}

// bind refuses grant-bound parameters that this grant does not have and
// mandatory ones that are missing.
func (c *call) bind() (err error) {
	row := c.grant.bound
	if c.exchange {
		row = append(slices.Clone(row), "audience", "resource", "actor_token", "actor_token_type")
	}
	if err := c.params.onlyBound(row); err != nil {
		return err
	}
	for _, name := range c.grant.mandatory {
		if c.params[name] == "" {
			return refused("parameter_missing", name)
		}
	}
	c.org, err = c.params.one("orgId", "org_id")
	return err
}

// ask reads what the request wants of the rights. Both spellings must mean the
// same; nil means that nothing was asked.
func (c *call) ask() (*scopes.Ask, error) {
	var found *scopes.Ask
	for _, name := range []string{"allowed_resource_scope", "servicesPermissionsScopesDto"} {
		text, present := c.params[name]
		if !present {
			continue
		}
		ask, err := scopes.ParseAsk([]byte(text))
		if err != nil {
			// The parser quotes what it was sent, which the log must not hold.
			return nil, refused("resource_scope_malformed", name)
		}
		if found != nil && !found.Equal(ask) {
			return nil, refused("parameter_conflict", name)
		}
		found = &ask
	}
	return found, nil
}

// subject verifies a token that the request brought: who it was made for, and
// whether the grant accepts its kind.
func (c *call) subject(param string, audience func([]string) bool) (mint.Subject, error) {
	if c.params[param+"_type"] != tokenTypeAccess {
		return nil, refused("parameter_invalid", param+"_type")
	}
	subject, err := c.server.admit(c.params[param], audience)
	if err != nil {
		var m *mint.Refusal
		if errors.As(err, &m) {
			return nil, &Refused{Reason: Reason(m.Reason), Param: param, cause: err}
		}
		return nil, err
	}
	if param == "subject_token" && (c.grant.accepts == nil || !c.grant.accepts(subject)) {
		return nil, refused("subject_kind", param)
	}
	return subject, nil
}
