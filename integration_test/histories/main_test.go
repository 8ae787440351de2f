// Package histories records what clients of the real binary do with codes and
// refresh tokens while answers are lost, and while Redis and the binary are
// frozen and killed, and holds each history against a model of one record: it
// must be possible that the requests happened one after the other, each at some
// moment between its call and its answer (github.com/anishathalye/porcupine).
//
// It owns the model (model_test.go), the clients (record_test.go) and a small
// harness (server_test.go); the store's servers come from storetest. It is a
// module of its own, so that the checker enters nobody's module graph.
//
// One promise: no test passes in which a code or a refresh token was spent
// twice, in which something was lost that a client was told about, or in which
// the checker could not have seen that.
package histories

import (
	"crypto/rand"
	"encoding/base64"
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
// cmd/caddy. It is built without the race detector, with which it takes too
// long to start as often as it is killed here.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if given := os.Getenv("SCOPEGATE_BINARY"); given != "" {
			built.path, built.err = filepath.Abs(given)
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "scopegate-histories-"); built.err != nil {
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

// stateKeyLine is a new state key, as `openssl rand -base64 32` prints it.
func stateKeyLine() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key) + "\n"
}
