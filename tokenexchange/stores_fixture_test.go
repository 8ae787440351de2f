package tokenexchange

import (
	"context"
	"errors"
	"time"
)

// stumblingStore is away at one verb, or from one on. It may do what it was told
// all the same, and lose the answer.
type stumblingStore struct {
	*MemoryStore
	at    int // 0 for never
	away  bool
	lost  bool
	verbs int
}

func (s *stumblingStore) stumbles() bool {
	s.verbs++
	return s.at != 0 && (s.verbs == s.at || s.away && s.verbs > s.at)
}

func (s *stumblingStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.stumbles() {
		return nil, errors.New("away")
	}
	return s.MemoryStore.Get(ctx, key)
}

func (s *stumblingStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	if s.stumbles() {
		if s.lost {
			_, _ = s.MemoryStore.Add(ctx, key, val, exp)
		}
		return false, errors.New("away")
	}
	return s.MemoryStore.Add(ctx, key, val, exp)
}

func (s *stumblingStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if s.stumbles() {
		if s.lost {
			_, _ = s.MemoryStore.Swap(ctx, key, old, new, exp)
		}
		return false, errors.New("away")
	}
	return s.MemoryStore.Swap(ctx, key, old, new, exp)
}

func (s *stumblingStore) Delete(ctx context.Context, key string) error {
	if s.stumbles() {
		if s.lost {
			_ = s.MemoryStore.Delete(ctx, key)
		}
		return errors.New("away")
	}
	return s.MemoryStore.Delete(ctx, key)
}

func (s *stumblingStore) Publish(ctx context.Context, entry []byte, until time.Time) error {
	if s.stumbles() {
		if s.lost {
			_ = s.MemoryStore.Publish(ctx, entry, until)
		}
		return errors.New("away")
	}
	return s.MemoryStore.Publish(ctx, entry, until)
}

// stumble puts such a store in the place of the store of a house.
func (h *house) stumble(s stumblingStore) *stumblingStore {
	s.MemoryStore = h.store
	h.state.store = &s
	return &s
}

// interruptingStore has something happen before one verb.
type interruptingStore struct {
	*MemoryStore
	at, verbs int
	do        func()
}

func (s *interruptingStore) interrupt() {
	if s.verbs++; s.verbs == s.at {
		s.do()
	}
}

func (s *interruptingStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.interrupt()
	return s.MemoryStore.Get(ctx, key)
}

func (s *interruptingStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	s.interrupt()
	return s.MemoryStore.Add(ctx, key, val, exp)
}

func (s *interruptingStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	s.interrupt()
	return s.MemoryStore.Swap(ctx, key, old, new, exp)
}
