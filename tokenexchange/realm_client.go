package tokenexchange

import (
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
)

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{3,128}$`)

// notBuilt are scope words that need what this version does not have. Taking
// them in silence would promise an id token or a refresh token that never comes.
var notBuilt = regexp.MustCompile(`^(openid|offline_access|openid_offline_access|group_ids|group_names|grpn://.*|grpid://.*)$`)

var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`) // RFC 6749 section 3.3

func (r *Realm) addClient(cfg ClientConfig) error {
	if !clientID.MatchString(cfg.ID) {
		return errors.New("expected an id of 3 to 128 characters of [A-Za-z0-9._-]")
	}
	if r.clients[cfg.ID] != nil {
		return errors.New("a second client of this id; expected one block for each")
	}
	c := &client{
		public: cfg.Public, grants: cfg.GrantTypes, org: cfg.Org, allowedOrgs: cfg.AllowedOrgs, targets: cfg.TargetAudiences,
		refreshValidity: time.Duration(cfg.RefreshTokenValidity), sources: cfg.Sources,
	}
	c.ID, c.Scopes, c.AccessAlg = cfg.ID, cfg.Scope, cfg.AccessTokenAlg
	c.AccessValidity = time.Duration(cfg.AccessTokenValidity)
	if c.AccessAlg == "" {
		c.AccessAlg = mint.ES256
	}
	if c.AccessValidity == 0 {
		c.AccessValidity = defaultAccessValidity
	}
	if c.refreshValidity == 0 {
		c.refreshValidity = defaultRefreshValidity
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
		r.warnings = append(r.warnings, "client "+c.ID+": the password grant shows the user's password to the client (RFC 9700 section 2.4 advises against it), and this version does not slow down who guesses passwords")
	}
	r.clients[c.ID] = c
	return nil
}

func checkAuthentication(cfg ClientConfig) error {
	switch {
	case cfg.Public && len(cfg.SecretRefs)+len(cfg.Secrets) > 0:
		return inWord("secret", "public and secret exclude each other; expected one of them")
	case !cfg.Public && len(cfg.Secrets) == 0:
		return errors.New("expected secret or public: a client must say how it authenticates")
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

func checkScope(scope []string) error {
	for i, s := range scope {
		switch {
		case !scopeToken.MatchString(s):
			return inWord("scope", "%q; expected a scope token (RFC 6749 section 3.3)", s)
		case notBuilt.MatchString(s):
			return inWord("scope", "unrecognized %q; expected scopes of your own, such as orders: this version issues no id tokens and no refresh tokens", s)
		case slices.Contains(scope[:i], s):
			return inWord("scope", "%s is listed twice; expected once", s)
		}
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

func (r *Realm) addAllow(c *client, lines []AllowConfig) error {
	for i, line := range lines {
		to, err := r.allowedTo(c, line)
		if err != nil {
			return InLine("allow", i, err)
		}
		c.allow = append(c.allow, allowance{grant: line.Grant, by: line.By, to: to})
	}
	return nil
}

// allowedTo checks an allow line and returns the audiences that it is for.
func (r *Realm) allowedTo(c *client, a AllowConfig) ([]string, error) {
	if g := findGrant(a.Grant); g == nil || g.name != a.Grant || g.accepts == nil {
		return nil, fmt.Errorf("unrecognized grant %q; expected audience_exchange or client_delegate", a.Grant)
	}
	if len(a.By) == 0 {
		return nil, errors.New("by: expected at least one client")
	}
	for _, by := range a.By {
		if r.clients[by] == nil {
			return nil, fmt.Errorf("by: no client %q; expected one of the clients: %s", by, names(r.clients))
		}
	}
	to := a.To
	if err := r.checkTargets(to); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	for _, s := range r.services {
		if len(a.To) == 0 && c.consents(s.ID) {
			to = append(to, s.Audience)
		}
	}
	if len(to) == 0 {
		return nil, errors.New("without to, it is for the services of the client's own permit and own lines, and there are none; expected to and at least one audience")
	}
	return to, nil
}
