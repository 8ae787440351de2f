package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

// signingKey makes a key of the server, as PEM.
func signingKey(t *testing.T, alg string) string {
	t.Helper()
	key, err := tokenexchange.GenerateSigningKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signer makes a key with which a client signs assertions, and the JWK set with
// its public half.
func signer(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	public = jsonOf(t, map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), public
}
