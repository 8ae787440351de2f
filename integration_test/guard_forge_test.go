package integration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// The tokens of these tests are made by hand, with nothing of the code that
// verifies them.

func randomText() string { return rand.Text() + rand.Text() }

var b64 = base64.RawURLEncoding.EncodeToString

// passwordHash is slow, and one is enough for all.
func passwordHash(t *testing.T) string {
	t.Helper()
	hash, err := hashOnce()
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

var hashOnce = sync.OnceValues(func() ([]byte, error) {
	return bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
})

type testKey struct {
	private *ecdsa.PrivateKey
	kid     string // RFC 7638 thumbprint
}

func newTestKey(t *testing.T) testKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := `{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`
	sum := sha256.Sum256([]byte(jwk))
	return testKey{private, b64(sum[:])}
}

func (k testKey) pem(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (k testKey) publicPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// header returns the header of a good token, with some changes.
func (k testKey) header(changes map[string]any) map[string]any {
	return with(map[string]any{"alg": "ES256", "kid": k.kid, "typ": "at+jwt"}, changes)
}

// sign signs header and claims as they stand, as ES256, and registers the token.
func (k testKey) sign(t *testing.T, header, claims string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	token := input + "." + b64(signature)
	Register(t, token)
	return token
}

// mac signs as HS256, with any bytes as the key.
func mac(t *testing.T, key []byte, header, claims string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(input))
	token := input + "." + b64(sum.Sum(nil))
	Register(t, token)
	return token
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// claims returns those of a good token of alice, who may read orders/** and
// files/** and write orders/1, with some changes.
func (g *guarded) claims(changes map[string]any) map[string]any {
	now := time.Now().Unix()
	return with(map[string]any{
		"iss": g.URL("auth", ""), "sub": "example.com:alice", "aud": shopAudience, "client_id": "web", "azp": "web",
		"iat": now, "nbf": now, "exp": now + 1800, "jti": rand.Text(), "grant_id": rand.Text(),
		"allowed_resource_scope": holds("shop", "orders.read", "orders/**", "files/**"),
	}, changes)
}

// forge returns a token signed with the issuer's key.
func (g *guarded) forge(t *testing.T, changes map[string]any) string {
	t.Helper()
	return g.key.sign(t, text(t, g.key.header(nil)), text(t, g.claims(changes)))
}

// holds writes an allowed_resource_scope of one permission.
func holds(service, permission string, resources ...string) map[string]any {
	return map[string]any{"servicesScopes": []any{map[string]any{
		"serviceDefinitionId": service,
		"permissions":         []any{map[string]any{"permissionId": permission, "resources": resources}},
	}}}
}

// claimsOf reads the claims of a token without looking at its signature.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// escaped writes every byte of a text as a percent escape.
func escaped(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		out.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789abcdef"[c&15]))
	}
	return out.String()
}
