package tokenexchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

const kindEpoch recordKind = "epoch"

// epochKey is no keyed hash: the record must be found, and refused, under any
// other state key.
const epochKey = "epoch"

// epochEnd outlives every token.
var epochEnd = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// Epoch names one life of the store. When a store is lost its next epoch has
// another ID, and what was issued before Created must be refused, because the
// store no longer knows what was revoked or used up.
type Epoch struct {
	ID      string    `json:"id"`      // 32 hexadecimal digits, drawn at random
	Created time.Time `json:"created"` // by this machine's clock, in milliseconds
}

// Epoch reads the store's epoch, and makes it when the store is new. An epoch
// that another state key or issuer sealed is ErrStateCorrupt; a store that
// cannot answer is ErrStoreUnavailable.
func (s *State) Epoch(ctx context.Context) (Epoch, error) {
	attempt, err := s.NewAttempt()
	if err != nil {
		return Epoch{}, err
	}
	var id [16]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return Epoch{}, fmt.Errorf("drawing an epoch: %w", err)
	}
	fresh := Epoch{ID: hex.EncodeToString(id[:]), Created: s.now().UTC().Truncate(time.Millisecond)}
	added := false
	for {
		r, err := s.findAt(ctx, kindEpoch, epochKey)
		switch {
		case errors.Is(err, ErrStateCorrupt):
			return Epoch{}, fmt.Errorf("the store belongs to another state key or issuer: %w", err)
		case err == nil:
			return s.keepEpoch(ctx, attempt, r)
		case !errors.Is(err, ErrNotFound):
			return Epoch{}, err
		case added:
			return Epoch{}, fmt.Errorf("%w: it does not keep what it was given", ErrStoreUnavailable)
		}
		// What is there after the Add counts, whoever made it.
		if _, err := s.add(ctx, attempt, kindEpoch, epochKey, fresh, epochEnd); err != nil {
			return Epoch{}, err
		}
		added = true
	}
}

// storedEpoch reads the epoch that the store has, and makes none.
func (s *State) storedEpoch(ctx context.Context) (e Epoch, err error) {
	r, err := s.findAt(ctx, kindEpoch, epochKey)
	if err == nil {
		err = r.read(&e)
	}
	return e, err
}

// inEpoch checks that the store still lives in an epoch. Any other, or none, is
// ErrStoreUnavailable: the store was lost and forgot what it had to refuse. To
// rely on what was just written, call it after the write, and not before: the
// store could be lost in between.
func (s *State) inEpoch(ctx context.Context, want Epoch) error {
	switch e, err := s.storedEpoch(ctx); {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: its epoch is gone, so it was lost", ErrStoreUnavailable)
	case err != nil:
		return err
	case e.ID != want.ID:
		return fmt.Errorf("%w: it has another epoch, so it was lost", ErrStoreUnavailable)
	}
	return nil
}

// keepEpoch seals the epoch anew when an older key sealed it, so that it
// outlives the rotation. A swap that is lost was done by another replica.
func (s *State) keepEpoch(ctx context.Context, a Attempt, r storedRecord) (Epoch, error) {
	var e Epoch
	if err := r.read(&e); err != nil {
		return Epoch{}, err
	}
	if s.ring[0].sealed(r.raw) {
		return e, nil
	}
	if _, err := s.swap(ctx, a, r, e, epochEnd); err != nil {
		return Epoch{}, err
	}
	return e, nil
}
