package mint_test

import (
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

const goodSet = `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/**"]}]}]}`

// actors nests n links.
func actors(n int) string {
	if n == 0 {
		return ""
	}
	if n == 1 {
		return `{"sub":"c1"}`
	}
	return `{"act":` + actors(n-1) + `,"sub":"c"}`
}

// Every token here is signed with our own key: only the claims are wrong.
func TestClaims(t *testing.T) {
	cases := []struct {
		name, claim, text string
		want              mint.Reason
	}{
		{"regular", "x", `1`, ""},
		{"iss missing", "iss", "", mint.TokenMalformed},
		{"iss empty", "iss", `""`, mint.TokenMalformed},
		{"iss null", "iss", `null`, mint.TokenMalformed},
		{"iss foreign", "iss", `"https://evil.example"`, mint.TokenIssuer},
		{"iss with a slash", "iss", `"` + issuer + `/"`, mint.TokenIssuer},
		{"iss an array", "iss", `["` + issuer + `"]`, mint.TokenMalformed},
		{"sub missing", "sub", "", mint.TokenMalformed},
		{"sub a number", "sub", "7", mint.TokenMalformed},
		{"jti missing", "jti", "", mint.TokenMalformed},
		{"client_id missing", "client_id", "", mint.TokenMalformed},
		{"client_id an object", "client_id", `{}`, mint.TokenMalformed},
		{"aud missing", "aud", "", mint.TokenMalformed},
		{"aud a number", "aud", "7", mint.TokenMalformed},
		{"aud null", "aud", "null", mint.TokenMalformed},
		{"aud an object", "aud", "{}", mint.TokenMalformed},
		{"aud empty", "aud", `""`, mint.TokenMalformed},
		{"aud no element", "aud", `[]`, mint.TokenMalformed},
		{"aud with a number in it", "aud", `["https://shop.example.com",7]`, mint.TokenMalformed},
		{"aud nested", "aud", `[["https://shop.example.com"]]`, mint.TokenMalformed},
		{"aud two", "aud", `["https://shop.example.com","x"]`, ""},
		{"aud for somebody else", "aud", `"https://crm.example.com"`, mint.TokenAudience},
		{"aud in other case", "aud", `"HTTPS://shop.example.com"`, mint.TokenAudience},
		{"exp missing", "exp", "", mint.TokenMalformed},
		{"exp zero", "exp", "0", mint.TokenMalformed},
		{"exp a string", "exp", `"1777637400"`, mint.TokenMalformed},
		{"exp a fraction", "exp", `1777637400.5`, mint.TokenMalformed},
		{"exp an exponent", "exp", `1.7776374e9`, mint.TokenMalformed},
		{"exp negative", "exp", `-1`, mint.TokenMalformed},
		{"exp after the year 9999", "exp", `253402300800`, mint.TokenMalformed},
		{"exp in the year 9999", "exp", `253402300799`, ""},
		{"exp beyond int64", "exp", `18446744073709551616`, mint.TokenMalformed},
		{"exp max int64", "exp", `9223372036854775807`, mint.TokenMalformed},
		{"exp null", "exp", `null`, mint.TokenMalformed},
		{"exp true", "exp", `true`, mint.TokenMalformed},
		{"iat missing", "iat", "", mint.TokenMalformed},
		{"iat a string", "iat", `"1"`, mint.TokenMalformed},
		{"iat in the future", "iat", `1777636831`, mint.TokenNotYetValid},
		{"iat within the leeway", "iat", `1777636830`, ""},
		{"nbf missing", "nbf", "", ""},
		{"nbf in the future", "nbf", `1777636831`, mint.TokenNotYetValid},
		{"nbf within the leeway", "nbf", `1777636830`, ""},
		{"nbf a string", "nbf", `"0"`, mint.TokenMalformed},
		{"nbf negative", "nbf", `-5`, mint.TokenMalformed},
		{"auth_time huge", "auth_time", `253402300800`, mint.TokenMalformed},
		{"cnf", "cnf", `{"jkt":"x"}`, mint.TokenBinding},
		{"cnf null", "cnf", `null`, mint.TokenBinding},
		{"act of four hops", "act", actors(4), ""},
		{"act of five hops", "act", actors(5), mint.ChainTooLong},
		{"act of twenty hops", "act", actors(20), mint.TokenMalformed},
		{"act and via of four", "act", actors(2) + `,"via":["a","b"]`, ""},
		{"act and via of five", "act", actors(2) + `,"via":["a","b","c"]`, mint.ChainTooLong},
		{"act without sub", "act", `{}`, mint.TokenMalformed},
		{"act with an empty sub", "act", `{"sub":""}`, mint.TokenMalformed},
		{"act with a link without sub", "act", `{"sub":"a","act":{"iss":"x"}}`, mint.TokenMalformed},
		{"act with two subs", "act", `{"sub":"a","sub":"b"}`, mint.TokenMalformed},
		{"act a string", "act", `"a"`, mint.TokenMalformed},
		{"act null", "act", `null`, mint.TokenMalformed},
		{"act in act null", "act", `{"sub":"a","act":null}`, mint.TokenMalformed},
		{"via of four", "via", `["a","b","c","d"]`, ""},
		{"via of five", "via", `["a","b","c","d","e"]`, mint.ChainTooLong},
		{"via a string", "via", `"a"`, mint.TokenMalformed},
		{"via null", "via", `null`, mint.TokenMalformed},
		{"perms a string", "perms", `"x"`, mint.TokenMalformed},
		{"narrowed a string", "narrowed", `"true"`, mint.TokenMalformed},
		{"narrowed null", "narrowed", `null`, mint.TokenMalformed},
		{"scope an array", "scope", `["a"]`, mint.TokenMalformed},
		{"set", "allowed_resource_scope", goodSet, ""},
		{"set null", "allowed_resource_scope", `null`, mint.TokenMalformed},
		{"set a string", "allowed_resource_scope", `"` + strings.ReplaceAll(goodSet, `"`, `\"`) + `"`, mint.TokenMalformed},
		{"set empty", "allowed_resource_scope", `{}`, mint.TokenMalformed},
		{"set without services", "allowed_resource_scope", `{"servicesScopes":[]}`, mint.TokenMalformed},
		{"set without resources", "allowed_resource_scope", strings.Replace(goodSet, `,"resources":["orders/**"]`, "", 1), mint.TokenMalformed},
		{"set with resources null", "allowed_resource_scope", strings.Replace(goodSet, `["orders/**"]`, "null", 1), mint.TokenMalformed},
		{"set with no resource", "allowed_resource_scope", strings.Replace(goodSet, `"orders/**"`, "", 1), mint.TokenMalformed},
		{"set with an unknown name", "allowed_resource_scope", strings.Replace(goodSet, `{"servicesScopes"`, `{"all":true,"servicesScopes"`, 1), mint.TokenMalformed},
		{"set in other case", "allowed_resource_scope", strings.Replace(goodSet, `servicesScopes`, `ServicesScopes`, 1), mint.TokenMalformed},
		{"set with a bad pattern", "allowed_resource_scope", strings.Replace(goodSet, `orders/**`, `orders/../x`, 1), mint.TokenMalformed},
		{"a claim that we do not know", "x", `{"sub":"x"}`, ""},
		{"may_act", "may_act", `{"sub":"x"}`, ""},
		{"may_act null", "may_act", `null`, mint.TokenMalformed},
		{"may_act a string", "may_act", `"x"`, mint.TokenMalformed},
		{"may_act with a number", "may_act", `{"sub":7}`, mint.TokenMalformed},
		{"may_act with two subs", "may_act", `{"sub":"x","sub":"y"}`, mint.TokenMalformed},
		{"scopegate_mode true", "scopegate_mode", `true`, mint.TokenMalformed},
		{"Exp beside exp", "Exp", `99`, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			signed, err := w.ring.Verify(forged(regular(map[string]string{c.claim: c.text})))
			if err == nil {
				cond := w.conditions()
				cond.Audience = func(aud []string) bool { return aud[0] == "https://shop.example.com" }
				_, err = signed.Admit(cond)
			}
			if reason(t, err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestClaimsAsDocument(t *testing.T) {
	good := regular(nil)
	for name, claims := range map[string]string{
		"exp twice":           strings.Replace(good, `"exp":`, `"exp":253402300799,"exp":`, 1),
		"exp twice by escape": strings.Replace(good, `"exp":`, `"\u0065xp":253402300799,"exp":`, 1),
		"unknown name twice":  strings.Replace(good, `{`, `{"x":1,"x":2,`, 1),
		"twice, deep":         strings.Replace(good, `{`, `{"x":{"y":[{"z":1,"z":1}]},`, 1),
		"something behind":    good + `{}`,
		"an array":            `[` + good + `]`,
		"null":                `null`,
		"empty":               ``,
		"invalid UTF-8":       strings.Replace(good, `example.com:ada`, "example.com:\xff", 1),
		"lone surrogate":      strings.Replace(good, `example.com:ada`, `example.com:\ud800`, 1),
		"comment":             good + `//`,
		"comma at the end":    strings.TrimSuffix(good, "}") + ",}",
		"nested too deep":     strings.Replace(good, `{`, `{"x":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`,`, 1),
		"byte order mark":     "\xef\xbb\xbf" + good,
	} {
		if _, err := theRing().Verify(forged(claims)); reason(t, err) != mint.TokenMalformed {
			t.Errorf("%s: got %v, want token_malformed", name, err)
		}
	}
}

// One token has one reason, in a fixed order, and the zero conditions admit nothing.
func TestAdmit(t *testing.T) {
	w := newWorld()
	signed := must(w.ring.Verify(forged(regular(nil))))
	exp := time.Unix(1777637400, 0)
	cases := []struct {
		name   string
		change func(*mint.Conditions)
		want   mint.Reason
	}{
		{"regular", func(*mint.Conditions) {}, ""},
		{"zero conditions", func(c *mint.Conditions) { *c = mint.Conditions{} }, mint.TokenType},
		{"no type", func(c *mint.Conditions) { c.Type = "" }, mint.TokenType},
		{"another type", func(c *mint.Conditions) { c.Type = "JWT" }, mint.TokenType},
		{"no issuer", func(c *mint.Conditions) { c.Issuer = "" }, mint.TokenIssuer},
		{"no audience", func(c *mint.Conditions) { c.Audience = nil }, mint.TokenAudience},
		{"another audience", func(c *mint.Conditions) { c.Audience = func([]string) bool { return false } }, mint.TokenAudience},
		{"revocations unknown", func(c *mint.Conditions) { c.Revoked = nil }, mint.TokenRevoked},
		{"revoked", func(c *mint.Conditions) { c.Revoked = func(mint.Identifiers) string { return "logged out" } }, mint.TokenRevoked},
		{"at exp", func(c *mint.Conditions) { c.Now = exp }, ""},
		{"before the end of the leeway", func(c *mint.Conditions) { c.Now = exp.Add(mint.LeewayExpiry - 1) }, ""},
		{"at the end of the leeway", func(c *mint.Conditions) { c.Now = exp.Add(mint.LeewayExpiry) }, mint.TokenExpired},
		{"long after", func(c *mint.Conditions) { c.Now = exp.Add(time.Hour) }, mint.TokenExpired},
		{"before nbf", func(c *mint.Conditions) { c.Now = start.Add(-mint.LeewayNotBefore - 1) }, mint.TokenNotYetValid},
		{"before nbf, within the leeway", func(c *mint.Conditions) { c.Now = start.Add(-mint.LeewayNotBefore) }, ""},
		{"expired and revoked", func(c *mint.Conditions) { c.Now, c.Revoked = exp.Add(time.Hour), nil }, mint.TokenExpired},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cond := w.conditions()
			c.change(&cond)
			subject, err := signed.Admit(cond)
			if reason(t, err) != c.want || (subject == nil) != (err != nil) {
				t.Errorf("got %v, %v, want %q", subject, err, c.want)
			}
		})
	}
}

func TestKindsOfSubject(t *testing.T) {
	w := newWorld()
	for name, c := range map[string]struct {
		claims string
		want   func(mint.Subject) bool
	}{
		"user":           {regular(nil), func(s mint.Subject) bool { _, ok := s.(mint.UserToken); return ok }},
		"client":         {regular(map[string]string{"sub": `"web"`}), func(s mint.Subject) bool { _, ok := s.(mint.ClientToken); return ok }},
		"delegated":      {regular(map[string]string{"act": actors(2)}), func(s mint.Subject) bool { _, ok := s.(mint.DelegatedToken); return ok && mint.Facts(s).Actor() == "c" }},
		"user with via":  {regular(map[string]string{"via": `["a"]`}), func(s mint.Subject) bool { _, ok := s.(mint.UserToken); return ok }},
		"client and act": {regular(map[string]string{"sub": `"web"`, "act": actors(1)}), func(s mint.Subject) bool { _, ok := s.(mint.ClientToken); return ok }},
	} {
		if subject, err := w.admit(forged(c.claims)); err != nil || !c.want(subject) {
			t.Errorf("%s: got %T, %v", name, subject, err)
		}
	}
	// An id token of ours is no access token, wherever it is shown.
	id := forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"JWT"}`, regular(nil))
	if _, err := w.admit(id); reason(t, err) != mint.TokenType {
		t.Errorf("typ JWT: got %v, want token_type", err)
	}
	for _, typ := range []string{"at+JWT", "application/at+jwt", "jwt", ""} {
		raw := forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"`+typ+`"}`, regular(nil))
		if _, err := w.admit(raw); reason(t, err) != mint.TokenType {
			t.Errorf("typ %q: got %v, want token_type", typ, err)
		}
	}
}
