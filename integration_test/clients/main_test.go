// Package clients runs OAuth and OIDC clients that others wrote, unmodified,
// against the real binary with a real redis-server: each in a test of its own,
// with what it insists on written beside it. It also sends the malformed token
// requests of our own table to another server, and holds the answers together
// (differential_test.go), and asks the server for each answer that
// docs/openapi.yaml describes (contract_test.go).
//
// It owns the Caddyfile of these tests and its users (house_test.go), which
// package outside runs; the programs of other languages are in npm and python. The clients in Go are
// called from the tests. docs/clients.md shows parts of all these, and
// TestPage holds them together. It is a module of its own, so that the clients
// enter nobody's module graph.
//
// One promise: no client is skipped. What is missing on the machine fails.
package clients

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// scratch is a folder for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// The binary is built without the race detector: what is tested is the protocol.
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
	return outside.Run(m)
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
