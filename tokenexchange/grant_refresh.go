package tokenexchange

import (
	"errors"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantRefreshToken is RFC 6749 section 6. Every use rotates the token (RFC 9700
// section 4.14.2) and computes the rights anew: a refresh token keeps a login
// alive, not what the user could do at that time.
var grantRefreshToken = &grant{
	name:      refreshToken,
	bound:     narrowing,
	mandatory: []string{"refresh_token"},
	login:     true,
	draft:     draftRefreshToken,
}

func draftRefreshToken(c *call) (drafts, error) {
	turn, err := c.server.state.Families().Present(c, c.params["refresh_token"], c.client.ID)
	if turn != nil {
		c.record.Subject, c.record.Org = turn.Subject, turn.Org
		if why, err := c.over(&turn.Family); err != nil {
			return drafts{}, err
		} else if why != "" {
			return drafts{}, refusedBecause("refresh_token_invalid", errors.New(why))
		}
	}
	if err != nil {
		return drafts{}, c.refreshSpent(turn, err)
	}
	// A family from when refresh tokens lived longer ends with those of now. What
	// ended its login is remembered for as long, and no longer.
	if !c.server.now().Before(turn.Created.Add(c.client.refreshValidity + CodeLife)) {
		return drafts{}, refusedBecause("refresh_token_invalid", errors.New("the login is older than the client's refresh_token_validity"))
	}
	draft, err := c.renew(&turn.Grant)
	if err != nil {
		var gone *Refused
		if errors.As(err, &gone) && gone.Reason == userGone {
			// The family ends: a user who comes back logs in again.
			if err := c.endFamily(&turn.Family); err != nil {
				return drafts{}, err
			}
		}
		return drafts{}, err
	}
	c.commit = func(d mint.Draft) error {
		successor, err := turn.Rotate(c, c.attempt, c.lifeEnd(d))
		if err != nil {
			return c.refreshSpent(turn, err)
		}
		c.answerRefresh(successor)
		return nil
	}
	return drafts{access: &draft}, nil
}

// refreshSpent is the answer to a refresh token that is not the newest one. An
// old one that comes late was stolen, or its thief was faster: the family dies.
func (c *call) refreshSpent(turn *Turn, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return refused("refresh_token_invalid", "")
	case errors.Is(err, ErrSpent):
		return refused("refresh_token_used", "")
	case !errors.Is(err, ErrReused):
		return err
	}
	if err := c.endFamily(&turn.Family); err != nil {
		return err
	}
	return refused("refresh_token_reused", "")
}

// over tells why a family has ended by the revocations, "" if it has not. One
// whose revocation was published is over, even if the swap that ends its record
// failed then: it is made up for here, so that all processes agree.
func (c *call) over(f *Family) (why string, err error) {
	if why, err = c.server.ended(f); why != "" {
		err = c.endFamily(f)
	}
	return why, err
}

// ended is over without an effect. A grant with offline_access outlives its login.
func (s *Server) ended(f *Family) (why string, err error) {
	if s.revocations.unknown(f.AuthTime) {
		return "", errRevocationsUnread
	}
	session, c := f.Session, s.realm.clients[f.Client]
	if c != nil && slices.Contains(strings.Fields(f.Scope), mint.Offline) && slices.Contains(c.Scopes, mint.Offline) {
		session = ""
	}
	return s.revocations.named(mint.Identifiers{
		GrantID: f.ID, Session: session, Subject: f.Subject, ClientID: f.Client, IssuedAt: f.AuthTime, LoginAt: f.AuthTime,
	}), nil
}

// userGone is the reason for which a family ends at its next use.
const userGone Reason = "user_gone"

// renew drafts a token of what was granted once: the user and the client are
// what they are now.
func (c *call) renew(g *Grant) (mint.Draft, error) {
	if c.org != "" && c.org != g.Org || !c.client.worksIn(g.Org) {
		return mint.Draft{}, refused("org_not_allowed", "")
	}
	if why := c.server.realm.dead(g.Subject, g.AuthTime); why != "" {
		return mint.Draft{}, refusedBecause(userGone, errors.New(why))
	}
	user, err := c.server.person(c, g.Subject)
	if err != nil {
		return mint.Draft{}, err
	}
	if user == nil {
		return mint.Draft{}, refusedBecause(userGone, errors.New("no users file names the user, and no map line of a provider matches"))
	}
	if user.source() != g.Source {
		return mint.Draft{}, refusedBecause(userGone, errors.New("the sub was that of a user of another source when the login was made"))
	}
	now, member := user.mintUser(g.Org, g.AuthTime)
	if !member {
		return mint.Draft{}, refusedBecause(userGone, errors.New("the user is no member of the organization any more"))
	}
	var set scopes.Set
	if g.Set != "" {
		if set, err = scopes.ParseSet([]byte(g.Set)); err != nil {
			return mint.Draft{}, err
		}
	}
	return c.server.mint.Renew(now, &c.client.Client, mint.Granted{
		ID: g.ID, Session: g.Session, Scope: g.Scope, Set: set, Narrowed: g.Narrowed, Roles: strings.Fields(g.Roles),
	})
}
