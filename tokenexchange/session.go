package tokenexchange

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// kindSession is the login of one person in one browser.
const kindSession recordKind = "session"

// sessionLife is how long a login lasts in a browser, at most.
const sessionLife = 12 * time.Hour

// session is what a login was. It never changes but for the organizations: a new
// login is a new session, so that nobody who knew the old cookie has the new one.
type session struct {
	id opaque // names the record; its text is the cookie

	Subject string `json:"subject"`
	// What tokens name the login by. It is not the id, which nobody but the browser
	// may know.
	SID      string    `json:"sid"`
	AuthTime time.Time `json:"auth_time"` // when the person proved who they are
	Created  time.Time `json:"created"`
	Method   string    `json:"method"`           // "password", or the domain of a provider
	Device   string    `json:"device,omitempty"` // User-Agent, cut
	// The organization that was chosen for a client, by client.
	Orgs map[string]string `json:"orgs,omitempty"`
	End  time.Time         `json:"end"`
}

// Sessions are the records of logins. The zero Sessions is not usable.
type Sessions struct{ state *State }

// Sessions gives the sessions of this state.
func (s *State) Sessions() Sessions { return Sessions{state: s} }

// begin records a login and names it.
func (l Sessions) begin(ctx context.Context, a Attempt, in session) (session, error) {
	s := l.state
	in.id = opaque{key: s.ring[0], grant: rand.Text()}
	in.Created = inMillis(s.now())
	in.AuthTime, in.End = inMillis(in.AuthTime), in.Created.Add(sessionLife)
	ok, err := s.add(ctx, a, kindSession, in.key(s), in, in.End)
	if err == nil && !ok {
		err = errors.New("the id is taken")
	}
	return in, wrapped("beginning a session", err)
}

func (in *session) key(s *State) string { return in.id.key.keyFor(s.issuer, kindSession, in.id.grant) }

// text is the value of the cookie.
func (in *session) text(s *State) string { return in.id.text(opaqueSession, s.issuer, "") }

// mark names the session in the forms of its pages, so that no form of another
// one is taken for its own. It tells nobody the cookie.
func (in *session) mark() string { return markOf(in.id.grant) }

func markOf(session string) string {
	sum := sha256.Sum256([]byte("form of session " + session))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// find reads a session by its cookie. It gives ErrNotFound for one that is
// forged, over or ended here.
func (l Sessions) find(ctx context.Context, cookie string) (*session, error) {
	in, _, err := l.read(ctx, cookie)
	return in, wrapped("finding a session", err)
}

func (l Sessions) read(ctx context.Context, cookie string) (*session, storedRecord, error) {
	o, ok := l.state.readOpaque(opaqueSession, cookie, "")
	if !ok {
		return nil, storedRecord{}, fmt.Errorf("%w: no session of ours", ErrNotFound)
	}
	in := &session{id: o}
	found, err := l.state.findAt(ctx, kindSession, in.key(l.state))
	if err == nil {
		err = found.read(in)
	}
	return in, found, err
}

// choose remembers which organization was chosen for a client.
func (l Sessions) choose(ctx context.Context, a Attempt, in *session, client, org string) error {
	for range maxSwaps {
		now, found, err := l.read(ctx, in.text(l.state))
		if err != nil {
			return wrapped("choosing an organization", err)
		}
		if now.Orgs[client] == org {
			return nil
		}
		if now.Orgs == nil || len(now.Orgs) >= maxListed {
			now.Orgs = map[string]string{}
		}
		now.Orgs[client] = org
		ok, err := l.state.swap(ctx, a, found, now, now.End)
		if err != nil || ok {
			in.Orgs = now.Orgs
			return wrapped("choosing an organization", err)
		}
	}
	return fmt.Errorf("choosing an organization: %w: %w", ErrStoreUnavailable, errMoves)
}

// end forgets a session. Its tokens are ended by a revocation, which comes before.
func (l Sessions) end(ctx context.Context, id opaque) error {
	in := session{id: id}
	err := l.state.store.Delete(ctx, in.key(l.state))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return wrapped("ending a session", storeFault(err))
	}
	return nil
}
