package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// shelf is a storage in memory that fails, or ends the process that uses it, when
// a test says so.
type shelf struct {
	certmagic.Storage // nil: what a line does not need
	values            map[string][]byte
	locked            map[string]bool
	reads, writes     error // what Load, and what Lock, Store and Delete answer
	underLock         error // what Load answers for a key whose lock is held
	stores            int
	killAt            int // the operation, counted from 1, at which the process is killed
	ops               int
}

func newShelf() *shelf { return &shelf{values: map[string][]byte{}, locked: map[string]bool{}} }

// killed is how a process ends that a test kills.
type killed struct{}

func (s *shelf) op() {
	if s.ops++; s.ops == s.killAt {
		panic(killed{})
	}
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.op()
	if s.reads != nil {
		return nil, s.reads
	}
	if s.underLock != nil && s.locked[key] {
		return nil, s.underLock
	}
	if value, ok := s.values[key]; ok {
		return slices.Clone(value), nil
	}
	return nil, fs.ErrNotExist
}

func (s *shelf) Store(_ context.Context, key string, value []byte) error {
	s.op()
	if s.stores++; s.writes == nil {
		s.values[key] = slices.Clone(value)
	}
	s.op() // The answer may be lost too.
	return s.writes
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.op()
	if s.writes == nil {
		delete(s.values, key)
	}
	return s.writes
}

func (s *shelf) Lock(_ context.Context, key string) error {
	s.op()
	switch {
	case s.writes != nil:
		return s.writes
	case s.locked[key]:
		return errors.New("locked")
	}
	s.locked[key] = true
	return nil
}

func (s *shelf) Unlock(_ context.Context, key string) error {
	s.op()
	delete(s.locked, key)
	return nil
}

// survives runs what a process does until it is killed, and frees its locks, as
// time does. It reports whether the process lived.
func (s *shelf) survives(run func()) (lived bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case killed:
			clear(s.locked)
		default:
			panic(r)
		}
	}()
	run()
	return true
}

// textLine is a line whose keys are texts that count up, for all lines of a test.
func textLine(s certmagic.Storage, t terms, made *int) *keyLine[string] {
	return &keyLine[string]{
		storage: s, terms: t, key: "line.json", former: "line.key",
		fresh: func() ([]byte, error) { *made++; return fmt.Appendf(nil, "key %d\n", *made), nil },
		parse: func(text []byte) (string, string, error) {
			id, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "key ")
			if !ok {
				return "", "", errors.New("no key")
			}
			return id, id, nil
		},
	}
}

// settled settles a line, and wants that it can be used.
func settled(t *testing.T, l *keyLine[string], a ask) string {
	t.Helper()
	s, err := l.settle(t.Context(), a)
	if err != nil {
		t.Fatalf("settling: %v", err)
	}
	return strings.Join(s.ring(), " ")
}

// at is a look of a process that runs, at an hour.
func at(h float64) ask { return ask{now: hours(h), life: 20 * time.Hour, drop: true} }
