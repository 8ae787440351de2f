package tokenexchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrStoreUnavailable says that the store could not answer. The caller answers
// 503 and Retry-After; it never means that something is absent or spent.
var ErrStoreUnavailable = errors.New("store is unavailable")

// State holds the typed, sealed records of one issuer, and is the only user of
// a Store's verbs. A reader of the store learns nothing; a writer can delete a
// value or put an older one back, but cannot make one up, move it to another
// key, or make it live longer. It is safe for concurrent use.
// See docs/stores.md.
type State struct {
	store     Store
	issuer    string
	ring      []*sealer
	now       func() time.Time
	random    io.Reader
	unsettled *unsettled
}

// NewState gives the records of issuer in store. The first key seals, every key
// opens: to rotate, add the new key last everywhere, then put it first, and
// drop the old one after the longest record's life. A nil now is time.Now; a
// nil random is crypto/rand.Reader, any other must be safe for concurrent use.
func NewState(store Store, issuer string, keys []StateKey, now func() time.Time, random io.Reader) (*State, error) {
	if store == nil {
		return nil, errors.New("state: no store")
	}
	if issuer == "" {
		return nil, errors.New("state: no issuer")
	}
	if len(keys) == 0 {
		return nil, errors.New("state: no state key")
	}
	if now == nil {
		now = time.Now
	}
	if random == nil {
		random = rand.Reader
	}
	s := &State{store: store, issuer: issuer, now: now, random: random, unsettled: newUnsettled()}
	for i, key := range keys {
		k, err := newSealer(key)
		if err != nil {
			return nil, fmt.Errorf("state key %d: %w", i+1, err)
		}
		if slices.ContainsFunc(s.ring, func(other *sealer) bool { return other.id == k.id }) {
			return nil, fmt.Errorf("state key %d: the same key is given twice", i+1)
		}
		s.ring = append(s.ring, k)
	}
	return s, nil
}

const attemptLen = 16

// Attempt marks what one incoming request writes. Two requests never write
// equal bytes, so a store that takes "equal" for "my own answer was lost" is
// right. Draw one for each request, never keep or derive one. The zero Attempt
// can write nothing.
type Attempt struct {
	random [attemptLen]byte
	drawn  bool
}

// NewAttempt draws the mark of one incoming request.
func (s *State) NewAttempt() (Attempt, error) {
	a := Attempt{drawn: true}
	if _, err := io.ReadFull(s.random, a.random[:]); err != nil {
		return Attempt{}, fmt.Errorf("drawing an attempt: %w", err)
	}
	return a, nil
}

// storedRecord is a record as it was found. Its raw bytes are what a swap
// compares with, so a swap stays under the store key where it was found.
type storedRecord struct {
	kind    recordKind
	key     string
	raw     []byte
	payload []byte
	exp     time.Time
}

// find looks for a record under the store key that each state key gives,
// the first one first. Only a record that is under none is ErrNotFound.
func (s *State) find(ctx context.Context, kind recordKind, id string) (storedRecord, error) {
	for _, k := range s.ring {
		r, err := s.findAt(ctx, kind, k.keyFor(s.issuer, kind, id))
		if !errors.Is(err, ErrNotFound) {
			return r, err
		}
	}
	return storedRecord{}, ErrNotFound
}

// findAt reads one store key. The sealed expiry decides, whatever the store
// says: it is the one that a writer of the store cannot push back. Of what cannot
// be opened it gives what a swap needs, for who can do without what it said.
func (s *State) findAt(ctx context.Context, kind recordKind, key string) (storedRecord, error) {
	raw, err := s.store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return storedRecord{}, ErrNotFound
	}
	if err != nil {
		return storedRecord{}, storeFault(err)
	}
	plain, err := openSealed(s.ring, sealBound(s.issuer, kind, key), raw)
	if err != nil {
		return storedRecord{kind: kind, key: key, raw: raw}, err
	}
	now := s.now()
	r := s.unsettled.before(storedRecord{kind: kind, key: key, raw: raw, payload: plain.payload, exp: plain.exp}, now)
	if !now.Before(r.exp) {
		return storedRecord{}, ErrNotFound
	}
	return r, nil
}

