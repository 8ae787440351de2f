package mint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
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
		"RSA of 8193 bits": {&rsa.PublicKey{N: new(big.Int).SetBit(rsaKey().N, 8192, 1), E: 65537}, "at most 8192 bits"},
		"a private key":    {ecKey(), "expected an EC P-256 or RSA key"},
		"a symmetric key":  {[]byte("secret"), "expected an EC P-256 or RSA key"},
		"nothing":          {nil, "expected an EC P-256 or RSA key"},
	} {
		if _, err := mint.NewVerifier(c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}
