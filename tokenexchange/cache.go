package tokenexchange

import (
	"hash/maphash"
	"sync"
	"time"
)

// cache is a bounded map from complete keys to immutable values. It is
// sharded, because every proxied request asks it; eviction is the clock
// algorithm, because a hit then writes one bit and nothing is moved. Weight is counted in bytes.
type cache[K comparable, V any] struct {
	shards [cacheShards]cacheShard[K, V]
	seed   maphash.Seed
	max    int // weight of one shard
}

const cacheShards = 16

type cacheShard[K comparable, V any] struct {
	mu     sync.Mutex
	byKey  map[K]*cacheEntry[K, V]
	ring   []*cacheEntry[K, V]
	hand   int
	weight int
}

type cacheEntry[K comparable, V any] struct {
	key    K
	value  V
	until  time.Time
	weight int
	used   bool
}

func newCache[K comparable, V any](maxWeight int) *cache[K, V] {
	c := &cache[K, V]{seed: maphash.MakeSeed(), max: maxWeight / cacheShards}
	for i := range c.shards {
		c.shards[i].byKey = map[K]*cacheEntry[K, V]{}
	}
	return c
}

func (c *cache[K, V]) shard(key K) *cacheShard[K, V] {
	return &c.shards[maphash.Comparable(c.seed, key)%cacheShards]
}

// get returns the value of a key that is not past its time.
func (c *cache[K, V]) get(key K, now time.Time) (V, bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key]
	if e == nil || !now.Before(e.until) {
		var none V
		return none, false
	}
	e.used = true
	return e.value, true
}

// put keeps a value until the given time or until its room is needed. A value
// heavier than a shard is not kept.
func (c *cache[K, V]) put(key K, value V, until time.Time, weight int) {
	if weight > c.max {
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byKey[key]; old != nil {
		s.weight += weight - old.weight
		old.value, old.until, old.weight, old.used = value, until, weight, true
	} else {
		e := &cacheEntry[K, V]{key: key, value: value, until: until, weight: weight}
		s.byKey[key], s.ring = e, append(s.ring, e)
		s.weight += weight
	}
	for s.weight > c.max {
		s.evict()
	}
}

// evict removes the first entry that was not used since the hand last passed.
func (s *cacheShard[K, V]) evict() {
	for {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.used {
			e.used = false
			s.hand++
			continue
		}
		last := len(s.ring) - 1
		s.ring[s.hand] = s.ring[last]
		s.ring[last] = nil
		s.ring = s.ring[:last]
		delete(s.byKey, e.key)
		s.weight -= e.weight
		return
	}
}

// totals returns the number of entries and their weight in bytes.
func (c *cache[K, V]) totals() (entries, weight int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		entries, weight = entries+len(s.byKey), weight+s.weight
		s.mu.Unlock()
	}
	return entries, weight
}
