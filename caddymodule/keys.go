package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/tokenexchange"
)

// generated are the keys of Caddy's storage, each line in the order of a ring.
// Empty where the configuration names files alone.
type generated struct {
	signing []tokenexchange.SigningKey
	state   []stateKey
}

// keyLines are the lines of generated keys that a configuration has.
type keyLines struct {
	signing []*keyLine[tokenexchange.SigningKey]
	state   *keyLine[stateKey] // nil if there is none
}

// signingAlgorithms are those that there are generated keys for.
var signingAlgorithms = []string{"ES256", "RS256"}

// linesOf returns the lines of an issuer in a storage.
func linesOf(storage certmagic.Storage, issuer string, signing, state []KeySource) (lines keyLines) {
	at := func(name string) string { return path.Join("scopegate", folderOf(issuer), name) }
	isGenerated := func(src KeySource) bool { return src.Source == "generated" }
	if slices.ContainsFunc(orGenerated(signing), isGenerated) {
		for _, alg := range signingAlgorithms {
			name := strings.ToLower(alg)
			lines.signing = append(lines.signing, &keyLine[tokenexchange.SigningKey]{
				storage: storage, terms: keyTerms, key: at(name + ".json"), former: at(name + ".pem"),
				fresh: func() ([]byte, error) { return newSigningKey(alg) },
				parse: func(text []byte) (tokenexchange.SigningKey, string, error) { return parseSigningKey(alg, text) },
			})
		}
	}
	if slices.ContainsFunc(orGenerated(state), isGenerated) {
		lines.state = &keyLine[stateKey]{
			storage: storage, terms: keyTerms, key: at("state.json"), former: at("state.key"),
			fresh: newStateKey,
			parse: func(text []byte) (stateKey, string, error) {
				key, err := parseStateKey(text)
				if err != nil {
					return key, "", err
				}
				id, err := key.ID()
				return key, id, err
			},
		}
	}
	return lines
}

func newSigningKey(alg string) ([]byte, error) {
	key, err := tokenexchange.GenerateSigningKey(alg)
	if err != nil {
		return nil, err
	}
	return key.Encode()
}

func parseSigningKey(alg string, text []byte) (tokenexchange.SigningKey, string, error) {
	key, err := tokenexchange.ParseSigningKey(text)
	if err == nil && key.Alg() != alg {
		err = fmt.Errorf("a key for %s; expected %s", key.Alg(), alg)
	}
	return key, key.ID(), err
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

// folderOf is the folder of an issuer, so that another issuer on the same machine
// has its own keys and state.
func folderOf(issuer string) string {
	_, host, _ := strings.Cut(issuer, "://")
	return certmagic.StorageKeys.Safe(host)
}
