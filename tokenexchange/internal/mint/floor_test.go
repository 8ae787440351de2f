package mint_test

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// signParts signs two parts as they stand, also where they are no base64.
func signParts(head, body string) string {
	signature := must(jwt.SigningMethodES256.Sign(head+"."+body, crypto.Signer(ecKey())))
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func verifies(t *testing.T, name, raw string, want mint.Reason) {
	t.Helper()
	signed, err := theRing().Verify(raw)
	if reason(t, err) != want || (signed == nil) != (err != nil) {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}

// An unsigned token is none, however it writes that it is unsigned.
func TestNoneInEveryCase(t *testing.T) {
	body := base64.RawURLEncoding.EncodeToString([]byte(regular(nil)))
	for bits := range 16 {
		alg := []byte("none")
		for i := range alg {
			if bits>>i&1 == 1 {
				alg[i] -= 'a' - 'A'
			}
		}
		for _, header := range []string{`{"alg":"%s"}`, `{"alg":"%s","kid":"ec","typ":"at+jwt"}`, `{"alg":"%s","kid":"","typ":"at+jwt"}`} {
			header = fmt.Sprintf(header, alg)
			head := base64.RawURLEncoding.EncodeToString([]byte(header))
			verifies(t, header, head+"."+body+".", mint.TokenSignature)
			verifies(t, header+" with a signature", signParts(head, body), mint.TokenSignature)
		}
	}
	for _, alg := range []string{"", " none", "none ", "n\\u006fne", "HS256", "ES256 ", "es256", "ES256K", "ES384", "RS1", "EdDSA", "RSA-OAEP", "dir"} {
		verifies(t, alg, forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"`+alg+`","kid":"ec","typ":"at+jwt"}`, regular(nil)), mint.TokenSignature)
	}
}

// A kid is looked up and nothing else: no path, no query, no default.
func TestKidIsOnlyLookedUp(t *testing.T) {
	for name, kid := range map[string]string{
		"the other key's": "rsa", "in capitals": "EC", "longer": "ec2", "shorter": "e", "with a blank": "ec ", "with NUL": `ec\u0000`,
		"a file": "file:///dev/null", "climbing": "../../../../dev/null", "a query": "x' UNION SELECT 'key", "a URL": "https://evil.example/key",
		"a shell": "ec|/bin/id", "very long": strings.Repeat("a", 8<<10), "a digit": "0", "a star": "*",
	} {
		verifies(t, name, forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, regular(nil)), mint.TokenSignature)
	}
	for name, kid := range map[string]string{
		"twice": `"ec","kid":"ec"`, "twice, another": `"rsa","kid":"ec"`, "null": `null`, "an array": `["ec"]`, "an object": `{"kid":"ec"}`,
		"true": `true`, "a lone surrogate": `"ec\ud800"`, "bytes that are no UTF-8": "\"ec\xff\"", "a line feed": "\"e\nc\"",
	} {
		verifies(t, name, forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":`+kid+`,"typ":"at+jwt"}`, regular(nil)), mint.TokenMalformed)
	}
}

// Only the typ that we write is an access token. RFC 9068 allows more spellings;
// what we never write was not meant as one.
func TestTypIsExact(t *testing.T) {
	w := newWorld()
	for _, typ := range []string{
		`"at+JWT"`, `"AT+JWT"`, `"At+jwt"`, `"application/at+jwt"`, `"application/at+JWT"`, `"at+jwt "`, `" at+jwt"`, `"at+jwt;v=1"`, `"at+jwt\u0000"`,
		`"JWT"`, `"jwt"`, `""`, `"JOSE"`, `"JOSE+JSON"`, `"secevent+jwt"`, `"logout+jwt"`, `"dpop+jwt"`, `"oauth-authz-req+jwt"`, `"token-introspection+jwt"`, `"at"`, `"at jwt"`,
	} {
		raw := forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":`+typ+`}`, regular(nil))
		if _, err := w.admit(raw); reason(t, err) != mint.TokenType {
			t.Errorf("typ %s: got %v, want token_type", typ, err)
		}
	}
	for _, header := range []string{
		`{"alg":"ES256","kid":"ec","typ":null}`, `{"alg":"ES256","kid":"ec","typ":["at+jwt"]}`, `{"alg":"ES256","kid":"ec","typ":"at+jwt","typ":"at+jwt"}`,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","Typ":"JWT"}`, `{"alg":"ES256","kid":"ec","cty":"at+jwt"}`,
	} {
		verifies(t, header, forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), header, regular(nil)), mint.TokenMalformed)
	}
	if _, err := w.admit(forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec"}`, regular(nil))); reason(t, err) != mint.TokenType {
		t.Errorf("no typ: got %v, want token_type", err)
	}
	if _, err := w.admit(forged(regular(nil))); err != nil {
		t.Errorf("typ at+jwt: got %v", err)
	}
}

