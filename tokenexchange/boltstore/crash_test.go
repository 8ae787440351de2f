package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/tokenexchange"
)

// crashEnv makes this test binary the process that is killed.
const crashEnv = "BOLTSTORE_TEST_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled says each write on stdout after it was answered.
func writeUntilKilled(path string) {
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	exp := time.Now().Add(time.Hour)
	ctx := context.Background()
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			counter := fmt.Sprint("counter", w)
			must(s.Add(ctx, counter, []byte("0"), exp))
			for n := 1; ; n++ {
				key := fmt.Sprintf("%d/%d", w, n)
				must(s.Add(ctx, key, []byte("value of "+key), exp))
				must(s.Swap(ctx, counter, fmt.Append(nil, n-1), fmt.Append(nil, n), exp))
				if n > 1 {
					must(true, s.Delete(ctx, fmt.Sprintf("%d/%d", w, n-1)))
				}
				// One line is one system call, so lines do not mix.
				fmt.Printf("%d %d\n", w, n)
			}
		})
	}
	writers.Wait()
}

func must(ok bool, err error) {
	if err != nil || !ok {
		fmt.Fprintln(os.Stderr, "child:", ok, err)
		os.Exit(1)
	}
}

// TestKill kills a process in the middle of its writes, some times over on one
// file, and looks for everything that it was told is written.
func TestKill(t *testing.T) {
	for _, lines := range []int{1, 100, 500} {
		t.Run(fmt.Sprint("after ", lines), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			last := killAfter(t, path, lines)
			s, end := openTest(t, path, nil)
			defer end()
			for w, n := range last {
				checkKilled(t, s, w, n)
			}
		})
	}
}

// killAfter gives the last write that each writer was told is done.
func killAfter(t *testing.T, path string, lines int) map[int]int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := make(map[int]int)
	seen := 0
	for in := bufio.NewScanner(out); in.Scan(); seen++ {
		var w, n int
		if _, err := fmt.Sscanf(in.Text(), "%d %d", &w, &n); err != nil {
			continue // The kill cut the last line.
		}
		last[w] = max(last[w], n)
		if seen == lines {
			if s, err := Open(path, Options{}); err == nil {
				_ = s.Close()
				t.Error("Open while the child holds the file: got a store, want an error")
			}
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: got %v, want killed", err)
	}
	if seen < lines {
		t.Fatalf("child: got %d lines, want at least %d", seen, lines)
	}
	return last
}

func checkKilled(t *testing.T, s *Store, w, n int) {
	t.Helper()
	counter, err := s.Get(t.Context(), fmt.Sprint("counter", w))
	var got int
	if _, scanErr := fmt.Sscan(string(counter), &got); err != nil || scanErr != nil || got < n {
		t.Errorf("counter %d: got %q, %v; want at least %d", w, counter, err, n)
	}
	// Past its line the child may have begun one more step, and no second one.
	if got > n+1 {
		t.Errorf("counter %d: got %d, want at most %d", w, got, n+1)
	}
	key := fmt.Sprintf("%d/%d", w, n)
	val, err := s.Get(t.Context(), key)
	if got == n && (err != nil || string(val) != "value of "+key) {
		t.Errorf("%s: got %q, %v; want its value", key, val, err)
	}
	if n > 1 {
		gone := fmt.Sprintf("%d/%d", w, n-1)
		if _, err := s.Get(t.Context(), gone); !errors.Is(err, tokenexchange.ErrNotFound) {
			t.Errorf("deleted %s: got %v, want ErrNotFound", gone, err)
		}
	}
}
