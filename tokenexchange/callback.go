package tokenexchange

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"
)

// providerLeeway is how much the clock of a provider may differ from ours.
const providerLeeway = 30 * time.Second

// serveCallback is where browsers come back from other providers (redirect_uri of
// RFC 6749 section 3.1.2, as a client).
func (s *Server) serveCallback(w http.ResponseWriter, r *http.Request) {
	s.visited(w, r, "callback", (*visit).arrive)
}

// arrive finishes a login at another provider: 1 the transaction that this browser
// began, 2 its departure, which is used up before anything is made of the answer,
// 3 what the provider says, 4 whether that is new enough, 5 whom that makes, 6 a
// session, as for a password.
func (v *visit) arrive() (reply, error) {
	d, err := v.returned()
	if err != nil {
		return nil, err
	}
	// A provider knows the way back for as long as the transaction goes on, also when
	// the person has left it and logged in otherwise: it must not end that login. Nor
	// do two tabs that went there at once need two.
	if v.session != nil && v.session.mark() != d.Session {
		v.record.Cause = "no effect: the browser has logged in since it left for the provider"
		return func(w http.ResponseWriter) { sendBack(w, v.tx.address(v.server.state)) }, nil
	}
	v.record.Subject = "" // Until it is known who comes.
	s := v.server
	p, provider := s.realm.providers[d.Provider], s.logins[d.Provider]
	if p == nil || provider == nil || p.settings.Issuer != d.Issuer {
		return nil, refused("provider_unknown", "")
	}
	if err := v.take(func(tx *transaction) { tx.Departed = nil }); err != nil {
		return nil, err
	}
	id, err := provider.Finish(v, Arrival{
		Nonce: d.Nonce, Verifier: d.Verifier, Issuer: given(v.params, "iss"), Error: v.params["error"], Code: v.params["code"],
	})
	if err != nil {
		if errors.As(err, new(*LoginDenied)) {
			v.again = v.showLogin
		}
		return nil, providerFault(err)
	}
	// The provider took its time: the transaction is what it is by now.
	if err := v.resume(); err != nil {
		return nil, err
	}
	at, err := v.provedAt(d, id)
	if err != nil {
		return nil, v.anew(err)
	}
	subject, err := s.register(v, v.attempt, p, id)
	if err != nil {
		return nil, err
	}
	in := session{Subject: subject, AuthTime: at, Method: d.Provider}
	// What ended the logins of before ends this one too, if the person proved then
	// who they are: the session would be over before it began.
	if s.revocations.named(in.identifiers()) != "" {
		return nil, v.anew(refusedBecause("provider_login_old", errors.New("the logins of that time were ended here")))
	}
	return v.welcome(in)
}

// returned finds the departure that a browser comes back from. State names the
// transaction, whose cookie the browser must have, and the one departure of it. The
// path names the provider that sent it back, which must be the one it left for.
func (v *visit) returned() (*departed, error) {
	state := v.params["state"]
	at := strings.LastIndexByte(state, '.')
	if at < 0 {
		return nil, refusedBecause("transaction_unknown", errors.New("state is none of ours"))
	}
	v.params["transaction"] = state[:at]
	if err := v.resume(); err != nil {
		return nil, err
	}
	d := v.tx.Departed
	if d == nil || subtle.ConstantTimeCompare([]byte(d.State), []byte(state[at+1:])) != 1 {
		return nil, refusedBecause("provider_answer", errors.New("state is not that of the newest departure, or came before"))
	}
	if from, _ := arrivalOf(merged(v.request.URL.Path)); from != d.Provider {
		return nil, refusedBecause("provider_answer", errors.New("the browser left for another provider than it came back from"))
	}
	return d, nil
}

// given returns a parameter, nil where there was none.
func given(p parameters, name string) *string {
	value, ok := p[name]
	if !ok {
		return nil
	}
	return &value
}

// provedAt tells when the person proved who they are: what the provider says, or
// at the latest when it signed. Where a new proof was demanded, it must say so.
func (v *visit) provedAt(d *departed, id Identity) (time.Time, error) {
	now, at := v.server.now(), id.AuthTime
	old := func(why string) error { return refusedBecause("provider_login_old", errors.New(why)) }
	limit := v.tx.Request.maxAge()
	switch {
	case at.IsZero() && (d.Anew || limit != nil):
		return at, old("the id token has no auth_time")
	case at.IsZero():
		at = id.IssuedAt
	case d.Anew && at.Before(d.Left.Truncate(time.Second).Add(-providerLeeway)):
		return at, old("auth_time is from before the departure")
	case limit != nil && !d.Anew && now.Sub(at) > *limit+providerLeeway:
		return at, old("auth_time is longer ago than max_age")
	}
	if at.After(now) {
		at = now // Its clock is ahead.
	}
	return at, nil
}

// anew makes the next departure of the transaction demand a new login.
func (v *visit) anew(err error) error {
	return errors.Join(err, v.take(func(tx *transaction) { tx.Anew = true }))
}

// register makes an account of whom a provider says has logged in, and gives its
// sub here. Whom no line matches has none.
func (s *Server) register(ctx context.Context, a Attempt, p *provider, id Identity) (string, error) {
	claims, err := readClaims(id.Claims, p.mapping.reads())
	if err != nil {
		return "", refusedBecause("provider_answer", err)
	}
	sub := p.domain + ":" + accountID(id.Subject)
	now := Account{Issuer: p.settings.Issuer, Subject: id.Subject, LoginAt: s.now(), Claims: claims}
	user, err := p.user(now)
	if err != nil {
		return "", err
	}
	before, err := s.state.Accounts().Find(ctx, sub)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return "", err
	case known && before.taken(now):
		return "", refusedBecause("account_taken", errAccountTaken)
	case known:
		// Other logins of this person hold what the provider said before. What it does
		// not say any more ends with that.
		if err := s.lessens(ctx, p, before, user); err != nil {
			return "", err
		}
	}
	if known || user != nil {
		if err := s.keepAccount(ctx, a, sub, now); err != nil {
			return "", err
		}
	}
	if user == nil {
		return "", refusedBecause("no_mapping", errors.New("no map line matches the claims of "+sub))
	}
	return sub, nil
}

func (s *Server) keepAccount(ctx context.Context, a Attempt, sub string, account Account) error {
	err := s.state.Accounts().Keep(ctx, a, sub, account, s.now().Add(s.realm.accountLife()))
	if errors.Is(err, errAccountTaken) {
		return refusedBecause("account_taken", err)
	}
	return err
}

// lessens ends the access tokens of a user who gets less by a new login than by
// the one before. It comes before the account changes: after that nobody would
// know any more.
func (s *Server) lessens(ctx context.Context, p *provider, before Account, user *User) error {
	was, err := p.user(before)
	if err != nil || was == nil {
		return err
	}
	l := losses{after: s.realm}
	if user != nil && !l.less(was, user) {
		return nil
	}
	next := s.now().Truncate(time.Second).Add(time.Second) // Tokens have whole seconds.
	return published(s.revoke(ctx, RevokeSubjectRights(was.subject(), next, next.Add(s.realm.longestLife()))))
}
