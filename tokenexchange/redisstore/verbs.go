package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/tokenexchange"
)

// A stored value is
//
//	version (1) | expiry, Unix milliseconds (8) | value
const (
	valueVersion = 1
	valueHeader  = 9
)

// present is the part that both scripts share. It sets
//
//	alive  the value that is there and not expired, or false
//
// and answers what cannot be read with an error: it is never "absent".
const present = `
local stored, alive = redis.call('GET', KEYS[1]), false
if stored then
	local header, exp = {string.byte(stored, 1, 9)}, 0
	if #header < 9 or header[1] ~= 1 then
		return redis.error_reply('SCOPEGATE the value under this key cannot be read')
	end
	for i = 2, 9 do exp = exp * 256 + header[i] end
	if exp > tonumber(ARGV[1]) then alive = string.sub(stored, 10) end
end
`

// write sets the value. A repeat writes what is there again, with its own
// expiry: nothing changes, but WAIT is documented for what its own connection
// wrote, and the first attempt was on another.
const write = `
if match then
	if ARGV[3] == '' then
		redis.call('SET', KEYS[1], ARGV[2])
	else
		redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	end
	return 1
end
if alive and alive == string.sub(ARGV[2], 10) then
	redis.call('SET', KEYS[1], stored, 'KEEPTTL')
	return 1
end
return 0
`

var (
	// now, new value, TTL
	addScript = redis.NewScript(present + `local match = not alive` + write)
	// now, new value, TTL, old value
	swapScript = redis.NewScript(present + `local match = alive and alive == ARGV[4]` + write)
)

// Get implements tokenexchange.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := tokenexchange.CheckKey(key); err != nil {
		return nil, err
	}
	var val []byte
	err := s.verb(ctx, "reading", func(ctx context.Context) error {
		stored, err := s.client.Get(ctx, s.valueKey(key)).Bytes()
		if err != nil {
			return err
		}
		if len(stored) < valueHeader || stored[0] != valueVersion {
			return errUnreadable
		}
		if int64(binary.BigEndian.Uint64(stored[1:])) <= s.now().UnixMilli() {
			return redis.Nil
		}
		val = stored[valueHeader:]
		return nil
	})
	if errors.Is(err, redis.Nil) {
		return nil, tokenexchange.ErrNotFound
	}
	return val, err
}

// Add implements tokenexchange.Store.
func (s *Store) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	now := s.now()
	if err := tokenexchange.CheckWrite(key, exp, now); err != nil {
		return false, err
	}
	return s.write(ctx, "adding", addScript, key, valueArgs(val, exp, now)...)
}

// Swap implements tokenexchange.Store.
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if len(old) == 0 {
		return false, tokenexchange.ErrEmptyOld
	}
	now := s.now()
	if err := tokenexchange.CheckWrite(key, exp, now); err != nil {
		return false, err
	}
	return s.write(ctx, "swapping", swapScript, key, append(valueArgs(new, exp, now), old)...)
}

// Delete implements tokenexchange.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := tokenexchange.CheckKey(key); err != nil {
		return err
	}
	return s.verb(ctx, "deleting", func(ctx context.Context) error {
		return s.client.Del(ctx, s.valueKey(key)).Err()
	})
}

func (s *Store) write(ctx context.Context, act string, script *redis.Script, key string, args ...any) (won bool, err error) {
	err = s.verb(ctx, act, func(ctx context.Context) error {
		answer, err := s.run(ctx, script, s.valueKey(key), args...)
		if err != nil {
			return err
		}
		n, err := answer.Int()
		won = n == 1
		return err
	})
	return won && err == nil, err
}

// forever is a life that is not counted: what outlives every token, like the
// epoch, needs no collection.
const forever = 100 * 365 * 24 * time.Hour

// valueArgs are now, the value as it is stored, and its life in Redis. That
// one is a duration, not a time: the server may have another clock.
func valueArgs(val []byte, exp, now time.Time) []any {
	stored := make([]byte, 0, valueHeader+len(val))
	stored = append(stored, valueVersion)
	stored = binary.BigEndian.AppendUint64(stored, uint64(exp.UnixMilli()))
	life := ""
	if ms := exp.UnixMilli() - now.UnixMilli(); ms < forever.Milliseconds() {
		life = strconv.FormatInt(ms+tokenexchange.CollectAfter.Milliseconds(), 10)
	}
	return []any{now.UnixMilli(), append(stored, val...), life}
}

func (s *Store) valueKey(key string) string { return s.prefix + "v:" + key }
