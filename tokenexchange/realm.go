package tokenexchange

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// upstreamPrefix begins the default upstream audience of every service.
const upstreamPrefix = "urn:scopegate:upstream:"

// Realm is a checked configuration: everything that can be known before keys
// and a store are there. It is immutable.
type Realm struct {
	issuer   string
	services map[string]*service
	mint     []mint.Service
	clients  map[string]*client
	users    *Directory
	pages    *Pages

	providers map[string]*provider // by the domain of their users

	warnings []string

	appOrigins map[string]bool // of applications in browsers

	impersonation *impersonation // nil: nobody impersonates anybody
}

type service struct {
	mint.Service
	permissions []string
}

// Compile checks a configuration and reads the users files that it names,
// nothing else. An error says what was wrong, where, and what was expected.
func Compile(cfg Config, usersFiles []string) (*Realm, error) {
	return CompileFrom(cfg, usersFiles, ReadFile)
}

// CompileFrom is Compile with another way to read the users files, for who looks
// at them as well.
func CompileFrom(cfg Config, usersFiles []string, readFile func(path string) ([]byte, error)) (*Realm, error) {
	if err := checkIssuer(cfg.Issuer); err != nil {
		return nil, cfg.Sources.Place("", err)
	}
	r := &Realm{issuer: cfg.Issuer, services: map[string]*service{}, clients: map[string]*client{}, providers: map[string]*provider{}}
	for _, s := range cfg.Services {
		if err := r.addService(s); err != nil {
			return nil, s.Sources.Place("service "+s.ID, err)
		}
		// Each is held against those before it: the last one is the mistake.
		if err := mint.CheckServices(cfg.Issuer, r.mint); err != nil {
			return nil, s.Sources.Place("", err)
		}
	}
	for _, c := range cfg.Clients {
		if err := r.addClient(c); err != nil {
			return nil, c.Sources.Place("client "+c.ID, err)
		}
	}
	// Allow lines name other clients, so they wait until all are known.
	for _, c := range cfg.Clients {
		if err := r.addAllow(r.clients[c.ID], c.Allow); err != nil {
			return nil, c.Sources.Place("client "+c.ID, err)
		}
	}
	r.appOrigins = r.appOriginsOf()
	var err error
	if r.pages = cfg.Pages; r.pages == nil {
		if r.pages, err = ReadPages(""); err != nil {
			return nil, err
		}
	}
	users, err := readUsers(usersFiles, readFile, r)
	if err != nil {
		return nil, cfg.Sources.Place("", err)
	}
	r.users = users
	if kinds := users.hashKinds(); len(kinds) > 1 {
		r.warn("users: password hashes of several kinds take several times, which tells who guesses that a user exists; expected one kind, found " + strings.Join(kinds, ", "))
	}
	for _, p := range cfg.UsersOIDC {
		if err := r.addProvider(p); err != nil {
			return nil, p.Sources.Place("users oidc "+p.Issuer, err)
		}
	}
	r.lookAtLogins()
	if err := r.addImpersonation(cfg); err != nil {
		return nil, err
	}
	for _, p := range cfg.UsersOIDC {
		if err := r.checkOperators(p); err != nil {
			return nil, p.Sources.Place("users oidc "+p.Issuer, err)
		}
	}
	return r, nil
}

// longestLife is how long an access token of this issuer may live: what its
// clients are given now, and what they were given, within reason, before.
func (r *Realm) longestLife() time.Duration {
	longest := 24 * time.Hour
	for _, c := range r.clients {
		longest = max(longest, c.AccessValidity)
	}
	return longest + mint.LeewayExpiry
}

// longestFamily is how long the tokens of a family that exists now can live on:
// what refresh tokens make until they end, and the access tokens after them.
func (r *Realm) longestFamily() time.Duration {
	longest := defaultRefreshValidity
	for _, c := range r.clients {
		longest = max(longest, c.refreshValidity)
	}
	return longest + r.longestLife()
}

// longestConsent is how long a consent can count that is remembered now, 0 if no
// client can be consented to.
func (r *Realm) longestConsent() time.Duration {
	for _, c := range r.clients {
		if slices.Contains(c.grants, authorizationCode) {
			return consentLife
		}
	}
	return 0
}

