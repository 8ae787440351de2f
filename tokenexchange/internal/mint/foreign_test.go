package mint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// The key says which algorithm counts, for somebody else's signature too.
func TestVerifierPinsItsAlgorithm(t *testing.T) {
	ec, rs := must(mint.NewVerifier(ecKey().Public())), must(mint.NewVerifier(rsaKey().Public()))
	if ec.Alg() != mint.ES256 || rs.Alg() != mint.RS256 {
		t.Errorf("got %s and %s", ec.Alg(), rs.Alg())
	}
	for name, c := range map[string]struct {
		raw  string
		want mint.Verifier
	}{
		"EC":                          {forge(jwt.SigningMethodES256, ecKey(), `{"alg":"ES256"}`, "{}"), ec},
		"RSA":                         {forge(jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","typ":"x","kid":"y"}`, "{}"), rs},
		"EC, called RS256":            {forge(jwt.SigningMethodES256, ecKey(), `{"alg":"RS256"}`, "{}"), mint.Verifier{}},
		"another EC key":              {forge(jwt.SigningMethodES256, ecOther(), `{"alg":"ES256"}`, "{}"), mint.Verifier{}},
		"PSS, called RS256":           {forge(jwt.SigningMethodPS256, rsaKey(), `{"alg":"RS256"}`, "{}"), mint.Verifier{}},
		"RS512":                       {forge(jwt.SigningMethodRS512, rsaKey(), `{"alg":"RS512"}`, "{}"), mint.Verifier{}},
		"none":                        {forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"none"}`, "{}"), mint.Verifier{}},
		"no algorithm":                {forge(jwt.SigningMethodES256, ecKey(), `{}`, "{}"), mint.Verifier{}},
		"HMAC of an empty key":        {forge(jwt.SigningMethodHS256, []byte{}, `{"alg":"HS256"}`, "{}"), mint.Verifier{}},
		"nothing by no key":           {forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":""}`, "{}"), mint.Verifier{}},
		"claims that were not signed": {strings.Replace(forge(jwt.SigningMethodES256, ecKey(), `{"alg":"ES256"}`, "{}"), ".e30.", ".W10.", 1), mint.Verifier{}},
	} {
		f, err := mint.ReadForeign(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, v := range []mint.Verifier{ec, rs, {}} {
			if got, want := v.Verify(f), v == c.want && v.Alg() != ""; got != want {
				t.Errorf("%s by the key for %q: got %v, want %v", name, v.Alg(), got, want)
			}
		}
	}
}

// For each length that a signature of an accepted key can have, a decoy fits it;
// for others, nothing does.
func TestDecoysFitWhatKeysFit(t *testing.T) {
	sized := func(alg string, size int) *mint.Foreign {
		b64 := base64.RawURLEncoding.EncodeToString
		return must(mint.ReadForeign(b64([]byte(`{"alg":"`+alg+`"}`)) + ".e30." + b64(make([]byte, size))))
	}
	for _, c := range []struct {
		alg  string
		size int
		want string
	}{
		{mint.ES256, 64, mint.ES256},
		{mint.ES256, 63, mint.ES256}, // Any key of ES256 is done with it at once.
		{mint.RS256, 1, ""},
		{mint.RS256, 255, ""},
		{mint.RS256, 256, mint.RS256},
		{mint.RS256, 257, mint.RS256},
		{mint.RS256, 384, mint.RS256},
		{mint.RS256, 512, mint.RS256},
		{mint.RS256, 513, ""},
		{"PS256", 256, ""},
		{"none", 0, ""},
	} {
		f := sized(c.alg, c.size)
		d := mint.Decoy(f)
		if d.Alg() != c.want || d.Verify(f) || c.want != "" && !d.Fits(f) {
			t.Errorf("%s of %d bytes: got a decoy for %q that fits %v and verifies %v, want one for %q", c.alg, c.size, d.Alg(), d.Fits(f), d.Verify(f), c.want)
		}
	}
	ours := must(mint.NewVerifier(rsaKey().Public())) // 2048 bits
	for size, want := range map[int]bool{255: false, 256: true, 257: false, 512: false} {
		if got := ours.Fits(sized(mint.RS256, size)); got != want {
			t.Errorf("%d bytes by a key of 2048 bits: got %v, want %v", size, got, want)
		}
	}
}

func TestVerifierRefusesWeakKeys(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	for name, c := range map[string]struct {
		key  any
		want string
	}{
		"P-384":            {must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).Public(), "expected an EC key on P-256"},
		"RSA of 1024":      {must(rsa.GenerateKey(rand.Reader, 1024)).Public(), "at least 2048 bits"},
		"a broken card":    {rocaKey().Public(), "CVE-2017-15361"},
		"a small exponent": {&rsa.PublicKey{N: rsaKey().N, E: 3}, "exponent"},
		"an even modulus":  {&rsa.PublicKey{N: new(big.Int).Lsh(rsaKey().N, 1), E: 65537}, "odd modulus"},
		"RSA of 4097 bits": {&rsa.PublicKey{N: new(big.Int).SetBit(rsaKey().N, 4096, 1), E: 65537}, "at most 4096 bits"},
		"a private key":    {ecKey(), "expected an EC P-256 or RSA key"},
		"a symmetric key":  {[]byte("secret"), "expected an EC P-256 or RSA key"},
		"nothing":          {nil, "expected an EC P-256 or RSA key"},
	} {
		if _, err := mint.NewVerifier(c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}
