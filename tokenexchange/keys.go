package tokenexchange

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// SigningKey is a private key that signs tokens. It cannot be printed.
type SigningKey struct {
	id          string
	private     crypto.Signer
	certificate *x509.Certificate
}

// ID returns the key id: the RFC 7638 thumbprint.
func (k SigningKey) ID() string { return k.id }

// Alg returns the algorithm that the key signs with.
func (k SigningKey) Alg() string {
	if _, ec := k.private.(*ecdsa.PrivateKey); ec {
		return mint.ES256
	}
	return mint.RS256
}

// Format keeps the key out of every print.
func (k SigningKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[signing key %s]", k.id) }

// MarshalText keeps the key out of JSON and structured logs.
func (k SigningKey) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// ParseSigningKey reads one PEM private key: PKCS #8, SEC 1 (EC) or PKCS #1
// (RSA); P-256 or RSA of at least 2048 bits. Other blocks, such as EC
// PARAMETERS, are skipped; a second key is an error.
func ParseSigningKey(data []byte) (SigningKey, error) {
	var found any
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return SigningKey{}, errors.New("the PEM block is no private key that can be read")
		}
		if found != nil {
			return SigningKey{}, errors.New("more than one private key; expected one a file")
		}
		found = key
	}
	private, ok := found.(crypto.Signer)
	if !ok {
		return SigningKey{}, errors.New("expected a PEM private key, EC P-256 or RSA, as `openssl genpkey` prints it")
	}
	return newSigningKey(private)
}

func newSigningKey(private crypto.Signer) (SigningKey, error) {
	// The ring knows which keys are good enough; ask it before the first use.
	if _, err := mint.NewRing(mint.Key{ID: "check", Private: private}); err != nil {
		return SigningKey{}, err
	}
	sum, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("computing the key id: %w", err)
	}
	k := SigningKey{id: base64.RawURLEncoding.EncodeToString(sum), private: private}
	k.certificate, err = selfSigned(k)
	return k, err
}

// GenerateSigningKey makes a key for ES256 or RS256.
func GenerateSigningKey(alg string) (SigningKey, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case mint.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case mint.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		return SigningKey{}, fmt.Errorf("generating a key: unknown algorithm %q", alg)
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("generating a key: %w", err)
	}
	return newSigningKey(private)
}

// Encode returns the key as PKCS #8 PEM, for the storage that keeps it.
func (k SigningKey) Encode() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// selfSigned makes the certificate that readers of CSP key sets look for in
// x5c. It is a container for the public key, not a trust statement. It is
// computed from the key alone, so that all replicas show the same bytes.
func selfSigned(k SigningKey) (*x509.Certificate, error) {
	serial := sha256.Sum256([]byte(k.id))
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]),
		Subject:      pkix.Name{CommonName: "scopegate " + k.id},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	// Without a random source, ECDSA signs by RFC 6979 and RSA is PKCS #1 v1.5.
	der, err := x509.CreateCertificate(nil, template, template, k.private.Public(), k.private)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of key %s: %w", k.id, err)
	}
	return x509.ParseCertificate(der)
}

// newRing hands the keys to the mint, in their order.
func newRing(keys []SigningKey) (*mint.Ring, error) {
	list := make([]mint.Key, len(keys))
	for i, k := range keys {
		list[i] = mint.Key{ID: k.id, Private: k.private}
	}
	return mint.NewRing(list...)
}

// keySet returns the public keys as a JWK set (RFC 7517), certificates included.
func keySet(keys []SigningKey) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: k.private.Public(), KeyID: k.id, Algorithm: k.Alg(), Use: "sig",
			Certificates: []*x509.Certificate{k.certificate},
		})
	}
	return set
}
