package mint_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// fixedKey is the same in every worker process of a fuzz run, and so are its
// signatures (RFC 6979): a finding can be run again.
func fixedKey(b byte) *ecdsa.PrivateKey {
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{b}, 32)))
}

func fixedSign(key *ecdsa.PrivateKey, header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	der := must(key.Sign(nil, sum[:], crypto.SHA256))
	return input + "." + base64.RawURLEncoding.EncodeToString(fixedWidth(der))
}

// FuzzToken changes tokens at one place: only what was signed verifies, byte
// by byte, apart from the second form that every ECDSA signature has.
func FuzzToken(f *testing.F) {
	ring := must(mint.NewRing(mint.Key{ID: "ec", Private: fixedKey(1)}, mint.Key{ID: "ec2", Private: fixedKey(2)}))
	other := strings.Replace(regularHeader, `"ec"`, `"ec2"`, 1)
	tokens := []string{
		fixedSign(fixedKey(1), regularHeader, regular(nil)),
		fixedSign(fixedKey(2), other, regular(map[string]string{"jti": `"K"`, "act": actors(2)})),
		fixedSign(fixedKey(1), regularHeader, regular(map[string]string{"allowed_resource_scope": goodSet})),
		fixedSign(fixedKey(1), strings.Replace(regularHeader, "at+jwt", mint.TypeID, 1), regularID(map[string]string{"nonce": `"n"`})),
	}
	signed := map[string]bool{}
	for _, raw := range tokens {
		signed[raw], signed[twin(raw)] = true, true
	}
	tokens = append(tokens,
		fixedSign(fixedKey(3), regularHeader, regular(nil)), // another key under our kid
		fixedSign(fixedKey(1), other, regular(nil)),         // our other key's kid
		fixedSign(fixedKey(1), `{"alg":"none","kid":"ec"}`, regular(nil)), "..", "")
	for base := range tokens {
		for _, c := range []struct {
			at, cut int
			insert  string
		}{{0, 0, ""}, {0, 1, ""}, {20, 1, "A"}, {60, 0, "\n"}, {len(tokens[base]) - 1, 1, "B"}, {len(tokens[base]), 0, "="}, {40, 0, "."}, {0, 1 << 15, tokens[0]}} {
			f.Add(uint8(base), uint16(c.at), uint16(c.cut), c.insert)
		}
	}
	f.Fuzz(func(t *testing.T, base uint8, at, cut uint16, insert string) {
		raw := tokens[int(base)%len(tokens)]
		from := min(int(at), len(raw))
		to := min(from+int(cut), len(raw))
		raw = raw[:from] + insert + raw[to:]
		got, err := ring.Verify(raw)
		if (err == nil) != signed[raw] {
			t.Errorf("%q: got %v, was signed: %v", raw, err, signed[raw])
		}
		if err != nil && (got != nil || mint.ReasonOf(err) == "") {
			t.Errorf("got %v with the error %v, want nothing and a reason", got, err)
		}
	})
}

// FuzzClaims signs arbitrary claims with our own key, as a broken issuer might:
// what is accepted says the same to encoding/json and keeps to the ranges.
func FuzzClaims(f *testing.F) {
	w := newWorld()
	w.ring = must(mint.NewRing(mint.Key{ID: "ec", Private: fixedKey(1)}))
	f.Add(regular(nil))
	for name, values := range map[string][]string{
		"exp": {"0", "-1", "1e3", "1.0", `"1"`, "null", "253402300799", "253402300800", "01", "9007199254740993", "{}"},
		"aud": {`[]`, `[""]`, `["a","b"]`, `{"a":1}`, `null`, `""`, `[["a"]]`},
		"act": {actors(3), `{}`, `{"sub":""}`, `{"sub":"a","act":null}`, `[]`},
		"via": {`["a"]`, `[1]`, `"a"`}, "cnf": {`{}`, `null`}, "sub": {`"\u0000"`, `"\ud800"`, "\"\xff\""},
		"allowed_resource_scope": {goodSet, `{}`, `null`, `""`}, "x": {`{"y":{"z":[{}]}}`, strings.Repeat("[", 17) + strings.Repeat("]", 17)},
	} {
		for _, value := range values {
			f.Add(regular(map[string]string{name: value}))
		}
	}
	for _, change := range []map[string]string{
		nil,
		{"aud": `["web","agent"]`},
		{"aud": `["web"]`},
		{"client_id": `"agent"`},
		{"email_verified": `"true"`},
		{"group_ids": `["a",1]`},
		{"groups_truncated": `null`},
		{"act": `{"sub":"a:op","act":{"sub":"c"}}`},
		{"act": `{"sub":"guard:shop","act":{"sub":"a:op"}}`},
		{"sub": `"web"`, "nonce": `"n"`, "at_hash": `"h"`},
	} {
		f.Add(regularID(change))
	}
	f.Add(strings.Replace(regular(nil), "{", `{"exp":1,`, 1))
	f.Add(strings.Replace(regular(nil), "{", `{"Exp":1,`, 1))
	f.Add(regular(nil) + "{}")
	f.Add("\ufeff" + regular(nil))
	f.Fuzz(func(t *testing.T, claims string) {
		for _, typ := range []string{mint.TypeAccess, mint.TypeID} {
			signed, err := w.ring.Verify(fixedSign(fixedKey(1), `{"alg":"ES256","kid":"ec","typ":"`+typ+`"}`, claims))
			if err != nil {
				if r := mint.ReasonOf(err); r != mint.TokenMalformed {
					t.Errorf("got %v, want token_malformed: the signature is good", err)
				}
				continue
			}
			saysTheSame(t, w, signed, typ, claims)
		}
	})
}

