package tokenexchange

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// at is a moment in the claims, seconds from the start.
func at(seconds int) string { return fmt.Sprint(start.Unix() + int64(seconds)) }

// assertionCase is a line of testdata/assertions.txt, whose head says what it
// means.
type assertionCase struct {
	name, member, value string
	good                bool
}

func readAssertionTable(t *testing.T) (cases []assertionCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/assertions.txt")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.NewReplacer("$issuer", issuer, "$ISSUER", strings.ToUpper(issuer), "$j256", strings.Repeat("j", maxAssertionID))
	moment := regexp.MustCompile(`\$now[+-][0-9]+`)
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			t.Fatalf("testdata/assertions.txt: %q: expected 4 cells", line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		value := moment.ReplaceAllStringFunc(words.Replace(cells[2]), func(word string) string {
			seconds, _ := strconv.Atoi(strings.TrimPrefix(word, "$now"))
			return at(seconds)
		})
		cases = append(cases, assertionCase{cells[0], cells[1], value, cells[3] == "granted"})
	}
	return cases
}

// One change of a good assertion at a time.
func TestAssertionClaims(t *testing.T) {
	h := newHouse(t, robots)
	for _, c := range readAssertionTable(t) {
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
		{"another client's key", says(nil).sign(jwt.SigningMethodES256, secondKey()), false},
		{"another client's name", says(as("tractor")).robot(), false},
		{"our own signing key", says(nil).sign(jwt.SigningMethodES256, ecKey().private), false},
		{"jwk", says(statement{"jwk": jwkOf}).robot(), false},
		{"jwk, signed with it", says(statement{"jwk": jwkOf}).sign(jwt.SigningMethodES256, secondKey()), false},
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
