package browser

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
	t        *testing.T
	dir      string
	port     int
	env      []string
	addrs    map[string]string // of each host name, for the browser and the tests
	client   *http.Client      // which finds the names
	pictures string            // the folder for screenshots
	upstream *upstream
	redis    *redistest.Server
	provider *provider
	// remembered are the keys of redis when a script asked for it.
	remembered map[string]bool
	secrets    secrets
	cmd        *exec.Cmd
	done       chan struct{} // closed when the process has ended
}

// newHouse starts everything with a store (memory, bolt or redis), and stops it
// when the test ends.
func newHouse(t *testing.T, store string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), port: freePort(t), addrs: map[string]string{}, upstream: newUpstream(t), pictures: pictureFolder(t)}
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
	h.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "SSL_CERT_FILE=" + os.Getenv("SSL_CERT_FILE"),
		"PORT=" + fmt.Sprint(h.port), "UPSTREAM=" + h.upstream.URL, "CERTIFICATES=" + scratch,
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
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		h.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Caddyfile": string(caddyfile), "store": store, "users.json": people(h.t),
		"state.key": base64.StdEncoding.EncodeToString(key) + "\n",
		"es256.pem": signingKey(h.t, "ES256"), "rs256.pem": signingKey(h.t, "RS256"),
	} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o600); err != nil {
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

// start runs the binary and waits until it is ready. A second start adds to the
// log of the first.
func (h *house) start() error {
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd, done := exec.Command(binary(h.t), "run", "--config", "Caddyfile"), make(chan struct{})
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.Env = h.dir, log, log, dieWithParent(), h.env
	if err := cmd.Start(); err != nil {
		return err
	}
	h.cmd, h.done = cmd, done
	go func() {
		_ = cmd.Wait()
		_ = log.Close()
		close(done)
	}()
	return h.awaitReady()
}

func (h *house) awaitReady() error {
	for end := time.Now().Add(patience); !h.ready(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-h.done:
			return fmt.Errorf("the server ended by itself:\n%s", h.said())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server is not ready:\n%s", h.said())
		}
	}
	return nil
}

func (h *house) ready() bool {
	answer, err := h.client.Get("https://shop.example.com/.well-known/scopegate/ready")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop ends the process, as an operator does.
func (h *house) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // It may have ended by itself.
	select {
	case <-h.done:
	case <-time.After(patience):
		_ = h.cmd.Process.Kill()
		<-h.done
		h.t.Error("the server did not stop")
	}
}

func (h *house) said() string {
	text, _ := os.ReadFile(filepath.Join(h.dir, "log"))
	return string(text)
}
