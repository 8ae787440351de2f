package tokenexchange

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// The token types of RFC 8693 section 3.
const (
	tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"
	tokenTypeID     = "urn:ietf:params:oauth:token-type:id_token"
)

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
	login        bool                    // the answer has a refresh token and, with openid, an id token
	types        []string                // the values of subject_token_type
	accepts      func(mint.Subject) bool // the kinds of subject_token; nil accepts none
	draft        func(*call) (drafts, error)
}

// drafts are what a grant makes: an access token, an id token, or both.
type drafts struct {
	access *mint.Draft
	id     *mint.IDDraft
}

// narrowing are the grant-bound parameters that can only take away. Every grant
// has them.
var narrowing = []string{"allowed_resource_scope", "servicesPermissionsScopesDto", "orgId", "org_id"}

// grants is the grant table. A grant is a row here and one function that
// returns a draft; it sees neither the ResponseWriter nor the signer, and
// cannot skip a shared step.
var grants = []*grant{
	grantAuthorizationCode, grantRefreshToken, grantClientCredentials, grantPassword,
	grantClientDelegate, grantAudienceExchange, grantContextSwitch, grantImpersonateUser,
}

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
func (s *Server) token(r *http.Request, rec *Record, read func() (parameters, error)) (*result, error) {
	// 1 Parse.
	c, err := s.begin(r, rec, read)
	if err != nil {
		return nil, err
	}

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
func (c *call) issue() (*result, error) {
	c.record.Grant = c.grant.name

	// 5 Hold the grant-bound parameters against the grant's row.
	if err := c.bind(); err != nil {
		return nil, err
	}
	ask, err := c.ask()
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
	return c.sign(made)
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
	if c.org, err = c.params.one("orgId", "org_id"); err != nil {
		return err
	}
	return c.subjectIP()
}

// subjectIP records the address that a trusted client says its own caller has.
// It is a claim beside the peer, and decides nothing.
func (c *call) subjectIP() error {
	text := c.params["subject_ip"]
	if text == "" {
		return nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" || !c.client.acceptSubjectIP {
		return refused("parameter_invalid", "subject_ip")
	}
	c.record.ClaimedIP = ip.Unmap().String()
	return nil
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
	types := []string{tokenTypeAccess}
	if param == "subject_token" {
		types = c.grant.types
	}
	kind := c.params[param+"_type"]
	if !slices.Contains(types, kind) {
		return nil, refused("parameter_invalid", param+"_type")
	}
	typ := mint.TypeAccess
	if kind == tokenTypeID {
		typ = mint.TypeID
	}
	subject, err := c.server.admit(c.params[param], typ, audience)
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
