package tokenexchange

import (
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int, string](cacheShards * 1000)
	until := time.Now().Add(time.Hour)
	for i := range 100_000 {
		c.put(i, "v", until, 100)
	}
	entries, weight := c.totals()
	if weight > cacheShards*1000 || entries*100 != weight {
		t.Errorf("got %d entries of weight %d, want at most %d", entries, weight, cacheShards*1000)
	}
	if entries < cacheShards*5 {
		t.Errorf("got %d entries, want the room to be used", entries)
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache[int, string](cacheShards * 1000)
	now := time.Now()
	c.put(-1, "hot", now.Add(time.Hour), 100)
	for i := range 10_000 {
		c.put(i, "cold", now.Add(time.Hour), 100)
		if _, ok := c.get(-1, now); !ok {
			t.Fatalf("the entry that is asked for all the time was evicted after %d others", i)
		}
	}
}

func TestCacheExpiresAndReplaces(t *testing.T) {
	c := newCache[string, int](1 << 20)
	now := time.Now()
	c.put("a", 1, now.Add(time.Minute), 10)
	c.put("a", 2, now.Add(time.Minute), 30)
	if got, ok := c.get("a", now); !ok || got != 2 {
		t.Errorf("got %d, %v, want 2, true", got, ok)
	}
	if _, weight := c.totals(); weight != 30 {
		t.Errorf("got weight %d, want 30", weight)
	}
	if _, ok := c.get("a", now.Add(time.Minute)); ok {
		t.Error("an entry was answered at the end of its time")
	}
	c.put("b", 1, now.Add(time.Minute), 1<<20)
	if _, ok := c.get("b", now); ok {
		t.Error("an entry heavier than a shard was kept")
	}
}
