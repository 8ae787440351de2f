package tokenexchange

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

func TestKeySet(t *testing.T) {
	h := newHouse(t)
	g := h.do(httptest.NewRequest("GET", "/oauth2/jwks", nil))
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(g.raw), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("got %s, %v, want two keys", g.raw, err)
	}
	b64 := base64.RawURLEncoding
	for i, want := range []SigningKey{ecKey(), rsaKey()} {
		jwk := set.Keys[i]
		text := func(name string) string { s, _ := jwk[name].(string); return s }
		// RFC 7638 section 3: the required members, sorted, without blanks.
		canonical := fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, text("crv"), text("x"), text("y"))
		alg := mint.ES256
		if text("kty") == "RSA" {
			canonical, alg = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, text("e"), text("n")), mint.RS256
		}
		sum := sha256.Sum256([]byte(canonical))
		if kid := b64.EncodeToString(sum[:]); text("kid") != kid || want.ID() != kid {
			t.Errorf("kid: got %s, want the thumbprint %s", text("kid"), kid)
		}
		if text("alg") != alg || text("use") != "sig" {
			t.Errorf("got alg %s, use %s", text("alg"), text("use"))
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if jwk[private] != nil {
				t.Errorf("the key set shows the private member %s", private)
			}
		}
		chain := jwk["x5c"].([]any)
		if len(chain) != 1 {
			t.Fatalf("x5c: got %d certificates, want one", len(chain))
		}
		cert := must(x509.ParseCertificate(must(base64.StdEncoding.DecodeString(chain[0].(string)))))
		if !want.private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
			t.Error("x5c holds another key")
		}
		if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			t.Errorf("x5c is not signed by its own key: %v", err)
		}
		if cert.IsCA || start.Before(cert.NotBefore) || start.After(cert.NotAfter) {
			t.Errorf("x5c: CA %v, valid %s to %s", cert.IsCA, cert.NotBefore, cert.NotAfter)
		}
	}
	if g.header.Get("Cache-Control") != "public, max-age=300" || g.header.Get("Content-Type") != "application/json" {
		t.Errorf("got the headers %v", g.header)
	}
}

// All replicas that read one PEM file must show the same bytes.
func TestKeyDocumentIsDeterministic(t *testing.T) {
	for _, key := range []SigningKey{ecKey(), rsaKey()} {
		text := must(key.Encode())
		a, b := must(ParseSigningKey(text)), must(ParseSigningKey(text))
		if one, two := must(json.Marshal(keySet([]SigningKey{a}))), must(json.Marshal(keySet([]SigningKey{b}))); string(one) != string(two) {
			t.Errorf("two loads of one key give two documents:\n%s\n%s", one, two)
		}
		if a.ID() != key.ID() {
			t.Errorf("the id changed: %s, %s", a.ID(), key.ID())
		}
	}
}

func TestParseSigningKey(t *testing.T) {
	block := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sec1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))
	pkcs8 := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ec)))
	p384 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)))))
	public := block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(ec.Public())))
	for name, c := range map[string]struct{ text, want string }{
		"SEC 1":               {sec1, ""},
		"PKCS #8":             {pkcs8, ""},
		"with its parameters": {block("EC PARAMETERS", []byte{6, 8}) + sec1, ""},
		"empty":               {"", "expected a PEM private key"},
		"no PEM":              {"secret", "expected a PEM private key"},
		"public key":          {public, "expected a PEM private key"},
		"two keys":            {sec1 + pkcs8, "more than one private key"},
		"broken":              {block("PRIVATE KEY", []byte("x")), "no private key that can be read"},
		"P-384":               {p384, "expected an EC key on P-256"},
		"label of another":    {block("RSA PRIVATE KEY", must(x509.MarshalECPrivateKey(ec))), "no private key that can be read"},
	} {
		k, err := ParseSigningKey([]byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		if err != nil {
			continue
		}
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %d", k, k, k, k), string(must(json.Marshal(k)))} {
			if strings.Contains(text, new(big.Int).SetBytes(must(ec.Bytes())).String()[:20]) {
				t.Errorf("%s: the key can be printed", name)
			}
		}
	}
	if _, err := GenerateSigningKey("HS256"); err == nil {
		t.Error("a key for HS256 was made")
	}
}

