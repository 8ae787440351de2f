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

	// Other OpenID providers whose users can log in here.
	UsersOIDC []ProviderConfig `json:"users_oidc,omitempty"`

	// Who may get a token in the name of a customer. Absent: nobody.
	Impersonation *ImpersonationConfig `json:"impersonation,omitempty"`

	// Where the words outside of the blocks were written.
	Sources Sources `json:"sources,omitempty"`

	// What people see. Default: the built-in pages.
	Pages *Pages `json:"-"`
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
	// The path of a JWK set with the public keys that the client signs
	// assertions with (RFC 7523). Instead of secrets. Placeholders {env.X} are
	// replaced.
	JWKSFile string `json:"jwks_file,omitempty"`
	// The short names of the grants that the client may use.
	GrantTypes []string `json:"grant_types,omitempty"`
	// The organization of the client's own tokens.
	Org string `json:"org,omitempty"`
	// The organizations that orgId may choose.
	AllowedOrgs []string `json:"allowed_orgs,omitempty"`
	// Where a code may be sent: absolute URIs, compared byte by byte.
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// Where a user may be sent after logging out, and by the client's application at
	// once after logging in.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// required (default) or optional, which a public client cannot have.
	PKCE string `json:"pkce,omitempty"`
	// S256, plain or SHA256, another name of S256. Default: S256 alone.
	PKCEMethods []string `json:"pkce_methods,omitempty"`
	// The OAuth scope that tokens through this client can have at most.
	Scope []string `json:"scope,omitempty"`
	// The most that a token got through this client can hold. Gives nothing by
	// itself. "permit none" is an empty list, which is not the same as no list.
	Permit *[]PermissionLine `json:"permit,omitempty"`
	// What the client may do by itself. "own none" is an empty list.
	Own *[]PermissionLine `json:"own,omitempty"`
	// What users cannot refuse when they are asked what the client may do: the
	// rest they can untick. Inside permit, or own where there is no permit.
	Required []PermissionLine `json:"required,omitempty"`
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
	// RS256 (default) or ES256.
	IDTokenAlg string `json:"id_token_alg,omitempty"`
	// How many groups an id token names at most. Default: 100.
	MaxGroupsInIDToken int `json:"max_groups_in_id_token,omitempty"`
	// The client may say in subject_ip for which address it asks. That is
	// recorded and decides nothing.
	AcceptSubjectIP bool `json:"accept_subject_ip,omitempty"`
	// API tokens of the users file may name this client.
	APITokens bool `json:"api_tokens,omitempty"`
	// What users read as the name of the client. Default: its id.
	DisplayName string `json:"display_name,omitempty"`
	// Where the block was written.
	Sources Sources `json:"sources,omitempty"`

	// The resolved secrets.
	Secrets []Secret `json:"-"`
	// The content of JWKSFile, nil where there is none.
	JWKS []byte `json:"-"`
}

// ProviderConfig is an OpenID provider whose users can log in here.
type ProviderConfig struct {
	// The issuer, as the provider's metadata and id tokens write it: an https URL.
	// http only on loopback. Placeholders {env.X} are replaced.
	Issuer string `json:"issuer"`
	// What the provider calls this server. Placeholders {env.X} are replaced.
	ClientID string `json:"client_id,omitempty"`
	// The secret that goes with it: {env.X} or {file.X}. A literal only with demo.
	ClientSecretRef string `json:"client_secret,omitempty"`
	// What people read as the name of the provider. Default: its host.
	DisplayName string `json:"display_name,omitempty"`
	// The first part of the sub of its users. No users file and no other provider
	// can have it. Default: the issuer's host.
	Domain string `json:"domain,omitempty"`
	// The scope that is asked for besides openid.
	Scope []string `json:"scope,omitempty"`
	// The id of the organization of its users.
	Org string `json:"org,omitempty"`
	// What its users may do here. Whom no line matches cannot log in.
	Map []MapLine `json:"map,omitempty"`
	// The path of a PEM file with the certificates that the provider's own must be
	// of. Placeholders {env.X} are replaced. Default: those of the system.
	CAFile string `json:"ca_file,omitempty"`
	// Where the block was written.
	Sources Sources `json:"sources,omitempty"`

	// The resolved secret.
	ClientSecret Credential `json:"-"`
	// The content of CAFile, nil where there is none.
	CA []byte `json:"-"`
}

// MapLine gives a permission, or roles, to whoever has a value of a claim that
// another issuer signed.
type MapLine struct {
	// The name of a claim, or a dotted path to it.
	Claim string `json:"claim"`
	// Equals the string, an element of the array, or a word of scope.
	Value string `json:"value"`
	// SERVICE/PERMISSION or SERVICE/*. Not with Roles.
	Permission string `json:"permission,omitempty"`
	// The resource patterns. {claim:NAME} as a whole segment stands for the value
	// of another claim.
	Patterns []string `json:"patterns,omitempty"`
	// Roles such as csp:org_member.
	Roles []string `json:"roles,omitempty"`
}

// ImpersonationConfig says which operators may get a token in the name of a
// customer, and what such a token can hold.
type ImpersonationConfig struct {
	// The roles, one of which the operator must hold now, such as csp:support.
	Roles []string `json:"roles,omitempty"`
	// The organizations whose members can be customers.
	Orgs []string `json:"orgs,omitempty"`
	// Who holds one of these roles is never a customer. Default: Roles.
	NeverRoles []string `json:"never_roles,omitempty"`
	// The most that the token can hold. "permit none" is an empty list, which is
	// not the same as no list.
	Permit *[]PermissionLine `json:"permit,omitempty"`
	// How long ago the operator may have logged in. Default: 15m.
	MaxAuthAge Duration `json:"max_auth_age,omitempty"`
	// Where the block was written.
	Sources Sources `json:"sources,omitempty"`
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