// Every claim that we read has one type. A wrong one is refused, and never the
// same as none; a claim that comes twice is refused, also if both are equal.
func TestEveryClaimHasOneType(t *testing.T) {
	const text, date, list, truth, object = 1, 2, 4, 8, 16
	good := map[int]string{text: `"https://a.example"`, date: `1777636800`, list: `["a"]`, truth: `true`, object: actors(1)}
	with := func(claim, value string) string {
		change := map[string]string{claim: value}
		switch claim { // Neither of these is there alone.
		case "root_jti":
			change["root_iat"] = good[date]
		case "root_iat":
			change["root_jti"] = good[text]
		case "parent_jtis":
			change["root_jti"], change["root_iat"], change["via"] = good[text], good[date], `["a","b"]`
		}
		return regular(change)
	}
	for claim, kinds := range map[string]int{
		"iss": text, "sub": text, "jti": text, "client_id": text, "azp": text, "cid": text, "scope": text, "sid": text, "grant_id": text, "root_jti": text,
		"acct": text, "username": text, "domain": text, "context": text, "context_name": text,
		"nonce": text, "at_hash": text, "name": text, "given_name": text, "family_name": text, "preferred_username": text, "email": text,
		"email_verified": truth, "groups_truncated": truth, "group_ids": list, "group_names": list,
		"exp": date, "iat": date, "nbf": date, "auth_time": date, "root_iat": date, "aud": text | list, "perms": list, "via": list, "parent_jtis": list, "narrowed": truth, "act": object,
	} {
		for kind, value := range good {
			want := mint.TokenMalformed
			if kinds&kind != 0 {
				want = ""
			}
			verifies(t, claim+" "+value, forged(with(claim, value)), want)
			if want == "" {
				one := with(claim, value)
				verifies(t, claim+" twice", forged(strings.Replace(one, "{", `{"`+claim+`":`+value+`,`, 1)), mint.TokenMalformed)
				escaped := fmt.Sprintf(`\u%04x%s`, claim[0], claim[1:])
				verifies(t, claim+" twice, escaped", forged(strings.Replace(one, "{", `{"`+escaped+`":`+value+`,`, 1)), mint.TokenMalformed)
			}
		}
		for _, value := range []string{`null`, `{}`, `[[]]`, `[null]`, `[1]`, `1.5`, `-1`, `"\ud800"`, "\"\xff\"", `tru`, `nul`, `'a'`, `+1`, `0x10`, `NaN`, `Infinity`} {
			verifies(t, claim+" "+value, forged(with(claim, value)), mint.TokenMalformed)
		}
	}
}

// A date is an integer of seconds within the range that all readers share.
func TestDatesAreIntegersInRange(t *testing.T) {
	for _, claim := range []string{"exp", "iat", "nbf", "auth_time"} {
		for _, value := range []string{
			`"1777637400"`, `1777637400.0`, `1777637400.5`, `1.7776374e9`, `1e3`, `1E3`, `1e+3`, `1e308`, `1e-1`, `01777637400`, `00`, `-1`, `-1777637400`, `--1`,
			`253402300800`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `-9223372036854775809`,
			strings.Repeat("9", 400), `1_777_637_400`, `1,777`, ` `, `０`, `true`, `null`, `[1777637400]`, `{"$date":1777637400}`,
		} {
			verifies(t, claim+" "+value, forged(regular(map[string]string{claim: value})), mint.TokenMalformed)
		}
		verifies(t, claim+" in the year 9999", forged(regular(map[string]string{claim: "253402300799"})), "")
	}
	for _, claim := range []string{"exp", "iat"} {
		for _, zero := range []string{"0", "-0"} {
			verifies(t, claim+" "+zero, forged(regular(map[string]string{claim: zero})), mint.TokenMalformed)
		}
	}
}
