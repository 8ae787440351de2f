package mint_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

func TestRingRefusesWeakKeys(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	t.Setenv("GODEBUG", "rsa1024min=0")
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys []mint.Key
		want string
	}{
		"none":                 {nil, "no signing key"},
		"P-384":                {[]mint.Key{{ID: "a", Private: p384}}, "expected an EC key on P-256"},
		"RSA of 1024":          {[]mint.Key{{ID: "a", Private: short}}, "at least 2048 bits"},
		"RSA of other primes":  {[]mint.Key{{ID: "a", Private: &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Add(rsaKey().N, big.NewInt(2)), E: 65537}, D: rsaKey().D, Primes: rsaKey().Primes}}}, "key a: crypto/rsa"},
		"RSA of a broken card": {[]mint.Key{{ID: "a", Private: rocaKey()}}, "CVE-2017-15361"},
		"Ed25519":              {[]mint.Key{{ID: "a", Private: ed}}, "expected an EC P-256 or RSA private key"},
		"no key":               {[]mint.Key{{ID: "a"}}, "expected an EC P-256 or RSA private key"},
		"no id":                {[]mint.Key{{Private: ecKey()}}, "missing or used twice"},
		"an id twice":          {[]mint.Key{ecKeyNamed("a"), rsaKeyNamed("a")}, "missing or used twice"},
		"second is bad":        {[]mint.Key{ecKeyNamed("a"), {ID: "b", Private: p384}}, "key b"},
	} {
		if _, err := mint.NewRing(c.keys...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// rocaKey has a modulus of the form that the broken generator made: a power of
// 65537, modulo the product of small primes.
func rocaKey() *rsa.PrivateKey {
	product := big.NewInt(1)
	for n := int64(3); n <= 167; n++ {
		if p := big.NewInt(n); p.ProbablyPrime(1) {
			product.Mul(product, p)
		}
	}
	n := new(big.Int).Lsh(product, 2048-uint(product.BitLen()))
	n.Add(n, new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), product))
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}}
}

// A cache that has the digest in its key must see another ring where a key
// comes, goes or takes over signing.
func TestRingDigest(t *testing.T) {
	other := mint.Key{ID: "other", Private: crypto.Signer(ecOther())}
	rings := map[string]*mint.Ring{
		"ec":            must(mint.NewRing(ecKeyNamed("ec"))),
		"ec rsa":        must(mint.NewRing(ecKeyNamed("ec"), rsaKeyNamed("rsa"))),
		"ec other":      must(mint.NewRing(ecKeyNamed("ec"), other)),
		"other ec":      must(mint.NewRing(other, ecKeyNamed("ec"))),
		"ec other rsa":  must(mint.NewRing(ecKeyNamed("ec"), other, rsaKeyNamed("rsa"))),
		"rsa":           must(mint.NewRing(rsaKeyNamed("rsa"))),
		"ec with an id": must(mint.NewRing(ecKeyNamed("ecother"))),
	}
	for a, ra := range rings {
		for b, rb := range rings {
			if a != b && ra.Digest() == rb.Digest() {
				t.Errorf("the rings %q and %q have one digest", a, b)
			}
		}
	}
	if again := must(mint.NewRing(ecKeyNamed("ec"), rsaKeyNamed("rsa"))); again.Digest() != rings["ec rsa"].Digest() {
		t.Error("an unchanged ring has another digest: a reload would empty the caches")
	}
	if rings["ec"].Can(mint.RS256) || !rings["ec rsa"].Can(mint.RS256) || rings["ec"].Can("HS256") {
		t.Error("Can does not follow the keys")
	}
}

func TestRotation(t *testing.T) {
	other := mint.Key{ID: "other", Private: crypto.Signer(ecOther())}
	old := newWorld()
	raw := must(old.Sign(must(old.First(ada(), web())))).Raw
	rotated := must(mint.NewRing(other, ecKeyNamed("ec")))
	if _, err := rotated.Verify(raw); err != nil {
		t.Errorf("a token of the old key, which still verifies: got %v", err)
	}
	if _, err := must(mint.NewRing(other)).Verify(raw); reason(t, err) != mint.TokenSignature {
		t.Errorf("a token of a key that is gone: got %v, want token_signature", err)
	}
	m := must(mint.New(issuer, services, rotated, func() time.Time { return start }))
	fresh := must(m.Sign(must(m.First(ada(), web())))).Raw
	if _, err := must(mint.NewRing(other)).Verify(fresh); err != nil {
		t.Errorf("the first key does not sign: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	now := func() time.Time { return start }
	dup := func(s ...mint.Service) []mint.Service { return s }
	for name, s := range map[string][]mint.Service{
		"audience twice":          dup(services[0], mint.Service{ID: "x", Audience: "https://shop.example.com", Upstream: "urn:x"}),
		"upstream twice":          dup(services[0], mint.Service{ID: "x", Audience: "https://x", Upstream: "urn:up:shop"}),
		"upstream is an audience": dup(services[0], mint.Service{ID: "x", Audience: "https://x", Upstream: "https://shop.example.com"}),
		"both are one":            dup(mint.Service{ID: "x", Audience: "https://x", Upstream: "https://x"}),
		"audience is the issuer":  dup(mint.Service{ID: "x", Audience: issuer, Upstream: "urn:x"}),
		"upstream is the issuer":  dup(mint.Service{ID: "x", Audience: "https://x", Upstream: issuer}),
		"no audience":             dup(mint.Service{ID: "x", Upstream: "urn:x"}),
		"no upstream":             dup(mint.Service{ID: "x", Audience: "https://x"}),
	} {
		if _, err := mint.New(issuer, s, theRing(), now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := mint.New(issuer, services, nil, now); err == nil {
		t.Error("a mint without keys")
	}
	if _, err := mint.New(issuer, services, theRing(), nil); err == nil {
		t.Error("a mint without a clock")
	}
}

func TestAccepts(t *testing.T) {
	w := newWorld()
	shop := &mint.Client{ID: "c", Permit: set("shop/orders.read orders/1"), Ceilings: true}
	own := &mint.Client{ID: "c", Own: set("shop/orders.read **")}
	for name, c := range map[string]struct {
		client *mint.Client
		aud    []string
		want   bool
	}{
		"permit for the service":  {shop, []string{"https://shop.example.com"}, true},
		"one of several":          {shop, []string{"https://crm.example.com", "https://shop.example.com"}, true},
		"another service":         {shop, []string{"https://crm.example.com"}, false},
		"upstream audience":       {shop, []string{"urn:up:shop"}, false},
		"the issuer":              {shop, []string{issuer}, false},
		"own lines are no permit": {own, []string{"https://shop.example.com"}, false},
		"zero client":             {&mint.Client{}, []string{"https://shop.example.com"}, false},
		"no audience":             {shop, nil, false},
	} {
		if got := w.Accepts(c.client, c.aud); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
