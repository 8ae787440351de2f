package tokenexchange

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// byPassword is the method of a login here.
const byPassword = "password"

// logIn takes a name and a password.
func (v *visit) logIn() (reply, error) {
	v.again = v.showLogin
	v.record.Subject = "" // Whoever is logged in here need not be the one who tries.
	at := v.server.now()  // Not after the wait for a turn: the users are those of now.
	user, err := v.server.login(v, v.params["username"], v.params["password"])
	if err != nil {
		return nil, err
	}
	return v.welcome(session{Subject: user.subject(), AuthTime: at, Method: byPassword})
}

// welcome begins the session of a person who has just proved who they are. It is
// always a new one: a cookie that somebody knew before is worth nothing.
func (v *visit) welcome(in session) (reply, error) {
	s, old := v.server, v.session
	// The session would be over before it began, and the page come back for ever.
	if why := s.realm.dead(in.Subject, in.AuthTime); why != "" {
		return nil, refusedBecause(userGone, errors.New(why))
	}
	v.again = nil
	in.SID, in.Device = rand.Text(), deviceOf(v.request)
	if old != nil && old.Subject == in.Subject {
		in.SID = old.SID // The same login, proved again: what came of it goes on.
	}
	in, err := s.state.Sessions().begin(v, v.attempt, in)
	if err != nil {
		return nil, err
	}
	v.record.Subject = in.Subject
	if err := v.take(func(tx *transaction) { tx.Session = in.mark() }); err != nil {
		return nil, errors.Join(err, s.state.Sessions().end(v, in.id))
	}
	var fell []heldSession
	err = s.state.Holdings().change(v, v.attempt, in.Subject, func(h *holdings) { fell = h.login(in.held()) })
	if err != nil {
		return nil, err
	}
	for _, l := range fell {
		if err := s.endSession(v, v.attempt, in.Subject, l); err != nil {
			return nil, err
		}
	}
	if old != nil && old.SID != in.SID {
		err = s.endSession(v, v.attempt, old.Subject, old.held())
	} else if old != nil {
		err = s.state.Sessions().end(v, old.id)
	}
	if err != nil {
		return nil, err
	}
	v.cookies = append(v.cookies, newCookie(sessionCookie, in.text(s.state)))
	return v.next(), nil
}

// maxDevice is how many characters of a User-Agent are kept.
const maxDevice = 200

// deviceOf is what the browser says that it is. It is for the person's eyes, who
// may know it again.
func deviceOf(r *http.Request) string {
	text := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, r.UserAgent())
	if all := []rune(text); len(all) > maxDevice {
		text = string(all[:maxDevice])
	}
	return text
}

// identifiers are what revocations know a session by.
func (in *session) identifiers() mint.Identifiers {
	return mint.Identifiers{Session: in.SID, Subject: in.Subject, IssuedAt: in.AuthTime, LoginAt: in.AuthTime}
}

// chooseOrganization goes on for one of the organizations of the page.
func (v *visit) chooseOrganization(st standing) (reply, error) {
	org := v.params["organization"]
	switch {
	case st.stage != stageOrganization:
		return nil, refusedBecause("step_expired", errors.New("no organization is asked for now"))
	case !slices.Contains(st.orgs, org):
		return nil, refused("form_malformed", "organization")
	}
	if err := v.take(func(tx *transaction) { tx.Org, tx.Chooser = org, v.session.mark() }); err != nil {
		return nil, err
	}
	return v.next(), nil
}
