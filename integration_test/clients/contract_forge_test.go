package clients

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"testing"
	"time"
)

// forged signs an access token as the issuer does, with changes to its claims
// and its header; nil takes one out.
func (c *contract) forged(claims, header map[string]any) string {
	c.t.Helper()
	now := time.Now().Unix()
	all := map[string]any{
		"iss": c.issuer, "sub": "example.com:alice", "aud": []string{shopAud, c.issuer}, "client_id": "web", "azp": "web",
		"iat": now, "nbf": now, "exp": now + 300, "jti": rand.Text(), "grant_id": rand.Text(), "context_name": "acme",
		"allowed_resource_scope": json.RawMessage(holding("orders.read", "orders/**")),
	}
	head := map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": c.kid}
	return signed(c.t, c.key, changed(head, header), changed(all, claims))
}

func changed(all, changes map[string]any) map[string]any {
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// signed is a JWT with ES256.
func signed(t *testing.T, key *ecdsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(jsonOf(t, header))) + "." + encode([]byte(jsonOf(t, claims)))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature)
}

// assertion is what the client robot signs.
func (c *contract) assertion() string {
	c.t.Helper()
	block, _ := pem.Decode([]byte(c.robotKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	now := time.Now().Unix()
	return signed(c.t, key.(*ecdsa.PrivateKey), map[string]any{"alg": "ES256"}, map[string]any{
		"iss": "robot", "sub": "robot", "aud": c.issuer, "jti": rand.Text(), "iat": now, "exp": now + 60,
	})
}
