package tokenexchange

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// client is a configured client, checked and resolved.
type client struct {
	mint.Client
	public          bool
	secrets         [2]Secret
	keys            assertionKeys
	grants          []string
	org             string
	allowedOrgs     []string
	redirectURIs    []string
	afterLogout     []string // where users may go then
	pkceOptional    bool
	pkceMethods     []string // S256, plain, SHA256
	targets         []string
	allow           []allowance
	refreshValidity time.Duration
	acceptSubjectIP bool
	apiTokens       bool // API tokens may name this client
	displayName     string
	required        scopes.Set // what users cannot refuse on the page of a consent
	consented       []string   // services that a permit or own line names
	sources         Sources
}

// allowance is one allow line.
type allowance struct {
	grant  string
	by, to []string
}

// The names of grants that not only their rows speak of.
const (
	authorizationCode = "authorization_code"
	refreshToken      = "refresh_token"
	audienceExchange  = "audience_exchange"
	clientDelegate    = "client_delegate"
	contextSwitch     = "context_switch"
	impersonateUser   = "impersonate_user"
)

// allows reports whether tokens of this client may be used in the grant by the
// caller for the audience.
func (c *client) allows(grant, caller, audience string) bool {
	return slices.ContainsFunc(c.allow, func(a allowance) bool {
		return a.grant == grant && slices.Contains(a.by, caller) && slices.Contains(a.to, audience)
	})
}

// worksIn reports whether the client may have users' tokens for an organization.
func (c *client) worksIn(org string) bool {
	return len(c.allowedOrgs) == 0 || slices.Contains(c.allowedOrgs, org)
}

// lets reports whether the caller may use a grant without a target on tokens of
// this client.
func (c *client) lets(grant, caller string) bool {
	return slices.ContainsFunc(c.allow, func(a allowance) bool {
		return a.grant == grant && slices.Contains(a.by, caller)
	})
}

// consents reports whether the client's lines name the service: its consent
// that this service's guard exchanges its tokens into the upstream audience.
func (c *client) consents(service string) bool {
	return slices.Contains(c.consented, service)
}

// ceiling is the most that a token got through the client can hold.
func (c *client) ceiling() scopes.Set {
	if c.Ceilings {
		return c.Permit
	}
	return c.Own
}

// ceilingWord is the word of the lines that the ceiling is from.
func (c *client) ceilingWord() string {
	if c.Ceilings {
		return "permit"
	}
	return "own"
}

// opens reports whether the client can get id tokens of its own.
func (c *client) opens() bool { return slices.Contains(c.Scopes, "openid") }

// guardClient is the built-in client of a service's guard: unknown at the token
// endpoint, one target, and the service's permissions as its ceiling.
func guardClient(service *service, alg string) *mint.Client {
	return &mint.Client{
		ID: "guard:" + service.ID, GuardOf: service.ID, Declared: service.permissions,
		AccessValidity: defaultAccessValidity, AccessAlg: alg,
	}
}