// saysTheSame holds what was read of claims against encoding/json.
func saysTheSame(t *testing.T, w *world, signed *mint.Signed, typ, claims string) {
	var m map[string]any
	dec := json.NewDecoder(strings.NewReader(claims))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil || !json.Valid([]byte(claims)) || !utf8.ValidString(claims) {
		t.Fatalf("accepted %q, which is not JSON: %v", claims, err)
	}
	id, aud := signed.Identifiers(), texts(m["aud"])
	client := m["client_id"]
	if typ == mint.TypeID {
		client = aud[0]
	}
	if m["jti"] != id.ID || m["sub"] != id.Subject || id.ID == "" || id.Subject == "" {
		t.Errorf("%q: got %+v", claims, id)
	}
	if exp, err := m["exp"].(json.Number).Int64(); err != nil || exp != signed.Expiry().Unix() || exp <= 0 || exp > mint.MaxTime {
		t.Errorf("%q: got the expiry %v", claims, signed.Expiry())
	}
	cond := w.conditions()
	cond.Type = typ
	subject, err := signed.Admit(cond)
	if _, bound := m["cnf"]; err == nil && bound {
		t.Errorf("%q has cnf and was admitted", claims)
	}
	if typ == mint.TypeID && len(aud) != 1 {
		if err == nil {
			t.Errorf("%q has %d audiences and was admitted as an id token", claims, len(aud))
		}
		return
	}
	if client != id.ClientID || id.ClientID == "" {
		t.Errorf("%q: got the client %q, want %v", claims, id.ClientID, client)
	}
	if _, isID := subject.(mint.IDToken); err == nil && isID != (typ == mint.TypeID) {
		t.Errorf("%q: got the kind %T of a token of typ %s", claims, subject, typ)
	}
	if actors := chainOf(m["act"]); id.Operator != "" && (len(actors) == 0 || actors[len(actors)-1] != id.Operator) {
		t.Errorf("%q: got the operator %q of the actors %q", claims, id.Operator, actors)
	}
}

// twin returns the other signature of the same token: (r, n-s) holds wherever
// (r, s) does.
func twin(raw string) string {
	at := strings.LastIndexByte(raw, '.') + 1
	sig := must(base64.RawURLEncoding.DecodeString(raw[at:]))
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	return raw[:at] + base64.RawURLEncoding.EncodeToString(sig)
}

// fixedWidth rewrites a DER signature as r and s of 32 bytes each (RFC 7518
// section 3.4).
func fixedWidth(der []byte) []byte {
	rest, out := der[2:], make([]byte, 64)
	for half := range 2 {
		n := int(rest[1])
		new(big.Int).SetBytes(rest[2 : 2+n]).FillBytes(out[32*half : 32*half+32])
		rest = rest[2+n:]
	}
	return out
}

// FuzzVerify holds for whole strings that nothing panics, and that another
// reader of tokens accepts whatever is accepted.
func FuzzVerify(f *testing.F) {
	w := newWorld()
	w.ring = must(mint.NewRing(mint.Key{ID: "ec", Private: fixedKey(1)}))
	for _, raw := range []string{
		fixedSign(fixedKey(1), regularHeader, regular(nil)), fixedSign(fixedKey(3), regularHeader, regular(nil)),
		fixedSign(fixedKey(1), `{"alg":"HS256","kid":"ec","typ":"at+jwt"}`, regular(nil)), "..", "a.b.c.d.e", `{"payload":"e30","signatures":[]}`,
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		signed, err := w.ring.Verify(raw)
		if err != nil {
			if signed != nil || mint.ReasonOf(err) == "" {
				t.Errorf("got %v with the error %v, want nothing and a reason", signed, err)
			}
			return
		}
		parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"ES256"}))
		if _, err := parser.Parse(raw, func(*jwt.Token) (any, error) { return fixedKey(1).Public(), nil }); err != nil {
			t.Errorf("accepted %q, which golang-jwt refuses: %v", raw, err)
		}
		_, _ = signed.Admit(w.conditions())
	})
}
