package tokenexchange

import (
	"bufio"
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/scopegate/scopegate/scopes"
)

// Traps of the standard library and of x/crypto: what they do, and beside it
// that we refuse it (docs/floor.md).

func TestTrap05TargetsWithoutAPath(t *testing.T) {
	for target, want := range map[string]url.URL{
		"http:admin/users": {Scheme: "http", Opaque: "admin/users"},
		"/orders/1#/x":     {Path: "/orders/1#/x"},
		"/a/..;/b":         {Path: "/a/..;/b"},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil || r.URL.Opaque != want.Opaque || r.URL.Path != want.Path || r.URL.Fragment != "" {
			t.Errorf("%s: net/http reads %#v now, %v", target, r.URL, err)
			continue
		}
		if path, err := canonicalPath(r, scopes.RefuseEncodedSlash); err == nil {
			t.Errorf("%s: got the path %s, want it refused", target, path.Raw())
		}
	}
}

func TestTrap21PasswordFunctionsHaveNoBounds(t *testing.T) {
	long := strings.Repeat("x", 72)
	hash, err := bcrypt.GenerateFromPassword([]byte(long), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(long+"tail")) != nil {
		t.Error("bcrypt refuses more than 72 bytes now")
	}
	h, err := parsePasswordHash(string(hash))
	if err != nil || !h.matches(long) || h.matches(long+"tail") {
		t.Errorf("a password whose first 72 bytes are right: got a match, or none for the right one (%v)", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("argon2.IDKey takes zero rounds now")
			}
		}()
		argon2.IDKey([]byte("x"), []byte("saltsalt"), 0, 64, 1, 32)
	}()
	if _, err := parsePasswordHash("$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5"); err == nil {
		t.Error("zero rounds: got a hash, want an error when the file is read")
	}
}

func TestTrap22FormMixesQueryAndBody(t *testing.T) {
	request := func(target, body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	const cc = "grant_type=client_credentials"
	for name, c := range map[string][2]string{
		"in the query":     {"/oauth2/token?scope=query", cc},
		"a bad escape":     {"/oauth2/token", cc + "&scope=%zz"},
		"a semicolon":      {"/oauth2/token", cc + "&scope=a;b"},
		"a repeated name":  {"/oauth2/token", cc + "&scope=a&scope=b"},
		"the other doubts": {"/oauth2/token", cc + "&" + cc},
	} {
		lax := request(c[0], c[1])
		if lax.FormValue("grant_type") != "client_credentials" {
			t.Errorf("%s: net/http reads %v now", name, lax.Form)
		}
		if p, err := readParameters(request(c[0], c[1])); err == nil {
			t.Errorf("%s: got %v, want a refusal", name, p)
		}
	}
}

// A token has two strings (see the mint). Both are one to whatever ends it: the
// user who is gone takes both, also where both were cached.
func TestTrap18TwoStringsAreOneToken(t *testing.T) {
	h := newHouse(t)
	g, one := h.shop(t), h.adas()
	two := twin(t, one)
	secret("a twin token", two)
	for _, raw := range []string{one, two} {
		v, _ := h.pass(g, bearer("GET", "/orders/7", raw))
		h.exchange("batch", raw, shopAud).granted(t)
		if !v.Allowed() || v.claimed.ID != claimsOf(t, one)["jti"] {
			t.Fatalf("got %s for the jti %q", v.Reason, v.claimed.ID)
		}
	}
	h.epoch.Created = start.Add(time.Second) // The store was lost: what was issued before is refused.
	h.Server = h.reload(h.caches)
	g = h.shop(t)
	for _, raw := range []string{one, two} {
		h.exchange("batch", raw, shopAud).refused(t, 400, "invalid_request", "token_revoked")
		if v, _ := h.pass(g, bearer("GET", "/orders/7", raw)); v.Reason != scopes.ReasonTokenRevoked {
			t.Errorf("got %s, want token_revoked for both strings", v.Reason)
		}
	}
}

// twin writes the signature (r, s) of a token as (r, n-s).
func twin(t *testing.T, raw string) string {
	t.Helper()
	at := strings.LastIndexByte(raw, '.') + 1
	sig := must(base64.RawURLEncoding.DecodeString(raw[at:]))
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	return raw[:at] + base64.RawURLEncoding.EncodeToString(sig)
}

// Some clients form-encode the secret in Basic, some percent-encode all that is
// no letter, some send it raw. A raw one may look encoded.
func TestTrap28SecretsInBasicComeInEveryForm(t *testing.T) {
	raw := secret("a secret that looks encoded", "raw+secret%41with-escapes_that~decode")
	h := newHouse(t, func(c *Config) { c.client("nightly").Secrets = []Secret{must(NewSecret(raw))} })
	everything := strings.NewReplacer("-", "%2D", "_", "%5F", "~", "%7E").Replace(url.QueryEscape(raw))
	for _, form := range []string{raw, url.QueryEscape(raw), everything, url.PathEscape(raw)} {
		r := asNightly(pairs("grant_type", "client_credentials"), form)
		want := strings.Contains(form, "%2B") || form == raw // A path escape leaves the plus, which then is a blank.
		if g := h.do(r); want {
			g.granted(t)
		} else {
			g.refused(t, http.StatusUnauthorized, "invalid_client", "client_authentication")
		}
	}
	decoded := must(url.QueryUnescape(raw))
	h.do(asNightly(pairs("grant_type", "client_credentials"), decoded)).refused(t, http.StatusUnauthorized, "invalid_client", "client_authentication")
}

// asNightly is a token request of nightly with these bytes as the secret in Basic.
func asNightly(body, secret string) *http.Request {
	r := form(body)
	r.SetBasicAuth("nightly", secret)
	return r
}
