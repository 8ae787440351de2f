package tokenexchange

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestParseAssertionKeys(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	ec := func(kid string) string { return jwk(robotKey().Public(), kid) }
	with := func(key, members string) string { return key[:len(key)-1] + "," + members + "}" }
	many := func(n int) string {
		var keys []string
		for i := range n {
			keys = append(keys, ec(fmt.Sprint(i)))
		}
		return set(keys...)
	}
	edPublic, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	n := tractKey().N
	rsaOf := func(n *big.Int, e int) string { return jwk(&rsa.PublicKey{N: n, E: e}, "") }
	zero := strings.Repeat("A", 43)
	offCurve := `{"kty":"EC","crv":"P-256","x":"` + zero[:42] + `E","y":"` + zero[:42] + `E"}`
	b64 := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct{ text, want string }{
		"one EC key":              {set(ec("")), ""},
		"one RSA key":             {set(jwk(tractKey().Public(), "")), ""},
		"two with kids":           {set(ec("a"), jwk(secondKey().Public(), "b")), ""},
		"RSA of 4096 bits":        {set(rsaOf(new(big.Int).SetBit(n, 4095, 1), 65537)), ""},
		"use sig":                 {set(with(ec(""), `"use":"sig"`)), ""},
		"its alg":                 {set(with(ec(""), `"alg":"ES256"`)), ""},
		"key_ops verify":          {set(with(ec(""), `"key_ops":["verify"]`)), ""},
		"members unknown to us":   {`{"keys":[` + with(ec(""), `"note":{"a":[]}`) + `],"more":1}`, ""},
		"a hundred keys":          {many(100), ""},
		"empty":                   {"", "expected a JWK set"},
		"no JSON":                 {"-----BEGIN PUBLIC KEY-----", "expected a JWK set"},
		"an array":                {"[" + ec("") + "]", "expected a JWK set"},
		"something behind":        {set(ec("")) + "{}", "expected a JWK set"},
		"one key without a set":   {ec(""), "with 1 to 100 keys"},
		"no keys":                 {set(), "with 1 to 100 keys"},
		"null":                    {`{"keys":null}`, "expected a JWK set"},
		"keys twice":              {`{"keys":[` + ec("") + `],"keys":[]}`, "duplicate name"},
		"Keys":                    {`{"Keys":[` + ec("") + `]}`, "with 1 to 100 keys"},
		"101 keys":                {many(101), "with 1 to 100 keys"},
		"too large":               {set(with(ec(""), `"x5u":"`+strings.Repeat("x", 512<<10)+`"`)), "512 KiB"},
		"a key that is a string":  {set(`"x"`), "keys[0]: expected a JWK"},
		"a member twice":          {set(with(ec(""), `"kty":"EC"`)), "duplicate name"},
		"a private EC key":        {set(jwk(robotKey(), "")), "keys[0]: d is part of a private or symmetric key"},
		"a private RSA key":       {set(jwk(tractKey(), "")), "is part of a private or symmetric key"},
		"the second is private":   {set(ec("a"), jwk(secondKey(), "b")), "keys[1]: d is part"},
		"an empty private member": {set(with(ec(""), `"d":""`)), "d is part"},
		"other primes":            {set(with(jwk(tractKey().Public(), ""), `"oth":[]`)), "oth is part"},
		"a symmetric key":         {set(`{"kty":"oct","k":"` + b64([]byte("secret secret secret secret secret")) + `"}`), "k is part"},
		"oct without k":           {set(`{"kty":"oct"}`), "kty: expected EC or RSA"},
		"Ed25519":                 {set(jwk(edPublic, "")), "kty: expected EC or RSA"},
		"no kty":                  {set(`{"crv":"P-256"}`), "kty: expected EC or RSA"},
		"P-384":                   {set(jwk(p384.Public(), "")), "expected an EC key on P-256"},
		"a point off the curve":   {set(offCurve), "do not make a public key"},
		"the point at infinity":   {set(`{"kty":"EC","crv":"P-256","x":"` + zero + `","y":"` + zero + `"}`), "do not make a public key"},
		"EC without y":            {set(`{"kty":"EC","crv":"P-256","x":"` + zero + `"}`), "do not make a public key"},
		"RSA called EC":           {set(strings.Replace(jwk(tractKey().Public(), ""), `"RSA"`, `"EC"`, 1)), "do not make a public key"},
		"RSA without e":           {set(`{"kty":"RSA","n":"` + b64(n.Bytes()) + `"}`), "do not make a public key"},
		"RSA of 1024 bits":        {set(jwk(short.Public(), "")), "at least 2048 bits"},
		"RSA with exponent 3":     {set(rsaOf(n, 3)), "odd exponent"},
		"RSA with exponent 1":     {set(rsaOf(n, 1)), "odd exponent"},
		"RSA with exponent 65538": {set(rsaOf(n, 65538)), "odd exponent"},
		"RSA with exponent 2^33":  {set(rsaOf(n, 1<<33+1)), "odd exponent"},
		"RSA with an even n":      {set(rsaOf(new(big.Int).Lsh(n, 1), 65537)), "odd modulus"},
		"RSA of 4097 bits":        {set(rsaOf(new(big.Int).SetBit(n, 4096, 1), 65537)), "do not make a public key"},
		"RSA of 8193 bits":        {set(rsaOf(new(big.Int).SetBit(new(big.Int).SetBit(n, 8192, 1), 0, 1), 65537)), "do not make a public key"},
		"use enc":                 {set(with(ec(""), `"use":"enc"`)), "use: expected sig"},
		"key_ops sign":            {set(with(ec(""), `"key_ops":["sign","verify"]`)), "key_ops: expected"},
		"key_ops empty":           {set(with(ec(""), `"key_ops":[]`)), "key_ops: expected"},
		"alg of another curve":    {set(with(ec(""), `"alg":"ES384"`)), "alg: expected ES256"},
		"alg none":                {set(with(ec(""), `"alg":"none"`)), "alg: expected ES256"},
		"PS256":                   {set(with(jwk(tractKey().Public(), ""), `"alg":"PS256"`)), "alg: expected RS256"},
		"a kid twice":             {set(ec("a"), jwk(secondKey().Public(), "a")), "keys[1]: expected a kid of its own"},
		"several, one without":    {set(ec("a"), jwk(secondKey().Public(), "")), "keys[1]: expected a kid, since"},
		"several, none has one":   {set(ec(""), jwk(secondKey().Public(), "")), "keys[0]: expected a kid, since"},
		"a long kid":              {set(ec(strings.Repeat("k", 257))), "kid: expected at most 256 bytes"},
		"a kid that is a number":  {set(with(ec(""), `"kid":1`)), "keys[0]: expected a JWK"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := parseAssertionKeys([]byte(c.text))
			if c.want == "" {
				if err != nil || len(keys) == 0 {
					t.Fatalf("got %d keys, %v", len(keys), err)
				}
				return
			}
			if err == nil || keys != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %d keys, %v, want an error with %q", len(keys), err, c.want)
			}
			for _, private := range []string{b64(must(robotKey().Bytes())), b64(must(secondKey().Bytes())), b64(tractKey().D.Bytes())} {
				if err != nil && strings.Contains(err.Error(), private[:20]) {
					t.Errorf("the error quotes a private key: %v", err)
				}
			}
		})
	}
	if _, found := (assertionKeys{}).find("", "ES256"); found {
		t.Error("no keys: found one")
	}
}

