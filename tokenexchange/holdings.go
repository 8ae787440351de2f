package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// kindHoldings is what one person has going: where they are logged in, and what
// they granted.
const kindHoldings recordKind = "holdings"

// maxListed bounds each list of a person. What falls out of one is ended.
const maxListed = 200

// holdings are the lists of one person. It is one record, so that nothing has to
// be looked for.
type holdings struct {
	Sessions []heldSession `json:"sessions,omitempty"` // the oldest first, as in all of these
	Grants   []heldGrant   `json:"grants,omitempty"`
	Allowed  []allowed     `json:"allowed,omitempty"`
}

// heldSession is a login in one browser.
type heldSession struct {
	Key    string    `json:"key"` // the name of the state key under which its record is
	ID     string    `json:"id"`
	SID    string    `json:"sid"`
	Since  time.Time `json:"since"`
	End    time.Time `json:"end"`
	Method string    `json:"method"`
	Device string    `json:"device,omitempty"`
}

// heldGrant is a family of tokens, or the code that may become one.
type heldGrant struct {
	ID     string    `json:"id"`
	Client string    `json:"client"`
	Org    string    `json:"org"`
	Since  time.Time `json:"since"`
	End    time.Time `json:"end"`
}

// allowed is a client that a person has agreed to, in an organization.
type allowed struct {
	Client string    `json:"client"`
	Org    string    `json:"org"`
	Since  time.Time `json:"since"`
	End    time.Time `json:"end"`
}

func (a allowed) is(client, org string) bool { return a.Client == client && a.Org == org }

// Holdings are the records of what people have going. The zero Holdings is not
// usable.
type Holdings struct{ state *State }

// Holdings gives the lists of this state.
func (s *State) Holdings() Holdings { return Holdings{state: s} }

// load reads the lists of a subject. Who has none has empty ones.
func (l Holdings) load(ctx context.Context, subject string) (holdings, error) {
	h, _, err := l.read(ctx, subject)
	return h, wrapped("reading what somebody has going", err)
}

func (l Holdings) read(ctx context.Context, subject string) (h holdings, found storedRecord, err error) {
	found, err = l.state.find(ctx, kindHoldings, subject)
	switch {
	case errors.Is(err, ErrNotFound):
		return holdings{}, storedRecord{}, nil
	case err == nil:
		err = found.read(&h)
	}
	if err == nil {
		h.drop(l.state.now())
	}
	return h, found, err
}

// drop forgets what is over.
func (h *holdings) drop(now time.Time) {
	h.Sessions = slices.DeleteFunc(h.Sessions, func(s heldSession) bool { return !now.Before(s.End) })
	h.Grants = slices.DeleteFunc(h.Grants, func(g heldGrant) bool { return !now.Before(g.End) })
	h.Allowed = slices.DeleteFunc(h.Allowed, func(a allowed) bool { return !now.Before(a.End) })
}

// end is when the last of it is over.
func (h *holdings) end() (end time.Time) {
	for _, s := range h.Sessions {
		end = latest(end, s.End)
	}
	for _, g := range h.Grants {
		end = latest(end, g.End)
	}
	for _, a := range h.Allowed {
		end = latest(end, a.End)
	}
	return end
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// change changes the lists of a subject. The function may be called again, with
// what somebody else made of them meanwhile.
func (l Holdings) change(ctx context.Context, a Attempt, subject string, f func(*holdings)) error {
	for range maxSwaps {
		h, found, err := l.read(ctx, subject)
		if err != nil {
			return wrapped("changing what somebody has going", err)
		}
		f(&h)
		ok, end := true, h.end()
		switch {
		case found.key != "" && end.IsZero():
			// Nothing is left. The record goes by itself, a moment later.
			ok, err = l.state.swap(ctx, a, found, h, l.state.now().Add(time.Minute))
		case found.key != "":
			ok, err = l.state.swap(ctx, a, found, h, end)
		case !end.IsZero():
			ok, err = l.state.add(ctx, a, kindHoldings, l.state.ring[0].keyFor(l.state.issuer, kindHoldings, subject), h, end)
		}
		if err != nil || ok {
			return wrapped("changing what somebody has going", err)
		}
	}
	return fmt.Errorf("changing what somebody has going: %w: %w", ErrStoreUnavailable, errMoves)
}

// without takes a session out.
func (h *holdings) without(id string) {
	h.Sessions = slices.DeleteFunc(h.Sessions, func(s heldSession) bool { return s.ID == id })
}

// tooMany parts a list, the oldest first, into what is too much and the rest.
func tooMany[E any](list []E) (fell, rest []E) {
	n := max(len(list)-maxListed, 0)
	return slices.Clone(list[:n]), list[n:]
}

// allow lists a client as agreed to, once, and returns what is too much then: a
// consent is remembered no longer than it can be seen.
func (h *holdings) allow(a allowed) (fell []allowed) {
	for i := range h.Allowed {
		if h.Allowed[i].is(a.Client, a.Org) {
			h.Allowed[i].End = a.End
			return nil
		}
	}
	fell, h.Allowed = tooMany(append(h.Allowed, a))
	return fell
}