// longestEnd is how long it is remembered that a user or a client ended: until
// nothing counts any more that they did before.
func (r *Realm) longestEnd() time.Duration {
	return max(r.longestFamily(), r.longestConsent())
}

// accountLife is how long a user of another provider is remembered after a login:
// until nothing counts any more that came of it, so that until then nobody else
// can have the account.
func (r *Realm) accountLife() time.Duration {
	if len(r.providers) == 0 {
		return 0
	}
	return sessionLife + r.longestEnd()
}

// Lives returns how long what is made now may be needed: a key that signs has to
// verify for so long, and one that seals to open. State lives longest where a
// refresh token is presented at its very end: what that revokes is kept until the
// last access token of the family is over, and a logout up to a step longer; or
// where a consent was used at last, or somebody of another provider logged in.
func (r *Realm) Lives() (signed, sealed time.Duration) {
	return r.longestLife(), max(r.longestFamily()+logoutStep, r.longestConsent(), r.accountLife()) + CollectAfter
}

// Issuer returns the issuer.
func (r *Realm) Issuer() string { return r.issuer }

// Counts returns how many users, API tokens and clients there are.
func (r *Realm) Counts() (users, apiTokens, clients int) {
	return len(r.users.bySubject), len(r.users.apiTokens), len(r.clients)
}

func (r *Realm) warn(text string) { r.warnings = append(r.warnings, text) }

// Warnings returns what is allowed but deserves a look, for the log at start.
func (r *Realm) Warnings() []string { return slices.Clone(r.warnings) }

// Service returns the permissions of a service, and whether it exists.
func (r *Realm) Service(id string) (permissions []string, ok bool) {
	s, ok := r.services[id]
	if !ok {
		return nil, false
	}
	return slices.Clone(s.permissions), true
}

// ServiceNames lists the services, for errors.
func (r *Realm) ServiceNames() string { return names(r.services) }

// names lists what is configured, for errors; "none" where nothing is.
func names[V any](configured map[string]V) string {
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(configured)), ", "), "none")
}

// Declares reports whether a service declares a permission.
func (r *Realm) Declares(service, permission string) bool {
	s := r.services[service]
	return s != nil && slices.Contains(s.permissions, permission)
}

// ClaimNames returns the claims of a token that a rule can read with
// {claim:...}. What else a rule names is a load error.
func ClaimNames() []string { return mint.ClaimNames() }

func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || issuer == "" || u.Host == "" || issuer != u.Scheme+"://"+u.Host {
		return inWord("issuer", "%q: expected an https URL without a path, such as https://auth.example.com", issuer)
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return inWord("issuer", "%q: expected https; http only on loopback", issuer)
}

func (r *Realm) addService(s ServiceConfig) error {
	if s.UpstreamAudience == "" {
		s.UpstreamAudience = upstreamPrefix + s.ID
	}
	switch {
	case scopes.CheckID(s.ID) != nil:
		return errors.New("expected an id of 1 to 128 characters of [A-Za-z0-9._:-]")
	case r.services[s.ID] != nil:
		return errors.New("a second service of this id; expected one block for each")
	}
	for _, named := range [][2]string{{"audience", s.Audience}, {"upstream_audience", s.UpstreamAudience}} {
		word, aud := named[0], named[1]
		if u, err := url.Parse(aud); err != nil || u.Scheme == "" || strings.ContainsAny(aud, " \t#") {
			return inWord(word, "%q: expected a URL or URN, such as https://shop.example.com", aud)
		}
	}
	for i, p := range s.Permissions {
		if err := scopes.CheckID(p); err != nil {
			return InLine("permissions", 0, err)
		}
		if slices.Contains(s.Permissions[:i], p) {
			return inWord("permissions", "%q is declared twice; expected once", p)
		}
	}
	ms := mint.Service{ID: s.ID, Audience: s.Audience, Upstream: s.UpstreamAudience}
	r.mint = append(r.mint, ms)
	r.services[s.ID] = &service{Service: ms, permissions: slices.Clone(s.Permissions)}
	return nil
}
