package tokenexchange

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// provider is a checked users oidc block: another OpenID provider, whose users
// can log in here. The zero value knows nobody.
type provider struct {
	settings ProviderSettings
	domain   string // of its users: the first part of their sub
	name     string // as people read it
	org      string // of its users
	mapping  mapping
}

var (
	domainForm = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	// RFC 6749 appendix A.
	visibleText = regexp.MustCompile(`^[\x20-\x7E]+$`)
	scopeWord   = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)
)

// addProvider checks a users oidc block. The users files and the blocks before it
// are known by now: no two of them can have users of one domain, or the sub of one
// could be that of another one.
func (r *Realm) addProvider(cfg ProviderConfig) error {
	issuer, err := parseProviderIssuer(cfg.Issuer)
	if err != nil {
		return err
	}
	p := &provider{domain: cmp.Or(cfg.Domain, issuer.Hostname()), name: cmp.Or(cfg.DisplayName, issuer.Host), org: cfg.Org}
	p.settings = ProviderSettings{
		Issuer: cfg.Issuer, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Scope: slices.Clone(cfg.Scope),
		RedirectURI: r.issuer + callbackPath + p.domain,
	}
	if err := r.checkProvider(cfg, p); err != nil {
		return err
	}
	if err := r.checkDomain(p.domain); err != nil {
		return inWord("domain", "%w", err)
	}
	if p.mapping, err = r.newMapping(cfg.Map); err != nil {
		return err
	}
	p.settings.Claims = p.mapping.expects(cfg.Scope)
	if cfg.CA != nil {
		p.settings.Roots = x509.NewCertPool()
		if !p.settings.Roots.AppendCertsFromPEM(cfg.CA) {
			return inWord("ca_file", "no certificate in it; expected one or more in PEM")
		}
	}
	r.providers[p.domain] = p
	return nil
}

// parseProviderIssuer reads the issuer of a provider, which is compared byte by
// byte with what its metadata and its id tokens say.
func parseProviderIssuer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?# \t"):
		return nil, fmt.Errorf("%q: expected the issuer of an OpenID provider, an https URL without query and fragment", text)
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%q: expected https; http only on loopback", text)
}

func (r *Realm) checkProvider(cfg ProviderConfig, p *provider) error {
	for _, other := range r.providers {
		if other.settings.Issuer == cfg.Issuer {
			return errors.New("a second block of this issuer; expected one: its users would have two accounts")
		}
	}
	switch {
	case cfg.Issuer == r.issuer:
		return errors.New("this is the issuer of this server itself; expected another one")
	case cfg.ClientID == "":
		return errors.New("client_id is missing; expected what the provider calls this server")
	case len(cfg.ClientID) > 255 || !visibleText.MatchString(cfg.ClientID):
		return inWord("client_id", "expected at most 255 printable ASCII characters")
	case cfg.ClientSecret.Reveal() == "":
		return errors.New("client_secret is missing; expected {env.X} or {file.X}")
	case p.org == "":
		return errors.New("org is missing; expected the organization of its users")
	case len(cfg.Map) == 0:
		return errors.New("map is missing; expected at least one line, since nobody logs in whom no line matches")
	}
	if _, err := scopes.NewLiteral(p.org); err != nil {
		return inWord("org", "%w", err)
	}
	for n, word := range cfg.Scope {
		switch {
		case !scopeWord.MatchString(word):
			return inWord("scope", "%q: expected words of RFC 6749 section 3.3", word)
		case word == "openid":
			return inWord("scope", "openid is always asked for; expected what is asked for besides")
		case word == "offline_access":
			return inWord("scope", "offline_access: tokens of the provider are not kept; expected none")
		case slices.Contains(cfg.Scope[:n], word):
			return inWord("scope", "%s is listed twice; expected once", word)
		}
	}
	return nil
}

// checkDomain refuses a domain that is taken. One that differs in case alone is:
// people read subs too.
func (r *Realm) checkDomain(domain string) error {
	switch {
	case len(domain) > maxDomain || !domainForm.MatchString(domain):
		return fmt.Errorf("%q: expected letters, digits, dots and hyphens, at most %d: set domain", domain, maxDomain)
	case strings.EqualFold(domain, "guard"):
		return errors.New("guard:... is what guards are called where they act; expected another word")
	case strings.EqualFold(domain, byPassword):
		return errors.New("password is what a login here is called; expected another word")
	}
	for _, u := range r.users.bySubject {
		if strings.EqualFold(u.Domain, domain) {
			return fmt.Errorf("%s is the domain of users in a users file; expected another word, or the two could have one sub", domain)
		}
	}
	for taken := range r.providers {
		if strings.EqualFold(taken, domain) {
			return fmt.Errorf("%s is the domain of another users oidc block; expected one of its own", domain)
		}
	}
	return nil
}

// checkOperators refuses lines that give a role of operators to whoever has a
// claim: that is for one person at a time, by the sub.
func (r *Realm) checkOperators(cfg ProviderConfig) error {
	if r.impersonation == nil {
		return nil
	}
	for n, line := range cfg.Map {
		for _, role := range line.Roles {
			if line.Claim != "sub" && (slices.Contains(r.impersonation.roles, role) || slices.Contains(r.impersonation.neverRoles, role)) {
				return InLine("map", n, fmt.Errorf("%s is a role of the impersonation block, which is given to one person at a time; expected map sub <sub> role %s", role, role))
			}
		}
	}
	return nil
}

// gives reports whether a map line of a provider gives a role.
func (r *Realm) gives(role string) bool {
	for _, p := range r.providers {
		for _, line := range p.mapping.lines {
			if slices.Contains(line.Roles, role) {
				return true
			}
		}
	}
	return false
}

// providerOf returns the provider of a subject, nil for a local user and a client.
func (r *Realm) providerOf(subject string) *provider { return r.providers[domainOf(subject)] }

// domainOf is the first part of the sub of a user, "" of a client's.
func domainOf(subject string) string {
	domain, _, isUser := strings.Cut(subject, ":")
	if !isUser {
		return ""
	}
	return domain
}
