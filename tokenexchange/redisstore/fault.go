package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/tokenexchange"
)

var (
	errUnreadable = errors.New("the value under this key cannot be read")
	errReplicas   = errors.New("too few replicas have received the write")
)

// verb runs one verb within the time that it may take. Its error is redis.Nil,
// the caller's context, ErrClosed, or a fault.
func (s *Store) verb(ctx context.Context, act string, run func(context.Context) error) error {
	// A context that is done must win over every answer, and send nothing.
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return tokenexchange.ErrClosed
	}
	limited, cancel := context.WithTimeout(ctx, attempts*s.timeout)
	defer cancel()
	return s.fault(ctx, act, run(limited))
}

// fault says what went wrong. It keeps the text of the cause alone: a deadline
// of ours must not read as that of the caller.
func (s *Store) fault(ctx context.Context, act string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		return tokenexchange.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case ended(ctx):
		return context.DeadlineExceeded
	case errors.Is(err, redis.Nil):
		return redis.Nil
	case errors.Is(err, tokenexchange.ErrFeedGap):
		return err
	}
	return fmt.Errorf("%s: %s: %s%s", s.name, act, hint(err), s.hide(err.Error()))
}

// ended tells whether the deadline has passed: a connection notices that a
// moment before the context says so.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// hints put the cause into words where Redis's own are short.
var hints = []struct{ prefix, text string }{
	{"OOM", "the server's memory is full and it takes no writes"},
	{"READONLY", "the server is a replica and takes no writes"},
	{"LOADING", "the server is still loading its data"},
	{"MASTERDOWN", "the server is a replica without its master"},
	{"CLUSTERDOWN", "the Cluster has no server for this key"},
	{"MOVED", "another server of a Cluster has this key (one address is taken for a single server: give more than one of its addresses)"},
	{"NOAUTH", "the server wants a password"},
	{"WRONGPASS", "the server knows no such user and password"},
	{"NOPERM", "the user may not do this"},
	{"MISCONF", "the server cannot write to its disk and takes no writes"},
	{"NOREPLICAS", "the server has too few replicas and takes no writes"},
}

func hint(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return "no answer in time: "
	}
	for _, h := range hints {
		// A script and the login put words of their own in front.
		if strings.Contains(err.Error(), h.prefix+" ") {
			return h.text + ": "
		}
	}
	return ""
}
