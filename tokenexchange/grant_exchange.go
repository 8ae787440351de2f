package tokenexchange

import (
	"errors"
	"slices"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// exchangeSubject verifies subject_token, and actor_token where RFC 8693 has
// one: it must be the caller's own token and changes nothing.
func (c *call) exchangeSubject() (mint.Subject, error) {
	if c.params["actor_token"] != "" || c.params["actor_token_type"] != "" {
		actor, err := c.subject("actor_token", c.server.isIssuer)
		if err != nil {
			return nil, err
		}
		own, isClient := actor.(mint.ClientToken)
		if !isClient || mint.Facts(own).Subject() != c.client.ID || mint.Facts(own).ClientID() != c.client.ID {
			return nil, refused("subject_kind", "actor_token")
		}
	}
	// Whom the token was issued to is known after its signature was checked;
	// until then any audience may be right but that of an upstream: not even the
	// client that a guard acts as gets a token out of one.
	subject, err := c.subject("subject_token", func(aud []string) bool { return !c.server.mint.Forwarded(aud) })
	if err != nil {
		return nil, err
	}
	facts := mint.Facts(subject)
	c.record.Subject, c.record.Actor, c.record.Org = facts.Subject(), facts.Actor(), facts.Org()
	switch {
	case !isIDToken(subject) && !c.mayBring(facts):
		return nil, refused(Reason(mint.TokenAudience), "subject_token")
	case c.org != "" && c.org != facts.Org():
		return nil, refused("org_not_allowed", "")
	}
	return subject, nil
}

// mayBring reports whether the caller is one that may have an access token: the
// client that it was issued to, or one with permit lines for a service that it
// is meant for.
func (c *call) mayBring(t *mint.Token) bool {
	return t.ClientID() == c.client.ID || c.server.mint.Accepts(&c.client.Client, t.Audiences())
}

// target returns the target of an exchange, if the caller may ask for it and
// the client that the subject was issued to lets it go there.
func (c *call) target(subject mint.Subject, audience string) (mint.Target, error) {
	to, ok := c.server.mint.Target(audience)
	if !ok || !slices.Contains(c.client.targets, audience) {
		// The audience itself stays out of the log: it is what was sent.
		return mint.Target{}, refusedBecause("target_not_allowed", errors.New("client "+c.client.ID+" does not have this audience in its target_audiences, or it is never a target"))
	}
	facts := mint.Facts(subject)
	source, err := c.server.source(facts)
	if err == nil && !source.allows(c.grant.name, c.client.ID, audience) {
		err = missingAllow(source.ID, c.grant.name, c.client.ID, audience)
	}
	if err != nil {
		return mint.Target{}, refusedBecause("exchange_refused", err)
	}
	return to, nil
}

// source returns the client that a token was issued to, which is the one to
// ask for an exchange. Each client that the token went through was asked in its
// turn; one that is no longer configured has taken its word back, and so has
// the source. See docs/decisions/0011-who-is-asked-in-a-chain.md.
func (s *Server) source(t *mint.Token) (*client, error) {
	configured := func(id string) bool { return s.realm.clients[id] != nil }
	if !configured(t.ClientID()) || !t.Hops(configured) {
		return nil, errors.New("client " + t.ClientID() + ", or one that the token went through before, is not configured")
	}
	return s.realm.clients[t.ClientID()], nil
}
