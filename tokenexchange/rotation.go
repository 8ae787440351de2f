package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// RepeatWindow is how long after a rotation the refresh token before it
	// gives the same successor again.
	RepeatWindow = 10 * time.Second
	// maxRepeats is how often it does.
	maxRepeats = 3
)

// Turn is the use of one refresh token. It serves one request.
type Turn struct {
	Family // as it was found
	token  opaque
	held   *heldFamily
}

// Present reads the family of a refresh token that this client presents, and
// judges it. It changes nothing. It gives ErrNotFound for a token that is
// forged, another client's, unknown, revoked, over, or ahead of the record;
// ErrSpent for a repeat beyond those that are answered, within RepeatWindow;
// ErrReused for an older one, whose family the caller has to revoke; both with
// the family;
// ErrStoreUnavailable and ErrStateCorrupt when nobody can tell.
func (f Families) Present(ctx context.Context, token, client string) (*Turn, error) {
	o, ok := f.state.readOpaque(opaqueRefresh, token, client)
	if !ok {
		return nil, fmt.Errorf("presenting a refresh token: %w: none of ours for this client", ErrNotFound)
	}
	held, err := f.state.holdFamily(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("presenting a refresh token: %w", err)
	}
	t := &Turn{Family: held.rec.Family, token: o, held: held}
	switch _, err := t.judge(&held.rec); {
	case errors.Is(err, ErrReused), errors.Is(err, ErrSpent):
		return t, fmt.Errorf("presenting a refresh token: %w", err)
	case err != nil:
		return nil, fmt.Errorf("presenting a refresh token: %w", err)
	}
	return t, nil
}

// judge tells whether the token rotates the family or repeats its rotation.
func (t *Turn) judge(rec *familyRecord) (rotates bool, err error) {
	now := t.held.state.now()
	newest := t.token.counter == rec.Counter
	switch {
	case rec.Status != familyActive || t.token.counter > rec.Counter:
		return false, ErrNotFound
	case !newest && (t.token.counter != rec.Counter-1 || now.Sub(rec.RotatedAt) >= RepeatWindow):
		return false, ErrReused // Also when no refresh token works any more: the access tokens do.
	case !rec.refreshable(now):
		return false, ErrNotFound
	case !newest && rec.Repeats >= maxRepeats:
		return false, ErrSpent
	}
	return newest, nil
}

// Rotate uses the refresh token and gives its successor, for an access token that
// lives until accessEnd at most: the record stays as long. Of all who use one
// token, one rotates, and at most three repeat, who get the same successor. The
// others get the errors of Present. After ErrStoreUnavailable nobody was given
// the successor, or somebody else.
func (t *Turn) Rotate(ctx context.Context, a Attempt, accessEnd time.Time) (successor string, err error) {
	s := t.held.state
	err = t.held.change(ctx, a, s.handOut, func(rec *familyRecord) error {
		rotates, err := t.judge(rec)
		if err != nil {
			return err
		}
		if rec.Repeats++; rotates {
			rec.Counter, rec.RotatedAt, rec.Repeats = rec.Counter+1, inMillis(s.now()), 0
		}
		rec.keep(accessEnd)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("using a refresh token: %w", err)
	}
	next := t.token
	next.counter++
	return next.text(opaqueRefresh, s.issuer, t.Client), nil
}
