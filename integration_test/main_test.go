// Package integration_test looks at Scopegate from outside: it runs the built
// binary, talks to it over sockets, and looks at every byte that reaches the
// upstream behind it. It imports no package of the module but the one that
// starts redis-servers. What only the inside can do yet, it has done by a program
// (package consent).
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
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
)

// built is the binary under test, built once for all tests, and only if one of
// them needs it.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Printf("%d credentials were registered, and %d MB searched for them\n", len(registered.tokens), registered.searched.Load()>>20)
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary returns the path of the binary under test: $SCOPEGATE_BINARY, else
// cmd/caddy, built with the race detector if the tests have it, because then
// the compiler has most of the work behind it already.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if given := os.Getenv("SCOPEGATE_BINARY"); given != "" {
			built.path, built.err = filepath.Abs(given)
			if built.err == nil {
				_, built.err = os.Stat(built.path)
			}
			return
		}
		built.dir, built.err = os.MkdirTemp("", "scopegate-test-")
		if built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "caddy")
		args := []string{"build", "-buildvcs=false", "-o", built.path}
		if raceEnabled() {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "./cmd/caddy")...)
		cmd.Dir = repository(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("no binary to test: %v", built.err)
	}
	return built.path
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
