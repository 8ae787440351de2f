package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// CodeLife is how long a code can be used.
	CodeLife = time.Minute
	// spentWindow is how long after its first use a code that comes again is
	// taken for a retry.
	spentWindow = 5 * time.Second
	// maxMisses is how many wrong tries of its own client burn a code.
	maxMisses = 5
)

// Code is what an authorization code stands for.
type Code struct {
	Grant
	RedirectURI string // of the authorize request, byte for byte
	Challenge   string // code_challenge of PKCE, "" for none
	Method      string // code_challenge_method as it was sent, "" for none
	Nonce       string
	State       string
}

// codeRecord is the part of a code that the family does not need. It stays in
// the record, so that a code that comes again is known for what it is.
type codeRecord struct {
	RedirectURI string    `json:"redirect_uri"`
	Challenge   string    `json:"challenge,omitempty"`
	Method      string    `json:"method,omitempty"`
	Nonce       string    `json:"nonce,omitempty"`
	State       string    `json:"state,omitempty"`
	Misses      int       `json:"misses,omitempty"`
	SpentAt     time.Time `json:"spent_at,omitzero"`
}

// Codes are the records of authorization codes. The zero Codes is not usable.
type Codes struct {
	state *State
}

// Codes gives the codes of this state.
func (s *State) Codes() Codes { return Codes{state: s} }

// Issue records a code and gives its text, good for CodeLife. The ID of its
// grant must be random and new. It gives ErrFamilyExists if the ID is taken,
// ErrStoreUnavailable if the store cannot answer.
func (c Codes) Issue(ctx context.Context, a Attempt, code Code) (string, error) {
	switch {
	case code.RedirectURI == "":
		return "", errors.New("issuing a code: it needs a redirect_uri")
	case (code.Challenge == "") != (code.Method == ""):
		return "", errors.New("issuing a code: a challenge and its method need each other")
	}
	now := c.state.now()
	err := c.state.begin(ctx, a, familyRecord{
		Status: familyIssued,
		Family: Family{Grant: code.Grant, Created: now, End: now.Add(CodeLife)},
		Code: codeRecord{
			RedirectURI: code.RedirectURI, Challenge: code.Challenge, Method: code.Method,
			Nonce: code.Nonce, State: code.State,
		},
	})
	if err != nil {
		return "", fmt.Errorf("issuing a code: %w", err)
	}
	return c.state.firstText(opaqueCode, code.Grant), nil
}

// Find reads what a code stands for that this client presents, also one that
// was used. It changes nothing. It gives ErrNotFound for a code that is forged,
// another client's, unknown, expired, burnt or revoked; ErrStoreUnavailable and
// ErrStateCorrupt when nobody can tell.
func (c Codes) Find(ctx context.Context, code, client string) (*Redemption, error) {
	o, ok := c.state.readOpaque(opaqueCode, code, client)
	if !ok {
		return nil, fmt.Errorf("finding a code: %w: none of ours for this client", ErrNotFound)
	}
	held, err := c.state.holdFamily(ctx, o)
	if err == nil && held.rec.Status == familyRevoked {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("finding a code: %w", err)
	}
	was := held.rec.Code
	return &Redemption{
		Code: Code{
			Grant: held.rec.Grant, RedirectURI: was.RedirectURI, Challenge: was.Challenge, Method: was.Method,
			Nonce: was.Nonce, State: was.State,
		},
		token: o, held: held,
	}, nil
}

// Redemption is a code on its way to tokens. It serves one request.
type Redemption struct {
	Code
	token opaque
	held  *heldFamily
}

// Used gives nil for a code that was not used, ErrSpent for one whose first use
// was less than 5 s ago, ErrReused later. It says something only about a caller
// who sent the right redirect_uri and verifier.
func (r *Redemption) Used() error { return r.judge(&r.held.rec) }

func (r *Redemption) judge(rec *familyRecord) error {
	switch {
	case rec.Status == familyIssued:
		return nil
	case rec.Status == familyRevoked:
		return ErrNotFound
	case r.held.state.now().Sub(rec.Code.SpentAt) < spentWindow:
		return ErrSpent
	}
	return ErrReused
}

// Miss counts a wrong verifier or redirect_uri. The fifth burns the code. A
// code that was used is not changed by it.
func (r *Redemption) Miss(ctx context.Context, a Attempt) error {
	err := r.held.change(ctx, a, r.held.state.swap, func(rec *familyRecord) error {
		if rec.Status != familyIssued {
			return ErrNotFound
		}
		if rec.Code.Misses++; rec.Code.Misses >= maxMisses {
			rec.Status = familyRevoked
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("counting a wrong use of a code: %w", err)
	}
	return nil
}

// Spend uses the code: its record becomes a family that lives until end, whose
// first refresh token it gives; no refresh token works from refreshEnd on, zero
// is end. Of all who try, one is told so; the others get ErrSpent or ErrReused,
// or ErrNotFound if the code was burnt meanwhile. After ErrStoreUnavailable
// nobody has used it, or somebody else.
func (r *Redemption) Spend(ctx context.Context, a Attempt, refreshEnd, end time.Time) (Family, string, error) {
	s := r.held.state
	if !s.now().Before(end) {
		return Family{}, "", errors.New("spending a code: its family would have ended")
	}
	err := r.held.change(ctx, a, s.handOut, func(rec *familyRecord) error {
		if err := r.judge(rec); err != nil {
			return err
		}
		now := inMillis(s.now())
		rec.Status, rec.Created, rec.Code.SpentAt = familyActive, now, now
		rec.RefreshEnd, rec.End = inMillis(refreshEnd), inMillis(end)
		return nil
	})
	if err != nil {
		return Family{}, "", fmt.Errorf("spending a code: %w", err)
	}
	return r.held.rec.Family, r.token.text(opaqueRefresh, s.issuer, r.Client), nil
}
