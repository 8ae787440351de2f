package tokenexchange

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// Limits of a client's key set.
const (
	maxKeySet     = 512 << 10
	maxKeySetKeys = 100
	maxKeyID      = 256
)

// assertionKeys are the public keys that a client signs assertions with. The
// zero value verifies nothing.
type assertionKeys []assertionKey

type assertionKey struct {
	mint.Verifier
	id string // "" only where it is the only key
}

// find returns the key that an assertion with this kid and alg may be signed
// with. Without a kid it must be the only one; a kid must be the key's own,
// unless that has none.
func (k assertionKeys) find(kid, alg string) (mint.Verifier, bool) {
	for _, key := range k {
		named := kid == key.id || len(k) == 1 && (kid == "" || key.id == "")
		if named && key.Alg() == alg {
			return key.Verifier, true
		}
	}
	return mint.Verifier{}, false
}

// privateMembers are those of RFC 7518 section 6 that only their owner may see.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseAssertionKeys reads a JWK set (RFC 7517 section 5) of public keys. All
// of it must be good: a key that was left out in silence would be missed when
// the other one is taken away. Errors name the place and quote no key.
func parseAssertionKeys(jwks []byte) (assertionKeys, error) {
	if len(jwks) > maxKeySet {
		return nil, errors.New("the key set is larger than 512 KiB")
	}
	var raw [][]byte
	found := false
	r := strictjson.NewReader(jwks)
	err := r.Object(func(name string) error {
		if name != "keys" {
			_, err := r.Raw()
			return err
		}
		found = true
		return r.Array(func() error {
			key, err := r.Raw()
			raw = append(raw, key)
			return err
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, fmt.Errorf("expected a JWK set: %w", err)
	}
	if !found || len(raw) == 0 || len(raw) > maxKeySetKeys {
		return nil, fmt.Errorf("expected a JWK set {\"keys\":[...]} with 1 to %d keys", maxKeySetKeys)
	}
	keys := make(assertionKeys, 0, len(raw))
	for i, data := range raw {
		key, err := parseAssertionKey(data)
		switch {
		case err != nil:
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		case key.id == "" && len(raw) > 1:
			return nil, fmt.Errorf("keys[%d]: expected a kid, since there are several keys", i)
		case slices.ContainsFunc(keys, func(other assertionKey) bool { return other.id == key.id }):
			return nil, fmt.Errorf("keys[%d]: expected a kid of its own, since another key has it", i)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// jwkMembers are the members of a JWK that say what the key is for.
type jwkMembers struct {
	kty, use, alg, kid string
	operations         []string
	private            string // the name of a private member, "" for none
}

func parseAssertionKey(data []byte) (assertionKey, error) {
	var m jwkMembers
	r := strictjson.NewReader(data)
	if err := r.Object(func(name string) error { return m.read(r, name) }); err != nil {
		return assertionKey{}, fmt.Errorf("expected a JWK: %w", err)
	}
	switch {
	case m.private != "":
		return assertionKey{}, fmt.Errorf("%s is part of a private or symmetric key; expected the public key alone", m.private)
	case m.kty != "EC" && m.kty != "RSA":
		return assertionKey{}, errors.New("kty: expected EC or RSA")
	case m.use != "" && m.use != "sig":
		return assertionKey{}, errors.New("use: expected sig, or none")
	case m.operations != nil && !slices.Equal(m.operations, []string{"verify"}):
		return assertionKey{}, errors.New("key_ops: expected [\"verify\"], or none")
	case len(m.kid) > maxKeyID:
		return assertionKey{}, fmt.Errorf("kid: expected at most %d bytes", maxKeyID)
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(data); err != nil {
		// The library's text may hold parts of the key.
		return assertionKey{}, errors.New("the members do not make a public key of the type in kty")
	}
	v, err := mint.NewVerifier(jwk.Key)
	if err != nil {
		return assertionKey{}, err
	}
	if m.alg != "" && m.alg != v.Alg() {
		return assertionKey{}, fmt.Errorf("alg: expected %s, or none: that is what such a key is used with", v.Alg())
	}
	return assertionKey{Verifier: v, id: m.kid}, nil
}

func (m *jwkMembers) read(r *strictjson.Reader, name string) (err error) {
	if slices.Contains(privateMembers, name) {
		m.private = name
	}
	switch name {
	case "kty":
		m.kty, err = r.String()
	case "use":
		m.use, err = r.String()
	case "alg":
		m.alg, err = r.String()
	case "kid":
		m.kid, err = r.String()
	case "key_ops":
		m.operations = []string{}
		err = r.Array(func() error {
			s, err := r.String()
			m.operations = append(m.operations, s)
			return err
		})
	default:
		_, err = r.Raw()
	}
	return err
}
