package clients

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// robot is the client of that name: it signs assertions.
type robot struct {
	t   *testing.T
	pem string // of its key, PKCS #8
	key *ecdsa.PrivateKey
}

func newRobot(t *testing.T) robot {
	t.Helper()
	private, _ := signer(t)
	block, _ := pem.Decode([]byte(private))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return robot{t, private, key.(*ecdsa.PrivateKey)}
}

// sign makes a JWS of whatever it is given.
func (r robot) sign(header, claims string) string {
	r.t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(input))
	x, y, err := ecdsa.Sign(rand.Reader, r.key, digest[:])
	if err != nil {
		r.t.Fatal(err)
	}
	return input + "." + encode(append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...))
}

// assertion is what it says, with one member changed, or left out
// if its value is empty.
func (r robot) assertion(issuer, member, value string) string {
	r.t.Helper()
	values := map[string]string{
		"alg": `"ES256"`, "typ": `"JWT"`, "iss": `"robot"`, "sub": `"robot"`, "aud": strconv.Quote(issuer),
		"exp": moment("$now+60"), "iat": moment("$now+0"), "jti": strconv.Quote(rand.Text()),
	}
	values[member] = value
	object := func(names ...string) string {
		var members []string
		for _, name := range names {
			if values[name] != "" {
				members = append(members, strconv.Quote(name)+":"+values[name])
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return r.sign(object("alg", "typ", "kid", "crit", "jku", "x5u", "x5c", "x5t", "b64", "cty"),
		object("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "more"))
}

// asks is a token request with an assertion.
func (r robot) asks(assertion string) asked {
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion":      {assertion},
		"client_assertion_type": {constants["jwt_bearer"]},
	}
	return asked{kind: "application/x-www-form-urlencoded", body: form.Encode()}
}

var moments = regexp.MustCompile(`\$now[+-][0-9]+`)

// moment writes the times of a value as numbers.
func moment(value string) string {
	return moments.ReplaceAllStringFunc(value, func(word string) string {
		seconds, _ := strconv.Atoi(strings.TrimPrefix(word, "$now"))
		return fmt.Sprint(time.Now().Unix() + int64(seconds))
	})
}

// place is the member that a case is about, or where that stands.
func place(member string) string {
	switch member {
	case "alg", "kid", "crit", "jku", "x5u", "x5c", "x5t", "b64", "cty":
		return "header"
	case "more":
		return "claims"
	}
	return member
}

// addAssertions adds what tokenexchange/testdata/assertions.txt has, for an
// issuer.
func (table *tokenTable) addAssertions(t *testing.T, robot robot, issuer string) {
	t.Helper()
	text, err := os.ReadFile("../../tokenexchange/testdata/assertions.txt")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.NewReplacer("$issuer/oauth2/token", issuer+"/token", "$issuer", issuer, "$ISSUER", strings.ToUpper(issuer), "$j256", strings.Repeat("j", 256))
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if line[0] == '#' || cells[3] == "granted" {
			continue
		}
		request := robot.asks(robot.assertion(issuer, cells[1], moment(words.Replace(cells[2]))))
		table.cases = append(table.cases, tokenCase{
			name: "assertion: " + cells[0], body: &request,
			status: "401", code: "invalid_client", reason: "assertion: " + place(cells[1]),
		})
	}
}
