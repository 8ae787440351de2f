package tokenexchange

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// LoginProvider logs people in who are known at another OpenID provider. Package
// oidcusers has the one that speaks to a real one.
type LoginProvider interface {
	// Begin returns where the browser goes to log in there. The error is
	// ErrProviderUnavailable when that cannot be known now.
	Begin(ctx context.Context, d Departure) (string, error)
	// Finish makes of what the browser came back with the one who logged in. The
	// error is ErrProviderUnavailable, ErrProviderAnswer or a *LoginDenied.
	Finish(ctx context.Context, a Arrival) (Identity, error)
}

// ProviderPause is how long a LoginProvider asks nobody again who did not answer,
// and how long people are told to wait.
const ProviderPause = 5 * time.Second

// Departure is what a browser takes along to the provider.
type Departure struct {
	State    string // names the transaction here, and comes back
	Nonce    string // comes back in the id token
	Verifier string // of PKCE; only its hash leaves
	Fresh    bool   // the person has to log in anew (prompt=login)
	// How long ago the login may be, nil for any time. Zero is Fresh.
	MaxAge    *time.Duration
	LoginHint string
	Locales   string // ui_locales
}

// Arrival is what a browser comes back with, and what its departure was.
type Arrival struct {
	Nonce, Verifier string  // of the departure
	Issuer          *string // the parameter iss (RFC 9207), nil where there was none
	Error           string  // the parameter error, "" where there was none
	Code            string
}

// Identity is whom a provider says has logged in. It is verified, and nothing in
// it is trusted beyond that: it is what the provider says.
type Identity struct {
	Subject  string    // its claim sub: 1 to 255 ASCII characters
	AuthTime time.Time // when the person logged in there; zero if it does not say
	IssuedAt time.Time // when it said so
	Claims   []byte    // one JSON object, without duplicate names
}

// ErrProviderUnavailable says that a provider cannot be used now: it is away,
// answers nonsense, or does not know this server. Trying again later may help.
var ErrProviderUnavailable = errors.New("the OpenID provider cannot be used now")

// ErrProviderAnswer says that what a browser came back with is not the good answer
// of this provider to this login: forged, mixed up, replayed, expired.
var ErrProviderAnswer = errors.New("the answer of the OpenID provider is not accepted")

// LoginDenied says that the provider, or the person there, did not want to log in.
type LoginDenied struct {
	Code string // of OAuth or OpenID Connect, such as access_denied
}

func (e *LoginDenied) Error() string { return "the OpenID provider answered " + e.Code }

// ProviderSettings is what a LoginProvider is made from.
type ProviderSettings struct {
	Issuer       string
	ClientID     string
	ClientSecret Credential
	Scope        []string       // besides openid
	Claims       []string       // that are looked for at its userinfo endpoint where the id token lacks them
	RedirectURI  string         // of this server: where browsers come back from this provider alone
	Roots        *x509.CertPool // whom its certificate is of, nil for those of the system
}

// callbackPath is the path in front of the domain of a provider: browsers come back
// from each of them to an address that is its own, so that the answer of one cannot
// be taken for that of another one (mix-up, RFC 9700 section 4.4). Many providers
// send no iss, which would tell too.
const callbackPath = "/oauth2/callback/"

// arrivalOf returns the domain of the provider from which browsers come back to a
// path.
func arrivalOf(path string) (domain string, ok bool) {
	domain, ok = strings.CutPrefix(path, callbackPath)
	return domain, ok && domainForm.MatchString(domain)
}

// Providers returns the settings of each OpenID provider whose users can log in,
// by the domain of those users.
func (r *Realm) Providers() map[string]ProviderSettings {
	all := make(map[string]ProviderSettings, len(r.providers))
	for domain, p := range r.providers {
		all[domain] = p.settings
	}
	return all
}
