package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// kindFamily is the one record that goes from a code that was issued, over an
// active family of tokens, to revoked. Since each step is one Swap of the same
// record, a code cannot be used twice, nor a family outlive its end.
const kindFamily recordKind = "family"

// familyStatus is the step at which a family stands.
type familyStatus string

const (
	familyIssued  familyStatus = "issued"  // a code that was not used
	familyActive  familyStatus = "active"  // a family of tokens
	familyRevoked familyStatus = "revoked" // refuses everything, until End
)

type familyRecord struct {
	Status familyStatus `json:"status"`
	Family
	RotatedAt time.Time  `json:"rotated_at,omitzero"` // when the newest refresh token was made
	Repeats   int        `json:"repeats,omitempty"`   // how often that one was given again
	Code      codeRecord `json:"code,omitzero"`       // what it began with, zero if not with a code
}

// inMillis is a time as records keep it.
func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// begin adds a new record, under the store key of the first state key.
func (s *State) begin(ctx context.Context, a Attempt, rec familyRecord) error {
	if !validGrantID(rec.ID) || rec.Client == "" || rec.Subject == "" {
		return fmt.Errorf("it needs a client, a subject, and an ID of 1 to %d letters, digits, _, ~ and -", maxGrantID)
	}
	rec.AuthTime, rec.Created = inMillis(rec.AuthTime), inMillis(rec.Created)
	rec.RefreshEnd, rec.End = inMillis(rec.RefreshEnd), inMillis(rec.End)
	ok, err := s.add(ctx, a, kindFamily, s.ring[0].keyFor(s.issuer, kindFamily, rec.ID), rec, rec.End)
	if err == nil && !ok {
		err = ErrFamilyExists
	}
	return err
}

// firstText is the code, or the first refresh token, of a grant that begin
// has recorded.
func (s *State) firstText(kind opaqueKind, g Grant) string {
	return opaque{key: s.ring[0], grant: g.ID}.text(kind, s.issuer, g.Client)
}

// heldFamily is a record as it was read, for whoever will change it.
type heldFamily struct {
	state *State
	found storedRecord
	rec   familyRecord
}

// holdFamily reads the record that an opaque token names.
func (s *State) holdFamily(ctx context.Context, o opaque) (*heldFamily, error) {
	h := &heldFamily{state: s}
	return h, h.read(ctx, o.key.keyFor(s.issuer, kindFamily, o.grant))
}

func (h *heldFamily) read(ctx context.Context, key string) error {
	found, err := h.state.findAt(ctx, kindFamily, key)
	if err != nil {
		return err
	}
	return h.take(found)
}

func (h *heldFamily) take(found storedRecord) error {
	h.found, h.rec = found, familyRecord{}
	if err := found.read(&h.rec); err != nil {
		return err
	}
	switch h.rec.Status {
	case familyIssued, familyActive, familyRevoked:
		return nil
	}
	return fmt.Errorf("%w: unknown status %q", ErrStateCorrupt, h.rec.Status)
}

// maxSwaps bounds how often a change is tried. Each try that is lost was won by
// somebody: five misses and three repeats are counted, and end.
const maxSwaps = 64

var errMoves = errors.New("the record changed at every try")

// change takes a record one step on. The step judges the record that it gets,
// and what it makes of it is written; if somebody else was first, it judges
// theirs. The writer is State.swap or State.handOut.
func (h *heldFamily) change(
	ctx context.Context, a Attempt,
	write func(context.Context, Attempt, storedRecord, any, time.Time) (bool, error),
	step func(*familyRecord) error,
) error {
	for range maxSwaps {
		next := h.rec
		if !h.state.now().Before(next.End) {
			return ErrNotFound
		}
		if err := step(&next); err != nil {
			return err
		}
		ok, err := write(ctx, a, h.found, next, next.End)
		if err != nil {
			return err
		}
		if ok {
			h.rec = next
			return nil
		}
		if err := h.read(ctx, h.found.key); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrStoreUnavailable, errMoves)
}
