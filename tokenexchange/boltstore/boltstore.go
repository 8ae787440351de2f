// Package boltstore keeps a tokenexchange.Store and Feed in one bbolt file: durable, for
// one process on one machine. It is the only importer of bbolt.
//
// A verb answers after its write is on disk. One goroutine writes: it takes
// whatever is queued, does it in one transaction with one sync, and answers
// everyone. There is no delay timer, so a lone write costs one sync, and many
// at once share one. Reads go straight to the last commit and wait for no
// write.
//
// Each value is stored behind its expiry (8 bytes, Unix milliseconds), and an
// index by expiry lets each write remove a few values that are long dead.
// Values are opaque here; tokenexchange.State seals them. See docs/stores.md.
package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/scopegate/scopegate/tokenexchange"
)

var (
	bucketValues = []byte("values") // key -> expiry (8), value
	bucketExpiry = []byte("expiry") // expiry (8), key -> nothing
)

// Options are the settings of a store. The zero Options is usable.
type Options struct {
	// Now is the clock that judges expiry. Default: time.Now.
	Now func() time.Time
}

// Store is a tokenexchange.Store and Feed in a bbolt file. Safe for concurrent use.
type Store struct {
	path string
	now  func() time.Time
	db   *bolt.DB

	queue chan *write
	done  chan struct{} // closed when the writer has ended

	growth growth

	mu     sync.RWMutex // guards closed, and queue against a send after close
	closed bool
}

var (
	_ tokenexchange.Store = (*Store)(nil)
	_ tokenexchange.Feed  = (*Store)(nil)
)

// Open opens or makes the file at path, with mode 0600, and its directory, with
// mode 0700, if missing. A file that another process holds is an error within
// 2 s. The caller closes the store.
func Open(path string, opts Options) (*Store, error) {
	return open(path, opts, bolt.Options{})
}

func open(path string, opts Options, bo bolt.Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	db, err := openFile(path, bo)
	if err != nil {
		return nil, fmt.Errorf("opening bolt store %s: %w", path, err)
	}
	s := &Store{
		path:  path,
		now:   opts.Now,
		db:    db,
		queue: make(chan *write, maxBatch),
		done:  make(chan struct{}),
	}
	go s.run()
	return s, nil
}

// Path is the path that Open got.
func (s *Store) Path() string { return s.path }

// Get implements tokenexchange.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := tokenexchange.CheckKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var val []byte
	err := noPanic(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			exp, present, err := parseValue(tx.Bucket(bucketValues).Get([]byte(key)))
			if err != nil {
				return err
			}
			if exp <= s.now().UnixMilli() {
				return tokenexchange.ErrNotFound
			}
			val = bytes.Clone(present)
			return nil
		})
	})
	if err != nil {
		return nil, s.fault(err)
	}
	return val, nil
}

// Add implements tokenexchange.Store.
func (s *Store) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	if err := tokenexchange.CheckWrite(key, exp, s.now()); err != nil {
		return false, err
	}
	return s.write(ctx, &write{verb: verbAdd, key: []byte(key), exp: exp, val: stampValue(exp, val)})
}

// Swap implements tokenexchange.Store.
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if len(old) == 0 {
		return false, tokenexchange.ErrEmptyOld
	}
	if err := tokenexchange.CheckWrite(key, exp, s.now()); err != nil {
		return false, err
	}
	return s.write(ctx, &write{verb: verbSwap, key: []byte(key), old: bytes.Clone(old), exp: exp, val: stampValue(exp, new)})
}

// Delete implements tokenexchange.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := tokenexchange.CheckKey(key); err != nil {
		return err
	}
	_, err := s.write(ctx, &write{verb: verbDelete, key: []byte(key)})
	return err
}

// Close writes what is queued, answers it, and closes the file. Every verb
// gives tokenexchange.ErrClosed from then on. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	close(s.queue)
	s.mu.Unlock()
	<-s.done
	if err := s.db.Close(); err != nil {
		return s.fault(err)
	}
	return nil
}

// fault names the file in what is no answer.
func (s *Store) fault(err error) error {
	switch {
	case errors.Is(err, tokenexchange.ErrNotFound):
		return tokenexchange.ErrNotFound
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return tokenexchange.ErrClosed
	case errors.Is(err, tokenexchange.ErrFeedGap):
		return err
	}
	return fmt.Errorf("bolt store %s: %w", s.path, err)
}

const stampLen = 8

// stampValue puts the expiry in front of a copy of val.
func stampValue(exp time.Time, val []byte) []byte {
	out := make([]byte, 0, stampLen+len(val))
	out = binary.BigEndian.AppendUint64(out, uint64(exp.UnixMilli()))
	return append(out, val...)
}

// parseValue takes a stored value apart. An absent one expired at 0.
func parseValue(stored []byte) (exp int64, val []byte, err error) {
	if stored == nil {
		return 0, nil, nil
	}
	if len(stored) < stampLen {
		return 0, nil, fmt.Errorf("damaged value of %d bytes", len(stored))
	}
	return int64(binary.BigEndian.Uint64(stored)), stored[stampLen:], nil
}
