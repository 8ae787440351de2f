package tokenexchange

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const publicKeyPath = "/csp/gateway/am/api/auth/token-public-key"

// The forms are those that VMware's readers take: one cuts the first and the last
// line off and decodes what is left, another takes all that looks like a line of
// a PEM file away, a third reads PEM, others read the JWK set.
func TestPublicKey(t *testing.T) {
	h := newHouse(t)
	set := h.do(httptest.NewRequest("GET", "/oauth2/jwks", nil)).body["keys"]
	for _, query := range []string{"", "?", "?format=pem", "?other=1&format=pem"} {
		g := h.do(httptest.NewRequest("GET", publicKeyPath+query, nil))
		if g.status != 200 || len(g.body) != 4 || g.body["alg"] != "RS256" || g.body["issuer"] != issuer || !reflect.DeepEqual(g.body["keys"], set) {
			t.Fatalf("%s: got %d %s, want alg, issuer, value and keys", query, g.status, g.raw)
		}
		value := g.body["value"].(string)
		cut := strings.Replace(strings.Replace(value, "-----BEGIN PUBLIC KEY-----\n", "", 1), "\n-----END PUBLIC KEY-----", "", 1)
		if strings.ContainsAny(cut, "\r\n- ") { // Go's decoder skips line ends; others do not.
			t.Errorf("%s: what is left of the value is not base64 alone: %q", query, cut)
		}
		loose := regexp.MustCompile(`-----BEGIN (.*)-----|-----END (.*)----|\n`).ReplaceAllString(value, "")
		block, rest := pem.Decode([]byte(value))
		if block == nil || len(rest) > 0 {
			t.Fatalf("%q is not one PEM block", value)
		}
		for name, der := range map[string][]byte{
			"cut":   must(base64.StdEncoding.DecodeString(cut)),
			"loose": must(base64.StdEncoding.DecodeString(loose)),
			"PEM":   block.Bytes,
		} {
			key, err := x509.ParsePKIXPublicKey(der)
			if err != nil || !rsaKey().private.Public().(*rsa.PublicKey).Equal(key) {
				t.Errorf("%s %s: got %T, %v, want the key that signs RS256", query, name, key, err)
			}
		}
		if g.header.Get("Cache-Control") != "public, max-age=300" || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("got the headers %v", g.header)
		}
	}
	g := h.do(httptest.NewRequest("GET", publicKeyPath+"?format=jwks", nil))
	if len(g.body) != 2 || g.body["issuer"] != issuer || !reflect.DeepEqual(g.body["keys"], set) {
		t.Errorf("jwks: got %s, want the key set and the issuer", g.raw)
	}
	var read jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(g.raw), &read); err != nil || len(read.Keys) != 2 {
		t.Errorf("jwks: read as a key set: %v, %v", read, err)
	}
	for query, reason := range map[string]string{
		"?format=": "parameter_invalid", "?format=PEM": "parameter_invalid", "?format=der": "parameter_invalid", "?format": "parameter_invalid",
		"?format=%zz": "parameter_invalid", "?format=pem;format=jwks": "parameter_invalid", "?format=pem&format=pem": "parameter_repeated",
	} {
		g := h.do(httptest.NewRequest("GET", publicKeyPath+query, nil))
		g.refused(t, 400, "invalid_request", reason)
		if g.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: scripts cannot read why", query)
		}
	}
}

// Of several keys value is the RSA key that signs; without one it is the first.
func TestPublicKeyOfSeveral(t *testing.T) {
	second := must(GenerateSigningKey("RS256"))
	for name, c := range map[string]struct {
		keys []SigningKey
		want SigningKey
		alg  string
	}{
		"two of RSA":   {[]SigningKey{ecKey(), rsaKey(), second}, rsaKey(), "RS256"},
		"rotated":      {[]SigningKey{second, ecKey(), rsaKey()}, second, "RS256"},
		"no RSA":       {[]SigningKey{ecKey(), ecOther()}, ecKey(), "ES256"},
		"nothing else": {[]SigningKey{rsaKey()}, rsaKey(), "RS256"},
	} {
		var body struct{ Alg, Value string }
		if err := json.Unmarshal(must(publicKeysOf(issuer, c.keys)).pem, &body); err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode([]byte(body.Value))
		if want := must(x509.MarshalPKIXPublicKey(c.want.private.Public())); block == nil || string(block.Bytes) != string(want) || body.Alg != c.alg {
			t.Errorf("%s: got %+v, want %s of %s", name, body, c.alg, c.want.ID())
		}
	}
}
