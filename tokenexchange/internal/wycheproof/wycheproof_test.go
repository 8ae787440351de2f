// Package wycheproof holds the key and signature layer against the vectors
// that https://github.com/C2SP/wycheproof publishes. It is a module of its own:
// the vectors are 26 MB, and nobody who uses Scopegate needs them
// (docs/decisions/0012-wycheproof.md).
package wycheproof_test

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// vector is what all files have in common, and what differs between them.
type vector struct {
	ID      int             `json:"tcId"`
	Comment string          `json:"comment"`
	Result  string          `json:"result"`
	JWS     json.RawMessage `json:"jws"`
	Msg     string          `json:"msg"`
	Sig     string          `json:"sig"`
}

type group struct {
	Comment string          `json:"comment"`
	Private json.RawMessage `json:"private"`
	Key     string          `json:"publicKeyDer"`
	Tests   []vector        `json:"tests"`
}

func groups(t *testing.T, file string) []group {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Groups []group `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return read.Groups
}

// tally counts what ran. A file that silently became empty is a failure.
type tally struct{ accepted, refused, unseen int }

func (c tally) report(t *testing.T, file string) {
	t.Helper()
	t.Logf("%s: %d accepted, %d refused as published; %d cannot reach us", file, c.accepted, c.refused, c.unseen)
	if c.accepted == 0 || c.refused == 0 {
		t.Errorf("%s: got %d accepted and %d refused vectors, want some of both", file, c.accepted, c.refused)
	}
}

// unseen are vectors about members of a JWK that a PEM file does not have. We
// read no JWK; when trusted issuers are built, their reader must refuse these.
var unseen = map[string]bool{
	"json_web_key_test.json 6": true, "json_web_key_test.json 21": true, // use is enc
	"json_web_key_test.json 19": true, "json_web_key_test.json 20": true, // alg of another curve
	"json_web_signature_test.json 332": true,                                           // alg is PS512
	"json_web_signature_test.json 353": true, "json_web_signature_test.json 354": true, // use is enc
	"json_web_signature_test.json 355": true, "json_web_signature_test.json 356": true, // key_ops
}

// TestSignatures gives each token to a ring that has the key of its group.
func TestSignatures(t *testing.T) {
	for _, file := range []string{"json_web_signature_test.json", "json_web_key_test.json"} {
		var count tally
		for _, g := range groups(t, file) {
			ring := ringOf(g.Private)
			for _, v := range g.Tests {
				var raw string
				if json.Unmarshal(v.JWS, &raw) != nil {
					raw = string(v.JWS) // The JSON serialization, which is no string.
				}
				name := file + " " + string(must(json.Marshal(v.ID)))
				got := holds(ring, raw)
				switch {
				case unseen[name]:
					count.unseen++
				case got != (v.Result == "valid" && ours(raw)):
					t.Errorf("%s, %s: %s: got accepted %v, the vector is %s", name, g.Comment, v.Comment, got, v.Result)
				case got:
					count.accepted++
				case v.Result == "valid":
					count.unseen++ // HMAC, RSA-PSS, P-521: no key of ours can be one.
				default:
					count.refused++
				}
			}
		}
		count.report(t, file)
	}
}

// ours reports whether a token says that it is signed by an algorithm of ours.
func ours(raw string) bool {
	head, _, _ := strings.Cut(raw, ".")
	var h struct{ Alg string }
	data, _ := jwt.NewParser().DecodeSegment(head)
	_ = json.Unmarshal(data, &h)
	return h.Alg == mint.ES256 || h.Alg == mint.RS256
}

// ringOf makes a ring of the private keys in a JWK or JWK set, as an operator
// would who has them as files. It is nil if the key layer refuses one.
func ringOf(private []byte) *mint.Ring {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(private, &set); err != nil {
		return nil
	}
	if set.Keys == nil {
		var one jose.JSONWebKey
		if err := json.Unmarshal(private, &one); err != nil {
			return nil
		}
		set.Keys = []jose.JSONWebKey{one}
	}
	var keys []mint.Key
	for _, jwk := range set.Keys {
		signer, _ := jwk.Key.(crypto.Signer)
		keys = append(keys, mint.Key{ID: jwk.KeyID, Private: signer})
	}
	ring, err := mint.NewRing(keys...)
	if err != nil {
		return nil
	}
	return ring
}

// holds reports whether the signature of a token holds. The payloads of the
// vectors are no claims, which is looked at after the signature.
func holds(ring *mint.Ring, raw string) bool {
	if ring == nil {
		return false
	}
	_, err := ring.Verify(raw)
	var refusal *mint.Refusal
	return err == nil || errors.As(err, &refusal) && strings.HasPrefix(refusal.Detail, "claims: ")
}

// TestPrimitives holds the library's verification, which the ring calls, to
// the vectors of the signatures alone.
func TestPrimitives(t *testing.T) {
	for file, method := range map[string]jwt.SigningMethod{
		"ecdsa_secp256r1_sha256_p1363_test.json": jwt.SigningMethodES256,
		"rsa_signature_2048_sha256_test.json":    jwt.SigningMethodRS256,
		"rsa_signature_3072_sha256_test.json":    jwt.SigningMethodRS256,
		"rsa_signature_4096_sha256_test.json":    jwt.SigningMethodRS256,
	} {
		var count tally
		for _, g := range groups(t, file) {
			key, err := x509.ParsePKIXPublicKey(must(hex.DecodeString(g.Key)))
			for _, v := range g.Tests {
				got := err == nil && method.Verify(string(must(hex.DecodeString(v.Msg))), must(hex.DecodeString(v.Sig)), key) == nil
				// "Acceptable" is a padding without NULL, which we may refuse and do.
				if got != (v.Result == "valid") {
					t.Errorf("%s %d, %s: got accepted %v, the vector is %s", file, v.ID, v.Comment, got, v.Result)
				}
				if got {
					count.accepted++
				} else {
					count.refused++
				}
			}
		}
		count.report(t, file)
	}
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
