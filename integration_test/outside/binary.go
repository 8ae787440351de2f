// Package outside is what the tests share that look at Scopegate from outside,
// in this module and in those below integration_test: which binary they run
// (Binary), how (Server) and on which ports (FreePort), when a reload is over
// (OneListener), what must not be in its log (Findings); the programs of others
// beside it (Node, StartProgram); and which page shows what was run (Shows). It
// uses the standard library alone, so that it enters nobody's module graph, and
// knows nothing of the inside.
//
// One promise: no process outlives the tests, and what is missing on the machine
// fails.
package outside

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is the binary under test.
var built struct {
	once sync.Once
	dir  string // to be removed; empty if nothing was built
	path string
	err  error
}

// Binary returns the path of the binary under test: $SCOPEGATE_BINARY, else
// cmd/caddy, built once for all tests, with these flags of `go build`, and only
// if one of them needs it.
func Binary(flags ...string) (string, error) {
	built.once.Do(func() { built.path, built.err = binary(flags) })
	if built.err != nil {
		return "", fmt.Errorf("no binary to test: %w", built.err)
	}
	return built.path, nil
}

func binary(flags []string) (path string, err error) {
	if given := os.Getenv("SCOPEGATE_BINARY"); given != "" {
		if path, err = filepath.Abs(given); err == nil {
			_, err = os.Stat(path)
		}
		return path, err
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/scopegate/scopegate").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the work tree: %w", err)
	}
	if built.dir, err = os.MkdirTemp("", "scopegate-test-"); err != nil {
		return "", err
	}
	path = filepath.Join(built.dir, "caddy")
	args := append([]string{"build", "-buildvcs=false", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "./cmd/caddy")...)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return path, nil
}

// Run runs the tests, removes the binary that was built for them, and returns
// the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	return code
}
