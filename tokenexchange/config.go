package tokenexchange

import (
	"encoding/json"
	"fmt"
	"time"
)

// Config is what a Server is made from: plain values, already resolved. The
// JSON names are those of the Caddy app `scopegate`.
type Config struct {
	// The issuer: an https URL without a path. http only on loopback.
	Issuer string `json:"issuer,omitempty"`

	// Allows literal secrets. The process then refuses listeners that are not
	// loopback.
	Demo bool `json:"demo,omitempty"`

	// The APIs that tokens give permissions in.
	Services []ServiceConfig `json:"services,omitempty"`

	// The clients of the token endpoint.
	Clients []ClientConfig `json:"clients,omitempty"`

	// Where the words outside of services and clients were written.
	Sources Sources `json:"sources,omitempty"`
}

// ServiceConfig is one API as tokens name it.
type ServiceConfig struct {
	// The id, as in allowed_resource_scope.
	ID string `json:"id"`
	// What a caller's token must carry as aud: the guard's own audience.
	Audience string `json:"audience"`
	// What the forwarded token carries, alone. Default: urn:scopegate:upstream:<id>.
	UpstreamAudience string `json:"upstream_audience,omitempty"`
	// The permissions that exist. A rule, a line or a user that names another is an error.
	Permissions []string `json:"permissions,omitempty"`
	// Where the block was written.
	Sources Sources `json:"sources,omitempty"`
}

// ClientConfig is one client of the token endpoint.
type ClientConfig struct {
	// The client_id: 3 to 128 characters of [A-Za-z0-9._-].
	ID string `json:"id"`
	// At most two live secrets, so that one can be rotated: {env.X}, {file.X}
	// or sha256:<hex>. A literal only with demo.
	SecretRefs []string `json:"secrets,omitempty"`
	// A client that cannot keep a secret.
	Public bool `json:"public,omitempty"`
	// The short names of the grants that the client may use.
	GrantTypes []string `json:"grant_types,omitempty"`
	// The organization of the client's own tokens.
	Org string `json:"org,omitempty"`
	// The organizations that orgId may choose.
	AllowedOrgs []string `json:"allowed_orgs,omitempty"`
	// The OAuth scope that tokens through this client can have at most.
	Scope []string `json:"scope,omitempty"`
	// The most that a token got through this client can hold. Gives nothing by
	// itself. "permit none" is an empty list, which is not the same as no list.
	Permit *[]PermissionLine `json:"permit,omitempty"`
	// What the client may do by itself. "own none" is an empty list.
	Own *[]PermissionLine `json:"own,omitempty"`
	// The audiences that the client may ask for in an exchange.
	TargetAudiences []string `json:"target_audiences,omitempty"`
	// Which other clients may exchange this client's tokens, and for where.
	Allow []AllowConfig `json:"allow,omitempty"`
	// How long access tokens live. Default: 30m.
	AccessTokenValidity Duration `json:"access_token_validity,omitempty"`
	// How long a family of tokens lives. Default: 24h.
	RefreshTokenValidity Duration `json:"refresh_token_validity,omitempty"`
	// ES256 (default) or RS256.
	AccessTokenAlg string `json:"access_token_alg,omitempty"`
	// Where the block was written.
	Sources Sources `json:"sources,omitempty"`

	// The resolved secrets.
	Secrets []Secret `json:"-"`
}

// PermissionLine is a permission, SERVICE/PERMISSION or SERVICE/*, and the
// resource patterns that it is given on.
type PermissionLine struct {
	Permission string   `json:"permission"`
	Patterns   []string `json:"patterns"`
}

// AllowConfig says that the listed clients may use a grant on tokens of the
// client that has this line.
type AllowConfig struct {
	Grant string   `json:"grant"`
	By    []string `json:"by"`
	// Default: the audiences of the services for which the client has permit or own lines.
	To []string `json:"to,omitempty"`
}

// Duration is a time.Duration that is written as in "30m".
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string such as "30m".
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("expected a duration such as \"30m\"")
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}
