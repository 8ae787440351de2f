package tokenexchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// memoryFeed is guarded by the mutex of its store. Entries are numbered from 1
// without a hole, so a number tells whether something is missing before it.
type memoryFeed struct {
	id      string // random, so that a position of another feed is no position here
	first   uint64 // the number of entries[0]
	entries []memoryEntry
	grown   chan struct{} // closed when an entry is added or the store ends
}

type memoryEntry struct {
	entry []byte
	until int64 // Unix milliseconds
}

var _ Feed = (*MemoryStore)(nil)

func newMemoryFeed() memoryFeed {
	return memoryFeed{id: rand.Text(), first: 1, grown: make(chan struct{})}
}

// Publish implements Feed.
func (m *MemoryStore) Publish(ctx context.Context, entry []byte, until time.Time) error {
	now := m.now()
	if err := CheckExpiry(until, now); err != nil {
		return err
	}
	unlock, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	f := &m.feed
	dead := now.Add(-CollectAfter).UnixMilli()
	for len(f.entries) > 0 && f.entries[0].until <= dead {
		f.entries[0] = memoryEntry{}
		f.entries = f.entries[1:]
		f.first++
	}
	f.entries = append(f.entries, memoryEntry{entry: append([]byte{}, entry...), until: until.UnixMilli()})
	close(f.grown)
	f.grown = make(chan struct{})
	return nil
}

// Follow implements Feed.
func (m *MemoryStore) Follow(ctx context.Context, from string, fn func(position string, entry []byte)) error {
	next, err := m.followFrom(ctx, from)
	if err != nil {
		return err
	}
	for {
		entry, grown, err := m.entryAt(ctx, next)
		if err != nil {
			return err
		}
		if grown == nil {
			fn(m.feed.position(next), entry)
			next++
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// followFrom gives the number of the entry after a position.
func (m *MemoryStore) followFrom(ctx context.Context, from string) (uint64, error) {
	unlock, err := m.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if from == "" {
		return m.feed.first, nil
	}
	_, digits, _ := strings.Cut(from, "-")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || m.feed.position(n) != from || n == 0 {
		return 0, FeedGap(from, "not a position of this feed")
	}
	return n + 1, nil
}

// entryAt gives entry number n, or what to wait for when it is still to come.
func (m *MemoryStore) entryAt(ctx context.Context, n uint64) (entry []byte, grown <-chan struct{}, err error) {
	unlock, err := m.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	f := &m.feed
	end := f.first + uint64(len(f.entries))
	switch {
	case n < f.first || n > end:
		return nil, nil, FeedGap(f.position(n-1), fmt.Sprintf("the feed keeps %d to %d", f.first, end-1))
	case n == end:
		return nil, f.grown, nil
	}
	return bytes.Clone(f.entries[n-f.first].entry), nil, nil
}

func (f *memoryFeed) position(n uint64) string { return fmt.Sprintf("%s-%d", f.id, n) }

// close lets followers find the store closed.
func (f *memoryFeed) close() {
	f.entries = nil
	close(f.grown)
}
