package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/tokenexchange"
)

// generated are the keys of Caddy's storage, which makes them at first use. Empty
// where the configuration names files alone.
type generated struct {
	signing []tokenexchange.SigningKey
	state   []stateKey
}

// readGenerated reads the keys that are not in files.
func (a *App) readGenerated() (g generated, err error) {
	ctx, cancel := context.WithTimeout(a.ctx, startTimeout)
	defer cancel()
	isGenerated := func(src KeySource) bool { return src.Source == "generated" }
	if slices.ContainsFunc(orGenerated(a.SigningKeys), isGenerated) {
		for _, alg := range []string{"ES256", "RS256"} {
			data, err := a.stored(ctx, strings.ToLower(alg)+".pem", func() ([]byte, error) {
				key, err := tokenexchange.GenerateSigningKey(alg)
				if err != nil {
					return nil, err
				}
				return key.Encode()
			})
			if err != nil {
				return g, fmt.Errorf("signing_key generated: %w", err)
			}
			key, err := tokenexchange.ParseSigningKey(data)
			if err != nil {
				return g, fmt.Errorf("signing_key generated: the key in storage: %w", err)
			}
			g.signing = append(g.signing, key)
		}
	}
	if slices.ContainsFunc(orGenerated(a.StateKeys), isGenerated) {
		data, err := a.stored(ctx, "state.key", newStateKey)
		if err != nil {
			return g, fmt.Errorf("state_key generated: %w", err)
		}
		key, err := parseStateKey(data)
		if err != nil {
			return g, fmt.Errorf("state_key generated: the key in storage: %w", err)
		}
		g.state = append(g.state, key)
	}
	return g, nil
}

// inOrder puts keys of files and generated ones into the order of the
// configuration.
func inOrder[K any](sources []KeySource, ofFiles, generated []K) (keys []K) {
	for _, src := range orGenerated(sources) {
		if src.Source == "file" {
			keys, ofFiles = append(keys, ofFiles[0]), ofFiles[1:]
			continue
		}
		keys = append(keys, generated...)
	}
	return keys
}

func orGenerated(sources []KeySource) []KeySource {
	if len(sources) == 0 {
		return []KeySource{{Source: "generated"}}
	}
	return slices.Clone(sources)
}

func newStateKey() ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n"), nil
}

// stored returns a value of Caddy's storage and makes it if it is absent. What
// storage holds wins: the value is read back after it was written, so that two
// processes that share the storage end with the same key.
func (a *App) stored(ctx context.Context, name string, create func() ([]byte, error)) (data []byte, err error) {
	storage := a.ctx.Storage()
	key := path.Join("scopegate", a.place(), name)
	if data, err := storage.Load(ctx, key); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if err := storage.Lock(ctx, key); err != nil {
		return nil, fmt.Errorf("locking %s in Caddy's storage: %w", key, err)
	}
	defer func() {
		// The lock must go even when ctx is done, or the next start waits for it.
		if unlockErr := storage.Unlock(context.WithoutCancel(ctx), key); err == nil && unlockErr != nil {
			err = fmt.Errorf("unlocking %s: %w", key, unlockErr)
		}
	}()
	if data, err := storage.Load(ctx, key); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	fresh, err := create()
	if err != nil {
		return nil, err
	}
	if err := storage.Store(ctx, key, fresh); err != nil {
		return nil, fmt.Errorf("writing %s to Caddy's storage: %w", key, err)
	}
	return storage.Load(ctx, key)
}

// place is the folder of this issuer, so that another issuer on the same
// machine has its own keys and state.
func (a *App) place() string {
	_, host, _ := strings.Cut(a.realm.Issuer(), "://")
	return certmagic.StorageKeys.Safe(host)
}
