// Package browser drives Debian's Chromium through the pages of the real
// binary: login, organizations, consent, the account and logout, as people and
// attackers meet them, with applications that use unmodified OAuth clients.
//
// It owns a Caddyfile, two applications (app, a single page in the browser, and
// webapp_test.go, a server), and another OpenID provider (npm/provider.mjs).
// What people do stands in npm/*.mjs: each file is a test here, and each of its
// scenarios a subtest (scripts_test.go). docs/login.md shows parts of all these
// and pictures that a run made. It is a module of its own, so that none of it
// enters anybody's module graph.
//
// One promise: nothing is skipped. What is missing on the machine fails.
package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	if scratch, err = os.MkdirTemp("", "scopegate-browser-"); err != nil {
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
// cmd/caddy, built without the race detector: what is tested is what is seen.
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
