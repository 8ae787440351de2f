// Package clients runs OAuth and OIDC clients that others wrote, unmodified,
// against the real binary with a real redis-server: each in a test of its own,
// with what it insists on written beside it. It also sends the malformed token
// requests of our own table to another server, and holds the answers together
// (differential_test.go), and asks the server for each answer that
// docs/openapi.yaml describes (contract_test.go).
//
// It owns the Caddyfile of these tests and a small harness (house_test.go); the
// programs of other languages are in npm and python. The clients in Go are
// called from the tests. docs/clients.md shows parts of all these, and
// TestPage holds them together. It is a module of its own, so that the clients
// enter nobody's module graph.
//
// One promise: no client is skipped. What is missing on the machine fails.
package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

var built struct {
	once sync.Once
	path string
	err  error
}

// scratch is a folder for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "scopegate-clients-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	if err := makeCertificates(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// binary returns the path of the binary under test: $SCOPEGATE_BINARY, else
// cmd/caddy, built without the race detector: what is tested is the protocol.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if given := os.Getenv("SCOPEGATE_BINARY"); given != "" {
			built.path, built.err = filepath.Abs(given)
			return
		}
		built.path = filepath.Join(scratch, "caddy")
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", built.path, "./cmd/caddy")
		cmd.Dir = filepath.Join("..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("building the binary: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("no binary to test: %v", built.err)
	}
	return built.path
}

// logModule names a Go module with the version that go.mod pins, which is the
// one that was compiled.
func logModule(t *testing.T, path string) {
	t.Helper()
	t.Logf("client: %s %s", path, moduleVersion(t, path))
}

func moduleVersion(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(path) + ` (v\S+)$`).FindSubmatch(text)
	if version == nil {
		t.Fatalf("go.mod does not name %s", path)
	}
	return string(version[1])
}
