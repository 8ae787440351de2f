package tokenexchange

import (
	"bytes"
	"container/heap"
	"context"
	"sync"
	"time"
)

// memorySweep is how many dead values one write removes at most. A write adds
// at most one, so the dead ones always get fewer, and no call is slow.
const memorySweep = 4

// MemoryStore is a Store and a Feed in the memory of this process. It forgets everything
// when the process ends. Safe for concurrent use.
type MemoryStore struct {
	now func() time.Time

	mu     sync.Mutex
	closed bool
	values map[string]*memoryValue
	dying  memoryHeap
	feed   memoryFeed
}

type memoryValue struct {
	key   string
	val   []byte
	exp   int64 // Unix milliseconds
	index int   // in MemoryStore.dying
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore makes an empty store. A nil now is time.Now.
func NewMemoryStore(now func() time.Time) *MemoryStore {
	if now == nil {
		now = time.Now
	}
	return &MemoryStore{now: now, values: make(map[string]*memoryValue), feed: newMemoryFeed()}
}

// Get implements Store.
func (m *MemoryStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	unlock, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	v := m.alive(key, m.now())
	if v == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(v.val), nil
}

// Add implements Store.
func (m *MemoryStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	now := m.now()
	if err := CheckWrite(key, exp, now); err != nil {
		return false, err
	}
	unlock, err := m.enter(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	if v := m.alive(key, now); v != nil {
		return bytes.Equal(v.val, val), nil
	}
	m.put(key, val, exp, now)
	return true, nil
}

// Swap implements Store.
func (m *MemoryStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if len(old) == 0 {
		return false, ErrEmptyOld
	}
	now := m.now()
	if err := CheckWrite(key, exp, now); err != nil {
		return false, err
	}
	unlock, err := m.enter(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	v := m.alive(key, now)
	if v == nil {
		return false, nil
	}
	if !bytes.Equal(v.val, old) {
		return bytes.Equal(v.val, new), nil
	}
	m.put(key, new, exp, now)
	return true, nil
}

// Delete implements Store.
func (m *MemoryStore) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	unlock, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if v := m.values[key]; v != nil {
		m.drop(v)
	}
	return nil
}

// Close empties the store. Every verb gives ErrClosed from then on.
func (m *MemoryStore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed, m.values, m.dying = true, nil, nil
	m.feed.close()
	return nil
}

// enter locks the store for one verb.
func (m *MemoryStore) enter(ctx context.Context) (unlock func(), err error) {
	m.mu.Lock()
	if err := ctx.Err(); err != nil {
		m.mu.Unlock()
		return nil, err
	}
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	return m.mu.Unlock, nil
}

// alive returns the value of key, or nil if it is absent or expired.
func (m *MemoryStore) alive(key string, now time.Time) *memoryValue {
	v := m.values[key]
	if v == nil || v.exp <= now.UnixMilli() {
		return nil
	}
	return v
}

func (m *MemoryStore) put(key string, val []byte, exp, now time.Time) {
	if v := m.values[key]; v != nil {
		m.drop(v)
	}
	// An empty value is kept as such, not as nil.
	v := &memoryValue{key: key, val: append([]byte{}, val...), exp: exp.UnixMilli()}
	m.values[key] = v
	heap.Push(&m.dying, v)
	dead := now.Add(-CollectAfter).UnixMilli()
	for n := 0; n < memorySweep && m.dying[0].exp <= dead; n++ {
		m.drop(m.dying[0])
	}
}

func (m *MemoryStore) drop(v *memoryValue) {
	heap.Remove(&m.dying, v.index)
	delete(m.values, v.key)
}

// memoryHeap has the value that expires first on top.
type memoryHeap []*memoryValue

func (h memoryHeap) Len() int           { return len(h) }
func (h memoryHeap) Less(i, j int) bool { return h[i].exp < h[j].exp }
func (h memoryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *memoryHeap) Push(x any) {
	v := x.(*memoryValue)
	v.index = len(*h)
	*h = append(*h, v)
}

func (h *memoryHeap) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return v
}
