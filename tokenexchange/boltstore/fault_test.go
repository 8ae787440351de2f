package boltstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/scopegate/scopegate/tokenexchange"
)

func TestFullFile(t *testing.T) {
	s, err := open(filepath.Join(t.TempDir(), "state.db"), Options{}, bolt.Options{MaxSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	small, big := []byte("v"), make([]byte, 4<<20)
	if ok, err := s.Add(t.Context(), "small", small, later()); !ok || err != nil {
		t.Fatalf("Add: got %v, %v; want true", ok, err)
	}
	ok, err := s.Add(t.Context(), "big", big, later())
	if ok || !errors.Is(err, bolterrors.ErrMaxSizeReached) || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("Add to a full file: got %v, %v; want bolt's error and the path", ok, err)
	}
	if _, err := s.Get(t.Context(), "big"); !errors.Is(err, tokenexchange.ErrNotFound) {
		t.Errorf("Get: got %v, want ErrNotFound", err)
	}
	if ok, err := s.Add(t.Context(), "after", small, later()); !ok || err != nil {
		t.Errorf("Add after a failed one: got %v, %v; want true", ok, err)
	}
}

// TestDamagedFile overwrites the pages of a file: bbolt panics on some of them,
// and the process must not.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "good.db")
	s, end := openTest(t, path, nil)
	for i := range 200 {
		if ok, err := s.Add(t.Context(), fmt.Sprint("k", i), make([]byte, 500), later()); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	end()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	faults := 0
	for p := 2; p*page < len(good); p++ {
		bad := append([]byte(nil), good...)
		for i := p * page; i < (p+1)*page && i < len(bad); i++ {
			bad[i] = byte(i * 7)
		}
		path := filepath.Join(dir, fmt.Sprint(p))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err != nil {
			faults++
			continue
		}
		for i := range 200 {
			_, _ = s.Get(t.Context(), fmt.Sprint("k", i))
		}
		if _, err := s.Add(t.Context(), "new", []byte("v"), later()); err != nil {
			faults++
		}
		_ = s.Close()
	}
	if faults == 0 {
		t.Error("no damage was noticed")
	}
}
