package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/caddyserver/caddy/v2"

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

// seals adds a state key to those of this configuration.
func (a *App) seals(keys []tokenexchange.StateKey, key stateKey) []tokenexchange.StateKey {
	a.sealing = append(a.sealing, key.digest)
	return append(keys, key.StateKey)
}

// checkRotation refuses a first state key that the running configuration lacks,
// where both have one store. Another app can refuse this configuration after it
// started, as for a port that is taken; and the running one, which stays then, has
// to open what was sealed meanwhile: the epoch, and marks in the feed.
func (a *App) checkRotation() error {
	active, err := caddy.ActiveContext().AppIfConfigured("scopegate")
	if err != nil {
		return nil // Nothing runs.
	}
	running := active.(*App)
	known := func(key keyDigest) bool { return slices.Contains(running.sealing, key) }
	switch {
	case running.realm.Issuer() != a.realm.Issuer() || running.store.Identity() != a.store.Identity():
		return nil
	case known(a.sealing[0]):
		return nil
	case !slices.ContainsFunc(a.sealing, known):
		return nil // It cannot open what is there, and changes nothing.
	}
	return a.at("state_key", 0, errors.New("the first one seals, and the running configuration does not have it yet; expected it as the last one, and as the first with the next load"))
}
