// Package integration_test looks at Scopegate from outside: it runs the built
// binary, talks to it over sockets, and looks at every byte that reaches the
// upstream behind it. It imports no package of the module but those that start
// the binary and redis-servers. What only the inside can do yet, it has done by
// a program (package consent).
//
// One flow: [Start] runs the binary with a Caddyfile on free loopback ports;
// the test talks to it with [Caddy.Client] or with the raw sockets of [Dial];
// [NewUpstream] records what arrives behind the proxy; at the end of every test
// the processes are stopped, and the recordings and logs are searched.
//
// One promise: no test passes in which a credential that went through a token
// endpoint, or was passed to [Register], reached an upstream or a log, in which
// the upstream got a JWT that was not made for it, in which the log shows any
// JWT, in which the binary reported a data race or a panic, or in which it had
// to be killed.
package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

func TestMain(m *testing.M) {
	code := outside.Run(m)
	fmt.Printf("%d credentials were registered, and %d MB searched for them\n", len(registered.tokens), registered.searched.Load()>>20)
	os.Exit(code)
}

// binary returns the path of the binary under test, built with the race detector
// if the tests have it, because then the compiler has most of the work behind it
// already.
func binary(t *testing.T) string {
	t.Helper()
	var flags []string
	if raceEnabled() {
		flags = []string{"-race"}
	}
	path, err := outside.Binary(flags...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// repository returns the top of the work tree.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// raceEnabled tells whether these tests were compiled with -race.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}
