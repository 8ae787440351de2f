package tokenexchange

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// at is a moment in the claims, seconds from the start.
func at(seconds int) string { return fmt.Sprint(start.Unix() + int64(seconds)) }

// One change of a good assertion at a time; "" as the reason means that it is
// still good.
func TestAssertionClaims(t *testing.T) {
	h := newHouse(t, robots)
	list := func(text ...string) string { return `["` + strings.Join(text, `","`) + `"]` }
	long := strings.Repeat("j", maxAssertionID)
	for _, c := range []struct {
		name, member, value string
		good                bool
	}{
		{"as it is", "typ", `"JWT"`, true},
		{"typ absent", "typ", "", true},
		{"typ of the draft", "typ", `"client-authentication+jwt"`, true},
		{"typ of an access token", "typ", `"at+jwt"`, false},
		{"typ in other case", "typ", `"jwt"`, false},
		{"typ of a logout token", "typ", `"logout+jwt"`, false},
		{"typ of a DPoP proof", "typ", `"dpop+jwt"`, false},
		{"typ a number", "typ", `1`, false},
		{"iss absent", "iss", "", false},
		{"iss empty", "iss", `""`, false},
		{"iss the issuer", "iss", `"` + issuer + `"`, false},
		{"iss another client", "iss", `"tractor"`, false},
		{"iss a list", "iss", list("robot"), false},
		{"iss null", "iss", `null`, false},
		{"sub absent", "sub", "", false},
		{"sub another client", "sub", `"tractor"`, false},
		{"sub unknown", "sub", `"nobody"`, false},
		{"sub in other case", "sub", `"Robot"`, false},
		{"aud a list of the issuer", "aud", list(issuer), true},
		{"aud absent", "aud", "", false},
		{"aud empty", "aud", `""`, false},
		{"aud an empty list", "aud", `[]`, false},
		{"aud twice the issuer", "aud", list(issuer, issuer), false},
		{"aud the issuer and another", "aud", list(issuer, "https://other.example"), false},
		{"aud the token endpoint", "aud", `"` + issuer + `/oauth2/token"`, false},
		{"aud with a slash", "aud", `"` + issuer + `/"`, false},
		{"aud in other case", "aud", `"` + strings.ToUpper(issuer) + `"`, false},
		{"aud another server", "aud", `"https://other.example"`, false},
		{"aud a number", "aud", `1`, false},
		{"aud a list of lists", "aud", `[["` + issuer + `"]]`, false},
		{"exp absent", "exp", "", false},
		{"exp zero", "exp", `0`, false},
		{"exp negative", "exp", `-1`, false},
		{"exp a string", "exp", `"` + at(60) + `"`, false},
		{"exp a fraction", "exp", at(60) + ".5", false},
		{"exp an exponent", "exp", "1e10", false},
		{"exp beyond the year 9999", "exp", "253402300800", false},
		{"exp within the leeway", "exp", at(-4), true},
		{"exp past the leeway", "exp", at(-5), false},
		{"exp five minutes ahead", "exp", at(300), true},
		{"exp further ahead", "exp", at(301), false},
		{"exp an hour ahead", "exp", at(3600), false},
		{"iat absent", "iat", "", true},
		{"iat within the leeway", "iat", at(30), true},
		{"iat in the future", "iat", at(31), false},
		{"iat a string", "iat", `"` + at(0) + `"`, false},
		{"iat zero", "iat", `0`, false},
		{"nbf within the leeway", "nbf", at(30), true},
		{"nbf in the future", "nbf", at(31), false},
		{"nbf null", "nbf", `null`, false},
		{"jti absent", "jti", "", false},
		{"jti empty", "jti", `""`, false},
		{"jti of 256 bytes", "jti", `"` + long + `"`, true},
		{"jti of 257 bytes", "jti", `"` + long + `j"`, false},
		{"jti a number", "jti", `7`, false},
		{"a claim that we do not know", "more", `{"a":[1,null]}`, true},
		{"a claim with a name twice", "more", `{"a":1,"a":2}`, false},
		{"a claim twice", "more", `1,"iss":"robot"`, false},
		{"something behind the claims", "more", `1} {"a":1`, false},
		{"exp twice", "more", `1,"exp":` + at(60), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := h.assert(says(nil).with(c.member, c.value).robot())
			if c.good {
				if got := claimsOf(t, g.granted(t))["sub"]; got != "robot" {
					t.Errorf("got a token of %v, want robot", got)
				}
				return
			}
			g.refusedAssertion(t)
		})
	}
}

