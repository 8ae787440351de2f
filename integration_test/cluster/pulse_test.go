package cluster

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// usual is what everything takes at most on a machine that has time.
const usual = 20 * time.Millisecond

// stretches are what took longer than usual: how a pause of this machine, of a
// process or of a disk looks from outside.
type stretches struct {
	mu   sync.Mutex
	list []stretch
}

type stretch struct{ begun, ended time.Time }

func (s stretch) took() time.Duration { return s.ended.Sub(s.begun) }

func (s *stretches) note(begun, ended time.Time) {
	if ended.Sub(begun) > usual {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = append(s.list, stretch{begun, ended})
	}
}

// longest is the longest of those that lie at least partly in this time.
func (s *stretches) longest(begun, ended time.Time) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		if one.begun.Before(ended) && one.ended.After(begun) {
			longest = max(longest, one.took())
		}
	}
	return longest
}

// pulse asks something all the time, to know when it stands still.
type pulse struct {
	stretches
	waiting atomic.Pointer[time.Time] // since when the newest question does; nil if it was answered
}

// newPulse begins to ask, until the test ends.
func newPulse(t *testing.T, ask func(ctx context.Context)) *pulse {
	t.Helper()
	p := &pulse{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			begun := time.Now()
			p.waiting.Store(&begun)
			ask(ctx)
			p.note(begun, time.Now())
			p.waiting.Store(nil)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return p
}

// stoodStill tells whether an answer took so long since then.
func (p *pulse) stoodStill(long time.Duration, since time.Time) bool {
	now := time.Now()
	waits := p.waiting.Load()
	return waits != nil && now.Sub(*waits) > long || p.longest(since, now) > long
}

// store is the pulse of Redis. Each write is on disk before it is answered, and a
// disk can be busy. A server sends what it wants three times, for half a second
// each, and then answers 503.
type store struct {
	*pulse
	away    atomic.Bool // it is, and is meant to be
	excused atomic.Int64
}

// giveUp is how long Redis or a server stands still when a server may give up.
const giveUp = 400 * time.Millisecond

func newStore(t *testing.T, redis *redistest.Server) *store {
	t.Helper()
	s := &store{}
	t.Cleanup(func() {
		if n := s.excused.Load(); n > 0 {
			t.Logf("Redis or a server stood still: %d requests were sent again after 503", n)
		}
	})
	s.pulse = newPulse(t, func(ctx context.Context) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", redis.Addr())
		if err != nil {
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		_, _ = fmt.Fprint(conn, "SET pulse beats\r\n")
		_, _ = bufio.NewReader(conn).ReadString('\n')
	})
	return s
}

// newPulse is the pulse of the process.
func (s *server) newPulse() *pulse {
	s.t.Helper()
	return newPulse(s.t, func(ctx context.Context) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/.well-known/scopegate/ready", nil)
		if err != nil {
			return
		}
		if answer, err := s.client.Do(r); err == nil {
			answer.Body.Close()
		}
	})
}

// mayGiveUp tells whether the server had a reason not to reach its store since
// then.
func (s *server) mayGiveUp(since time.Time) bool {
	if s.store == nil || s.store.away.Load() || !s.store.stoodStill(giveUp, since) && !s.pulse.stoodStill(giveUp, since) {
		return false
	}
	s.store.excused.Add(1)
	return true
}
