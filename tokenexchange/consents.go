package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// kindConsent is what a user granted to a client in an organization, and was
// asked then.
const kindConsent recordKind = "consent"

const (
	// consentLife is how long a consent is remembered after its last use. State
	// keys open for at least as long, see Realm.Lives.
	consentLife = 90 * 24 * time.Hour
	// consentStep is how much of its life is over before a use prolongs it.
	consentStep = 24 * time.Hour
)

// consentName is whose consent it is, to what, and where.
type consentName struct {
	Subject, Org, Client string
}

// consentRecord is what is remembered under one name. The highest generation
// counts: while a state key is replaced, processes whose first keys differ may have
// made a record each, and not all of them can see both.
type consentRecord struct {
	remembered
	Generation int64     `json:"generation"`          // Unix milliseconds, or one more than before
	Decided    time.Time `json:"decided"`             // by a person; in UTC and milliseconds
	Forgotten  bool      `json:"forgotten,omitempty"` // kept, so that nothing that comes late writes it again
}

// Consents are the records of what was granted. The zero Consents is not usable.
type Consents struct {
	state *State
}

// Consents gives the consents of this state.
func (s *State) Consents() Consents { return Consents{state: s} }

// Consent is what was remembered when it was read.
type Consent struct {
	Decided time.Time // by a person
	name    consentName
	rec     consentRecord
	stored  []storedRecord // all that stands under the name, also what does not count
	first   time.Time      // the end of what counts and stands under the first state key
}

// Load reads what is remembered. It gives ErrNotFound if there is nothing, or if
// nobody knows what a person decided last: then the person is asked, which never
// gives too much. It gives ErrStoreUnavailable if the store cannot tell.
func (c Consents) Load(ctx context.Context, name consentName) (*Consent, error) {
	found, doubt, err := c.read(ctx, name)
	switch {
	case err != nil:
	case doubt != nil:
		err = fmt.Errorf("%w: %w", ErrNotFound, doubt)
	case found.rec.Generation == 0 || found.rec.Forgotten:
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("loading a consent: %w", err)
	}
	return found, nil
}

var errSameGeneration = errors.New("two consents of one moment")

// read looks under every state key. There is a doubt if what counts cannot be told:
// one record cannot be opened, or two of one generation differ.
func (c Consents) read(ctx context.Context, name consentName) (found *Consent, doubt, err error) {
	var tie, closed error
	found = &Consent{name: name}
	for i, k := range c.state.ring {
		stored, err := c.state.findAt(ctx, kindConsent, c.key(k, name))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		var rec consentRecord
		if err == nil {
			err = stored.read(&rec)
		}
		switch {
		case errors.Is(err, ErrStateCorrupt):
			closed = err
		case err != nil:
			return nil, nil, err
		case rec.Generation > found.rec.Generation:
			found.rec, found.first, tie = rec, time.Time{}, nil
			if i == 0 {
				found.first = stored.exp
			}
		case rec.Generation == found.rec.Generation && rec != found.rec:
			tie = errSameGeneration
		}
		found.stored = append(found.stored, stored)
	}
	found.Decided = found.rec.Decided
	return found, errors.Join(tie, closed), nil
}

func (c Consents) key(k *sealer, name consentName) string {
	return k.keyFor(c.state.issuer, kindConsent, string(joinFields(name.Subject, name.Org, name.Client)))
}

// Keep prolongs a consent that answered a request. Most uses find that it lives
// long enough. One that was changed meanwhile stays as it is.
func (c Consents) Keep(ctx context.Context, a Attempt, found *Consent) error {
	if found.first.After(c.state.now().Add(consentLife - consentStep)) {
		return nil
	}
	_, err := c.write(ctx, a, found, found.rec)
	return wrapped("keeping a consent", err)
}

// latest returns the generation of the record that counts, 0 if there is none.
func (c Consents) latest(ctx context.Context, name consentName) (int64, error) {
	found, _, err := c.read(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("looking for a consent: %w", err)
	}
	return found.rec.Generation, nil
}

// Remember replaces what is remembered by what a person decided over a generation.
// Do it before the answer leaves: what was taken away must be gone when they see
// it. It gives ErrNotFound if the person has taken all back since then, or decided
// something else: what was said may have waited for its answer, and another tab
// had the last word.
func (c Consents) Remember(ctx context.Context, a Attempt, name consentName, r remembered, over int64) error {
	return wrapped("remembering a consent", c.decide(ctx, a, name, consentRecord{remembered: r}, func(was consentRecord) error {
		if was.Generation > over && (was.Forgotten || was.remembered != r) {
			return ErrNotFound
		}
		return nil
	}))
}

// Forget takes back what is remembered, if anything is: the person will be asked
// again.
func (c Consents) Forget(ctx context.Context, a Attempt, name consentName) error {
	return wrapped("forgetting a consent", c.decide(ctx, a, name, consentRecord{Forgotten: true}, func(consentRecord) error { return nil }))
}

// decide writes over whatever is there and may be replaced. Of two decisions that
// race one is later.
func (c Consents) decide(ctx context.Context, a Attempt, name consentName, rec consentRecord, replace func(consentRecord) error) error {
	rec.Decided = inMillis(c.state.now())
	for range maxSwaps {
		found, _, err := c.read(ctx, name)
		if err == nil {
			err = replace(found.rec)
		}
		if err != nil {
			return err
		}
		if done, err := c.write(ctx, a, found, rec); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrStoreUnavailable, errMoves)
}

// write makes a record the newest, and tells whether it did. It is a swap and never
// handOut, since what it replaces may be wider.
func (c Consents) write(ctx context.Context, a Attempt, found *Consent, rec consentRecord) (bool, error) {
	now := c.state.now()
	rec.Generation = max(found.rec.Generation+1, now.UnixMilli())
	return c.state.swapAll(ctx, a, kindConsent, c.key(c.state.ring[0], found.name), found.stored, rec, now.Add(consentLife))
}

// answers is that of what is remembered.
func (c *Consent) answers(o offer) (choice, bool) { return c.rec.answers(o) }

// narrowed is that of what is remembered.
func (c *Consent) narrowed() bool { return c.rec.narrowed() }

// overruled tells why a consent counts no more, "" if it does: what ends the logins
// of a user or a client ends what was decided in them. Whoever had stolen a login
// may have decided it, and a name that comes back may be somebody else's. The
// error is errRevocationsUnread if nobody can tell.
func (s *Server) overruled(c *Consent) (why string, err error) {
	if s.revocations.unknown(c.Decided) {
		return "", errRevocationsUnread
	}
	if why := s.realm.dead(c.name.Subject, c.Decided); why != "" {
		return why, nil
	}
	return s.revocations.named(mint.Identifiers{
		Subject: c.name.Subject, ClientID: c.name.Client, IssuedAt: c.Decided, LoginAt: c.Decided,
	}), nil
}
