package oidcusers

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// Limits of a provider's key set.
const (
	maxKeys    = 100
	maxKeyID   = 256
	minRSABits = 2048
	maxRSABits = 8192
)

// keySet is the public keys of a provider. The zero value verifies nothing.
type keySet []key

type key struct {
	id, alg string // "" where the set says none
	public  crypto.PublicKey
}

// fetchKeys reads the key set.
func (p *Provider) fetchKeys(ctx context.Context) (keySet, error) {
	m, err := p.metadata.get(ctx, nil)
	if err != nil {
		return nil, err
	}
	body, err := p.read(ctx, m.jwks)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return keys, nil
}

// parseKeys reads a JWK set (RFC 7517 section 5). A key for something else, or of
// a kind that is not used here, is left out. A secret in it, or two keys of one
// name, refuse all of it: nobody can tell whose they are.
func parseKeys(body []byte) (keySet, error) {
	var raw [][]byte
	r := strictjson.NewReader(body)
	err := r.Object(func(name string) error {
		if name != "keys" {
			_, err := r.Raw()
			return err
		}
		return r.Array(func() error {
			data, err := r.Raw()
			raw = append(raw, data)
			return err
		})
	})
	switch {
	case err != nil:
		return nil, errors.New("expected a JWK set")
	case len(raw) > maxKeys:
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys keySet
	for i, data := range raw {
		k, err := parseKey(data)
		switch {
		case err != nil:
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		case k.public == nil:
			continue
		case k.id != "" && slices.ContainsFunc(keys, func(other key) bool { return other.id == k.id }):
			return nil, fmt.Errorf("keys[%d]: another key has its kid", i)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that an id token can be verified with")
	}
	return keys, nil
}

// parseKey reads a key, whose public part is nil if it is not used here.
func parseKey(data []byte) (k key, err error) {
	var use, kty string
	var operations []string
	secret := false
	r := strictjson.NewReader(data)
	err = r.Object(func(name string) (err error) {
		switch name {
		case "kty":
			kty, err = r.String()
		case "use":
			use, err = r.String()
		case "alg":
			k.alg, err = r.String()
		case "kid":
			k.id, err = r.String()
		case "key_ops":
			operations, err = texts(r)
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			secret = true
			_, err = r.Raw()
		default:
			_, err = r.Raw()
		}
		return err
	})
	switch {
	case err != nil:
		return key{}, errors.New("expected a JWK")
	case secret || kty == "oct":
		return key{}, errors.New("it is a private or symmetric key")
	case len(k.id) > maxKeyID:
		return key{}, fmt.Errorf("its kid is longer than %d bytes", maxKeyID)
	case use != "" && use != "sig" || operations != nil && !slices.Contains(operations, "verify"):
		return key{}, nil
	case k.alg != "" && !slices.Contains(algorithms, k.alg):
		return key{}, nil
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) == nil && usable(jwk.Key) {
		k.public = jwk.Key
	}
	return k, nil
}

// usable reports whether a key is of a kind and size that verifies here.
func usable(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits && public.N.BitLen() <= maxRSABits && public.E >= 65537
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return true
	}
	return false
}

// find returns the keys that a token with this kid and alg may be signed with: the
// one of that name, or without a name the only one for the alg.
func (s keySet) find(kid, alg string) (crypto.PublicKey, bool) {
	var found []crypto.PublicKey
	for _, k := range s {
		if k.fits(alg) && (kid == "" || k.id == kid) {
			found = append(found, k.public)
		}
	}
	if len(found) != 1 {
		return nil, false
	}
	return found[0], true
}

// fits reports whether a key is for an algorithm.
func (k key) fits(alg string) bool {
	if k.alg != "" {
		return k.alg == alg
	}
	switch k.public.(type) {
	case *rsa.PublicKey:
		return alg == oidc.RS256 || alg == oidc.PS256
	case *ecdsa.PublicKey:
		return alg == oidc.ES256
	}
	return alg == oidc.EdDSA
}
