//go:build unix

package pages

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReplacementPipe has a pipe in the place of a file: nobody waits for it.
func TestReplacementPipe(t *testing.T) {
	dir := folder(t, nil)
	if err := syscall.Mkfifo(filepath.Join(dir, "style.css"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := New(dir); ended <- err }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("a pipe: got the error %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("a pipe is waited for")
	}
}
