package mint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sort"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms that tokens are signed with.
const (
	ES256 = "ES256"
	RS256 = "RS256"
)

// Key is a signing key. The algorithm belongs to the key, never to a token.
type Key struct {
	ID      string // RFC 7638 thumbprint
	Private crypto.Signer
	alg     string
	method  jwt.SigningMethod
}

// Ring holds the keys of one issuer. Of each algorithm the first signs, all verify.
type Ring struct {
	sign   map[string]*Key
	verify map[string]*Key
	digest [sha256.Size]byte
}

// NewRing checks the keys and returns a ring. Golang-jwt looks at neither the
// curve nor the size of a key, so this is done here, once.
func NewRing(keys ...Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("building the key ring: no signing key")
	}
	r := &Ring{sign: map[string]*Key{}, verify: map[string]*Key{}}
	ids := make([]string, 0, len(keys))
	for _, k := range keys {
		alg, err := algorithm(k.Private)
		if err != nil {
			return nil, fmt.Errorf("building the key ring: key %s: %w", k.ID, err)
		}
		if k.ID == "" || r.verify[k.ID] != nil {
			return nil, fmt.Errorf("building the key ring: key id %q is missing or used twice", k.ID)
		}
		k.alg, k.method = alg, jwt.GetSigningMethod(alg)
		r.verify[k.ID] = &k
		if r.sign[alg] == nil {
			r.sign[alg] = &k
			ids = append(ids, alg)
		}
		ids = append(ids, k.ID)
	}
	sort.Strings(ids)
	sum := sha256.New()
	for _, id := range ids {
		fmt.Fprintf(sum, "%d:%s", len(id), id)
	}
	for _, alg := range []string{ES256, RS256} {
		if k := r.sign[alg]; k != nil {
			fmt.Fprintf(sum, "%s signs with %s;", alg, k.ID)
		}
	}
	sum.Sum(r.digest[:0])
	return r, nil
}

func algorithm(private crypto.Signer) (string, error) {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		return publicAlgorithm(&k.PublicKey)
	case *rsa.PrivateKey:
		alg, err := publicAlgorithm(&k.PublicKey)
		if err != nil {
			return "", err
		}
		return alg, k.Validate()
	}
	return "", fmt.Errorf("expected an EC P-256 or RSA private key, found %T", private)
}

// Can reports whether the ring has a key that signs with the algorithm.
func (r *Ring) Can(alg string) bool { return r.sign[alg] != nil }

// Digest identifies the keys: it changes when one is added, removed or takes
// over signing. Caches of verified or signed tokens have it in their key.
func (r *Ring) Digest() [sha256.Size]byte { return r.digest }

// input returns what is signed of a token of the given type, and the key.
func (r *Ring) input(alg, typ string, claims []byte) (string, *Key, error) {
	k := r.sign[alg]
	if k == nil {
		return "", nil, fmt.Errorf("signing: no key for %s", alg)
	}
	return b64(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, k.alg, k.ID, typ)) + "." + b64(claims), k, nil
}

// signed returns the compact form of a token.
func (k *Key) signed(input string) (string, error) {
	sig, err := k.method.Sign(input, k.Private)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return input + "." + b64(sig), nil
}

// signatureSize is how many bytes a signature takes in the compact form.
func (k *Key) signatureSize() int {
	size := 64 // ES256: r and s of P-256
	if public, ok := k.Private.Public().(*rsa.PublicKey); ok {
		size = public.Size()
	}
	return base64.RawURLEncoding.EncodedLen(size)
}
