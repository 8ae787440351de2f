package cluster

import (
	"bufio"
	"fmt"
	"net"
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
			longest = max(longest, one.ended.Sub(one.begun))
		}
	}
	return longest
}

// pulse writes to Redis all the time, to know when it is slow: each write is on
// disk before it is answered, and a disk can be busy. A server sends what it
// wants three times, for half a second each, and then answers 503.
type pulse struct {
	stretches
	address string
	waiting atomic.Pointer[time.Time] // since when the newest write does; nil if it was answered
	away    atomic.Bool               // Redis is, and is meant to be
	excused atomic.Int64
}

// giveUp is how slow Redis is when a server may give up.
const giveUp = 400 * time.Millisecond

// newPulse begins to write, until the test ends.
func newPulse(t *testing.T, redis *redistest.Server) *pulse {
	t.Helper()
	p := &pulse{address: redis.Addr()}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			p.beat(done)
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
		if n := p.excused.Load(); n > 0 {
			t.Logf("Redis was slow: %d requests were sent again after 503", n)
		}
	})
	return p
}

// beat writes once, and waits for the answer.
func (p *pulse) beat(done <-chan struct{}) {
	begun := time.Now()
	p.waiting.Store(&begun)
	defer p.waiting.Store(nil)
	defer func() { p.note(begun, time.Now()) }()
	conn, err := net.DialTimeout("tcp", p.address, time.Second)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = fmt.Fprint(conn, "SET pulse beats\r\n")
		_, _ = bufio.NewReader(conn).ReadString('\n')
	}()
	select {
	case <-answered:
	case <-done:
	}
	conn.Close()
	<-answered
}

// excuses tells whether Redis was so slow since then that a server may have given
// up.
func (p *pulse) excuses(begun time.Time) bool {
	if p == nil || p.away.Load() {
		return false
	}
	now := time.Now()
	if since := p.waiting.Load(); since != nil && now.Sub(*since) > giveUp || p.longest(begun, now) > giveUp {
		p.excused.Add(1)
		return true
	}
	return false
}
