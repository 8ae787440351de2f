// Package cluster runs two servers of the real binary on one real Redis, under
// load, and looks from outside at what has to be dead everywhere: what was
// revoked, at whichever server, before and during an outage of the store, and
// before a restart; and at what has to live meanwhile: everything else.
//
// It owns the house that the servers stand in (house_test.go, server_test.go),
// those who lose something (loss_test.go), the questions whether it is gone
// (question_test.go), and the load beside it (load_test.go). It is a module of
// its own, so that nothing else runs while it measures.
//
// One promise: no test passes in which a request that is not about something
// revoked got another answer than the one that it should have, in which a log
// shows a token, or in which a question was not answered with yes before it was
// answered with no.
package cluster

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
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary returns the path of the binary under test: $SCOPEGATE_BINARY, else
// cmd/caddy, without the race detector: times are measured here.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if given := os.Getenv("SCOPEGATE_BINARY"); given != "" {
			built.path, built.err = filepath.Abs(given)
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "scopegate-cluster-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "caddy")
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
