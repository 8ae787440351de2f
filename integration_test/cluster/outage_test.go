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
	// restarts has the other server killed and started again meanwhile.
	restarts bool
}

// cut is a network that loses everything between one server and Redis.
func cut(server int, lasts time.Duration, name string) outage {
	return outage{
		name: name, lasts: lasts,
		away: func(_ *redistest.Server, p []*faultproxy.Proxy) {
			p[server].SetRule(faultproxy.Always(faultproxy.Hang))
		},
		back: func(_ *redistest.Server, p []*faultproxy.Proxy) {
			p[server].SetRule(faultproxy.Always(faultproxy.Pass))
		},
	}
}

func freeze(r *redistest.Server, _ []*faultproxy.Proxy) { r.Stop() }
func thaw(r *redistest.Server, _ []*faultproxy.Proxy) {
	r.Cont()
	r.Do("PING") // It is back when it answers.
}
func kill(r *redistest.Server, _ []*faultproxy.Proxy)    { r.Kill() }
func restore(r *redistest.Server, _ []*faultproxy.Proxy) { r.Restart() }

var outages = []outage{
	{name: "frozen", lasts: 30 * time.Second, away: freeze, back: thaw},
	{name: "killed", lasts: 12 * time.Second, away: kill, back: restore},
	{name: "killed, and the other server starts anew", lasts: 12 * time.Second, away: kill, back: restore, restarts: true},
	cut(0, 12*time.Second, "cut from the server that revokes"),
	cut(1, 12*time.Second, "cut from the other server"),
}

// aMoment is how long after Redis is back something may still be accepted. Both
// servers look for it four times a second, and a look can wait for half a second
// on a connection that died; the rest is for slow machines.
const aMoment = 2 * time.Second

// TestOutage takes Redis away, revokes meanwhile at one server, and gives it
// back. Guards go on all the time. From a moment after Redis answers again
// neither server takes what was revoked, whether the client was told 200 or
// 503, and everything else goes on in the same processes.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, away := range outages {
		t.Run(away.name, func(t *testing.T) {
			t.Parallel()
			h, proxies := newCutPair(t)
			c := newCrowd(t, h, func(l loss) bool { return !l.needsStore })
			loaded := *h
			if away.restarts {
				loaded.servers = h.servers[:1]
			}
			l := newLoad(t, &loaded, 6, 50)
			l.away.Store(true)
			h.store.away.Store(true) // From now on 503 is an answer.
			away.away(h.redis, proxies)
			if away.restarts {
				h.servers[1].kill()
				h.servers[1].exec()
			}
			c.revoke(time.Now().Add(away.lasts), l)
			away.back(h.redis, proxies)
			c.watch(time.Now(), l)
			c.assert("after the outage")
			l.end(t)
		})
	}
}

// revoke has everybody lose something at server A, at moments all over the
// outage, and returns at its end. A knows it at once.
func (c *crowd) revoke(end time.Time, load *load) {
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
				running.Go(func() {
					took := until(c.t, l.name+", while Redis is away", q, c.servers[0], here)
					load.allows(c.t, l.name+", while Redis is away", within, here, took)
				})
			}
		}
	}
	running.Wait()
	time.Sleep(time.Until(end))
	c.t.Logf("%d losses in %v; answers by status: %v", len(c.gone), time.Since(begun).Round(time.Second), told)
}

// watch asks for everything that is gone at both servers from the moment when
// Redis is back, until each was refused a few times.
func (c *crowd) watch(back time.Time, l *load) {
	c.t.Helper()
	r := &recovery{back: back, last: map[string]time.Duration{}, connected: map[string]time.Duration{}}
	var running sync.WaitGroup
	for _, s := range c.servers {
		running.Go(func() { r.connects(c.t, s) })
		for _, g := range c.gone {
			for _, q := range g.dead(g.family) {
				running.Go(func() { r.ask(c.t, g.name, q, s) })
			}
		}
	}
	running.Wait()
	l.away.Store(false)
	c.t.Logf("connected again after %v; last accepted after %v", r.connected, r.last)
	for what, when := range r.last {
		l.allows(c.t, what+", accepted after Redis was back", aMoment, back, when)
	}
}

// recovery is what happened since Redis was back.
type recovery struct {
	back      time.Time
	mu        sync.Mutex
	connected map[string]time.Duration // when a server said so
	last      map[string]time.Duration // when something was accepted, by loss and server
}

func (r *recovery) connects(t *testing.T, s *server) {
	for {
		now := s.ready()
		if now.Ready && now.Details["store"] == "ok" && now.Details["revocations"] == "ok" {
			break
		}
		if time.Since(r.back) > patience {
			t.Errorf("server %s is not ready %v after the outage: %v", s.name, patience, now)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected[s.name] = time.Since(r.back).Round(time.Millisecond)
}

func (r *recovery) ask(t *testing.T, name string, q question, s *server) {
	pause := 20 * time.Millisecond
	for refusals := 0; refusals < 5; time.Sleep(pause) {
		begun := time.Now()
		v, got := q.ask(s)
		switch v {
		case refused:
			refusals++
			pause = time.Second
		case accepted: // By then it was: when it was asked counts.
			r.mu.Lock()
			r.last[name+" at "+s.name] = max(r.last[name+" at "+s.name], begun.Sub(r.back).Round(time.Millisecond))
			r.mu.Unlock()
		case wrong:
			t.Errorf("%s: %s at server %s after the outage: got %s", name, q.name, s.name, got)
			return
		}
		if time.Since(r.back) > patience {
			t.Errorf("%s: %s at server %s, %v after the outage: %s: got %s, want it refused", name, q.name, s.name, patience, v, got)
			return
		}
	}
}
