package mint_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

const regularHeader = `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`

// publicPEM is what an attacker would use as an HMAC secret.
func publicPEM(key crypto.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))})
}

func TestVerifyHeader(t *testing.T) {
	es := func(header string) string {
		return forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), header, regular(nil))
	}
	unsigned := func(header string) string {
		return forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, regular(nil))
	}
	hmac := func(header string, secret []byte) string {
		return forge(jwt.SigningMethodHS256, secret, header, regular(nil))
	}
	cases := []struct {
		name, raw string
		want      mint.Reason
	}{
		{"regular ES256", es(regularHeader), ""},
		{"regular RS256", forge(jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"rsa","typ":"at+jwt"}`, regular(nil)), ""},
		{"order and white space", es(" { \"typ\" : \"at+jwt\",\"kid\":\"ec\",\n\"alg\":\"ES256\" } "), ""},
		{"alg none", unsigned(`{"alg":"none","kid":"ec","typ":"at+jwt"}`), mint.TokenSignature},
		{"alg None", unsigned(`{"alg":"None","kid":"ec","typ":"at+jwt"}`), mint.TokenSignature},
		{"alg none without kid", unsigned(`{"alg":"none"}`), mint.TokenSignature},
		{"no signature under ES256", unsigned(regularHeader), mint.TokenSignature},
		{"HS256 with the RSA key as PEM", hmac(`{"alg":"HS256","kid":"rsa","typ":"at+jwt"}`, publicPEM(rsaKey().Public())), mint.TokenSignature},
		{"HS256 with the EC key as PEM", hmac(`{"alg":"HS256","kid":"ec","typ":"at+jwt"}`, publicPEM(ecKey().Public())), mint.TokenSignature},
		{"HMAC under the header of ES256", hmac(regularHeader, publicPEM(ecKey().Public())), mint.TokenSignature},
		{"RS256 and the kid of the EC key", es(`{"alg":"RS256","kid":"ec","typ":"at+jwt"}`), mint.TokenSignature},
		{"ES256 and the kid of the RSA key", es(`{"alg":"ES256","kid":"rsa","typ":"at+jwt"}`), mint.TokenSignature},
		{"RSA signature under ES256", forge(jwt.SigningMethodRS256, rsaKey(), regularHeader, regular(nil)), mint.TokenSignature},
		{"PS256", forge(jwt.SigningMethodPS256, rsaKey(), `{"alg":"PS256","kid":"rsa","typ":"at+jwt"}`, regular(nil)), mint.TokenSignature},
		{"alg in other case", es(`{"alg":"es256","kid":"ec","typ":"at+jwt"}`), mint.TokenSignature},
		{"alg missing", es(`{"kid":"ec","typ":"at+jwt"}`), mint.TokenSignature},
		{"kid missing", es(`{"alg":"ES256","typ":"at+jwt"}`), mint.TokenSignature},
		{"kid empty", es(`{"alg":"ES256","kid":"","typ":"at+jwt"}`), mint.TokenSignature},
		{"kid foreign", es(`{"alg":"ES256","kid":"other","typ":"at+jwt"}`), mint.TokenSignature},
		{"kid a path", es(`{"alg":"ES256","kid":"../../dev/null","typ":"at+jwt"}`), mint.TokenSignature},
		{"another key under our kid", forge(jwt.SigningMethodES256, crypto.Signer(ecOther()), regularHeader, regular(nil)), mint.TokenSignature},
		{"kid a number", es(`{"alg":"ES256","kid":1,"typ":"at+jwt"}`), mint.TokenMalformed},
		{"alg null", es(`{"alg":null,"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"alg an array", es(`{"alg":["ES256"],"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"crit", es(`{"alg":"ES256","crit":["exp"],"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"crit empty", es(`{"alg":"ES256","crit":[],"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"b64", es(`{"alg":"ES256","b64":false,"crit":["b64"],"kid":"ec"}`), mint.TokenMalformed},
		{"jku", es(`{"alg":"ES256","jku":"https://evil.example/jwks","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"x5u", es(`{"alg":"ES256","x5u":"https://evil.example/c","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"jwk", es(`{"alg":"ES256","jwk":{"kty":"EC"},"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"x5c", es(`{"alg":"ES256","x5c":["MIIB"],"kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"zip", es(`{"alg":"ES256","zip":"DEF","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"cty", es(`{"alg":"ES256","cty":"JWT","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"alg in other case beside alg", es(`{"Alg":"none","alg":"ES256","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"alg twice", es(`{"alg":"ES256","alg":"none","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"alg twice by an escape", es(`{"alg":"ES256","a\u006cg":"none","kid":"ec","typ":"at+jwt"}`), mint.TokenMalformed},
		{"two objects", es(regularHeader + regularHeader), mint.TokenMalformed},
		{"an array", es(`[` + regularHeader + `]`), mint.TokenMalformed},
		{"empty", es(``), mint.TokenMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := theRing().Verify(c.raw); reason(t, err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestVerifyShape(t *testing.T) {
	good := forged(regular(nil))
	parts := strings.Split(good, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	trailing := func(s string) string { // sets a bit that the last character must not have
		last := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + string(alphabet[last|1])
	}
	if len(parts[2])%4 != 2 || trailing(parts[2]) == parts[2] {
		t.Fatal("the signature has no trailing bits to set")
	}
	standard := func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) }
	dashed := good // a signature with - or _ in it, so that the alphabets differ
	for !strings.ContainsAny(strings.SplitN(dashed, ".", 3)[2], "-_") {
		dashed = forged(regular(nil))
	}
	dp := strings.Split(dashed, ".")
	flipped := []byte(parts[1])
	flipped[10] ^= 1
	cases := []struct {
		name, raw string
		want      mint.Reason
	}{
		{"regular", good, ""},
		{"empty", "", mint.TokenMalformed},
		{"dots", "..", mint.TokenMalformed},
		{"one part", parts[0], mint.TokenMalformed},
		{"two parts", parts[0] + "." + parts[1], mint.TokenMalformed},
		{"empty signature", parts[0] + "." + parts[1] + ".", mint.TokenSignature},
		{"four parts", good + ".AAAA", mint.TokenMalformed},
		{"a dot at the end", good + ".", mint.TokenMalformed},
		{"five parts, a JWE", strings.Repeat(parts[0]+".", 4) + parts[0], mint.TokenMalformed},
		{"padding", good + "==", mint.TokenMalformed},
		{"one padding", good + "=", mint.TokenMalformed},
		{"header with padding", parts[0] + "=." + parts[1] + "." + parts[2], mint.TokenMalformed},
		{"trailing bits", parts[0] + "." + parts[1] + "." + trailing(parts[2]), mint.TokenMalformed},
		{"newline at the end", good + "\n", mint.TokenMalformed},
		{"newline inside", parts[0] + "." + parts[1] + "." + parts[2][:20] + "\n" + parts[2][20:], mint.TokenMalformed},
		{"carriage return in the header", parts[0][:8] + "\r" + parts[0][8:] + "." + parts[1] + "." + parts[2], mint.TokenMalformed},
		{"newline in the claims", parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2], mint.TokenSignature},
		{"standard alphabet", dp[0] + "." + dp[1] + "." + standard(dp[2]), mint.TokenMalformed},
		{"blank in front", " " + good, mint.TokenMalformed},
		{"blank behind", good + " ", mint.TokenMalformed},
		{"scheme in front", "Bearer " + good, mint.TokenMalformed},
		{"a changed claim", parts[0] + "." + string(flipped) + "." + parts[2], mint.TokenSignature},
		{"a byte less of signature", parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(must(base64.RawURLEncoding.DecodeString(parts[2]))[:63]), mint.TokenSignature},
		{"signature in DER", parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 71)), mint.TokenSignature},
		{"signature of zeros", parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), mint.TokenSignature},
		{"over 16 KiB", forged(regular(map[string]string{"x": `"` + strings.Repeat("x", mint.MaxPresented) + `"`})), mint.TokenMalformed},
		{"just under 16 KiB", forged(regular(map[string]string{"x": `"` + strings.Repeat("x", mint.MaxPresented*3/4-400) + `"`})), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := theRing().Verify(c.raw); reason(t, err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The text of a refusal goes to the log: it holds nothing of what was sent.
func TestRefusalsQuoteNothing(t *testing.T) {
	const mark = "c29tZS10b2tlbi1tYXRlcmlhbA"
	for _, raw := range []string{
		mark, mark + "." + mark + "." + mark,
		forged(`{"` + mark + `":1}`),
		forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"`+mark+`":"x","`+mark+`":"y"}`, regular(nil)),
		forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"kid":"`+mark+`","kid":"`+mark+`"}`, regular(nil)),
		forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"`+mark+`","kid":"`+mark+`","typ":"`+mark+`"}`, regular(nil)),
	} {
		_, err := theRing().Verify(raw)
		if err == nil || strings.Contains(err.Error(), mark) {
			t.Errorf("got %v, want a refusal without what was sent", err)
		}
	}
	w := newWorld()
	signed := must(w.ring.Verify(forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"`+mark+`"}`, regular(nil))))
	if _, err := signed.Admit(w.conditions()); reason(t, err) != mint.TokenType || strings.Contains(err.Error(), mark) {
		t.Errorf("got %v, want token_type without what was sent", err)
	}
}
