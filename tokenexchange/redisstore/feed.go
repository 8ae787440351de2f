package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/tokenexchange"
)

// The feed is one Stream. Each entry has a random mark and names that of the
// one before it, so a follower notices without any other state when entries
// were trimmed, deleted with the Stream, or lost in a failover. The newest
// entry is never trimmed, so the next one always has something to name.
//
// A position is the Stream's ID and the mark: IDs are made of the server's
// time, and two Streams may come to the same one.
//
// An entry without these fields was written by another hand. It is handed on
// empty, so that whoever follows sees that there is something unknown, and it has
// no place in the chain: the next entry names the one before it, and deleting it
// leaves no gap.

// place is where an entry stands. The zero place is before the first entry
// that ever was.
type place struct{ id, mark string } // the mark is "" while only others wrote

func (p place) String() string { return p.id + "-" + p.mark }

// places are what String gives: IDs are two numbers without zeros in front.
var places = regexp.MustCompile(`^((?:0|[1-9][0-9]{0,18})-(?:0|[1-9][0-9]{0,18}))-([0-9a-f]{16}|)$`)

// feedBatch is how many entries a follower reads at once.
const feedBatch = 256

// publishScript takes the publisher's time, how long to keep what is over, the
// time of the entry, its mark, and the entry. What is removed is over by the
// server's clock too, which is in the new ID: a publisher whose clock is ahead
// must not take others' revocations away. It removes more than it adds, so the
// dead always get fewer, and never the new entry, which is alive. To find what to
// name it looks back over at most 64 entries of another hand. If there are more,
// followers meet a gap.
var publishScript = redis.NewScript(`
local before, from = '', '+'
for _ = 1, 65 do
	local last = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', 1)[1]
	if not last then break end
	if last[2][3] == 'mark' and last[2][5] == 'before' and last[2][7] == 'entry' then before = last[2][4] break end
	from = '(' .. last[1]
end
local id = redis.call('XADD', KEYS[1], '*', 'until', ARGV[3], 'mark', ARGV[4], 'before', before, 'entry', ARGV[5])
local dead = math.min(tonumber(ARGV[1]), tonumber(string.match(id, '^%d+'))) - tonumber(ARGV[2])
for _, head in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 4)) do
	local untilMillis = tonumber(head[2][2])
	if not untilMillis or untilMillis > dead then break end
	redis.call('XDEL', KEYS[1], head[1])
end
return id
`)

// Publish implements tokenexchange.Feed.
func (s *Store) Publish(ctx context.Context, entry []byte, until time.Time) error {
	now := s.now()
	if err := tokenexchange.CheckExpiry(until, now); err != nil {
		return err
	}
	var mark [8]byte
	_, _ = rand.Read(mark[:]) // It never fails.
	return s.verb(ctx, "publishing", func(ctx context.Context) error {
		_, err := s.run(ctx, publishScript, s.feedKey(),
			now.UnixMilli(), tokenexchange.CollectAfter.Milliseconds(), until.UnixMilli(), hex.EncodeToString(mark[:]), entry)
		return err
	})
}

// Follow implements tokenexchange.Feed.
func (s *Store) Follow(ctx context.Context, from string, fn func(position string, entry []byte)) error {
	f := follower{store: s, oldest: from == ""}
	if from != "" {
		parts := places.FindStringSubmatch(from)
		if parts == nil {
			return tokenexchange.FeedGap(from, "not a position of this feed")
		}
		f.at = place{id: parts[1], mark: parts[2]}
	}
	for {
		var found []feedEntry
		err := s.verb(ctx, "following", func(ctx context.Context) (err error) {
			found, err = f.read(ctx)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range found {
			if err := ctx.Err(); err != nil {
				return err
			}
			fn(e.at.String(), []byte(e.entry))
			f.at = e.at
		}
	}
}

type feedEntry struct {
	at            place
	before, entry string
}

// follower is where one Follow stands.
type follower struct {
	store  *Store
	at     place
	oldest bool // begin wherever the feed begins
	newest bool // nothing came after at when it was last read
}

// read gives the next entries, or none after a short wait.
func (f *follower) read(ctx context.Context) ([]feedEntry, error) {
	args := &redis.XReadArgs{Streams: []string{f.store.feedKey(), cmp.Or(f.at.id, "0-0")}, Count: feedBatch, Block: -1}
	if f.newest {
		// The answer still comes within the timeout, and a lost feed is noticed
		// within a second.
		args.Block = min(f.store.timeout/2, DefaultTimeout/2)
	}
	streams, err := f.store.client.XRead(ctx, args).Result()
	if errors.Is(err, redis.Nil) {
		return nil, f.stillNewest(ctx)
	}
	if err != nil {
		return nil, err
	}
	var found []feedEntry
	at, oldest := f.at, f.oldest
	for _, stream := range streams {
		for _, m := range stream.Messages {
			e, ours := parseEntry(m, at)
			if ours && !oldest && e.before != at.mark {
				return nil, tokenexchange.FeedGap(at.String(), "what came after it is not there any more")
			}
			found, at, oldest = append(found, e), e.at, oldest && !ours
		}
	}
	f.oldest, f.newest = oldest, false
	return found, nil
}

// stillNewest looks whether the feed ends where the follower stands: a Stream
// that was deleted, or that is older than the follower, gives no entries either.
func (f *follower) stillNewest(ctx context.Context) error {
	last, err := f.store.client.XRevRangeN(ctx, f.store.feedKey(), "+", "-", 1).Result()
	if err != nil {
		return err
	}
	var end place
	if len(last) > 0 {
		e, _ := parseEntry(last[0], f.at)
		end = e.at
	}
	f.newest, f.oldest = end == f.at, false
	if !f.newest && !newer(end.id, f.at.id) {
		return tokenexchange.FeedGap(f.at.String(), fmt.Sprintf("the feed ends at %q", end.id))
	}
	return nil // If it grew meanwhile, the next read looks at what came.
}

// newer compares two IDs.
func newer(a, b string) bool {
	return slices.Compare(idNumbers(a), idNumbers(b)) > 0
}

func idNumbers(id string) (numbers []uint64) {
	for part := range strings.SplitSeq(id, "-") {
		n, _ := strconv.ParseUint(part, 10, 64) // Redis writes nothing else; "" is 0.
		numbers = append(numbers, n)
	}
	return numbers
}

// parseEntry reads an entry, and whether it is ours. Another one stands in the
// chain where the follower does.
func parseEntry(m redis.XMessage, at place) (e feedEntry, ours bool) {
	mark, ok1 := m.Values["mark"].(string)
	before, ok2 := m.Values["before"].(string)
	entry, ok3 := m.Values["entry"].(string)
	if !ok1 || !ok2 || !ok3 {
		return feedEntry{at: place{id: m.ID, mark: at.mark}}, false
	}
	return feedEntry{at: place{id: m.ID, mark: mark}, before: before, entry: entry}, true
}

func (s *Store) feedKey() string { return s.prefix + "feed" }
