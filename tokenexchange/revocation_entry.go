package tokenexchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const kindRevocation recordKind = "revocation"

// An entry of the feed is
//
//	until, Unix milliseconds (8) | sealed value
//
// The seal is bound to until, which stands in clear so that an entry whose time
// is over needs no key any more: a state key is dropped one day, and what it
// sealed can stand in an idle feed for longer.
const entryHeaderLen = 8

// feedEntry is what an entry holds: revocations, or the mark of a follower that
// wants to know how far it is.
type feedEntry struct {
	Revoked []Revocation `json:"revoked,omitempty"`
	Marker  string       `json:"marker,omitempty"`
}

// entryRevocations is how many revocations fit into one entry, of which any
// feed takes 64 KiB, whatever JSON makes of their values.
const entryRevocations = 8

// sealEntry seals an entry as records are sealed: a reader of the feed learns
// when it is over, a writer cannot make one up.
func (s *State) sealEntry(e feedEntry, until time.Time) ([]byte, error) {
	attempt, err := s.NewAttempt()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing an entry of the feed: %w", err)
	}
	header := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli()))
	sealed, err := s.ring[0].sealValue(s.random, s.entryBound(header), sealedPlain{attempt: attempt.random, exp: until, payload: text})
	return append(header, sealed...), err
}

// openEntry opens an entry that any of the state keys sealed. Every error is
// ErrStateCorrupt.
func (s *State) openEntry(raw []byte) (feedEntry, error) {
	if len(raw) < entryHeaderLen {
		return feedEntry{}, fmt.Errorf("%w: cut short", ErrStateCorrupt)
	}
	plain, err := openSealed(s.ring, s.entryBound(raw[:entryHeaderLen]), raw[entryHeaderLen:])
	if err != nil {
		return feedEntry{}, err
	}
	var e feedEntry
	dec := json.NewDecoder(bytes.NewReader(plain.payload))
	dec.DisallowUnknownFields() // What this version does not know may name tokens too.
	err = dec.Decode(&e)
	for _, r := range e.Revoked {
		err = errors.Join(err, r.check())
	}
	if err == nil && len(e.Revoked) == 0 && e.Marker == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return feedEntry{}, fmt.Errorf("%w: reading an entry of the feed: %w", ErrStateCorrupt, err)
	}
	return e, nil
}

func (s *State) entryBound(header []byte) []byte {
	return sealBound(s.issuer, kindRevocation, string(header))
}

// entryOver reports whether no token that an entry could name is left, by what
// it says in clear.
func entryOver(raw []byte, now time.Time) bool {
	return len(raw) >= entryHeaderLen && int64(binary.BigEndian.Uint64(raw)) <= now.Add(-CollectAfter).UnixMilli()
}

// publishEntry appends to a feed. An error is ErrStoreUnavailable.
func (s *State) publishEntry(ctx context.Context, feed Feed, e feedEntry, until time.Time) error {
	entry, err := s.sealEntry(e, until)
	if err != nil {
		return err
	}
	if err := feed.Publish(ctx, entry, until); err != nil {
		return storeFault(err)
	}
	return nil
}
