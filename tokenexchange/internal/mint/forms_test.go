package mint_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Base64url has one spelling. Each part is signed as it stands, so that only
// the decoder can refuse it.
func TestBase64IsStrict(t *testing.T) {
	head := base64.RawURLEncoding.EncodeToString([]byte(regularHeader))
	body := base64.RawURLEncoding.EncodeToString([]byte(regular(nil)))
	if strings.ContainsAny(head+body, "-_") || len(head)%4 == 0 {
		t.Fatalf("the parts do not fit this test: %s %s", head, body)
	}
	raw := signParts(head, body)
	signature := raw[strings.LastIndexByte(raw, '.')+1:]
	for _, bad := range []string{"\n", "\r", "\r\n", " ", "\t", "\x00", "=", "==", "+", "/", "%3D", "é", "\xff", "\u2028", "\ufeff", ",", "~"} {
		for name, change := range map[string]func(string) string{
			"in front": func(s string) string { return bad + s },
			"inside":   func(s string) string { return s[:8] + bad + s[8:] },
			"instead":  func(s string) string { return s[:8] + bad + s[8+min(1, len(bad)):] },
			"behind":   func(s string) string { return s + bad },
		} {
			verifies(t, fmt.Sprintf("%q %s the header", bad, name), signParts(change(head), body), mint.TokenMalformed)
			verifies(t, fmt.Sprintf("%q %s the claims", bad, name), signParts(head, change(body)), mint.TokenMalformed)
			verifies(t, fmt.Sprintf("%q %s the signature", bad, name), head+"."+body+"."+change(signature), mint.TokenMalformed)
		}
	}
	// The bits that the last character of a part does not need must be zero.
	padded := body
	for x := `"`; len(padded)%4 == 0; x += "x" {
		padded = base64.RawURLEncoding.EncodeToString([]byte(regular(map[string]string{"x": x + `"`})))
	}
	verifies(t, "regular", signParts(head, padded), "")
	verifies(t, "trailing bits of the header", signParts(trailing(head), body), mint.TokenMalformed)
	verifies(t, "trailing bits of the claims", signParts(head, trailing(padded)), mint.TokenMalformed)
	verifies(t, "trailing bits of the signature", head+"."+body+"."+trailing(signature), mint.TokenMalformed)
	other := base64.RawStdEncoding.EncodeToString([]byte(regular(map[string]string{"x": `"~~~~~~???"`})))
	if !strings.ContainsAny(other, "+/") {
		t.Fatal("both alphabets write these claims alike")
	}
	verifies(t, "claims in the standard alphabet", signParts(head, other), mint.TokenMalformed)
}

// trailing sets a bit that the last character of a part must not have.
func trailing(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last|1])
}

// The largest token that is read has exactly 16 KiB.
func TestSizeBorder(t *testing.T) {
	if mint.MaxPresented != 16<<10 {
		t.Fatalf("got a limit of %d bytes", mint.MaxPresented)
	}
	seen := map[bool]bool{}
	for pad := range 8 {
		raw := forged(regular(map[string]string{"x": `"` + strings.Repeat("x", 12288-500+pad) + `"`}))
		filler := mint.MaxPresented - len(raw)
		raw = forged(regular(map[string]string{"x": `"` + strings.Repeat("x", 12288-500+pad+filler*3/4+pad/2) + `"`}))
		want := mint.Reason("")
		if len(raw) > mint.MaxPresented {
			want = mint.TokenMalformed
		}
		seen[want == ""] = true
		verifies(t, fmt.Sprint(len(raw)), raw, want)
	}
	if !seen[true] || !seen[false] {
		t.Error("the tokens did not reach both sides of the border")
	}
}

// A token inside a token, an encrypted one, and one in the JSON serialization
// are no tokens of ours.
func TestOtherForms(t *testing.T) {
	good := forged(regular(nil))
	p := strings.Split(good, ".")
	jwe := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","kid":"ec","typ":"at+jwt"}`))
	for name, raw := range map[string]string{
		"a token as claims":       forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), regularHeader, good),
		"a token as a string":     forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), regularHeader, `"`+good+`"`),
		"said to be nested":       forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"at+jwt","cty":"JWT"}`, good),
		"a token as the header":   base64.RawURLEncoding.EncodeToString([]byte(good)) + "." + p[1] + "." + p[2],
		"encrypted, five parts":   jwe + "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
		"encrypted, three parts":  jwe + "." + p[1] + "." + p[2],
		"flattened JSON":          `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"general JSON":            `{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`,
		"detached":                p[0] + ".." + p[2],
		"JSON with dots":          `{"protected":"` + p[0] + `"}.` + p[1] + "." + p[2],
		"two tokens":              good + "." + good,
		"disclosures behind":      good + "~WyJzYWx0Il0~",
		"deeply nested header":    forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":`+strings.Repeat(`{"a":`, 5000)+`1`+strings.Repeat("}", 5000)+`}`, regular(nil)),
		"a header of an array":    forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `["ES256"]`, regular(nil)),
		"mark before the header":  forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), "\ufeff"+regularHeader, regular(nil)),
		"something behind header": forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), regularHeader+"\x00", regular(nil)),
	} {
		want := mint.TokenMalformed
		if name == "detached" {
			want = mint.TokenSignature
		}
		verifies(t, name, raw, want)
	}
}

