package mint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Foreign is a JWS in compact form that somebody else signed, such as a client's
// assertion. It was read and not verified: nothing in it may be believed before
// [Verifier.Verify]. It never becomes a Subject.
type Foreign struct {
	Alg, KeyID, Type string // of the header, "" where it is absent
	Payload          []byte
	input            string // what was signed
	signature        []byte
}

// ReadForeign reads a JWS as strictly as a token of ours is read: three parts of
// strict base64url, at most MaxPresented bytes, and no member of the header but
// alg, kid and typ.
func ReadForeign(raw string) (*Foreign, error) {
	head, body, sig, err := threeParts(raw)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(head)
	if err != nil {
		return nil, err
	}
	payload, ok1 := unb64(body)
	signature, ok2 := unb64(sig)
	if !ok1 || !ok2 {
		return nil, refuse(TokenMalformed, "a part is not strict base64url")
	}
	return &Foreign{
		Alg: h.alg, KeyID: h.kid, Type: h.typ, Payload: payload,
		input: raw[:len(head)+1+len(body)], signature: signature,
	}, nil
}

// Verifier is somebody else's public key. The one algorithm that it is used
// with belongs to the key. The zero Verifier verifies nothing.
type Verifier struct {
	alg    string
	method jwt.SigningMethod
	public crypto.PublicKey
}

// Bounds of somebody else's RSA key: small exponents have helped forgers where
// padding was checked badly, and a huge modulus costs whoever verifies; with
// decoys that is for everybody who asks.
const (
	minExponent = 65537
	maxExponent = 1<<31 - 1
	minModulus  = 2048 // bits, of ours too
	maxModulus  = 4096 // bits
)

// NewVerifier checks a public key, since golang-jwt looks at neither its curve
// nor its size.
func NewVerifier(public crypto.PublicKey) (Verifier, error) {
	alg, err := publicAlgorithm(public)
	if err != nil {
		return Verifier{}, err
	}
	if k, ok := public.(*rsa.PublicKey); ok {
		switch {
		case k.E < minExponent || k.E > maxExponent || k.E%2 == 0:
			return Verifier{}, fmt.Errorf("expected an RSA key with an odd exponent of at least %d", minExponent)
		case k.N.BitLen() > maxModulus || k.N.Bit(0) == 0:
			return Verifier{}, fmt.Errorf("expected an RSA key with an odd modulus of at most %d bits", maxModulus)
		}
	}
	return Verifier{alg: alg, method: jwt.GetSigningMethod(alg), public: public}, nil
}

// publicAlgorithm returns the one algorithm of a public key that is good enough.
func publicAlgorithm(public crypto.PublicKey) (string, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", fmt.Errorf("expected an EC key on P-256, found %s", k.Curve.Params().Name)
		}
		return ES256, nil
	case *rsa.PublicKey:
		if k.N.BitLen() < minModulus {
			return "", fmt.Errorf("expected an RSA key of at least %d bits, found %d", minModulus, k.N.BitLen())
		}
		if roca(k.N) {
			return "", errors.New("the RSA key comes from a broken generator (CVE-2017-15361) and can be factored")
		}
		return RS256, nil
	}
	return "", fmt.Errorf("expected an EC P-256 or RSA key, found %T", public)
}

// Alg returns the algorithm of the key.
func (v Verifier) Alg() string { return v.alg }

// Fits reports whether a signature of this length can be of this key. Where it
// cannot, verifying ends at once, and [Decoy] has a key that takes its time.
func (v Verifier) Fits(f *Foreign) bool {
	k, ok := v.public.(*rsa.PublicKey)
	return !ok || k.Size() == len(f.signature)
}

// Verify reports whether this key signed what was read, with its own algorithm.
func (v Verifier) Verify(f *Foreign) bool {
	if v.method == nil || f.Alg != v.alg {
		return false
	}
	signature := f.signature
	// crypto/rsa is done at once with a number beyond the modulus, which would
	// tell a stranger whose key it was held against. Zero is no signature either.
	if k, ok := v.public.(*rsa.PublicKey); ok && new(big.Int).SetBytes(signature).Cmp(k.N) >= 0 {
		signature = make([]byte, len(signature))
	}
	return v.method.Verify(f.input, signature, v.public) == nil
}
