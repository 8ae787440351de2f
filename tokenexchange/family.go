package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrFamilyExists says that another request began a family of this ID.
var ErrFamilyExists = errors.New("family exists already")

const kindFamily recordKind = "family"

// Family is what is remembered of all tokens with one grant_id. The record
// expires at End.
type Family struct {
	ID      string    `json:"id"`      // the grant_id, random
	Counter uint64    `json:"counter"` // of the newest refresh token
	Subject string    `json:"subject"` // the tokens' sub
	Client  string    `json:"client"`
	Org     string    `json:"org"`
	Set     string    `json:"set"`   // the canonical text of the scopes.Set
	Scope   string    `json:"scope"` // the granted OAuth scope, words set apart by blanks
	Session string    `json:"session"`
	Created time.Time `json:"created"` // in UTC and milliseconds
	End     time.Time `json:"end"`     // no token of the family outlives it; in UTC and milliseconds
}

// familyStatus is the step at which a family stands.
type familyStatus string

const familyActive familyStatus = "active"

type familyRecord struct {
	Status familyStatus `json:"status"`
	Family
}

// Families are the records of token families. The zero Families is not usable.
type Families struct {
	state *State
}

// Families gives the families of this state.
func (s *State) Families() Families { return Families{state: s} }

// Begin makes the active record of a new family. Its ID must be random and new,
// its Counter 0, its End in the future and after Created. It gives
// ErrFamilyExists if the ID is taken, ErrStoreUnavailable if the store cannot
// answer: then the family may exist, but no one was told of it.
func (f Families) Begin(ctx context.Context, a Attempt, fam Family) error {
	switch {
	case fam.ID == "" || fam.Client == "" || fam.Subject == "":
		return errors.New("beginning a family: it needs an ID, a client and a subject")
	case fam.Counter != 0:
		return fmt.Errorf("beginning a family: its counter is %d, not 0", fam.Counter)
	case !fam.Created.Before(fam.End):
		return errors.New("beginning a family: it ends before it was created")
	}
	fam.Created = fam.Created.UTC().Truncate(time.Millisecond)
	fam.End = fam.End.UTC().Truncate(time.Millisecond)
	s := f.state
	key := s.ring[0].keyFor(s.issuer, kindFamily, fam.ID)
	ok, err := s.add(ctx, a, kindFamily, key, familyRecord{Status: familyActive, Family: fam}, fam.End)
	if err != nil {
		return fmt.Errorf("beginning a family: %w", err)
	}
	if !ok {
		return ErrFamilyExists
	}
	return nil
}

// Load reads an active family. It gives ErrNotFound when there is none or it
// has ended, ErrStateCorrupt and ErrStoreUnavailable when nobody can tell.
func (f Families) Load(ctx context.Context, id string) (Family, error) {
	found, err := f.state.find(ctx, kindFamily, id)
	if err != nil {
		return Family{}, fmt.Errorf("loading a family: %w", err)
	}
	var rec familyRecord
	if err := found.read(&rec); err != nil {
		return Family{}, fmt.Errorf("loading a family: %w", err)
	}
	if rec.Status != familyActive {
		return Family{}, fmt.Errorf("loading a family: %w: unknown status %q", ErrStateCorrupt, rec.Status)
	}
	return rec.Family, nil
}
