package tokenexchange

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

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
	// Whoever has an API token is no client that could be trusted to say it.
	if err != nil || ip.Zone() != "" || !c.client.acceptSubjectIP || c.token != nil {
		return refused("parameter_invalid", "subject_ip")
	}
	c.record.ClaimedIP = ip.Unmap().String()
	return nil
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
