package cluster

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
)

// restart ends servers after everything was revoked, and starts them again.
type restart struct {
	name string
	end  func(c *crowd)
	// begin has the processes started again, and returns when they can serve.
	begin func(c *crowd, proxies []*faultproxy.Proxy)
}

func (c *crowd) stopAll() {
	for _, s := range c.servers {
		s.stop()
	}
}

func (c *crowd) killAll() {
	for _, s := range c.servers {
		s.kill()
	}
}

// execAll starts what does not run.
func (c *crowd) execAll(_ []*faultproxy.Proxy) {
	for _, s := range c.servers {
		if !s.Running() {
			s.exec()
		}
	}
}

var restarts = []restart{
	{"one is stopped", func(c *crowd) { c.servers[0].stop() }, (*crowd).execAll},
	{"one is killed", func(c *crowd) { c.servers[0].kill() }, (*crowd).execAll},
	{"all are stopped", (*crowd).stopAll, (*crowd).execAll},
	{"all are killed", (*crowd).killAll, (*crowd).execAll},
	{"all are killed, and Redis is slow at the start", (*crowd).killAll, func(c *crowd, proxies []*faultproxy.Proxy) {
		for _, p := range proxies {
			p.SetRule(faultproxy.Always(faultproxy.Delay))
		}
		c.execAll(proxies)
	}},
	{"all and Redis are killed, and Redis comes later", func(c *crowd) {
		c.killAll()
		c.store.away.Store(true)
		c.redis.Kill()
	}, func(c *crowd, proxies []*faultproxy.Proxy) {
		c.execAll(proxies)
		time.Sleep(3 * time.Second)
		c.redis.Restart()
		c.store.away.Store(false)
	}},
}

// TestRestart ends servers right after the last answer that says that something
// was revoked, and starts them again. From the first request that they answer
// they refuse it, and take everything else.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, c := range restarts {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, proxies := newCutPair(t)
			c.test(newCrowd(t, h, func(loss) bool { return true }), proxies)
		})
	}
}

// TestRestartWithBolt has one server with a store of its own.
func TestRestartWithBolt(t *testing.T) {
	t.Parallel()
	for _, c := range restarts[:2] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.users.addCrowd()
			h.add("A", "store bolt {\n\t\t\tpath "+filepath.Join(h.dir, "state.db")+"\n\t\t}").start()
			c.test(newCrowd(t, h, func(loss) bool { return true }), nil)
		})
	}
}

func (r restart) test(c *crowd, proxies []*faultproxy.Proxy) {
	c.t.Helper()
	c.lose()
	r.end(c)
	served := c.askFrom(func() { r.begin(c, proxies) })
	c.assert("after the restart")
	c.t.Logf("%d requests with what was revoked were answered while the servers started", served)
}

// askFrom asks for everything that is gone from the start of the processes on,
// until a while after all are ready. It counts the refusals.
func (c *crowd) askFrom(start func()) int64 {
	c.t.Helper()
	done := make(chan struct{})
	var served atomic.Int64
	var running sync.WaitGroup
	for _, s := range c.servers {
		for _, g := range c.gone {
			for _, q := range g.dead(g.family) {
				running.Go(func() {
					for {
						v, got := q.ask(s)
						switch {
						case v == refused:
							served.Add(1)
						case v == accepted || v == wrong && got.status != 0:
							c.t.Errorf("%s: %s at server %s as it starts: got %s, want it refused", g.name, q.name, s.name, got)
							return
						}
						select {
						case <-done:
							return
						case <-time.After(50 * time.Millisecond):
						}
					}
				})
			}
		}
	}
	start()
	for _, s := range c.servers {
		s.awaitReady()
	}
	time.Sleep(200 * time.Millisecond)
	close(done)
	running.Wait()
	return served.Load()
}

// newCutPair is a pair whose servers reach Redis over a proxy each.
func newCutPair(t *testing.T) (*house, []*faultproxy.Proxy) {
	t.Helper()
	h := newHouse(t)
	h.startRedis()
	h.users.addCrowd()
	var proxies []*faultproxy.Proxy
	for _, name := range []string{"A", "B"} {
		p := faultproxy.Start(t, h.redis.Addr())
		h.add(name, redisAt(p.Addr())).start()
		proxies = append(proxies, p)
	}
	return h, proxies
}

// TestUserIsDisabledWhileNothingRuns disables users while no server is there to
// see it. Their tokens are refused from the first request on.
func TestUserIsDisabledWhileNothingRuns(t *testing.T) {
	t.Parallel()
	h, _ := newCutPair(t)
	c := newCrowd(t, h, func(l loss) bool { return l.name == "user disabled" })
	c.stopAll()
	for _, g := range c.gone {
		g.revoke(h, nil, g.family)
	}
	c.askFrom(func() { c.execAll(nil) })
	c.assert("after the restart")
}
