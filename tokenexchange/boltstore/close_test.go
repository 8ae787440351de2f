package boltstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

func TestCloseDrains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := openTest(t, path, nil)
	const writers = 64
	var won [writers]bool
	var begun, ended sync.WaitGroup
	begun.Add(writers)
	for i := range writers {
		ended.Go(func() {
			begun.Done()
			ok, err := s.Add(t.Context(), fmt.Sprint("k", i), []byte("v"), later())
			if err != nil && !errors.Is(err, tokenexchange.ErrClosed) {
				t.Errorf("Add while closing: got %v, want true or ErrClosed", err)
			}
			won[i] = ok
		})
	}
	begun.Wait()
	for range 2 {
		ended.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: got %v, want no error", err)
			}
		})
	}
	ended.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("another Close: got %v, want no error", err)
	}
	if _, err := s.Get(t.Context(), "k0"); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Get after Close: got %v, want ErrClosed", err)
	}
	if _, err := s.Add(t.Context(), "k", []byte("v"), later()); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Add after Close: got %v, want ErrClosed", err)
	}
	s, end := openTest(t, path, nil)
	defer end()
	for i, ok := range won {
		_, err := s.Get(t.Context(), fmt.Sprint("k", i))
		if absent := errors.Is(err, tokenexchange.ErrNotFound); absent == ok {
			t.Errorf("k%d after reopening: got %v, and its Add answered %v", i, err, ok)
		}
	}
}

// TestCloseWritesTheQueue closes while writes are queued: all of them are done.
func TestCloseWritesTheQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := openTest(t, path, nil)
	release := holdWriter(t, s)
	var queued []*write
	for i := range maxBatch {
		w := &write{
			ctx: t.Context(), verb: verbAdd, key: fmt.Append(nil, "k", i),
			exp: later(), val: stampValue(later(), []byte("v")), answered: make(chan struct{}),
		}
		s.queue <- w
		for i == 0 && len(s.queue) > 0 { // The first makes a batch of its own.
			runtime.Gosched()
		}
		queued = append(queued, w)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for isOpen := true; isOpen; {
		s.mu.RLock()
		isOpen = !s.closed
		s.mu.RUnlock()
	}
	release()
	if err := <-closed; err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
	for i, w := range queued {
		<-w.answered
		if !w.ok || w.err != nil {
			t.Errorf("queued write %d: got %v, %v; want true", i, w.ok, w.err)
		}
	}
	s, end := openTest(t, path, nil)
	defer end()
	if got := count(t, s, bucketValues); got != maxBatch {
		t.Errorf("values after reopening: got %d, want %d", got, maxBatch)
	}
}
