package mint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// Decoy returns a key that nobody has, for what was signed by nobody who is
// known: verifying with it takes as long as with any key that is accepted and
// that a signature of this length fits. Where none does, it is the zero
// Verifier, which is done at once, as all of them are.
func Decoy(f *Foreign) Verifier {
	d := decoys()
	switch size := len(f.signature) - minModulus/8; {
	case f.Alg == ES256:
		return d.ec
	case f.Alg == RS256 && size >= 0 && size < len(d.rsa):
		return d.rsa[size]
	}
	return Verifier{}
}

type decoyKeys struct {
	ec  Verifier
	rsa [(maxModulus-minModulus)/8 + 1]Verifier // by the length of the signature
}

// decoys draws the keys once. A modulus is a random number of its size: it takes
// as long as that of a key, and nobody can sign with it.
var decoys = sync.OnceValue(func() *decoyKeys {
	d := new(decoyKeys)
	var random [maxModulus / 8]byte
	_, _ = rand.Read(random[:]) // It never fails.
	for i := range d.rsa {
		size := minModulus/8 + i
		n := new(big.Int).SetBytes(random[:size])
		n.SetBit(n, 8*size-1, 1).SetBit(n, 0, 1)
		d.rsa[i] = Verifier{alg: RS256, method: jwt.SigningMethodRS256, public: &rsa.PublicKey{N: n, E: minExponent}}
	}
	if private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
		d.ec = Verifier{alg: ES256, method: jwt.SigningMethodES256, public: &private.PublicKey}
	}
	return d
})
