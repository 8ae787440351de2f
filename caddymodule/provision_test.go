package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestProvision loads configurations that adapt, and holds what is said of
// mistakes that only a whole configuration shows. A case is the inside of the
// global option, an empty line, and the sites.
func TestProvision(t *testing.T) {
	t.Setenv("SCOPEGATE_TEST_SECRET", strings.Repeat("s", 32))
	t.Setenv("SCOPEGATE_TEST_SHORT", "s")
	t.Setenv("SCOPEGATE_TEST_EMPTY", "")
	t.Setenv("SCOPEGATE_TEST_HASH", " SHA256:"+strings.Repeat("a1", 32))
	runCases(t, "testdata/provision/*.txt", func(t *testing.T, in string) string {
		w := newWorld(t)
		w.fill(t)
		t.Setenv("SCOPEGATE_TEST_FOLDER", w.dir)
		cfg, err := w.config(w.wrap(in))
		if err == nil {
			err = caddy.Validate(cfg)
		}
		if _, statErr := os.Stat(w.path("data")); statErr == nil {
			t.Error("checking a configuration wrote into the data directory")
		}
		out := w.outcome(err)
		checkPlace(t, out)
		return out
	})
}

// TestProvisionJSON holds the mistakes that no Caddyfile can make.
func TestProvisionJSON(t *testing.T) {
	const guard = `{"servers":{"s":{"listen":["127.0.0.1:8081"],"routes":[{"handle":[{"handler":"guard","service":"shop",%}]}]}}}`
	const shop = `{"issuer":"http://localhost:8080","services":[{"id":"shop","audience":"https://shop.example.com","permissions":["read"]}],%}`
	for _, tc := range []struct{ name, app, http, want string }{
		{"good", `"demo":false`, `"rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, ""},
		{"unknown setting", `"isuer":"x"`, "", `unknown field "isuer"`},
		{"unknown key source", `"signing_keys":[{"source":"vault"}]`, "", `signing_key: unrecognized source "vault"; expected generated or file`},
		{"key file without a path", `"state_keys":[{"source":"file"}]`, "", "state_key: reading the file: an empty path; expected the path of a file"},
		{"unknown store", `"store":{"module":"sql"}`, "", "unknown module: scopegate.stores.sql"},
		{"three secrets", `"clients":[{"id":"web","secrets":["{env.S}","{env.S}","{env.S}"],"grant_types":["password"],"permit":[]}]`, "", "at most two live secrets"},
		{"duration as a number", `"clients":[{"id":"web","access_token_validity":300}]`, "", `expected a duration such as "30m"`},
		{"negative duration", `"clients":[{"id":"web","public":true,"grant_types":["password"],"permit":[],"access_token_validity":"-1m"}]`, "", "access_token_validity: -1m0s: expected at least 1s"},
		{"unknown word of a guard", `"demo":false`, `"mode":"audit"`, `unknown field "mode"`},
		{"unknown exchange", `"demo":false`, `"exchange":"password","rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `exchange: unrecognized "password"; expected audience_exchange or client_delegate`},
		{"unknown narrow", `"demo":false`, `"narrow":"none","rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `unknown field "narrow"`},
		{"unknown encoded_slash", `"demo":false`, `"encoded_slash":"decode","rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `unknown field "encoded_slash"`},
		{"unknown preflight", `"demo":false`, `"preflight":"allow","rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `preflight: unrecognized "allow"; expected block, pass or answer`},
		{"audit without an end", `"demo":false`, `"audit":{},"rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `mode audit until ""; expected a date`},
		{"audit too far ahead", `"demo":false`, `"audit":{"until":"9999-12-31"},"rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `expected a date at most 90 days ahead`},
		{"unknown word of an audit", `"demo":false`, `"audit":{"until":"2020-12-31","including":"token_expired"},"rules":[{"method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, `unknown field "including"`},
		{"unknown access", `"demo":false`, `"rules":[{"access":"admin","method":"GET","path":"/a"}]`, `unrecognized access "admin": expected permission, authenticated or public`},
		{"permission of a public rule", `"demo":false`, `"rules":[{"access":"public","method":"GET","path":"/a","all_of":[{"permission":"read","resource":"a"}]}]`, "public"},
		{"rule without a permission", `"demo":false`, `"rules":[{"method":"GET","path":"/a"}]`, "permission"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("S", strings.Repeat("s", 32))
			w := newWorld(t)
			cfg := &caddy.Config{AppsRaw: caddy.ModuleMap{"scopegate": []byte(strings.Replace(shop, "%", tc.app, 1))}}
			cfg.StorageRaw = []byte(`{"module":"file_system","root":"` + w.path("storage") + `"}`)
			if tc.http != "" {
				cfg.AppsRaw["http"] = []byte(strings.Replace(guard, "%", tc.http, 1))
			}
			err := caddy.Validate(cfg)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// wrap makes a Caddyfile of the inside of the global option and the sites.
func (w world) wrap(in string) string {
	inside, sites, _ := strings.Cut(in, "\n\n")
	return `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system DIR/storage
	log {
		output file DIR/log {
			roll_disabled
		}
		level WARN
	}
	scopegate {
` + inside + `
	}
}
` + sites
}

// fill writes the files that configurations name.
func (w world) fill(t *testing.T) {
	t.Helper()
	for _, alg := range []string{"ES256", "RS256"} {
		w.write(t, strings.ToLower(alg)+".pem", pemOf(t, alg))
	}
	state, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "state.key", string(state))
	cert, key := certificate(t)
	w.write(t, "cert.pem", cert)
	w.write(t, "cert.key", key)
	w.write(t, "empty", "\n")
	w.write(t, "secret", strings.Repeat("f", 32)+"\n")
	w.write(t, "hash", "sha256:"+strings.Repeat("a1", 32)+"\n")
	w.write(t, "short-hash", "sha256:"+strings.Repeat("a1", 31)+"\n")
	w.write(t, "empty-hash", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n")
	files, err := filepath.Glob("testdata/users/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no users files", err)
	}
	for _, file := range append(files, "testdata/jwks.json") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, filepath.Base(file), string(data))
	}
	if err := os.CopyFS(w.path("pages"), os.DirFS("testdata/pages")); err != nil {
		t.Fatal(err)
	}
}

var pems = map[string]string{} // An RSA key takes a second to make.

func pemOf(t *testing.T, alg string) string {
	t.Helper()
	if pems[alg] == "" {
		key, err := tokenexchange.GenerateSigningKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		pem, err := key.Encode()
		if err != nil {
			t.Fatal(err)
		}
		pems[alg] = string(pem)
	}
	return pems[alg]
}

// certificate makes one for TLS, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
