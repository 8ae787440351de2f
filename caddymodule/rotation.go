package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/scopegate/scopegate/tokenexchange"
)

// stateKey is a state key and what tells it from others: the key shows nothing.
type stateKey struct {
	tokenexchange.StateKey
	digest keyDigest
}

type keyDigest [sha256.Size]byte

func parseStateKey(line []byte) (stateKey, error) {
	key, err := tokenexchange.ParseStateKey(line)
	return stateKey{key, sha256.Sum256(bytes.TrimSuffix(line, []byte("\n")))}, err
}

// stateRing are state keys in their order: the first seals, all open.
type stateRing []stateKey

func (r stateRing) keys() (keys []tokenexchange.StateKey) {
	for _, key := range r {
		keys = append(keys, key.StateKey)
	}
	return keys
}

func (r stateRing) has(key stateKey) bool {
	return slices.ContainsFunc(r, func(other stateKey) bool { return other.digest == key.digest })
}

func (r stateRing) equal(other stateRing) bool {
	return slices.EqualFunc(r, other, func(a, b stateKey) bool { return a.digest == b.digest })
}

var errSealsUnknown = errors.New("the first one seals, and the running configuration does not have it yet; expected it as the last one, and as the first with the next load")

// checkRotation refuses a first state key that the running configuration lacks,
// where both have one store. Another app can refuse this configuration after it
// started, as for a port that is taken; and the running one, which stays then, has
// to open what was sealed meanwhile: the epoch, and marks in the feed.
func (a *App) checkRotation(ring stateRing) error {
	running := a.sibling()
	if running == nil || running.store.Identity() != a.store.Identity() {
		return nil
	}
	known := running.work.stateKeys()
	switch {
	case known.has(ring[0]):
		return nil
	case !slices.ContainsFunc(ring, known.has):
		return nil // It cannot open what is there, and changes nothing.
	}
	return a.at("state_key", 0, errSealsUnknown)
}

// checkChange refuses files that change the state keys in one step too many.
// Replicas read theirs at different times: what one of them seals the others must
// be able to open, and what is sealed now has to be opened later.
func (a *App) checkChange(now, next stateRing) error {
	switch {
	case !now.has(next[0]):
		return a.at("state_key", 0, errSealsUnknown)
	case !next.has(now[0]):
		return a.at("state_key", 0, errors.New("the one that seals now is gone; expected another one as the first, with it behind, and it gone when the longest refresh_token_validity is over"))
	}
	return nil
}
