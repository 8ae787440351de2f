package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// run runs a script that writes one key, and waits for the replicas.
func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	if s.replicas == 0 {
		answer := script.Run(ctx, s.client, []string{key}, args...)
		return answer, answer.Err()
	}
	// WAIT is about what its own connection wrote, so both go in one pipeline,
	// and to the server of the key: alone, WAIT has no key and would go anywhere.
	var answer, wait *redis.Cmd
	err := s.onMaster(ctx, key, func(to redis.Cmdable, asking bool) error {
		_, err := to.Pipelined(ctx, func(p redis.Pipeliner) error {
			if asking {
				p.Do(ctx, "asking")
			}
			answer = script.Eval(ctx, p, []string{key}, args...)
			wait = p.Do(ctx, "wait", s.replicas, (s.timeout / 2).Milliseconds())
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if got, err := wait.Int(); err != nil || got < s.replicas {
		return nil, fmt.Errorf("%w: %d of %d within %s", errReplicas, got, s.replicas, s.timeout/2)
	}
	return answer, nil
}

// onMaster gives do the server to write key to. In a Cluster it makes the
// attempts and follows redirects, as go-redis does for single commands. What
// they name may not be in the map of the Cluster: a server that is just getting
// its first slot is not, so each gets a client that lives for one attempt.
func (s *Store) onMaster(ctx context.Context, key string, do func(to redis.Cmdable, asking bool) error) error {
	cluster, isCluster := s.client.(*redis.ClusterClient)
	if !isCluster {
		return do(s.client, false)
	}
	to, asking := "", false
	for n := 1; ; n++ {
		master, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return err
		}
		if to == "" {
			err = do(master, false)
		} else {
			err = atAddress(master, to, func(c redis.Cmdable) error { return do(c, asking) })
		}
		if err == nil || n == attempts || ctx.Err() != nil {
			return err
		}
		var answer redis.Error
		moved, isMoved := redis.IsMovedError(err)
		ask, isAsk := redis.IsAskError(err)
		switch {
		case isMoved:
			cluster.ReloadState(ctx)
			to, asking = moved, false
		case isAsk:
			to, asking = ask, true
		case errors.As(err, &answer):
			return err
		default: // The connection failed.
			to = ""
			time.Sleep(retryPause)
		}
	}
}

// atAddress uses a client that is like another, for the server at an address.
func atAddress(like *redis.Client, address string, use func(redis.Cmdable) error) error {
	o := *like.Options()
	o.MaxRetries = -1 // As it was: go-redis has made it 0, which would be 3.
	o.Addr = address
	if colon := strings.LastIndexByte(address, ':'); colon >= 0 { // Redis puts no brackets around IPv6.
		o.Addr = net.JoinHostPort(strings.Trim(address[:colon], "[]"), address[colon+1:])
	}
	c := redis.NewClient(&o)
	defer func() { _ = c.Close() }() // Only its connections end.
	return use(c)
}
