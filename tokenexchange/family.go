package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrFamilyExists says that another request began a family of this ID.
	ErrFamilyExists = errors.New("family exists already")
	// ErrSpent says that a code or a refresh token was used a moment ago. The
	// request is refused, and nothing else happens: it may be the same client.
	ErrSpent = errors.New("used a moment ago")
	// ErrReused says that a code or a refresh token was used before, too long
	// ago for a retry. Somebody else may hold it: the caller revokes the family.
	ErrReused = errors.New("used before")
)

// Grant is what a user granted to a client: the part that a code and the family
// of tokens that comes from it share.
type Grant struct {
	ID       string    `json:"id"`      // the grant_id, random: 1 to 64 letters, digits, _, ~ and -
	Subject  string    `json:"subject"` // the tokens' sub
	Client   string    `json:"client"`
	Org      string    `json:"org"`
	Set      string    `json:"set"`   // the canonical text of the scopes.Set
	Scope    string    `json:"scope"` // the granted OAuth scope, words set apart by blanks
	Session  string    `json:"session"`
	Narrowed bool      `json:"narrowed,omitempty"` // less was granted than the user held
	Roles    string    `json:"roles,omitempty"`    // that the user held when it was granted, set apart by blanks
	AuthTime time.Time `json:"auth_time,omitzero"` // of the login; in UTC and milliseconds
	// Where the user logged in: the domain of another provider, "" for a password.
	Source string `json:"source,omitempty"`
}

// Family is what is remembered of all tokens with one grant_id. The record
// expires at End. Times are in UTC and milliseconds.
type Family struct {
	Grant
	Counter    uint64    `json:"counter"` // of the newest refresh token
	Created    time.Time `json:"created"`
	RefreshEnd time.Time `json:"refresh_end,omitzero"` // no refresh token works from then on; zero is End
	End        time.Time `json:"end"`                  // none of its tokens outlives it
}

// refreshable tells whether refresh tokens of the family still work.
func (f *Family) refreshable(now time.Time) bool { return now.Before(f.refreshesUntil()) }

// refreshesUntil is when refresh tokens of the family work no more.
func (f *Family) refreshesUntil() time.Time {
	if f.RefreshEnd.IsZero() || f.End.Before(f.RefreshEnd) {
		return f.End
	}
	return f.RefreshEnd
}

// keep makes the record outlive a token of the family. What can be refreshed
// ends when it always did.
func (f *Family) keep(end time.Time) {
	if f.RefreshEnd.IsZero() {
		f.RefreshEnd = f.End
	}
	if end = inMillis(end); end.After(f.End) {
		f.End = end
	}
}

// Families are the records of token families. The zero Families is not usable.
type Families struct {
	state *State
}

// Families gives the families of this state.
func (s *State) Families() Families { return Families{state: s} }

// Begin makes the active record of a new family, and gives its first refresh
// token. Its ID must be random and new, its Counter 0, its End in the future
// and after Created. It gives ErrFamilyExists if the ID is taken,
// ErrStoreUnavailable if the store cannot answer: then the family may exist,
// but no one was told of it.
func (f Families) Begin(ctx context.Context, a Attempt, fam Family) (refresh string, err error) {
	switch {
	case fam.Counter != 0:
		return "", fmt.Errorf("beginning a family: its counter is %d, not 0", fam.Counter)
	case !fam.Created.Before(fam.End):
		return "", errors.New("beginning a family: it ends before it was created")
	}
	if err := f.state.begin(ctx, a, familyRecord{Status: familyActive, Family: fam}); err != nil {
		return "", fmt.Errorf("beginning a family: %w", err)
	}
	return f.state.firstText(opaqueRefresh, fam.Grant), nil
}

// Keep records that tokens of a grant live until end. The grant is one that is
// used again and again, so its record is made at the first use, stays, and is
// written as seldom as it can be. It gives ErrNotFound if the grant was revoked.
func (f Families) Keep(ctx context.Context, a Attempt, g Grant, end time.Time) error {
	now := f.state.now()
	longer := end.Add(end.Sub(now)) // Most uses find that it lives long enough.
	held, err := f.hold(ctx, g.ID)
	if errors.Is(err, ErrNotFound) {
		err = f.state.begin(ctx, a, familyRecord{Status: familyActive, Family: Family{Grant: g, Created: now, RefreshEnd: now, End: longer}})
		if !errors.Is(err, ErrFamilyExists) {
			return wrapped("keeping a grant", err)
		}
		held, err = f.hold(ctx, g.ID)
	}
	if err == nil {
		err = held.change(ctx, a, f.state.swap, func(rec *familyRecord) error {
			switch {
			case rec.Status != familyActive:
				return ErrNotFound
			case !rec.End.Before(inMillis(end)):
				return errLongEnough
			}
			rec.keep(longer)
			return nil
		})
	}
	if errors.Is(err, errLongEnough) {
		return nil
	}
	return wrapped("keeping a grant", err)
}

var errLongEnough = errors.New("the record lives long enough")

// wrapped says what failed, if something did.
func wrapped(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Load reads an active family. It gives ErrNotFound when there is none or it
// has ended, ErrStateCorrupt and ErrStoreUnavailable when nobody can tell.
func (f Families) Load(ctx context.Context, id string) (Family, error) {
	held, err := f.hold(ctx, id)
	if err == nil && held.rec.Status != familyActive {
		err = ErrNotFound
	}
	if err != nil {
		return Family{}, fmt.Errorf("loading a family: %w", err)
	}
	return held.rec.Family, nil
}

// Revoke ends a family, or a code that was not used: nothing comes from it any
// more. One that is absent, over or revoked is no error. It does not reach
// access tokens: publish the revocation first.
func (f Families) Revoke(ctx context.Context, a Attempt, id string) error {
	held, err := f.hold(ctx, id)
	if err == nil {
		err = held.change(ctx, a, f.state.swap, func(rec *familyRecord) error {
			if rec.Status == familyRevoked {
				return ErrNotFound
			}
			rec.Status = familyRevoked
			return nil
		})
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("revoking a family: %w", err)
	}
	return nil
}

// hold looks for a family under every state key.
func (f Families) hold(ctx context.Context, id string) (*heldFamily, error) {
	found, err := f.state.find(ctx, kindFamily, id)
	if err != nil {
		return nil, err
	}
	h := &heldFamily{state: f.state}
	return h, h.take(found)
}
