package tokenexchange

import (
	"errors"
	"fmt"
	"strings"
)

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