// add writes a record that is absent, and tells whether this call made it.
func (s *State) add(ctx context.Context, a Attempt, kind recordKind, key string, payload any, exp time.Time) (bool, error) {
	val, err := s.sealRecord(a, kind, key, payload, exp)
	if err != nil {
		return false, err
	}
	ok, err := s.store.Add(ctx, key, val, exp)
	if err != nil {
		return false, storeFault(err)
	}
	return ok, nil
}

// swap replaces a record as it was found, and tells whether this call did.
func (s *State) swap(ctx context.Context, a Attempt, found storedRecord, payload any, exp time.Time) (bool, error) {
	_, ok, err := s.replace(ctx, a, found, payload, exp)
	return ok, err
}

// swapAll puts one payload in the place of all that was found of it under the state
// keys, and tells whether it did. It stands at first too, the store key that the
// first state key gives: so it outlives the others, and nothing comes back when one
// of them is dropped. All who write begin with the same record.
func (s *State) swapAll(ctx context.Context, a Attempt, kind recordKind, first string, found []storedRecord, payload any, exp time.Time) (bool, error) {
	stands := false
	for _, old := range slices.SortedFunc(slices.Values(found), func(a, b storedRecord) int { return strings.Compare(a.key, b.key) }) {
		if done, err := s.swap(ctx, a, old, payload, exp); !done || err != nil {
			return false, err
		}
		stands = stands || old.key == first
	}
	if stands {
		return true, nil
	}
	return s.add(ctx, a, kind, first, payload, exp)
}

// handOut is swap for a change that gives something to the one who asked. After
// a fault nobody was given anything. So, if it happened all the same, it counts
// for nothing. A change that takes away must never be made so.
func (s *State) handOut(ctx context.Context, a Attempt, found storedRecord, payload any, exp time.Time) (bool, error) {
	val, ok, err := s.replace(ctx, a, found, payload, exp)
	if errors.Is(err, ErrStoreUnavailable) {
		s.unsettled.add(val, found, exp)
	}
	return ok, err
}

func (s *State) replace(ctx context.Context, a Attempt, found storedRecord, payload any, exp time.Time) ([]byte, bool, error) {
	val, err := s.sealRecord(a, found.kind, found.key, payload, exp)
	if err != nil {
		return nil, false, err
	}
	ok, err := s.store.Swap(ctx, found.key, found.raw, val, exp)
	if err != nil {
		return val, false, storeFault(err)
	}
	return val, ok, nil
}

// sealRecord is called once for each verb, so that a store which repeats a
// command repeats the same bytes.
func (s *State) sealRecord(a Attempt, kind recordKind, key string, payload any, exp time.Time) ([]byte, error) {
	if !a.drawn {
		return nil, fmt.Errorf("writing a %s: no attempt was drawn", kind)
	}
	if !s.now().Before(exp) {
		return nil, fmt.Errorf("writing a %s: %w", kind, ErrPastExpiry)
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("writing a %s: %w", kind, err)
	}
	return s.ring[0].sealValue(s.random, sealBound(s.issuer, kind, key), sealedPlain{attempt: a.random, exp: exp, payload: text})
}

// read decodes the payload. A field that this version does not know is an
// error: writing the record back would lose it.
func (r storedRecord) read(into any) error {
	dec := json.NewDecoder(bytes.NewReader(r.payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: reading a %s: %w", ErrStateCorrupt, r.kind, err)
	}
	return nil
}

// storeFault keeps the cause, except one that would read as an answer.
func storeFault(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %v", ErrStoreUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrStoreUnavailable, err)
}
