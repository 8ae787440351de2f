package tokenexchange

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// The keys of clients that sign assertions.
var (
	robotKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	secondKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	tractKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

// jwk writes a key as a JWK, public or private as it is.
func jwk(key any, kid string) string {
	return string(must(json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})))
}

// robots adds clients that authenticate by assertions: robot with one EC key
// that has no kid, tractor with one RSA key that has one, and rotating with
// both and another one.
func robots(c *Config) {
	for id, keys := range map[string]string{
		"robot":    jwk(robotKey().Public(), ""),
		"tractor":  jwk(tractKey().Public(), "t1"),
		"rotating": jwk(robotKey().Public(), "r1") + "," + jwk(secondKey().Public(), "r2") + "," + jwk(tractKey().Public(), "r3"),
	} {
		c.Clients = append(c.Clients, ClientConfig{
			ID: id, JWKSFile: id + ".json", JWKS: []byte(`{"keys":[` + keys + `]}`),
			GrantTypes: []string{"client_credentials", "audience_exchange"}, Own: lines("shop/orders.read **"), TargetAudiences: []string{shopAud},
		})
	}
}

// forgeJWS signs whatever it is given, as nobody but the holder of a key could.
func forgeJWS(method jwt.SigningMethod, key any, header, claims string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	return secret("an assertion", input+"."+b64(must(method.Sign(input, key))))
}

// statement are the members of an assertion's header and claims, as JSON. An
// empty member is left out.
type statement map[string]string

// jtis makes each assertion of the tests a new one.
var jtis int

// says returns what the robot says by default, with changes.
func says(change statement) statement {
	jtis++
	s := statement{
		"alg": `"ES256"`, "typ": `"JWT"`, "kid": "",
		"iss": `"robot"`, "sub": `"robot"`, "aud": `"` + issuer + `"`, "jti": fmt.Sprintf(`"j%d"`, jtis),
		"exp": fmt.Sprint(start.Unix() + 60), "iat": fmt.Sprint(start.Unix()), "nbf": "",
	}
	maps.Copy(s, change)
	return s
}

// as are the changes that make it another client's assertion.
func as(client string) statement {
	return statement{"iss": `"` + client + `"`, "sub": `"` + client + `"`}
}

func (s statement) with(name, value string) statement {
	out := maps.Clone(s)
	out[name] = value
	return out
}

// sign writes the statement and signs it.
func (s statement) sign(method jwt.SigningMethod, key crypto.PrivateKey) string {
	header, claims := "", ""
	for _, name := range []string{"alg", "typ", "kid", "crit", "jku", "x5u", "x5c", "x5t", "jwk", "b64", "cty"} {
		if s[name] != "" {
			header += `,"` + name + `":` + s[name]
		}
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "more"} {
		if s[name] != "" {
			claims += `,"` + name + `":` + s[name]
		}
	}
	return forgeJWS(method, key, "{"+header[1:]+"}", "{"+claims[1:]+"}")
}

// robot signs the statement with the robot's key.
func (s statement) robot() string { return s.sign(jwt.SigningMethodES256, robotKey()) }

// assert asks for a client's own token with an assertion, and other parameters.
func (h *house) assert(raw string, kv ...string) got {
	h.t.Helper()
	return h.do(form(pairs(append([]string{"grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", raw}, kv...)...)))
}

// refusedAssertion holds an answer against the one that all bad assertions get.
func (g got) refusedAssertion(t testing.TB) {
	t.Helper()
	g.refused(t, 401, "invalid_client", "client_authentication")
	if g.record["client_id"] != nil {
		t.Errorf("the record names a client that did not authenticate: %v", g.record)
	}
}
