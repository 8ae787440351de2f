package caddymodule

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// ledger collects, over the whole test run, what was secret and what was shown:
// the logs of all configurations, errors of loading them, and answers without
// what was asked for. At the end the two are held against each other.
var ledger = struct {
	sync.Mutex
	hidden map[string]string // what it is, by value
	shown  bytes.Buffer
}{hidden: map[string]string{}}

// shortest is the length of the shortest secret. One character again and again
// is none.
const shortest = 20

// hide registers a value that must not be shown.
func hide(what, value string) {
	ledger.Lock()
	defer ledger.Unlock()
	if len(value) >= shortest && strings.Trim(value, value[:1]) != "" {
		ledger.hidden[value[max(0, len(value)-64):]] = what
	}
}

func show(text string) {
	ledger.Lock()
	defer ledger.Unlock()
	ledger.shown.WriteString(text + "\n")
}

func TestMain(m *testing.M) {
	hide("the secret of nightly", liveSecret)
	code := m.Run()
	fmt.Printf("%d secrets were registered, and %d KB searched for them\n", len(ledger.hidden), ledger.shown.Len()>>10)
	for value, what := range ledger.hidden {
		if at := bytes.Index(ledger.shown.Bytes(), []byte(value)); at >= 0 {
			shown := ledger.shown.Bytes()[max(0, at-200):at]
			fmt.Printf("%s was shown: %s...\n", what, shown)
			code = 1
		}
	}
	os.Exit(code)
}

// hideFile registers the lines of a file that is secret by its name.
func hideFile(name, text string) {
	switch base := filepath.Base(name); {
	case base == "cert.pem":
	case strings.HasSuffix(base, ".pem"), strings.HasSuffix(base, ".key"), strings.Contains(base, "password"):
		public := publicPart(text)
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			// The file of a private key holds the public one too, which everybody may see.
			if raw, err := base64.StdEncoding.DecodeString(line); err == nil && len(public) > 0 && bytes.Contains(public, raw) {
				continue
			}
			if !strings.HasPrefix(line, "-----") {
				hide("a line of "+base, line)
			}
		}
	}
}

// publicPart returns the public key of a private one in PEM, nil for anything else.
func publicPart(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	public, _ := x509.MarshalPKIXPublicKey(signer.Public()) // None is all secret.
	return public
}

var issued = regexp.MustCompile(`"(?:access_token|refresh_token|id_token)":"([^"]+)"`)

// watching is a transport that hides the credentials in requests to the token
// endpoint and in what it grants, and shows all other answers.
type watching struct{ http.RoundTripper }

func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			data, _ := io.ReadAll(body) // It is in memory.
			form, _ := url.ParseQuery(string(data))
			for _, name := range []string{"client_secret", "client_assertion", "password", "code", "code_verifier", "refresh_token", "api_token"} {
				hide(name, form.Get(name))
			}
		}
	}
	hide("a bearer token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	res, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return res, err
	}
	data, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	text := string(data)
	for _, match := range issued.FindAllStringSubmatch(text, -1) {
		hide("a token", match[1])
		text = strings.ReplaceAll(text, match[1], "")
	}
	show(fmt.Sprint(res.Status, res.Header, text))
	res.Body = io.NopCloser(bytes.NewReader(data))
	return res, err
}
