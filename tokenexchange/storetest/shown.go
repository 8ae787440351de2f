package storetest

import (
	"bytes"
	"sync"
	"testing"
)

// shown collects what logs and refused requests show, and what they must not.
type shown struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets []string
}

func (s *shown) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shown) hide(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, secrets...)
}

func (s *shown) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text.Len() == 0 {
		t.Error("no log and no refusal was looked at")
	}
	for _, secret := range s.secrets {
		if bytes.Contains(s.text.Bytes(), []byte(secret[max(0, len(secret)-32):])) {
			t.Errorf("a secret of %d characters is in a log or in the answer to a refused request", len(secret))
		}
	}
}