func TestMetadata(t *testing.T) {
	h := newHouse(t)
	g := h.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	for name, want := range map[string]any{
		"issuer": issuer, "token_endpoint": issuer + "/oauth2/token", "jwks_uri": issuer + "/oauth2/jwks",
		"authorization_endpoint": nil, "userinfo_endpoint": nil, "end_session_endpoint": nil, // nobody can get openid
		"introspection_endpoint": issuer + "/oauth2/introspect", "revocation_endpoint": issuer + "/oauth2/revoke",
	} {
		if g.body[name] != want {
			t.Errorf("%s: got %v, want %v", name, g.body[name], want)
		}
	}
	list := func(name string) []string {
		var out []string
		for _, e := range g.body[name].([]any) {
			out = append(out, e.(string))
		}
		return out
	}
	for name, want := range map[string][]string{
		"grant_types_supported": {
			"audience_exchange", "client_credentials", "password", exchangeGrant,
			vmwarePrefix + "audience-exchange", vmwarePrefix + "client-credentials", vmwarePrefix + "password",
		},
		"scopes_supported":                      {"email", "orders", "profile", "reports"},
		"token_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post", "none"},
		"response_types_supported":              nil,
	} {
		if got := list(name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, absent := range []string{"code_challenge_methods_supported", "authorization_endpoint"} {
		if _, found := g.body[absent]; found {
			t.Errorf("%s is promised", absent)
		}
	}
	// It is computed from a map, and must not differ from one start to the next.
	for range 8 {
		again := newHouse(t)
		if other := again.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil)); other.raw != g.raw {
			t.Fatalf("got two documents:\n%s\n%s", g.raw, other.raw)
		}
	}
	bare := newHouse(t, func(c *Config) { c.Clients = nil })
	if g := bare.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil)); strings.Contains(g.raw, "password") || strings.Contains(g.raw, "null") {
		t.Errorf("a server without clients promises %s", g.raw)
	}
}

// What logins add to the metadata, of what is there.
func TestMetadataOfLogins(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) {
		c.client("phone").Scope, c.client("phone").IDTokenAlg = []string{"openid", "grpn://staff", "grpid://g1"}, "ES256"
	})
	g := h.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	for name, want := range map[string]string{
		"code_challenge_methods_supported":      "[S256 plain]",
		"id_token_signing_alg_values_supported": "[ES256 RS256]",
		"scopes_supported":                      "[email group_names offline_access openid orders profile reports]",
		"response_types_supported":              "[code]",
		"response_modes_supported":              "[query]",
		"prompt_values_supported":               "[none login consent select_account]",
		"ui_locales_supported":                  "[en de]",
		"request_parameter_supported":           "false",
		"claims_parameter_supported":            "false",
		"authorization_endpoint":                issuer + "/oauth2/authorize",

		"authorization_response_iss_parameter_supported": "true",
	} {
		if got := fmt.Sprint(g.body[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"pl.json": "Zaloguj", "pt-BR.json": "Entrar"} {
		if err := os.MkdirAll(filepath.Join(dir, "texts"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "texts", name), []byte(`{"login.title": "`+text+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h = newHouse(t, logins, func(c *Config) { c.Pages = must(ReadPages(dir)) })
	g = h.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	if got := fmt.Sprint(g.body["ui_locales_supported"]); got != "[en de pl pt-BR]" {
		t.Errorf("with texts in two more languages: got %s", got)
	}
	for _, grant := range []string{"authorization_code", "refresh_token", "context_switch", "impersonate_user", vmwarePrefix + "authorization-code"} {
		if !slices.Contains(g.body["grant_types_supported"].([]any), any(grant)) {
			t.Errorf("%s is not in grant_types_supported", grant)
		}
	}
	// A client that has no codes promises nothing of them.
	h = newHouse(t, logins, func(c *Config) {
		legacy := c.client("legacy")
		legacy.GrantTypes, legacy.RedirectURIs, legacy.PKCE, legacy.PKCEMethods = []string{"password"}, nil, "", nil
	})
	g = h.do(httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	if got := fmt.Sprint(g.body["code_challenge_methods_supported"]); got != "[S256]" {
		t.Errorf("got %s, want S256 of the others", got)
	}
}
