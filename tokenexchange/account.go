package tokenexchange

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// serveAccount shows people where they are logged in and what they granted, and
// lets them end it.
func (s *Server) serveAccount(w http.ResponseWriter, r *http.Request) {
	s.visited(w, r, "account", (*visit).account)
}

func (v *visit) account() (reply, error) {
	v.retry = accountPath
	if v.request.Method != http.MethodPost {
		if v.session == nil {
			return v.enter(authorizationRequest{Locales: locales(v.params["ui_locales"])})
		}
		return v.lists("")
	}
	if err := v.sameSite(); err != nil {
		return nil, err
	}
	if v.session == nil || v.params["session"] != v.session.mark() {
		return nil, refused("session_ended", "")
	}
	return v.endOf(v.params["step"], v.params["id"])
}

// endOf ends one thing of the lists. What is not in the person's own lists is
// nobody's.
func (v *visit) endOf(step, id string) (reply, error) {
	s, subject := v.server, v.session.Subject
	h, err := s.state.Holdings().load(v, subject)
	if err != nil {
		return nil, err
	}
	switch step {
	case "logout":
		return v.logOut()
	case "end-session":
		i := slices.IndexFunc(h.Sessions, func(l heldSession) bool { return l.mark() == id })
		if i < 0 {
			return v.lists("") // It has ended meanwhile.
		}
		if h.Sessions[i].ID == v.session.id.grant {
			return v.logOut()
		}
		if err := s.endSession(v, v.attempt, subject, h.Sessions[i]); err != nil {
			return nil, err
		}
		return v.lists("session_ended")
	case "revoke":
		i := slices.IndexFunc(h.Allowed, func(a allowed) bool { return a.id() == id })
		if i < 0 {
			return v.lists("") // It was taken back meanwhile.
		}
		if err := v.withdraw(h.Allowed[i]); err != nil {
			return nil, err
		}
		return v.lists("grant_revoked")
	}
	return nil, refused("form_malformed", "step")
}

// withdraw takes back all that a person granted to a client in an organization:
// what is remembered first, so that nothing new comes of it meanwhile.
func (v *visit) withdraw(what allowed) error {
	state, subject := v.server.state, v.session.Subject
	for range maxSwaps {
		h, err := state.Holdings().load(v, subject)
		if err != nil {
			return err
		}
		// Whatever is listed by now is not remembered afterwards, and whatever is
		// listed later is more.
		if err := state.Consents().Forget(v, v.attempt, consentName{Subject: subject, Org: what.Org, Client: what.Client}); err != nil {
			return err
		}
		grants := h.of(what)
		if err := v.endGrants("", subject, grants); err != nil {
			return err
		}
		more := false // Somebody was granted one meanwhile.
		err = state.Holdings().change(v, v.attempt, subject, func(h *holdings) {
			h.end(grants)
			if more = len(h.of(what)) > 0; !more {
				h.forget(what)
			}
		})
		if err != nil || !more {
			return err
		}
	}
	return fmt.Errorf("taking back a grant: %w: %w", ErrStoreUnavailable, errMoves)
}

// logOut ends this session, and shows that it has ended.
func (v *visit) logOut() (reply, error) {
	if err := v.server.endSession(v, v.attempt, v.session.Subject, v.session.held()); err != nil {
		return nil, err
	}
	v.cookies = append(v.cookies, newCookie(sessionCookie, ""))
	return func(w http.ResponseWriter) {
		v.server.show(w, v.request, http.StatusOK, pages.LoggedOut{Elsewhere: v.server.realm.elsewhere(v.session)}, pages.Options{})
	}, nil
}

// lists shows the lists.
func (v *visit) lists(notice string) (reply, error) {
	s, in := v.server, v.session
	h, err := s.state.Holdings().load(v, in.Subject)
	if err != nil {
		return nil, err
	}
	page := pages.Account{
		Form: pages.Form{Action: accountPath, Fields: []pages.Field{{Name: "session", Value: in.mark()}}},
		User: v.user.Username, Name: strings.TrimSpace(v.user.GivenName + " " + v.user.FamilyName), Notice: notice,
	}
	for _, l := range slices.Backward(h.Sessions) {
		page.Sessions = append(page.Sessions, pages.Session{
			ID: l.mark(), Since: l.Since, Method: s.realm.methodName(l.Method), Device: l.Device, Current: l.ID == in.id.grant,
		})
	}
	for _, a := range slices.Backward(h.Allowed) {
		g, err := v.granted(a, h)
		if err != nil {
			return nil, err
		}
		page.Grants = append(page.Grants, g)
	}
	return func(w http.ResponseWriter) {
		s.show(w, v.request, http.StatusOK, page, pages.Options{Locales: v.params["ui_locales"]})
	}, nil
}

// granted is what a person lets a client do.
func (v *visit) granted(a allowed, h holdings) (pages.Grant, error) {
	s := v.server
	g := pages.Grant{ID: a.id(), Client: a.Client, Org: s.realm.orgName(a.Org), Since: a.Since}
	if c := s.realm.clients[a.Client]; c != nil {
		g.Client = cmp.Or(c.displayName, c.ID)
	}
	all, err := v.remembered(a)
	if err != nil {
		return g, err
	}
	// Also what tokens of an earlier decision have, which is not remembered any more.
	for _, held := range h.of(a) {
		g.Until = latest(g.Until, held.End)
		has, err := v.extentOf(held)
		if err != nil {
			return g, err
		}
		all = all.with(has)
	}
	g.Services, g.Scopes = all.view()
	g.Offline = slices.Contains(all.scope, mint.Offline)
	return g, nil
}

// remembered is what a client gets without asking again, nothing if the person
// would be asked.
func (v *visit) remembered(a allowed) (choice, error) {
	was, err := v.server.state.Consents().Load(v, consentName{Subject: v.session.Subject, Org: a.Org, Client: a.Client})
	if errors.Is(err, ErrNotFound) {
		return choice{}, nil
	}
	if err != nil {
		return choice{}, err
	}
	if why, err := v.server.overruled(was); why != "" || err != nil {
		return choice{}, err
	}
	return was.rec.Granted.read()
}

// methodName is how people call the way in which somebody logged in.
func (r *Realm) methodName(method string) string {
	if p := r.providers[method]; p != nil {
		return p.name
	}
	return method
}

// elsewhere is the provider at which a person goes on to be logged in when a
// session here has ended, "" for none.
func (r *Realm) elsewhere(in *session) string {
	if in == nil || in.Method == byPassword {
		return ""
	}
	return r.methodName(in.Method)
}
