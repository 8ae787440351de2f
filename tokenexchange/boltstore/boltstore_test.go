package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest"
)

func TestConformance(t *testing.T) { storetest.Run(t, harness) }

func TestFeedConformance(t *testing.T) { storetest.RunFeed(t, harness) }

func TestStateConformance(t *testing.T) { storetest.RunState(t, harness) }

func TestServerConformance(t *testing.T) { storetest.RunServer(t, harness) }

var harness = storetest.Harness{
	Open: func(t *testing.T, now func() time.Time) (tokenexchange.Store, func()) {
		return openTest(t, filepath.Join(t.TempDir(), "state.db"), now)
	},
	// Answers come after the commit, so a copy of the open file is what a
	// crash would leave.
	Reopen: func(t *testing.T, crashed tokenexchange.Store, now func() time.Time) (tokenexchange.Store, func()) {
		left, err := os.ReadFile(crashed.(*Store).Path())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "crashed.db")
		if err := os.WriteFile(path, left, 0o600); err != nil {
			t.Fatal(err)
		}
		return openTest(t, path, now)
	},
	Break: func(t *testing.T, s tokenexchange.Store) {
		if err := s.(*Store).Close(); err != nil {
			t.Fatal(err)
		}
	},
}

func openTest(t testing.TB, path string, now func() time.Time) (*Store, func()) {
	t.Helper()
	s, err := Open(path, Options{Now: now})
	if err != nil {
		t.Fatalf("Open: got %v, want no error", err)
	}
	return s, func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	}
}

// later is an expiry that no test reaches.
func later() time.Time { return time.Now().Add(time.Hour) }

func TestOpenMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "state.db")
	_, end := openTest(t, path, nil)
	defer end()
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o700 | os.ModeDir, filepath.Dir(dir): 0o700 | os.ModeDir} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("mode of %s: got %v, want %v", name, got, want)
		}
	}
}

func TestOpenHeldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	_, end := openTest(t, path, nil)
	defer end()
	start := time.Now()
	s, err := Open(path, Options{})
	if err == nil {
		_ = s.Close()
		t.Fatal("Open of a held file: got a store, want an error")
	}
	if took := time.Since(start); took > 10*time.Second { // 1.5 s, and a slow machine.
		t.Errorf("Open of a held file: took %s, want a bounded time", took)
	}
	for _, want := range []string{path, "another process holds the file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Open of a held file: got %q, want it to say %q", err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a bolt file\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no bolt file":      file,
		"a directory":       dir,
		"under a file":      filepath.Join(file, "state.db"),
		"under /proc/self":  "/proc/self/none/state.db",
		"a device":          "/dev/full",
		"path with a zero":  dir + "/a\x00b",
		"an empty path":     "",
		"no such directory": "/dev/null/x/state.db",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(path, Options{})
			if err == nil {
				_ = s.Close()
				t.Fatalf("Open(%q): got a store, want an error", path)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("Open(%q): got %q, want it to name the path", path, err)
			}
		})
	}
}

// TestContextOfAStuckWrite holds the file's write lock, so that the writer
// cannot go on: callers leave by their context, and what they left is not done.
func TestContextOfAStuckWrite(t *testing.T) {
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), nil)
	defer end()
	release := holdWriter(t, s)
	var left sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 3 * maxBatch { // One batch is taken, one fills the queue, one waits.
		left.Go(func() {
			if _, err := s.Add(ctx, fmt.Sprint("left", i), []byte("v"), later()); !errors.Is(err, context.Canceled) {
				t.Errorf("Add: got %v, want context.Canceled", err)
			}
		})
	}
	for len(s.queue) < maxBatch {
		runtime.Gosched()
	}
	cancel()
	left.Wait()
	release()
	if ok, err := s.Add(t.Context(), "stays", []byte("v"), later()); !ok || err != nil {
		t.Fatalf("Add: got %v, %v; want true", ok, err)
	}
	if got := count(t, s, bucketValues); got != 1 {
		t.Errorf("values: got %d, want 1", got)
	}
}

// holdWriter keeps the writer from its next transaction until release.
func holdWriter(t *testing.T, s *Store) (release func()) {
	t.Helper()
	tx, err := s.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, s *Store, bucket []byte) (n int) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		n = tx.Bucket(bucket).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
