package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Check asks every server that takes writes whether it answers, and how it
// keeps what it is given. An error says that the store is away. A warning says
// what could make it forget, or that the user may not ask, in full sentences
// that a log can take. No warning and no error: see docs/stores.md for what
// that guarantees.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	var mu sync.Mutex
	err = s.verb(ctx, "checking", func(ctx context.Context) error {
		// A server can answer, and refuse this user everything.
		if err := s.client.Get(ctx, s.valueKey("check")).Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		one := func(ctx context.Context, c redis.Cmdable) error {
			if err := c.Ping(ctx).Err(); err != nil {
				return err
			}
			found := s.durability(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			warnings = append(warnings, found...)
			return nil
		}
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return one(ctx, c) })
		}
		return one(ctx, s.client)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(warnings)
	return slices.Compact(warnings), nil
}

// durability reads what INFO and CONFIG tell. What they do not tell is unknown,
// and never taken for good.
func (s *Store) durability(ctx context.Context, c redis.Cmdable) (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, s.hide(fmt.Sprintf(format, args...))) }
	info := parseInfo(c.Info(ctx, "everything").Val())
	ask := func(name, config string) string {
		if val, ok := info[name]; ok {
			return val
		}
		return c.ConfigGet(ctx, config).Val()[config]
	}
	switch policy := ask("maxmemory_policy", "maxmemory-policy"); policy {
	case "noeviction":
	case "":
		warn("Redis does not tell its maxmemory-policy: with any but noeviction it may drop what must be remembered.")
	default:
		warn("Redis has maxmemory-policy %s: it may drop what must be remembered; set noeviction.", policy)
	}
	if s.replicas > 0 {
		if n, err := strconv.Atoi(info["connected_slaves"]); err == nil && n < s.replicas {
			warn("Redis has %d replicas, and every write waits for %d: all writes fail.", n, s.replicas)
		}
		return warnings
	}
	aof := ask("aof_enabled", "appendonly")
	fsync := c.ConfigGet(ctx, "appendfsync").Val()["appendfsync"]
	switch {
	case aof == "0" || aof == "no":
		warn("Redis has appendonly no: a crash loses what was answered; set appendonly yes and appendfsync always.")
	case aof == "":
		warn("Redis does not tell whether it has appendonly yes: without it a crash loses what was answered.")
	case fsync == "":
		warn("Redis does not tell its appendfsync: with any but always a crash loses what was answered last.")
	case fsync != "always":
		warn("Redis has appendfsync %s: a crash loses what was answered last; set always.", fsync)
	}
	return warnings
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, val, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = val
		}
	}
	return info
}
