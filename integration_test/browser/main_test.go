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
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// scratch is a folder for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// The binary is built without the race detector: what is tested is what is seen.
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
	return outside.Run(m)
}
