package tokenexchange

import (
	"context"
	"time"
)

// kindConsent is what a user granted to a client in an organization, and was
// asked then.
const kindConsent recordKind = "consent"

// consentLife is how long a consent is remembered after its last use.
const consentLife = 90 * 24 * time.Hour

// consentFor names a remembered consent.
type consentFor struct {
	Subject, Org, Client string
}

// Consents are the records of what was granted. The zero Consents is not usable.
type Consents struct {
	state *State
}

// Consents gives the consents of this state.
func (s *State) Consents() Consents { return Consents{state: s} }

// heldConsent is a consent as it was read.
type heldConsent struct {
	remembered
	Decided time.Time // by a person
}

// Load reads what is remembered. It gives ErrNotFound if there is nothing, and
// ErrStoreUnavailable or ErrStateCorrupt if nobody can tell.
func (c Consents) Load(ctx context.Context, who consentFor) (*heldConsent, error) {
	return nil, ErrNotFound
}

// Keep prolongs what was read, since it answered a request. It writes nothing if
// the record lives long enough, and never brings back what was changed since.
func (c Consents) Keep(ctx context.Context, a Attempt, held *heldConsent) error { return nil }

// Remember replaces what is remembered by what a person decided now.
func (c Consents) Remember(ctx context.Context, a Attempt, who consentFor, r remembered) error {
	return nil
}

// Forget takes back what is remembered: the person is asked again.
func (c Consents) Forget(ctx context.Context, a Attempt, who consentFor) error { return nil }
