package tokenexchange

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Defaults of a client block.
const (
	defaultAccessValidity  = 30 * time.Minute
	defaultRefreshValidity = 24 * time.Hour
	defaultMaxGroups       = 100
	maxName                = 128 // characters
)

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{3,128}$`)

func (r *Realm) addClient(cfg ClientConfig) error {
	if !clientID.MatchString(cfg.ID) {
		return errors.New("expected an id of 3 to 128 characters of [A-Za-z0-9._-]")
	}
	if r.clients[cfg.ID] != nil {
		return errors.New("a second client of this id; expected one block for each")
	}
	c := newClient(cfg)
	for _, check := range []error{
		checkAuthentication(cfg), checkGrants(cfg), checkCodes(cfg), checkScope(cfg.Scope),
		InLine("target_audiences", 0, r.checkTargets(cfg.TargetAudiences)),
		checkLife("access_token_validity", c.AccessValidity), checkLife("refresh_token_validity", c.refreshValidity),
		checkOrgs("org", cfg.Org), checkOrgs("allowed_orgs", cfg.AllowedOrgs...),
		checkAlgorithm("access_token_alg", c.AccessAlg), checkAlgorithm("id_token_alg", c.IDAlg),
		checkName(c.displayName),
	} {
		if check != nil {
			return check
		}
	}
	if c.MaxGroups < 1 {
		return inWord("max_groups_in_id_token", "%d: expected at least 1", c.MaxGroups)
	}
	var err error
	if cfg.JWKS != nil {
		if c.keys, err = parseAssertionKeys(cfg.JWKS); err != nil {
			return InLine("jwks_file", 0, fmt.Errorf("file %s: %w", cfg.JWKSFile, err))
		}
	}
	if cfg.Permit != nil {
		c.Ceilings = true
		if c.Permit, err = r.lines("permit", *cfg.Permit); err != nil {
			return err
		}
	}
	if cfg.Own != nil {
		if c.Own, err = r.lines("own", *cfg.Own); err != nil {
			return err
		}
	}
	if c.required, err = r.requiredLines(c, cfg.Required); err != nil {
		return err
	}
	c.consented = append(c.Permit.Services(), c.Own.Services()...)
	if slices.Contains(cfg.GrantTypes, grantPassword.name) {
		r.warn("client " + c.ID + ": the password grant shows the user's password to the client (RFC 9700 section 2.4 advises against it)")
	}
	if slices.Contains(c.pkceMethods, "plain") {
		r.warn("client " + c.ID + ": pkce_methods plain shows the verifier to whoever reads the authorization request (RFC 7636 section 7.2)")
	}
	r.clients[c.ID] = c
	return nil
}

// newClient resolves the plain values of a client block and their defaults.
func newClient(cfg ClientConfig) *client {
	c := &client{
		public: cfg.Public, grants: cfg.GrantTypes, org: cfg.Org, allowedOrgs: cfg.AllowedOrgs, targets: cfg.TargetAudiences,
		redirectURIs: cfg.RedirectURIs, afterLogout: cfg.PostLogoutRedirectURIs, pkceOptional: cfg.PKCE == "optional", pkceMethods: cfg.PKCEMethods,
		acceptSubjectIP: cfg.AcceptSubjectIP, apiTokens: cfg.APITokens, displayName: cmp.Or(cfg.DisplayName, cfg.ID),
		refreshValidity: cmp.Or(time.Duration(cfg.RefreshTokenValidity), defaultRefreshValidity), sources: cfg.Sources,
	}
	c.ID, c.Scopes = cfg.ID, scopeWords(cfg.Scope...)
	c.AccessAlg, c.IDAlg = cmp.Or(cfg.AccessTokenAlg, mint.ES256), cmp.Or(cfg.IDTokenAlg, mint.RS256)
	c.MaxGroups = cmp.Or(cfg.MaxGroupsInIDToken, defaultMaxGroups)
	c.AccessValidity = cmp.Or(time.Duration(cfg.AccessTokenValidity), defaultAccessValidity)
	if len(c.pkceMethods) == 0 {
		c.pkceMethods = []string{"S256"}
	}
	copy(c.secrets[:], cfg.Secrets)
	return c
}

// identifies reports whether a client can get id tokens: by its own scope, or by
// an exchange of another client's.
func (r *Realm) identifies(c *client) bool {
	if c.opens() || !slices.Contains(c.grants, audienceExchange) {
		return c.opens()
	}
	for _, other := range r.clients {
		if other.opens() {
			return true
		}
	}
	return false
}

// checkAuthentication checks that the client says in one way who it is.
func checkAuthentication(cfg ClientConfig) error {
	secrets, keys := len(cfg.SecretRefs)+len(cfg.Secrets) > 0, cfg.JWKSFile != "" || cfg.JWKS != nil
	switch {
	case cfg.Public && secrets:
		return inWord("secret", "public and secret exclude each other; expected one of them")
	case cfg.Public && keys:
		return inWord("jwks_file", "public and jwks_file exclude each other; expected one of them")
	case cfg.Public && cfg.AcceptSubjectIP:
		return inWord("accept_subject_ip", "public and accept_subject_ip exclude each other: anybody could say it; expected a secret or keys, or no accept_subject_ip")
	case secrets && keys:
		return inWord("jwks_file", "secret and jwks_file exclude each other; expected one of them")
	case keys && cfg.JWKS == nil:
		return inWord("jwks_file", "the file was not read; expected a JWK set with the client's public keys")
	case !cfg.Public && len(cfg.Secrets) == 0 && cfg.JWKS == nil:
		return errors.New("expected secret, jwks_file or public: a client must say how it authenticates")
	case len(cfg.Secrets) > 2:
		return InLine("secret", 2, errors.New("expected at most two live secrets"))
	}
	return nil
}

func checkLife(name string, d time.Duration) error {
	if d < time.Second {
		return inWord(name, "%s: expected at least 1s", d)
	}
	return nil
}

func checkAlgorithm(word, alg string) error {
	if alg != mint.ES256 && alg != mint.RS256 {
		return inWord(word, "%q: expected ES256 or RS256", alg)
	}
	return nil
}

// checkName checks what users will read as the name of a client.
func checkName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return inWord("display_name", "%q: expected at most %d characters that can be printed, in one line", name, maxName)
	}
	return nil
}

func checkOrgs(word string, orgs ...string) error {
	for _, org := range orgs {
		if _, err := scopes.NewLiteral(org); err != nil && (org != "" || word != "org") {
			return inWord(word, "%w; expected the id of an organization", err)
		}
	}
	return nil
}

// checkTargets refuses upstream audiences: a client that holds such a token
// could walk around the guard.
func (r *Realm) checkTargets(audiences []string) error {
	for _, aud := range audiences {
		if aud == "" {
			return errors.New("an empty audience; expected a URL or URN")
		}
		if aud == r.issuer {
			return errors.New("the issuer is no target of an exchange; expected the audience of a service")
		}
		if strings.HasPrefix(aud, upstreamPrefix) && r.services[strings.TrimPrefix(aud, upstreamPrefix)] == nil {
			return fmt.Errorf("%s is an upstream audience, which only a guard may ask for; expected the audience of a service", aud)
		}
		for _, s := range r.services {
			if aud == s.Upstream {
				return fmt.Errorf("%s is the upstream audience of service %s, which only its guard may ask for; expected %s", aud, s.ID, s.Audience)
			}
		}
	}
	return nil
}
