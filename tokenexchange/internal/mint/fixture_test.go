package mint_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

const issuer = "https://auth.example.com"

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// Keys are made once for all tests: RSA takes a while.
var (
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ecOther  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	theRing  = sync.OnceValue(func() *mint.Ring { return must(mint.NewRing(ecKeyNamed("ec"), rsaKeyNamed("rsa"))) })
	services = []mint.Service{
		{ID: "shop", Audience: "https://shop.example.com", Upstream: "urn:up:shop"},
		{ID: "crm", Audience: "https://crm.example.com", Upstream: "urn:up:crm"},
	}
)

func ecKeyNamed(id string) mint.Key  { return mint.Key{ID: id, Private: ecKey()} }
func rsaKeyNamed(id string) mint.Key { return mint.Key{ID: id, Private: rsaKey()} }

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// world is one mint with a clock that is moved by hand.
type world struct {
	*mint.Mint
	ring *mint.Ring
	now  time.Time
}

func newWorld() *world {
	w := &world{ring: theRing(), now: start}
	w.Mint = must(mint.New(issuer, services, w.ring, func() time.Time { return w.now }))
	return w
}

// admit verifies a token of ours for any audience, now.
func (w *world) admit(raw string) (mint.Subject, error) {
	signed, err := w.ring.Verify(raw)
	if err != nil {
		return nil, err
	}
	return signed.Admit(w.conditions())
}

func (w *world) conditions() mint.Conditions {
	return mint.Conditions{
		Now: w.now, Issuer: issuer, Type: mint.TypeAccess,
		Audience: func([]string) bool { return true },
		Revoked:  func(mint.Identifiers) string { return "" },
	}
}

// admitID verifies an id token of ours for any audience, now.
func (w *world) admitID(raw string) (mint.Subject, error) {
	signed, err := w.ring.Verify(raw)
	if err != nil {
		return nil, err
	}
	cond := w.conditions()
	cond.Type = mint.TypeID
	return signed.Admit(cond)
}

// set reads entries such as "shop/orders.read orders/**".
func set(lines ...string) scopes.Set {
	var entries []scopes.Entry
	for _, line := range lines {
		name, pattern, _ := strings.Cut(line, " ")
		service, permission, _ := strings.Cut(name, "/")
		entries = append(entries, scopes.Entry{
			Service: service, Permission: permission, Resource: must(scopes.ParsePattern(pattern)),
		})
	}
	return must(scopes.NewSet(entries...))
}

func ask(json string) *scopes.Ask {
	a := must(scopes.ParseAsk([]byte(json)))
	return &a
}

// askFor asks for all that is held of one permission.
func askFor(service, permission string) *scopes.Ask {
	return ask(`{"servicesScopes":[{"serviceDefinitionId":"` + service + `","permissions":[{"permissionId":"` + permission + `"}]}]}`)
}

var everything = set("shop/orders.read **", "shop/orders.write **", "crm/contacts.read **", "crm/contacts.write **")

func web() *mint.Client {
	return &mint.Client{
		ID: "web", Permit: everything, Ceilings: true, Scopes: []string{"profile", "email", "orders", "reports"},
		AccessValidity: 30 * time.Minute, AccessAlg: mint.ES256, IDAlg: mint.RS256, MaxGroups: 3,
	}
}

// portal is web with all that OpenID Connect has in its scope line.
func portal() *mint.Client {
	c := web()
	c.Scopes = []string{"openid", "profile", "email", "offline_access", "group_ids", "group_names", "grpid://g2", "grpn://Blue", "orders"}
	return c
}

// person is ada with all that an id token can tell.
func person() mint.User {
	u := ada()
	u.Email, u.EmailVerified, u.GivenName, u.FamilyName = "ada@example.com", true, "Ada", "Lovelace"
	u.Groups = []mint.Group{{ID: "g1", Name: "Red"}, {ID: "g2", Name: "Green"}, {ID: "g3", Name: "Blue"}, {ID: "g4", Name: "Blue"}}
	return u
}

func ada() mint.User {
	return mint.User{
		Subject: "example.com:ada", Account: "ada@example.com", Username: "ada", Domain: "example.com", Org: "acme",
		Roles: []string{"csp:org_member"}, AuthTime: start,
		Rights: set("shop/orders.read orders/**", "shop/orders.write orders/eu/**", "crm/contacts.read **"),
	}
}

// tb is what the helpers need of testing.T, testing.F and rapid.T.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// payload decodes the claims of a token without any of the code under test.
func payload(t tb, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts of a token, want 3", len(parts))
	}
	var claims map[string]any
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// texts returns a claim that is a string or an array of strings.
func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var out []string
		for _, e := range c {
			out = append(out, e.(string))
		}
		return out
	}
	return nil
}

// forge signs whatever it is given, as nobody but the holder of a key could.
func forge(method jwt.SigningMethod, key any, header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(must(method.Sign(input, key)))
}

// forged signs claims with our own EC key under a regular header.
func forged(claims string) string {
	return forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`, claims)
}

// forgedID signs claims as an id token with our own EC key.
func forgedID(claims string) string {
	return forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"JWT"}`, claims)
}

// regular are the claims of a token that is accepted. A member of change
// replaces one; the empty text removes it.
func regular(change map[string]string) string {
	members := map[string]string{
		"iss": `"` + issuer + `"`, "sub": `"example.com:ada"`, "aud": `"https://shop.example.com"`,
		"exp": "1777637400", "iat": "1777636800", "nbf": "1777636800", "jti": `"J"`, "client_id": `"web"`,
	}
	for name, text := range change {
		members[name] = text
	}
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []string
	for _, name := range names {
		if members[name] != "" {
			out = append(out, `"`+name+`":`+members[name])
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

func reason(t tb, err error) mint.Reason {
	t.Helper()
	r := mint.ReasonOf(err)
	if err != nil && r == "" {
		t.Fatalf("got the error %v, want a refusal with a reason", err)
	}
	return r
}
