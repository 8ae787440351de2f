package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	issuer       = "https://auth.example.com"
	clientSecret = "a secret of the tests, long enough"
	// patience bounds what may take long on a slow and busy machine.
	patience = 60 * time.Second
)

// house is a running server with its store, its people, the APIs behind it and
// the applications before it.
type house struct {
	outside.Server
	t        *testing.T
	port     int
	addrs    map[string]string // of each host name, for the browser and the tests
	client   *http.Client      // which finds the names
	pictures string            // the folder for screenshots
	upstream *upstream
	redis    *redistest.Server
	provider *provider
	// remembered are the keys of redis when a script asked for it.
	remembered map[string]bool
	secrets    secrets
}

// newHouse starts everything with a store (memory, bolt or redis), and stops it
// when the test ends.
func newHouse(t *testing.T, store string) *house {
	t.Helper()
	h := &house{
		t: t, Server: outside.Server{Dir: t.TempDir()}, port: outside.FreePort(t), addrs: map[string]string{},
		upstream: newUpstream(t), pictures: pictureFolder(t),
	}
	h.secrets.add("the client's secret", clientSecret)
	h.secrets.add("the password of all people", password)
	h.secrets.add("a wrong password", "not the password of anybody") // As the scripts type it.
	h.client = &http.Client{Transport: &http.Transport{DialContext: h.dial}, Timeout: patience}
	t.Cleanup(h.client.CloseIdleConnections)
	apps := newApps(h)
	for _, name := range names {
		h.addrs[name] = apps
	}
	for _, name := range []string{"auth.example.com", "shop.example.com", "reports.example.com"} {
		h.addrs[name] = fmt.Sprint("127.0.0.1:", h.port)
	}
	h.provider = newProvider(h)
	storeLines := "store " + store
	switch store {
	case "bolt":
		storeLines += " {\n\tpath state.db\n}"
	case "redis":
		h.redis = redistest.Start(t)
		storeLines += " {\n\taddress " + h.redis.Addr() + "\n}"
	}
	h.writeFiles(storeLines)
	h.Env = []string{
		"SSL_CERT_FILE=" + os.Getenv("SSL_CERT_FILE"), "PORT=" + fmt.Sprint(h.port), "UPSTREAM=" + h.upstream.URL, "CERTIFICATES=" + scratch,
		"CLIENT_SECRET=" + clientSecret, "PROVIDER=" + h.provider.url, "PROVIDER_SECRET=" + providerSecret,
	}
	if err := h.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stop()
		h.search()
	})
	return h
}

// dial finds the names of the tests, and what has a number.
func (h *house) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil && strings.Contains(host, ".example.") {
		address = h.addrs[host]
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// writeFiles writes what the Caddyfile names.
func (h *house) writeFiles(store string) {
	h.t.Helper()
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		h.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Caddyfile": string(caddyfile), "store": store, "users.json": people(h.t),
		"state.key": outside.StateKey(), "es256.pem": signingKey(h.t, "ES256"), "rs256.pem": signingKey(h.t, "RS256"),
	} {
		if err := os.WriteFile(filepath.Join(h.Dir, name), []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

// signingKey makes a key of the server, as PEM.
func signingKey(t *testing.T, alg string) string {
	t.Helper()
	key, err := tokenexchange.GenerateSigningKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start runs the binary and waits until it is ready.
func (h *house) start() error {
	if err := h.Exec(); err != nil {
		return err
	}
	return h.Await(func() bool { return outside.Ready(h.client, "https://shop.example.com") })
}

// stop ends the process, as an operator does.
func (h *house) stop() {
	if err := h.Stop(); err != nil {
		h.t.Error(err)
	}
	h.client.CloseIdleConnections() // They lead to the process that is gone.
}
