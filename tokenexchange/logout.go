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
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

const logoutPath = "/oauth2/logout"

// logoutStep is what the end of a logout's revocation is rounded up to, so that
// who repeats the logout says nothing new.
const logoutStep = time.Hour

// leaving is a checked request to end a login (OpenID Connect RP-Initiated Logout
// 1.0, section 2).
type leaving struct {
	login  mint.Login // that an id token names; zero without one
	client *client    // nil without one
	hint   string
	uri    string // where to go then, registered for the client; "" for nowhere
	state  string
	in     *session // of the browser, nil for none
	tags   string   // the languages that the client asked for, the best first
	cookie bool     // the browser has one, if only of a login that is over
}

// otherSites refuses what a browser sends because another site told it to.
var otherSites = http.NewCrossOriginProtection()

// serveLogout ends a login. A browser gets pages, and a program JSON.
func (s *Server) serveLogout(w http.ResponseWriter, r *http.Request) {
	s.conclude(w, r, "logout", s.logout, func(w http.ResponseWriter, r *http.Request, e *Refused, id string) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			w.Header().Set(decisionHeader, id)
			asked, _ := queryOf(r) // What cannot be read asks for no language.
			s.showFailure(w, r, e, id, "", locales(asked["ui_locales"]))
			return
		}
		writeError(w, r, e, id)
	})
}

// logout ends the login that an id token names, and that of the browser. A browser
// that comes from another site is asked first, by GET or POST: there a user may
// have been sent without wanting it. It is not asked if the id token names its own
// login, which nobody but the client has got.
func (s *Server) logout(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	if r.Method != http.MethodPost {
		read = func() (parameters, error) { return readQuery(r) }
	}
	params, err := read()
	if err != nil {
		return nil, err
	}
	l, err := s.leaving(r, params)
	if l.client != nil {
		rec.Client, rec.Subject, rec.Org = l.client.ID, l.login.Subject, l.login.Org
	}
	if err != nil {
		return nil, err
	}
	own := l.in != nil && l.hint != "" && l.in.SID == l.login.Session
	if !own && (r.Method != http.MethodPost || otherSites.Check(r) != nil) {
		rec.Cause = "no effect: the user is asked"
		return func(w http.ResponseWriter) { s.askToLeave(w, r, l) }, nil
	}
	if err := s.letGo(r, rec, l); err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return func(w http.ResponseWriter) {
		if l.cookie {
			http.SetCookie(w, newCookie(sessionCookie, ""))
		}
		switch {
		case l.uri != "":
			sendBack(w, l.next())
		case kind == "application/json":
			done(w) // A program asked, not a browser.
		default:
			s.show(w, r, http.StatusOK, pages.LoggedOut{Client: l.name(), Elsewhere: s.realm.elsewhere(l.in)}, pages.Options{Locales: l.tags})
		}
	}, nil
}

// letGo ends the login that the id token names, and that of the browser.
func (s *Server) letGo(r *http.Request, rec *Record, l leaving) error {
	if l.hint != "" {
		ends := RevokeSession(l.login.Session, s.longestEnd())
		if err := s.mayEnd(l.client.ID, l.login.Subject, ends); err != nil {
			return err
		}
		if err := s.revoke(r.Context(), ends); err != nil {
			return published(err)
		}
	}
	if l.in == nil {
		return nil
	}
	rec.Subject = l.in.Subject
	attempt, err := s.state.NewAttempt()
	if err != nil {
		return err
	}
	return s.endSession(r.Context(), attempt, l.in.Subject, l.in.held())
}

// askToLeave shows a page with one button. It is what a user sees who was sent here.
func (s *Server) askToLeave(w http.ResponseWriter, r *http.Request, l leaving) {
	page, o := pages.Logout{Form: pages.Form{Action: logoutPath}, Client: l.name()}, pages.Options{Locales: l.tags}
	keep := func(name, value string) {
		if value != "" {
			page.Form.Fields = append(page.Form.Fields, pages.Field{Name: name, Value: value})
		}
	}
	keep("id_token_hint", l.hint)
	if l.client != nil {
		keep("client_id", l.client.ID)
	}
	if l.uri != "" {
		o.Targets = []string{l.uri}
		keep("post_logout_redirect_uri", l.uri)
	}
	keep("state", l.state)
	keep("ui_locales", l.tags)
	s.show(w, r, http.StatusOK, page, o)
}

func (l leaving) name() string {
	if l.client == nil {
		return ""
	}
	return l.client.displayName
}

// done answers that there is nothing to say.
func done(w http.ResponseWriter) {
	noStore(w.Header())
	w.WriteHeader(http.StatusOK)
}

// readQuery reads the parameters of a GET, as strictly as those of a body.
func readQuery(r *http.Request) (parameters, error) {
	p, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	return p, p.check()
}

// leaving checks a request. Nothing of it is shown or followed that was not
// found to be good.
func (s *Server) leaving(r *http.Request, p parameters) (l leaving, err error) {
	if cookie := cookieOf(r, sessionCookie); cookie != "" {
		l.cookie = true
		if l.in, _, err = s.loggedIn(r.Context(), cookie); err != nil {
			return l, err
		}
	}
	// CSP clients call it idToken.
	if l.hint, err = p.one("id_token_hint", "idToken"); err != nil {
		return l, err
	}
	id := p["client_id"]
	switch {
	case l.hint != "":
		if l.login, l.client, err = s.hinted(l.hint); err != nil {
			return l, err
		}
		if id != "" && id != l.client.ID {
			return l, refused("parameter_invalid", "client_id")
		}
	case !l.cookie:
		return l, refused("parameter_missing", "id_token_hint")
	case id != "":
		if l.client = s.realm.clients[id]; l.client == nil {
			return l, refused("parameter_invalid", "client_id")
		}
	}
	uri := p["post_logout_redirect_uri"]
	if uri != "" && (l.client == nil || !slices.Contains(l.client.afterLogout, uri)) {
		return l, refused("post_logout_redirect_uri_mismatch", "")
	}
	l.uri, l.state, l.tags = uri, p["state"], locales(p["ui_locales"])
	return l, nil
}

// hinted reads an id token that a client gives back: whose login it names, and
// which client it was issued to.
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
		return login, nil, refusedBecause("id_token_hint_invalid", errors.New("the client that it was issued to is not configured"))
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
