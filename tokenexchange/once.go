package tokenexchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

const kindOnce recordKind = "once"

// Once are claims to what may be used a single time. A store that is lost
// forgets them, so what was made before its Epoch must be refused by its date.
// The zero Once is not usable.
type Once struct {
	state *State
}

// Once gives the claims of this state.
func (s *State) Once() Once { return Once{state: s} }

// Claim uses an ID up, and tells whether this call was the first. The use, such
// as "assertion", keeps IDs of different origins apart. The claim stays until
// exp: give it the last moment at which the ID would be accepted. After
// ErrStoreUnavailable the ID may be used up, and nobody was the first.
//
// It stands under every state key, always in the same order: processes in the
// middle of a key rotation, which have another first key or lack the last one,
// meet at the keys that they share.
func (o Once) Claim(ctx context.Context, a Attempt, use, id string, exp time.Time) (first bool, err error) {
	s := o.state
	ring := slices.SortedFunc(slices.Values(s.ring), func(a, b *sealer) int { return bytes.Compare(a.id[:], b.id[:]) })
	for _, k := range ring {
		first, err = s.add(ctx, a, kindOnce, k.keyFor(s.issuer, kindOnce, string(joinFields(use, id))), struct{}{}, exp)
		if err != nil {
			return false, fmt.Errorf("claiming a single use: %w", err)
		}
		if !first {
			return false, nil
		}
	}
	return first, nil
}
