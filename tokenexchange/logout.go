package tokenexchange

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

const logoutPath = "/oauth2/logout"

// logoutStep is what the end of a logout's revocation is rounded up to, so that
// who repeats the logout says nothing new.
const logoutStep = time.Hour

// leaving is a checked request to end a login (OpenID Connect RP-Initiated Logout
// 1.0, section 2).
type leaving struct {
	login  mint.Login
	client *client
	hint   string
	uri    string // where to go then, registered for the client; "" for nowhere
	state  string
}

// otherSites refuses what a browser sends because another site told it to.
var otherSites = http.NewCrossOriginProtection()

// logout ends the login that an id token names. A browser that comes from
// another site is asked first, by GET or POST: there a user may have been sent
// without wanting it. There is no cookie, so the id token alone names the login,
// and nothing ends without it.
func (s *Server) logout(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	if r.Method != http.MethodPost {
		read = func() (parameters, error) { return readQuery(r) }
	}
	params, err := read()
	if err != nil {
		return nil, err
	}
	l, err := s.leaving(params)
	if l.client != nil {
		rec.Client, rec.Subject, rec.Org = l.client.ID, l.login.Subject, l.login.Org
	}
	if err != nil {
		return nil, err
	}
	if r.Method != http.MethodPost || otherSites.Check(r) != nil {
		rec.Cause = "no effect: the user is asked"
		return l.ask, nil
	}
	until := s.now().Truncate(logoutStep).Add(logoutStep + s.realm.longestFamily())
	ends := RevokeSession(l.login.Session, until)
	if err := s.mayEnd(l.client.ID, l.login.Subject, ends); err != nil {
		return nil, err
	}
	if err := s.revoke(r.Context(), ends); err != nil {
		return nil, published(err)
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case l.uri != "":
		return l.goOn, nil
	case kind == "application/json":
		return done, nil // A program asked, not a browser.
	}
	return l.ended, nil
}

// done answers that there is nothing to say.
func done(w http.ResponseWriter) {
	noStore(w.Header())
	w.WriteHeader(http.StatusOK)
}

// readQuery reads the parameters of a GET, as strictly as those of a body.
func readQuery(r *http.Request) (parameters, error) {
	if len(r.URL.RawQuery) > maxBody {
		return nil, refused("body_too_large", "")
	}
	p, err := readForm([]byte(r.URL.RawQuery))
	if err != nil {
		return nil, err
	}
	return p, p.check()
}

// leaving checks a request. Nothing of it is shown or followed that was not
// found to be good.
func (s *Server) leaving(p parameters) (leaving, error) {
	var l leaving
	var err error
	// CSP clients call it idToken.
	if l.hint, err = p.one("id_token_hint", "idToken"); err != nil {
		return l, err
	}
	if l.hint == "" {
		return l, refused("parameter_missing", "id_token_hint")
	}
	if l.login, l.client, err = s.hinted(l.hint); err != nil {
		return l, err
	}
	if id := p["client_id"]; id != "" && id != l.client.ID {
		return l, refused("parameter_invalid", "client_id")
	}
	uri := p["post_logout_redirect_uri"]
	if uri != "" && !slices.Contains(l.client.afterLogout, uri) {
		return l, refused("post_logout_redirect_uri_mismatch", "")
	}
	l.uri, l.state = uri, p["state"]
	return l, nil
}

// hinted reads an id token that a client gives back: whose login it names, and
// the client that got it. It may have expired.
func (s *Server) hinted(hint string) (mint.Login, *client, error) {
	signed, _, err := s.verify(hint)
	if err != nil {
		return mint.Login{}, nil, refusedBecause("id_token_hint_invalid", err)
	}
	login, found := signed.Login(s.realm.issuer)
	if !found {
		return mint.Login{}, nil, refusedBecause("id_token_hint_invalid", errors.New("no id token that a login at this issuer gave"))
	}
	c := s.realm.clients[login.Client]
	if c == nil {
		return mint.Login{}, nil, refusedBecause("id_token_hint_invalid", errors.New("the client that it was issued to is not configured"))
	}
	return login, c, nil
}

// next is where the user goes: the registered URI, with the state.
func (l leaving) next() string {
	switch {
	case l.state == "":
		return l.uri
	case strings.Contains(l.uri, "?"):
		return l.uri + "&state=" + url.QueryEscape(l.state)
	}
	return l.uri + "?state=" + url.QueryEscape(l.state)
}