func TestAssertionHeader(t *testing.T) {
	h := newHouse(t, robots)
	jwkOf := jwk(secondKey().Public(), "")
	hmacKey := must(x509.MarshalPKIXPublicKey(robotKey().Public()))
	none := says(statement{"alg": `"none"`}).sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)
	tractor := func(change statement) statement { return says(as("tractor")).with("alg", `"RS256"`).and(change) }
	rotating := func(change statement) statement { return says(as("rotating")).and(change) }
	for _, c := range []struct {
		name, raw string
		good      bool
	}{
		{"EC", says(nil).robot(), true},
		{"RSA", tractor(nil).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"RSA with its kid", tractor(statement{"kid": `"t1"`}).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"any kid where the key has none", says(statement{"kid": `"x"`}).robot(), true},
		{"another kid than the only key's", tractor(statement{"kid": `"t2"`}).sign(jwt.SigningMethodRS256, tractKey()), false},
		{"the first of several", rotating(statement{"kid": `"r1"`}).robot(), true},
		{"the second of several", rotating(statement{"kid": `"r2"`}).sign(jwt.SigningMethodES256, secondKey()), true},
		{"the RSA key of several", rotating(statement{"kid": `"r3"`, "alg": `"RS256"`}).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"several and no kid", rotating(nil).robot(), false},
		{"several and the kid of another", rotating(statement{"kid": `"r2"`}).robot(), false},
		{"several and an unknown kid", rotating(statement{"kid": `"r4"`}).robot(), false},
		{"an EC kid with RS256", rotating(statement{"kid": `"r1"`, "alg": `"RS256"`}).sign(jwt.SigningMethodRS256, tractKey()), false},
		{"alg none", none, false},
		{"alg none, without a signature", none[:strings.LastIndexByte(none, '.')+1], false},
		{"HMAC with the public key", says(statement{"alg": `"HS256"`}).sign(jwt.SigningMethodHS256, hmacKey), false},
		{"HMAC, called ES256", says(nil).sign(jwt.SigningMethodHS256, hmacKey), false},
		{"PSS, called PS256", tractor(statement{"alg": `"PS256"`}).sign(jwt.SigningMethodPS256, tractKey()), false},
		{"PSS, called RS256", tractor(nil).sign(jwt.SigningMethodPS256, tractKey()), false},
		{"RS512 by an RSA key", tractor(statement{"alg": `"RS512"`}).sign(jwt.SigningMethodRS512, tractKey()), false},
		{"alg absent", says(statement{"alg": ""}).robot(), false},
		{"alg in other case", says(statement{"alg": `"es256"`}).robot(), false},
		{"another client's key", says(nil).sign(jwt.SigningMethodES256, secondKey()), false},
		{"another client's name", says(as("tractor")).robot(), false},
		{"our own signing key", says(nil).sign(jwt.SigningMethodES256, ecKey().private), false},
		{"crit", says(statement{"crit": `["exp"]`}).robot(), false},
		{"jku", says(statement{"jku": `"https://evil.example/jwks"`}).robot(), false},
		{"x5u", says(statement{"x5u": `"https://evil.example/x5u"`}).robot(), false},
		{"x5c", says(statement{"x5c": `[]`}).robot(), false},
		{"x5t", says(statement{"x5t": `"AA"`}).robot(), false},
		{"jwk", says(statement{"jwk": jwkOf}).robot(), false},
		{"jwk, signed with it", says(statement{"jwk": jwkOf}).sign(jwt.SigningMethodES256, secondKey()), false},
		{"b64", says(statement{"b64": `false`}).robot(), false},
		{"cty", says(statement{"cty": `"JWT"`}).robot(), false},
		{"alg twice", says(statement{"kid": `"x","alg":"ES256"`}).robot(), false},
		{"header with something behind", says(statement{"kid": `"x"} {"a":"b"`}).robot(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if g := h.assert(c.raw); c.good {
				g.granted(t)
			} else {
				g.refusedAssertion(t)
			}
		})
	}
}

// and returns the statement with several changes.
func (s statement) and(change statement) statement {
	for name, value := range change {
		s = s.with(name, value)
	}
	return s
}

// Several strings that could be read as one assertion are not.
func TestAssertionShape(t *testing.T) {
	h := newHouse(t, robots)
	good := func() []string { return strings.Split(says(nil).robot(), ".") }
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	signed := func(header, claims string) string {
		return forgeJWS(jwt.SigningMethodES256, robotKey(), header, claims)
	}
	const head = `{"alg":"ES256"}`
	p := good()
	// The last character of 64 bytes in base64 has four bits that mean nothing.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	stray := p[2][:len(p[2])-1] + string(alphabet[strings.IndexByte(alphabet, p[2][len(p[2])-1])|1])
	digest := sha256.Sum256([]byte(p[0] + "." + p[1]))
	huge := says(statement{"more": `"` + strings.Repeat("x", 13<<10) + `"`}).robot()
	fits := says(statement{"more": `"` + strings.Repeat("x", 11<<10) + `"`}).robot()
	for name, raw := range map[string]string{
		"not a token":          "x",
		"two parts":            join(p[0], p[1]),
		"four parts":           join(p[0], p[1], p[2], ""),
		"an empty signature":   join(p[0], p[1], ""),
		"an empty header":      join("", p[1], p[2]),
		"a blank behind":       join(p...) + " ",
		"a line end inside":    join(p[0], p[1], p[2][:20]+"\n"+p[2][20:]),
		"padding":              join(p[0], p[1], p[2]+"=="),
		"standard base64":      join(p[0], p[1], base64.StdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe})),
		"stray bits":           join(p[0], p[1], stray),
		"a DER signature":      join(p[0], p[1], base64.RawURLEncoding.EncodeToString(must(robotKey().Sign(rand.Reader, digest[:], crypto.SHA256)))),
		"no JSON":              signed(head, "robot"),
		"a JSON array":         signed(head, "[]"),
		"something behind":     signed(head, `{"iss":"robot","sub":"robot"} {}`),
		"not UTF-8":            signed(head, "{\"iss\":\"\xff\"}"),
		"larger than 16 KiB":   huge,
		"JSON serialization":   `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"an encrypted one":     join(p[0], "", p[1], p[2], p[2]),
		"claims of another":    join(p[0], good()[1], p[2]),
		"an unsecured copy":    join(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), p[1], ""),
		"nested in quotes":     `"` + join(p...) + `"`,
		"with the word Bearer": "Bearer " + join(p...),
	} {
		t.Run(name, func(t *testing.T) { h.assert(raw).refusedAssertion(t) })
	}
	if len(huge) <= 16<<10 || len(fits) > 16<<10 {
		t.Fatalf("got the sizes %d and %d, want them on both sides of 16 KiB", len(huge), len(fits))
	}
	h.assert(fits).granted(t)
	h.assert(join(p...)).granted(t) // The tries did not use it up.
}
