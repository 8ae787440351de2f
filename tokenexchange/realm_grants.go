package tokenexchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// allowable are the grants whose subject is a token that another client may
// have got: an allow line can name them.
var allowable = []string{audienceExchange, clientDelegate, contextSwitch, impersonateUser}

// checkGrants checks the grants of a client, and that it has the lines that
// they need.
func checkGrants(cfg ClientConfig) error {
	if len(cfg.GrantTypes) == 0 && !cfg.APITokens {
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
			return inWord("grant_types", "%s is for clients with a secret or keys; expected secret or jwks_file instead of public", name)
		}
	}
	lists := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(cfg.GrantTypes, name) })
	}
	switch {
	case lists(grantClientCredentials.name) && cfg.Own == nil:
		return inWord("grant_types", "client_credentials needs own lines; expected some, or own none: a permit line gives nothing by itself")
	case lists(refreshToken) && !lists(authorizationCode, grantPassword.name):
		return inWord("grant_types", "refresh_token only goes on with what another grant began; expected authorization_code or password beside it")
	case cfg.Permit == nil && cfg.Own == nil:
		return errors.New("expected permit or own lines: without them its tokens can hold nothing; write permit none if that is meant")
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

// allowedTo checks an allow line and returns the audiences that it is for. A
// line for context_switch is for none.
func (r *Realm) allowedTo(c *client, a AllowConfig) ([]string, error) {
	switch {
	case !slices.Contains(allowable, a.Grant):
		return nil, fmt.Errorf("unrecognized grant %q; expected some of %s", a.Grant, strings.Join(allowable, ", "))
	case len(a.By) == 0:
		return nil, errors.New("by: expected at least one client")
	}
	for _, by := range a.By {
		if r.clients[by] == nil {
			return nil, fmt.Errorf("by: no client %q; expected one of the clients: %s", by, names(r.clients))
		}
	}
	if a.Grant == contextSwitch || a.Grant == impersonateUser {
		if len(a.To) > 0 {
			return nil, fmt.Errorf("to: %s has no target audience; expected a line of its own, without to", a.Grant)
		}
		return nil, nil
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
