package tokenexchange

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Defaults of a client block.
const (
	defaultAccessValidity  = 30 * time.Minute
	defaultRefreshValidity = 24 * time.Hour
	defaultMaxGroups       = 100
)

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{3,128}$`)

func (r *Realm) addClient(cfg ClientConfig) error {
	if !clientID.MatchString(cfg.ID) {
		return errors.New("expected an id of 3 to 128 characters of [A-Za-z0-9._-]")
	}
	if r.clients[cfg.ID] != nil {
		return errors.New("a second client of this id; expected one block for each")
	}
	c := &client{
		public: cfg.Public, grants: cfg.GrantTypes, org: cfg.Org, allowedOrgs: cfg.AllowedOrgs, targets: cfg.TargetAudiences,
		redirectURIs: cfg.RedirectURIs, pkceOptional: cfg.PKCE == "optional", pkceMethods: cfg.PKCEMethods,
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
	for _, check := range []error{
		checkAuthentication(cfg), r.checkGrants(cfg), checkScope(cfg.Scope), InLine("target_audiences", 0, r.checkTargets(cfg.TargetAudiences)),
		checkLife("access_token_validity", c.AccessValidity), checkLife("refresh_token_validity", c.refreshValidity),
		checkOrgs("org", cfg.Org), checkOrgs("allowed_orgs", cfg.AllowedOrgs...),
	} {
		if check != nil {
			return check
		}
	}
	if c.AccessAlg != mint.ES256 && c.AccessAlg != mint.RS256 {
		return inWord("access_token_alg", "%q: expected ES256 or RS256", c.AccessAlg)
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
	c.consented = append(c.Permit.Services(), c.Own.Services()...)
	if slices.Contains(cfg.GrantTypes, grantPassword.name) {
		r.warnings = append(r.warnings, "client "+c.ID+": the password grant shows the user's password to the client (RFC 9700 section 2.4 advises against it)")
	}
	r.clients[c.ID] = c
	return nil
}

// checkAuthentication refuses a client that does not say how it authenticates,
// or says it in two ways.
func checkAuthentication(cfg ClientConfig) error {
	secrets, keys := len(cfg.SecretRefs)+len(cfg.Secrets) > 0, cfg.JWKSFile != "" || cfg.JWKS != nil
	switch {
	case cfg.Public && secrets:
		return inWord("secret", "public and secret exclude each other; expected one of them")
	case keys && (cfg.Public || secrets):
		return inWord("jwks_file", "secret, public and jwks_file exclude each other; expected one of them")
	case keys && cfg.JWKS == nil:
		return inWord("jwks_file", "the file was not read; expected a JWK set with the client's public keys")
	case !cfg.Public && !keys && len(cfg.Secrets) == 0:
		return errors.New("expected secret, public or jwks_file: a client must say how it authenticates")
	case len(cfg.Secrets) > 2:
		return InLine("secret", 2, errors.New("expected at most two live secrets"))
	}
	return nil
}

func (r *Realm) checkGrants(cfg ClientConfig) error {
	if len(cfg.GrantTypes) == 0 {
		return inWord("grant_types", "expected at least one of %s", strings.Join(grantNames(), ", "))
	}
	for i, name := range cfg.GrantTypes {
		g := findGrant(name)
		switch {
		case g == nil || g.name != name:
			return inWord("grant_types", "unrecognized %q; expected some of %s", name, strings.Join(grantNames(), ", "))
		case slices.Contains(cfg.GrantTypes[:i], name):
			return inWord("grant_types", "%s is listed twice; expected once", name)
		case g.confidential && cfg.Public:
			return inWord("grant_types", "%s is for clients with a secret; expected a secret instead of public", name)
		}
	}
	if slices.Contains(cfg.GrantTypes, grantClientCredentials.name) && cfg.Own == nil {
		return inWord("grant_types", "client_credentials needs own lines; expected some, or own none: a permit line gives nothing by itself")
	}
	if cfg.Permit == nil && cfg.Own == nil {
		return errors.New("expected permit or own lines: without them its tokens can hold nothing; write permit none if that is meant")
	}
	return nil
}

func checkLife(name string, d time.Duration) error {
	if d < time.Second {
		return inWord(name, "%s: expected at least 1s", d)
	}
	return nil
}

func checkOrgs(word string, orgs ...string) error {
	for _, org := range orgs {
		if _, err := scopes.NewLiteral(org); org != "" && err != nil {
			return inWord(word, "%w; expected the id of an organization", err)
		}
	}
	return nil
}
