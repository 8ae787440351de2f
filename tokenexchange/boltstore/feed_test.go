package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

func publishTest(t *testing.T, s *Store, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		if err := s.Publish(t.Context(), []byte(entry), later()); err != nil {
			t.Fatalf("Publish: got %v, want no error", err)
		}
	}
}

func TestFeedClosed(t *testing.T) {
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), nil)
	ended := make(chan error)
	go func() { ended <- s.Follow(t.Context(), "", func(string, []byte) {}) }()
	end()
	if err := <-ended; !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Follow: got %v, want ErrClosed", err)
	}
	if err := s.Publish(t.Context(), nil, later()); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Publish: got %v, want ErrClosed", err)
	}
	if err := s.Follow(t.Context(), "", func(string, []byte) {}); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Follow after Close: got %v, want ErrClosed", err)
	}
}

// TestFeedOldCopy puts an old copy of the file back: a position of the time
// after the copy is a gap, also when another entry has its number by then.
func TestFeedOldCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, end := openTest(t, path, nil)
	publishTest(t, s, "a", "b")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	publishTest(t, s, "c", "d")
	var at []string
	ctx, cancel := context.WithCancel(t.Context())
	_ = s.Follow(ctx, "", func(position string, _ []byte) {
		if at = append(at, position); len(at) == 4 {
			cancel()
		}
	})
	end()
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s, end = openTest(t, path, nil)
	defer end()
	for _, added := range []string{"", "c2", "d2", "e2"} {
		if added != "" {
			publishTest(t, s, added)
		}
		for _, from := range at[2:] {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := s.Follow(ctx, from, func(_ string, entry []byte) { t.Errorf("got %q, want a gap", entry) })
			cancel()
			if !errors.Is(err, tokenexchange.ErrFeedGap) {
				t.Errorf("Follow from %s after %q: got %v, want ErrFeedGap", from, added, err)
			}
		}
	}
}

// TestFeedForgets counts what is on disk: dead entries leave, a few with each
// new one, and the newest stays.
func TestFeedForgets(t *testing.T) {
	now := time.Now()
	s, end := openTest(t, filepath.Join(t.TempDir(), "state.db"), func() time.Time { return now })
	defer end()
	for i := range 20 {
		if err := s.Publish(t.Context(), fmt.Append(nil, i), now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute + tokenexchange.CollectAfter)
	for _, want := range []int{17, 14, 11, 8, 5, 6, 3, 1, 1} {
		if want < 5 {
			now = now.Add(time.Second + tokenexchange.CollectAfter)
		}
		if err := s.Publish(t.Context(), nil, now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := count(t, s, bucketFeed); got != want {
			t.Errorf("entries: got %d, want %d", got, want)
		}
	}
}
