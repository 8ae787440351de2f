package mint_test

import (
	"crypto"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// What golang-jwt does not look at. These tests say when a new version does, and
// beside each stands that Verify refuses it (docs/floor.md).

// lax parses as the library does when nothing else is asked of it.
func lax(raw string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser().ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		if key, ok := map[string]crypto.PublicKey{"RS256": rsaKey().Public(), "ES256": ecKey().Public()}[t.Method.Alg()]; ok {
			return key, nil
		}
		return publicPEM(ecKey().Public()), nil
	})
	return claims, err
}

// future is a token that the library, whose clock is the real one, takes.
func future(header string, change map[string]string) string {
	claims := map[string]string{"exp": "4102444800"}
	for name, value := range change {
		claims[name] = value
	}
	return forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), header, regular(claims))
}

func TestTrap16LibraryIgnoresCritTypAndKeys(t *testing.T) {
	for name, raw := range map[string]string{
		"crit": future(`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["exp"]}`, nil),
		"b64":  future(`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["b64"],"b64":true}`, nil),
		"jwk":  future(`{"alg":"ES256","kid":"ec","typ":"at+jwt","jwk":{"kty":"oct"}}`, nil),
		"HMAC with a public key, where the key function is careless": forge(jwt.SigningMethodHS256, publicPEM(ecKey().Public()),
			`{"alg":"HS256","kid":"ec","typ":"at+jwt"}`, regular(map[string]string{"exp": "4102444800"})),
	} {
		if _, err := lax(raw); err != nil {
			t.Errorf("%s: golang-jwt refuses it now: %v", name, err)
		}
		if _, err := theRing().Verify(raw); err == nil {
			t.Errorf("%s: Verify accepts it", name)
		}
	}
	if _, err := lax(future(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, nil)); err != nil {
		t.Errorf("typ JWT: golang-jwt refuses it now: %v", err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	short := must(rsa.GenerateKey(nil, 1024))
	if _, err := jwt.SigningMethodRS256.Sign("x", short); err != nil {
		t.Errorf("an RSA key of 1024 bits: golang-jwt refuses it now: %v", err)
	}
	if _, err := mint.NewRing(mint.Key{ID: "short", Private: short}); err == nil {
		t.Error("an RSA key of 1024 bits: the ring accepts it")
	}
}

func TestTrap17LibraryTakesWrongClaimsForAbsentOnes(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"exp 0":             {"exp": "0"},
		"exp out of range":  {"exp": "1e12"},
		"exp a fraction":    {"exp": "4102444800.9"},
		"aud of no type":    {"aud": "7"},
		"aud null":          {"aud": "null"},
		"no sub":            {"sub": ""},
		"no jti":            {"jti": ""},
		"sub a list":        {"sub": `["a"]`},
		"no exp":            {"exp": ""},
		"a claim twice":     {"sub": `"a","sub":"b"`},
		"a lone surrogate":  {"sub": `"\ud800"`},
		"bytes of no UTF-8": {"sub": "\"\xff\""},
	} {
		raw := future(regularHeader, change)
		if _, err := lax(raw); err != nil {
			t.Errorf("%s: golang-jwt refuses it now: %v", name, err)
		}
		if _, err := theRing().Verify(raw); reason(t, err) != mint.TokenMalformed {
			t.Errorf("%s: Verify: got %v, want token_malformed", name, err)
		}
	}
}

func TestTrap18LibraryTakesSeveralStringsForOneToken(t *testing.T) {
	good := future(regularHeader, nil)
	at := strings.LastIndexByte(good, '.') + 1
	for name, raw := range map[string]string{
		"trailing bits":   good[:at] + trailing(good[at:]),
		"a line feed":     good[:at+8] + "\n" + good[at+8:],
		"carriage return": good + "\r",
	} {
		if _, err := lax(raw); err != nil {
			t.Errorf("%s: golang-jwt refuses it now: %v", name, err)
		}
		if _, err := theRing().Verify(raw); reason(t, err) != mint.TokenMalformed {
			t.Errorf("%s: Verify: got %v, want token_malformed", name, err)
		}
	}
}

// The library asks for the key before it looks at a claim. Verify asks nobody:
// the keys are there, and a kid that is not among them ends it.
func TestTrap19LibraryAsksForTheKeyFirst(t *testing.T) {
	raw := forge(jwt.SigningMethodES256, crypto.Signer(ecOther()), `{"alg":"ES256","kid":"anything"}`, `{"exp":1,"iss":"https://evil.example"}`)
	asked := false
	_, _ = jwt.NewParser().Parse(raw, func(*jwt.Token) (any, error) {
		asked = true
		return ecKey().Public(), nil
	})
	if !asked {
		t.Error("golang-jwt looks at exp before it asks for the key now")
	}
	if _, err := theRing().Verify(raw); reason(t, err) != mint.TokenSignature {
		t.Errorf("Verify: got %v, want token_signature", err)
	}
}
