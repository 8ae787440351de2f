package tokenexchange

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// assertionType is the client_assertion_type of RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Limits of an assertion.
const (
	maxAssertionLife = 5 * time.Minute
	maxAssertionID   = 256
)

// assertion is what a client says of itself in a JWT that it signed (RFC 7523
// section 3, OpenID Connect Core section 9). Until its signature was verified,
// it says no more than a client_id does.
type assertion struct {
	jws                       *mint.Foreign
	issuer, subject           string
	audience                  []string
	id                        string
	expiry, issued, notBefore int64 // seconds; 0 where the claim is absent
}

// readAssertion reads the bytes. Errors hold nothing of what was sent.
func readAssertion(raw string) (*assertion, error) {
	jws, err := mint.ReadForeign(raw)
	if err != nil {
		return nil, errors.New("the assertion: " + causeText(err))
	}
	a := &assertion{jws: jws}
	r := strictjson.NewReader(jws.Payload)
	err = r.Object(func(name string) error { return a.read(r, name) })
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, errors.New("the assertion: the claims are not one strict JSON object, or one has a wrong type")
	}
	return a, nil
}

// read reads one claim. One that we do not know is checked for syntax only.
func (a *assertion) read(r *strictjson.Reader, name string) (err error) {
	switch name {
	case "iss":
		a.issuer, err = r.String()
	case "sub":
		a.subject, err = r.String()
	case "jti":
		a.id, err = r.String()
	case "aud":
		a.audience, err = readAudience(r)
	case "exp":
		a.expiry, err = readDate(r)
	case "iat":
		a.issued, err = readDate(r)
	case "nbf":
		a.notBefore, err = readDate(r)
	default:
		_, err = r.Raw()
	}
	return err
}

// readAudience reads a string, or an array of strings.
func readAudience(r *strictjson.Reader) (out []string, err error) {
	one := func() error {
		s, err := r.String()
		out = append(out, s)
		return err
	}
	if r.IsArray() {
		err = r.Array(one)
	} else {
		err = one()
	}
	return out, err
}

// readDate reads a date that is no 0, which stands for an absent one here.
func readDate(r *strictjson.Reader) (int64, error) {
	n, err := r.Int()
	if err == nil && (n < 1 || n > mint.MaxTime) {
		err = errors.New("a date out of range")
	}
	return n, err
}

// judge holds the claims against the rules, now. Everything but the single use.
// State that refuses is lost with the store, so what was issued before its
// epoch is refused: a used assertion would be new again. Without iat that is by
// exp, which gets no leeway ahead, so that it never tells of a moment to come.
// See docs/decisions/0018-assertions-and-a-lost-store.md for one whose iat does.
func (a *assertion) judge(issuer string, epoch, now time.Time) error {
	switch a.jws.Type {
	case "", "JWT", "client-authentication+jwt":
	default: // Least of all at+jwt: an access token authenticates nobody as a client.
		return errors.New("typ is neither JWT nor client-authentication+jwt")
	}
	exp, iat, nbf := time.Unix(a.expiry, 0), time.Unix(a.issued, 0), time.Unix(a.notBefore, 0)
	issued := iat
	if a.issued == 0 {
		issued = exp.Add(-maxAssertionLife)
	}
	switch {
	case a.issuer == "" || a.issuer != a.subject:
		return errors.New("iss and sub are not both the client")
	case len(a.audience) != 1 || a.audience[0] != issuer:
		return errors.New("aud is not the issuer alone, " + issuer)
	case a.expiry == 0:
		return errors.New("exp is missing")
	case !now.Before(exp.Add(mint.LeewayExpiry)):
		return errors.New("exp is past")
	case exp.After(now.Add(maxAssertionLife)):
		return errors.New("exp is more than 5 minutes ahead")
	case now.Add(mint.LeewayNotBefore).Before(iat) || now.Add(mint.LeewayNotBefore).Before(nbf):
		return errors.New("iat or nbf is in the future")
	case a.id == "" || len(a.id) > maxAssertionID:
		return errors.New("jti is missing, empty or longer than 256 bytes")
	case issued.Before(epoch.Truncate(time.Second)):
		return errors.New("made before the store's epoch, by its iat or else 5 minutes before its exp")
	}
	return nil
}

// signedBy reports whether the client signed the assertion. Without a key that
// fits, another is tried that fits nothing, so that a client that does not
// exist takes as long as one whose signature is wrong.
func (a *assertion) signedBy(c *client) bool {
	key, found := c.keys.find(a.jws.KeyID, a.jws.Alg)
	if !found {
		key = nobodysKeys()[a.jws.Alg]
	}
	return key.Verify(a.jws) && found
}

// nobodysKeys are keys that nobody has. The modulus is a random number: a
// signature takes as long to verify, and nobody can make one.
var nobodysKeys = sync.OnceValue(func() map[string]mint.Verifier {
	keys := map[string]mint.Verifier{}
	modulus := make([]byte, 256)
	_, _ = rand.Read(modulus) // It never fails.
	modulus[0], modulus[255] = modulus[0]|0x80, modulus[255]|1
	if v, err := mint.NewVerifier(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}); err == nil {
		keys[v.Alg()] = v
	}
	if private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
		if v, err := mint.NewVerifier(&private.PublicKey); err == nil {
			keys[v.Alg()] = v
		}
	}
	return keys
})
