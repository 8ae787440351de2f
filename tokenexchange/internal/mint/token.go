package mint

import (
	"encoding/base64"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// The typ of an access token (RFC 9068) and of an id token. They differ, so that
// neither is ever taken for the other.
const (
	TypeAccess = "at+jwt"
	TypeID     = "JWT"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// unb64 decodes strictly: bytes outside the alphabet (the decoder itself skips
// CR and LF) and trailing bits would let several strings be one token.
func unb64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// Signed is a token of ours whose signature holds. It was not judged: whether
// it is expired, revoked or meant for here is for Admit to say, each time anew.
// It is immutable and may be cached under the digest of the ring.
type Signed struct {
	claims claims
	typ    string
	size   int
}

// Size is about how many bytes the value keeps in memory, for caches.
func (s *Signed) Size() int { return s.size }

// Verify reads the bytes of a token and checks its signature with one of the
// ring's own keys. The key, not the token, says which algorithm that is.
func (r *Ring) Verify(raw string) (*Signed, error) {
	head, body, sig, err := threeParts(raw)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(head)
	if err != nil {
		return nil, err
	}
	k := r.verify[h.kid]
	if k == nil || h.alg != k.alg {
		return nil, refuse(TokenSignature, "no key of ours has this kid and alg")
	}
	signature, ok := unb64(sig)
	if !ok {
		return nil, refuse(TokenMalformed, "the signature is not strict base64url")
	}
	if err := k.method.Verify(raw[:len(head)+1+len(body)], signature, k.Private.Public()); err != nil {
		return nil, refuse(TokenSignature, "the signature does not hold")
	}
	payload, ok := unb64(body)
	if !ok {
		return nil, refuse(TokenMalformed, "the claims are not strict base64url")
	}
	c, err := readClaims(payload, h.typ)
	if err != nil {
		return nil, refuse(TokenMalformed, "claims: "+err.Error())
	}
	// Decoded claims share no memory with raw; three times its size covers
	// the strings, the parsed set and the overhead of both.
	return &Signed{claims: c, typ: h.typ, size: 3*len(raw) + 512}, nil
}

// threeParts splits the compact form of a JWS (RFC 7515 section 7.1).
func threeParts(raw string) (head, body, sig string, err error) {
	if len(raw) > MaxPresented {
		return "", "", "", refuse(TokenMalformed, "larger than 16 KiB")
	}
	head, rest, ok1 := strings.Cut(raw, ".")
	body, sig, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || strings.Contains(sig, ".") {
		return "", "", "", refuse(TokenMalformed, "not three parts")
	}
	return head, body, sig, nil
}

type header struct{ alg, kid, typ string }

// readHeader reads the three members that we write. Everything else that a
// header may hold (crit, jku, jwk, x5c, ...) is a way to bring one's own key
// or meaning, and makes the token not one of ours.
func readHeader(part string) (header, error) {
	var h header
	data, ok := unb64(part)
	if !ok {
		return h, refuse(TokenMalformed, "the header is not strict base64url")
	}
	r := strictjson.NewReader(data)
	err := r.Object(func(name string) (err error) {
		switch name {
		case "alg":
			h.alg, err = r.String()
		case "kid":
			h.kid, err = r.String()
		case "typ":
			h.typ, err = r.String()
		default:
			err = refuse(TokenMalformed, "the header has a member that we never write")
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	if ReasonOf(err) != "" {
		return h, err
	}
	if err != nil {
		// The text of err may hold what a stranger wrote: nothing was verified yet.
		return h, refuse(TokenMalformed, "the header is not one strict JSON object of strings")
	}
	return h, nil
}
