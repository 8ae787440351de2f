package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scopegate/scopegate/tokenexchange"
)

// maxBatch is how many writes share one transaction at most.
const maxBatch = 256

type verb int

const (
	verbAdd verb = iota + 1
	verbSwap
	verbDelete
	verbPublish
)

// write is one queued verb. It owns its bytes: the caller may have left when
// it is done.
type write struct {
	ctx  context.Context
	verb verb
	key  []byte
	old  []byte
	val  []byte // with its expiry in front, but for verbPublish
	exp  time.Time

	ok       bool
	err      error
	answered chan struct{}
}

// write queues w and waits for its commit.
func (s *Store) write(ctx context.Context, w *write) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	w.ctx, w.answered = ctx, make(chan struct{})
	if err := s.enqueue(ctx, w); err != nil {
		return false, err
	}
	select {
	case <-w.answered:
		return w.ok, w.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (s *Store) enqueue(ctx context.Context, w *write) error {
	// Close takes the lock for itself, so the queue is open while we hold it.
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return tokenexchange.ErrClosed
	}
	select {
	case s.queue <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run is the writer. It ends when the queue is closed and empty.
func (s *Store) run() {
	defer close(s.done)
	var damaged error
	batch := make([]*write, 0, maxBatch)
	for first := range s.queue {
		batch = s.drain(append(batch[:0], first))
		err := damaged
		if err == nil {
			err = s.commit(batch)
		}
		if errors.Is(err, errDamaged) {
			damaged = err // Another write could only make it worse.
		}
		for i, w := range batch {
			if err != nil {
				w.ok, w.err = false, s.fault(err)
			}
			close(w.answered)
			batch[i] = nil
		}
	}
}

// drain takes what is queued now, and waits for nothing.
func (s *Store) drain(batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case w, open := <-s.queue:
			if !open {
				return batch
			}
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// errUnchanged rolls a transaction back that has nothing to write. Its answers
// rest on what was committed before, so they need no sync.
var errUnchanged = errors.New("nothing changed")

// commit does a batch in one transaction. Its error is the answer to all.
func (s *Store) commit(batch []*write) error {
	published := false
	err := noPanic(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			t := table{values: tx.Bucket(bucketValues), expiry: tx.Bucket(bucketExpiry), feed: tx.Bucket(bucketFeed), now: s.now()}
			for _, w := range batch {
				if err := t.do(w); err != nil {
					return err
				}
			}
			if !t.changed {
				return errUnchanged
			}
			published = t.published
			// More than a batch can add, so the dead always get fewer.
			return t.collect(2*len(batch) + 8)
		})
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil && published {
		s.growth.grew()
	}
	return err
}

// table is the buckets inside one write transaction.
type table struct {
	values, expiry, feed *bolt.Bucket
	now                  time.Time
	changed, published   bool
}

// do sets the answer of w. Its error is bolt's, and ends the transaction.
func (t *table) do(w *write) error {
	if w.err = w.ctx.Err(); w.err != nil {
		return nil
	}
	if w.verb == verbPublish {
		return t.publish(w)
	}
	exp, present, err := parseValue(t.values.Get(w.key))
	if err != nil {
		return err
	}
	if w.verb == verbDelete {
		return t.drop(w.key, exp)
	}
	// The clock may have passed the expiry while w was queued.
	if w.err = tokenexchange.CheckWrite(string(w.key), w.exp, t.now); w.err != nil {
		return nil
	}
	alive := exp > t.now.UnixMilli()
	match := !alive
	if w.verb == verbSwap {
		match = alive && bytes.Equal(present, w.old)
	}
	if match {
		w.ok = true
		return t.put(w, exp)
	}
	w.ok = alive && bytes.Equal(present, w.val[stampLen:])
	return nil
}

// put writes w over a value that expires at before, 0 if there is none.
func (t *table) put(w *write, before int64) error {
	if err := t.drop(w.key, before); err != nil {
		return err
	}
	t.changed = true
	if err := t.values.Put(w.key, w.val); err != nil {
		return err
	}
	return t.expiry.Put(expiryKey(w.exp.UnixMilli(), w.key), nil)
}

// drop removes a value and its place in the index.
func (t *table) drop(key []byte, exp int64) error {
	if exp == 0 {
		return nil
	}
	t.changed = true
	if err := t.expiry.Delete(expiryKey(exp, key)); err != nil {
		return err
	}
	return t.values.Delete(key)
}

// collect removes at most limit values that are dead for CollectAfter.
func (t *table) collect(limit int) error {
	dead := t.now.Add(-tokenexchange.CollectAfter).UnixMilli()
	var found [][]byte // A cursor must not move over what is being deleted.
	c := t.expiry.Cursor()
	for k, _ := c.First(); k != nil && len(found) < limit; k, _ = c.Next() {
		if expiryTime(k) > dead {
			break
		}
		found = append(found, bytes.Clone(k))
	}
	for _, k := range found {
		if err := t.drop(k[stampLen:], expiryTime(k)); err != nil {
			return err
		}
	}
	return nil
}

func expiryKey(exp int64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(exp)), key...)
}

func expiryTime(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }
