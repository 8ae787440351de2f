package tokenexchange

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// introspect tells what a token is worth now (RFC 7662). It says active of none
// that a guard or the token endpoint would refuse, and inactive of none that it
// cannot judge.
func (s *Server) introspect(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	c, err := s.aboutToken(r, rec, read)
	if err != nil {
		return nil, err
	}
	// Anybody can be a public client, and could ask for whom a found token is good.
	if c.client.public {
		return nil, refusedBecause("client_public", errors.New("client "+c.client.ID+" is public"))
	}
	told, err := c.introspected(c.params["token"])
	if err != nil {
		why, dead := inactive(err)
		if !dead {
			return nil, err
		}
		rec.Cause, told = "inactive: "+why, notActive
	}
	return func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, told) }, nil
}

// aboutToken begins a request about one token: the steps of the token endpoint
// without a grant. What is presented is looked at after the client authenticated.
func (s *Server) aboutToken(r *http.Request, rec *Record, read func() (parameters, error)) (*call, error) {
	c, err := s.begin(r, rec, read)
	if err != nil {
		return nil, err
	}
	// Nothing is issued, so nobody waits for it; but who was taken out while the
	// body came is out.
	s = c.enter()
	s.leave()
	if c.client, err = s.authenticate(r, c.params); err != nil {
		return nil, err
	}
	rec.Client = c.client.ID
	if err := c.params.onlyBound(nil); err != nil {
		return nil, err
	}
	if c.params["token"] == "" {
		return nil, refused("parameter_missing", "token")
	}
	return c, nil
}

// notActive is the whole answer about everything that is not active, so that it
// tells nothing about it (RFC 7662 section 2.2).
var notActive = struct {
	Active bool `json:"active"`
}{}

// introspected returns the answer about an active token. What a token is shows
// in its form, so token_type_hint is not needed.
func (c *call) introspected(token string) (any, error) {
	if _, ours := c.server.state.refreshGrant(token, c.client.ID); ours {
		return c.introspectedRefresh(token)
	}
	// What is made for an upstream passes neither a guard nor the token endpoint.
	subject, err := c.server.admit(token, mint.TypeAccess, func(aud []string) bool { return !c.server.mint.Forwarded(aud) })
	if err != nil {
		return nil, err
	}
	facts := mint.Facts(subject)
	c.record.Subject, c.record.Actor, c.record.Org, c.record.TokenID = facts.Subject(), facts.Actor(), facts.Org(), facts.ID()
	if !facts.Expiry().After(c.server.now()) {
		return nil, refused(Reason(mint.TokenExpired), "") // The leeway is for clocks, and whoever reads exp has one.
	}
	source, err := c.server.source(facts)
	if err == nil && facts.Audited() {
		err = errors.New("a token with scopegate_mode is for its upstream alone")
	}
	if err != nil {
		return nil, refusedBecause("exchange_refused", err)
	}
	if source != c.client && !c.accepts(source, facts) {
		return nil, refused(Reason(mint.TokenAudience), "")
	}
	return facts.Introspected(), nil
}

// accepts reports whether the token is for a service that the client has permit
// lines for, and its own client still lets it go there, as at a guard.
func (c *call) accepts(source *client, t *mint.Token) bool {
	return slices.ContainsFunc(t.Audiences(), func(aud string) bool {
		to, ok := c.server.mint.Target(aud)
		return ok && source.consents(to.Service()) && c.server.mint.Accepts(&c.client.Client, []string{aud})
	})
}

// refreshIntrospection is the answer about a refresh token. It has neither
// token_type nor rights, and the issuer as aud: it is for the token endpoint, and
// nobody shall take it for an access token.
type refreshIntrospection struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope,omitempty"`
	ClientID string `json:"client_id"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	Expiry   int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	AuthTime int64  `json:"auth_time,omitempty"`
	GrantID  string `json:"grant_id"`
	Org      string `json:"context_name,omitempty"`
}

// introspectedRefresh looks at a refresh token as its next use would, and changes
// nothing. Of a family only the newest one is active.
func (c *call) introspectedRefresh(token string) (any, error) {
	if !slices.Contains(c.client.grants, refreshToken) {
		return nil, refused("grant_not_allowed", "")
	}
	turn, err := c.server.state.Families().Present(c, token, c.client.ID)
	if turn != nil {
		c.record.Subject, c.record.Org = turn.Subject, turn.Org
	}
	if err != nil {
		return nil, err
	}
	if !turn.newest() {
		return nil, ErrSpent
	}
	if why, err := c.server.ended(&turn.Family); err != nil {
		return nil, err
	} else if why != "" {
		return nil, refusedBecause("refresh_token_invalid", errors.New(why))
	}
	draft, err := c.renew(&turn.Grant)
	if err != nil {
		return nil, err
	}
	issuer := c.server.realm.issuer
	told := refreshIntrospection{
		Active: true, Scope: draft.Scope(), ClientID: turn.Client, Subject: turn.Subject, Audience: issuer, Issuer: issuer,
		Expiry: turn.refreshesUntil().Unix(), IssuedAt: turn.madeAt().Unix(), GrantID: turn.ID, Org: turn.Org,
	}
	if !turn.AuthTime.IsZero() {
		told.AuthTime = turn.AuthTime.Unix()
	}
	return told, nil
}

// inactive tells whether an error is a judgement about the token, and not one
// that could not be made. Why goes to the log alone.
func inactive(err error) (why string, dead bool) {
	for _, spent := range []error{ErrNotFound, ErrSpent, ErrReused} {
		if errors.Is(err, spent) && !errors.Is(err, ErrStoreUnavailable) {
			return err.Error(), true
		}
	}
	r := asRefused(err)
	return string(r.Reason) + " " + r.why(), answers[r.Reason].status == http.StatusBadRequest
}

// madeAt is when the presented token, the newest one, was made.
func (t *Turn) madeAt() time.Time {
	if t.held.rec.RotatedAt.IsZero() {
		return t.Created
	}
	return t.held.rec.RotatedAt
}

// newest reports whether the next use of the token rotates the family.
func (t *Turn) newest() bool { return t.token.counter == t.held.rec.Counter }
