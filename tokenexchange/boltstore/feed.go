package boltstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scopegate/scopegate/tokenexchange"
)

// bucketFeed holds number (8) -> until (8, Unix milliseconds), mark (8), mark
// of the entry before (8), entry. Numbers count from 1, and the newest entry is
// never removed. Marks are random: they tell an entry from the one that had its
// number in another file, or before an old copy of the file was put back.
var bucketFeed = []byte("feed")

const feedHeader = 24

// feedBatch is how many entries a follower reads in one transaction.
const feedBatch = 256

// feedPosition is the place of an entry. The zero value is before the first
// entry that ever was.
type feedPosition struct{ number, mark uint64 }

func (p feedPosition) String() string { return fmt.Sprintf("%d-%016x", p.number, p.mark) }

// parsePosition takes only what String gives.
func parsePosition(text string) (feedPosition, error) {
	number, mark, _ := strings.Cut(text, "-")
	n, err1 := strconv.ParseUint(number, 10, 64)
	m, err2 := strconv.ParseUint(mark, 16, 64)
	p := feedPosition{number: n, mark: m}
	if err1 != nil || err2 != nil || n == 0 || p.String() != text {
		return feedPosition{}, tokenexchange.FeedGap(text, "not a position of this feed")
	}
	return p, nil
}

type feedEntry struct {
	at     feedPosition
	before uint64 // the mark of the entry before
	until  int64
	entry  []byte
}

func parseEntry(key, stored []byte) (feedEntry, error) {
	if len(key) != 8 || len(stored) < feedHeader {
		return feedEntry{}, fmt.Errorf("damaged feed entry of %d bytes", len(stored))
	}
	return feedEntry{
		at:     feedPosition{number: binary.BigEndian.Uint64(key), mark: binary.BigEndian.Uint64(stored[8:])},
		before: binary.BigEndian.Uint64(stored[16:]),
		until:  int64(binary.BigEndian.Uint64(stored)),
		entry:  stored[feedHeader:],
	}, nil
}

// Publish implements tokenexchange.Feed. It answers after the entry is on disk.
func (s *Store) Publish(ctx context.Context, entry []byte, until time.Time) error {
	if err := tokenexchange.CheckExpiry(until, s.now()); err != nil {
		return err
	}
	_, err := s.write(ctx, &write{verb: verbPublish, exp: until, val: bytes.Clone(entry)})
	return err
}

// publish appends w, and removes from the head what may be forgotten: more than
// was added, so the dead always get fewer.
func (t *table) publish(w *write) error {
	if w.err = tokenexchange.CheckExpiry(w.exp, t.now); w.err != nil {
		return nil
	}
	t.changed, t.published = true, true
	var last feedEntry
	if k, v := t.feed.Cursor().Last(); k != nil {
		var err error
		if last, err = parseEntry(k, v); err != nil {
			return err
		}
	}
	var mark [8]byte
	_, _ = rand.Read(mark[:]) // It never fails.
	val := binary.BigEndian.AppendUint64(nil, uint64(w.exp.UnixMilli()))
	val = append(val, mark[:]...)
	val = binary.BigEndian.AppendUint64(val, last.at.mark)
	if err := t.feed.Put(feedKey(last.at.number+1), append(val, w.val...)); err != nil {
		return err
	}
	w.ok = true
	return t.forget(4)
}

// forget removes at most limit entries from the head that are dead for
// CollectAfter. The new entry is alive, so the feed is never empty.
func (t *table) forget(limit int) error {
	dead := t.now.Add(-tokenexchange.CollectAfter).UnixMilli()
	for range limit {
		k, v := t.feed.Cursor().First()
		head, err := parseEntry(k, v)
		if err != nil {
			return err
		}
		if head.until > dead {
			return nil
		}
		if err := t.feed.Delete(feedKey(head.at.number)); err != nil {
			return err
		}
	}
	return nil
}

// Follow implements tokenexchange.Feed.
func (s *Store) Follow(ctx context.Context, from string, fn func(position string, entry []byte)) error {
	var at feedPosition
	if from != "" {
		var err error
		if at, err = parsePosition(from); err != nil {
			return err
		}
	}
	oldest := from == ""
	for {
		grown := s.growth.next() // Taken first, so that no entry is slept through.
		entries, err := s.entriesAfter(ctx, at, oldest)
		if err != nil {
			return err
		}
		oldest = false
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			fn(e.at.String(), e.entry)
			at = e.at
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return tokenexchange.ErrClosed
		}
	}
}

// entriesAfter reads a batch. If oldest, it begins wherever the feed begins.
func (s *Store) entriesAfter(ctx context.Context, at feedPosition, oldest bool) (found []feedEntry, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = noPanic(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketFeed).Cursor()
			for k, v := c.Seek(feedKey(at.number + 1)); k != nil && len(found) < feedBatch; k, v = c.Next() {
				e, err := parseEntry(k, v)
				if err != nil {
					return err
				}
				if !oldest && (e.at.number != at.number+1 || e.before != at.mark) {
					return tokenexchange.FeedGap(at.String(), "what came after it was forgotten")
				}
				e.entry = append([]byte{}, e.entry...)
				found, at, oldest = append(found, e), e.at, false
			}
			if len(found) > 0 {
				return nil
			}
			// Nothing comes after it, so it must be the newest itself.
			var last feedEntry
			if k, v := c.Last(); k != nil {
				if last, err = parseEntry(k, v); err != nil {
					return err
				}
			}
			if last.at != at {
				return tokenexchange.FeedGap(at.String(), "it is not in the feed")
			}
			return nil
		})
	})
	if err != nil {
		return nil, s.fault(err)
	}
	return found, nil
}

func feedKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// growth wakes followers. The zero growth is usable.
type growth struct {
	mu   sync.Mutex
	wake chan struct{}
}

// next gives a channel that is closed when the feed grows again.
func (g *growth) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake == nil {
		g.wake = make(chan struct{})
	}
	return g.wake
}

func (g *growth) grew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
}
