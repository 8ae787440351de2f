package cluster

import (
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// outage takes Redis away from servers, and gives it back.
type outage struct {
	name  string
	lasts time.Duration
	away  func(r *redistest.Server, proxies []*faultproxy.Proxy)
	back  func(r *redistest.Server, proxies []*faultproxy.Proxy)
}

// cut is a network that loses everything between one server and Redis.
func cut(server int, lasts time.Duration, name string) outage {
	return outage{
		name, lasts,
		func(_ *redistest.Server, p []*faultproxy.Proxy) {
			p[server].SetRule(faultproxy.Always(faultproxy.Hang))
		},
		func(_ *redistest.Server, p []*faultproxy.Proxy) {
			p[server].SetRule(faultproxy.Always(faultproxy.Pass))
		},
	}
}

var outages = []outage{
	{
		"frozen", 30 * time.Second,
		func(r *redistest.Server, _ []*faultproxy.Proxy) { r.Stop() },
		func(r *redistest.Server, _ []*faultproxy.Proxy) { r.Cont() },
	},
	{
		"killed", 12 * time.Second,
		func(r *redistest.Server, _ []*faultproxy.Proxy) { r.Kill() },
		func(r *redistest.Server, _ []*faultproxy.Proxy) { r.Restart() },
	},
	cut(0, 12*time.Second, "cut from the server that revokes"),
	cut(1, 12*time.Second, "cut from the other server"),
}

// TestOutage takes Redis away, revokes meanwhile at one server, and gives it
// back. Guards go on all the time. From a second after Redis answers again
// neither server takes what was revoked, whether the client was told 200 or
// 503, and everything else goes on in the same processes.
func TestOutage(t *testing.T) {
	for _, away := range outages {
		t.Run(away.name, func(t *testing.T) {
			t.Parallel()
			h, proxies := newCutPair(t)
			c := newCrowd(t, h, func(l loss) bool { return !l.needsStore })
			l := newLoad(t, h, 50)
			l.away.Store(true)
			away.away(h.redis, proxies)
			c.revoke(time.Now().Add(away.lasts))
			away.back(h.redis, proxies)
			c.watch(time.Now(), l)
			c.assert("after the outage")
			l.end(t)
		})
	}
}

// revoke has everybody lose something at server A, at moments all over the
// outage, and returns at its end. A knows it at once.
func (c *crowd) revoke(end time.Time) {
	c.t.Helper()
	pause := time.Until(end) / time.Duration(len(c.gone)+1)
	begun, told := time.Now(), map[int]int{}
	var running sync.WaitGroup
	for i, l := range c.gone {
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * pause)))
		got := l.revoke(c.house, c.servers[0], l.family)
		if v, _ := judge(got, l.told(got), false); v == wrong {
			c.t.Errorf("%s: got %s, want it done, or 503", l.name, got)
		}
		told[got.status]++
		here := time.Now()
		for _, q := range l.dead(l.family) {
			if !q.needsStore {
				running.Go(func() { until(c.t, l.name+", while Redis is away", q, c.servers[0], here) })
			}
		}
	}
	running.Wait()
	time.Sleep(time.Until(end))
	c.t.Logf("%d losses in %v; answers by status: %v", len(c.gone), time.Since(begun).Round(time.Second), told)
}

// watch asks for everything that is gone at both servers, all the time, from
// the moment when Redis is back, until a while after nothing was accepted.
func (c *crowd) watch(back time.Time, l *load) {
	c.t.Helper()
	var mu sync.Mutex
	var running sync.WaitGroup
	last := map[string]time.Duration{} // accepted, by loss and server
	connected := map[string]time.Duration{}
	for _, s := range c.servers {
		running.Go(func() {
			for r := s.ready(); !r.Ready || r.Details["store"] != "ok" || r.Details["revocations"] != "ok"; r = s.ready() {
				if time.Since(back) > patience {
					c.t.Errorf("server %s is not ready %v after the outage: %v", s.name, patience, r)
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			connected[s.name] = time.Since(back)
		})
		for _, g := range c.gone {
			for _, q := range g.dead(g.family) {
				running.Go(func() {
					for time.Since(back) < watchFor {
						v, got := q.ask(s)
						if v == wrong {
							c.t.Errorf("%s: %s at server %s after the outage: got %s", g.name, q.name, s.name, got)
							return
						}
						if v == accepted {
							mu.Lock()
							last[g.name+" at "+s.name] = max(last[g.name+" at "+s.name], time.Since(back))
							mu.Unlock()
						}
						time.Sleep(50 * time.Millisecond)
					}
				})
			}
		}
	}
	running.Wait()
	l.away.Store(false)
	c.t.Logf("connected again after %v; last accepted after %v", connected, last)
	for what, when := range last {
		if when > within {
			c.t.Errorf("%s was accepted %v after Redis was back, want nothing after %v", what, when.Round(time.Millisecond), within)
		}
	}
}

// watchFor is longer than any server waits before it looks for Redis again.
const watchFor = 8 * time.Second