// Claims may nest as deep as our own do, and not deeper.
func TestDepthIsBounded(t *testing.T) {
	deep := func(n int) string {
		return strings.Replace(regular(nil), "{", `{"x":`+strings.Repeat("[", n)+strings.Repeat("]", n)+`,`, 1)
	}
	verifies(t, "16 levels", forged(deep(15)), "")
	verifies(t, "17 levels", forged(deep(16)), mint.TokenMalformed)
	verifies(t, "5000 levels", forged(deep(5000)), mint.TokenMalformed)
}

// An ECDSA signature is r and s in 32 bytes each (RFC 7518 section 3.4).
func TestSignatureForms(t *testing.T) {
	good := forged(regular(nil))
	at := strings.LastIndexByte(good, '.') + 1
	sig := must(base64.RawURLEncoding.DecodeString(good[at:]))
	sum := sha256.Sum256([]byte(good[:at-1]))
	n := elliptic.P256().Params().N.Bytes()
	r, s, zero := sig[:32], sig[32:], make([]byte, 32)
	plus := func(b []byte) []byte {
		return new(big.Int).Add(new(big.Int).SetBytes(b), new(big.Int).SetBytes(n)).Bytes()
	}
	for name, parts := range map[string][][]byte{
		"DER":            {must(ecKey().Sign(rand.Reader, sum[:], crypto.SHA256))},
		"empty":          {},
		"only r":         {r},
		"a byte less":    {r, s[:31]},
		"a byte more":    {r, s, {0}},
		"a zero before":  {{0}, r, s},
		"zeros between":  {{0}, r, {0}, s},
		"twice":          {r, s, r, s},
		"s and r":        {s, r},
		"r zero":         {zero, s},
		"s zero":         {r, zero},
		"both zero":      {zero, zero},
		"r is n":         {n, s},
		"s is n":         {r, n},
		"r plus n":       {plus(r), s},
		"s plus n":       {r, plus(s)},
		"all ones":       {bytes.Repeat([]byte{0xff}, 64)},
		"RSA's length":   {bytes.Repeat([]byte{1}, 256)},
		"nothing signed": {bytes.Repeat([]byte{1}, 64)},
	} {
		verifies(t, name, good[:at]+base64.RawURLEncoding.EncodeToString(bytes.Join(parts, nil)), mint.TokenSignature)
	}
}

// (r, n-s) holds wherever (r, s) does. So one token has two strings, and what
// is remembered about it must be known by its jti.
func TestTwinSignatureIsTheSameToken(t *testing.T) {
	w := newWorld()
	one := forged(regular(nil))
	two := twin(one)
	for name, raw := range map[string]string{"as signed": one, "its twin": two} {
		signed := must(w.ring.Verify(raw))
		if signed.Identifiers() != must(w.ring.Verify(one)).Identifiers() {
			t.Errorf("%s: got other identifiers", name)
		}
		cond := w.conditions()
		cond.Revoked = func(id mint.Identifiers) string { return map[string]string{"J": "revoked"}[id.ID] }
		if _, err := signed.Admit(cond); reason(t, err) != mint.TokenRevoked {
			t.Errorf("%s: got %v, want token_revoked", name, err)
		}
	}
	if one == two || twin(two) != one {
		t.Error("the twin is no other string of the same token")
	}
	rs := forge(jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"rsa","typ":"at+jwt"}`, regular(nil))
	for i := strings.LastIndexByte(rs, '.') + 1; i < len(rs); i += 7 {
		other := []byte(rs)
		other[i] ^= 1
		if _, err := w.ring.Verify(string(other)); err == nil {
			t.Errorf("RS256: a second signature holds, changed at %d", i)
		}
	}
}
