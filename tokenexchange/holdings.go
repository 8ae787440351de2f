package tokenexchange

import (
	"context"
	"errors"
	"fmt"
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
	ID     string `json:"id"`
	Client string `json:"client"`
	Org    string `json:"org"`
	// The login that it ends with, "" for one that outlives its login.
	Session string    `json:"session,omitempty"`
	Since   time.Time `json:"since"`
	End     time.Time `json:"end"`
}

// allowed is a client that a person has agreed to, in an organization.
type allowed struct {
	Client string    `json:"client"`
	Org    string    `json:"org"`
	Since  time.Time `json:"since"`
	End    time.Time `json:"end"`
}

// id names it on the pages of its person. Ids have no blanks.
func (a allowed) id() string { return a.Client + " " + a.Org }

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

// read looks under every state key. While one is replaced there may be a record
// under each. They are the same, or one was not written to the end: then what is
// in any of them is taken for there, since it can only be ended.
func (l Holdings) read(ctx context.Context, subject string) (h holdings, stored []storedRecord, err error) {
	for _, k := range l.state.ring {
		found, err := l.state.findAt(ctx, kindHoldings, l.key(k, subject))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		var one holdings
		if err == nil {
			err = found.read(&one)
		}
		if err != nil {
			return holdings{}, nil, err
		}
		h.join(one)
		stored = append(stored, found)
	}
	h.drop(l.state.now())
	return h, stored, nil
}

func (l Holdings) key(k *sealer, subject string) string {
	return k.keyFor(l.state.issuer, kindHoldings, subject)
}

// change changes the lists of a subject. The function may be called again, with
// what somebody else made of them meanwhile, or it did itself.
func (l Holdings) change(ctx context.Context, a Attempt, subject string, f func(*holdings)) error {
	for range maxSwaps {
		h, stored, err := l.read(ctx, subject)
		if err != nil {
			return wrapped("changing what somebody has going", err)
		}
		f(&h)
		if done, err := l.write(ctx, a, subject, h, stored); done || err != nil {
			return wrapped("changing what somebody has going", err)
		}
	}
	return fmt.Errorf("changing what somebody has going: %w: %w", ErrStoreUnavailable, errMoves)
}

// write puts lists in the place of all that were found, and tells whether it did.
func (l Holdings) write(ctx context.Context, a Attempt, subject string, h holdings, stored []storedRecord) (bool, error) {
	end := h.over()
	if end.IsZero() && len(stored) == 0 {
		return true, nil // There was nothing, and there is nothing.
	}
	if end.IsZero() { // Nothing is left. The records go by themselves, a moment later.
		end = l.state.now().Add(time.Minute)
	}
	return l.state.swapAll(ctx, a, kindHoldings, l.key(l.state.ring[0], subject), stored, h, end)
}