func TestCompileAssertionKeys(t *testing.T) {
	good := `{"keys":[` + jwk(robotKey().Public(), "") + `]}`
	for name, c := range map[string]struct {
		change func(*ClientConfig)
		want   string
	}{
		"good":            {func(*ClientConfig) {}, ""},
		"with a secret":   {func(c *ClientConfig) { c.Secrets = []Secret{must(NewSecret(secretOf("robot")))} }, "jwks_file: secret and jwks_file exclude each other"},
		"with a ref":      {func(c *ClientConfig) { c.SecretRefs = []string{"{env.X}"} }, "jwks_file: secret and jwks_file exclude each other"},
		"public":          {func(c *ClientConfig) { c.Public, c.GrantTypes = true, []string{"audience_exchange"} }, "jwks_file: public and jwks_file exclude each other"},
		"not read":        {func(c *ClientConfig) { c.JWKS = nil }, "jwks_file: the file was not read"},
		"an empty file":   {func(c *ClientConfig) { c.JWKS = []byte{} }, "jwks_file: file robot.json: expected a JWK set"},
		"a bad key":       {func(c *ClientConfig) { c.JWKS = []byte(`{"keys":[{}]}`) }, "jwks_file: file robot.json: keys[0]: kty"},
		"neither of them": {func(c *ClientConfig) { c.JWKS, c.JWKSFile = nil, "" }, "expected secret, jwks_file or public"},
	} {
		cfg := baseConfig()
		robots(&cfg)
		cfg.client("robot").JWKS = []byte(good)
		c.change(cfg.client("robot"))
		if _, err := Compile(cfg, nil); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "client robot: "+c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}
