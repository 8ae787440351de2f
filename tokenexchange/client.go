package tokenexchange

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// client is a configured client, checked and resolved.
type client struct {
	mint.Client
	public          bool
	secrets         [2]Secret
	grants          []string
	org             string
	allowedOrgs     []string
	redirectURIs    []string
	pkceOptional    bool
	pkceMethods     []string // S256, plain, SHA256
	targets         []string
	allow           []allowance
	refreshValidity time.Duration
	acceptSubjectIP bool
	apiTokens       bool // API tokens may name this client
	displayName     string
	consented       []string // services that a permit or own line names
	sources         Sources
}

// allowance is one allow line.
type allowance struct {
	grant  string
	by, to []string
}

// The names of grants that others than their rows speak of.
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

// allowsSwitch reports whether the caller may switch tokens of this client to
// another organization. Such a line has no audiences: a switch keeps them.
func (c *client) allowsSwitch(caller string) bool {
	return slices.ContainsFunc(c.allow, func(a allowance) bool {
		return a.grant == contextSwitch && slices.Contains(a.by, caller)
	})
}

// consents reports whether the client's lines name the service: its consent
// that this service's guard exchanges its tokens into the upstream audience.
func (c *client) consents(service string) bool {
	return slices.Contains(c.consented, service)
}

// opens reports whether the client can get id tokens of its own.
func (c *client) opens() bool { return slices.Contains(c.Scopes, "openid") }

// nobody is compared with where there is no client, so that an unknown client
// takes as long as a wrong secret.
var nobody = client{}

// authenticate finds and authenticates the client (RFC 6749 section 2.3):
// Basic, the body, or nothing for a public client.
func (s *Server) authenticate(r *http.Request, p parameters) (*client, error) {
	id, secrets := p["client_id"], []string{p["client_secret"], p["client_secret"]}
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		user, pass, ok := r.BasicAuth()
		if !ok || len(headers) > 1 {
			return nil, refusedBecause("client_authentication", errors.New("expected one Authorization header with the scheme Basic"))
		}
		// RFC 6749 has both parts form-encoded; many clients send them raw.
		decodedID, err1 := url.QueryUnescape(user)
		decoded, err2 := url.QueryUnescape(pass)
		if err1 != nil {
			return nil, refusedBecause("client_authentication", errors.New("the client id in Basic is not form-encoded"))
		}
		if err2 != nil {
			decoded = pass
		}
		if id != "" && id != decodedID || secrets[0] != "" && secrets[0] != pass && secrets[0] != decoded {
			return nil, refused("client_ambiguous", "")
		}
		id, secrets = decodedID, []string{decoded, pass}
	}
	c, found := s.realm.clients[id]
	if !found {
		c = &nobody
	}
	good := false
	for _, presented := range secrets {
		for _, secret := range c.secrets {
			good = secret.matches(presented) || good
		}
	}
	if found && c.public {
		good = secrets[0] == "" && secrets[1] == ""
	}
	switch {
	case !found:
		return nil, refusedBecause("client_authentication", errors.New("no client has this id"))
	case !good:
		return nil, refusedBecause("client_authentication", errors.New("wrong or missing secret of client "+c.ID))
	}
	return c, nil
}

// guardClient is the built-in client of a service's guard: unknown at the token
// endpoint, one target, and the service's permissions as its ceiling.
func guardClient(service *service, alg string) *mint.Client {
	return &mint.Client{
		ID: "guard:" + service.ID, GuardOf: service.ID, Declared: service.permissions,
		AccessValidity: defaultAccessValidity, AccessAlg: alg,
	}
}
