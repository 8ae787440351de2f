package histories

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// outage takes Redis away from the server that reaches it over the proxy.
type outage struct {
	name  string
	codes int // that were not redeemed, and as many that were
	each  int // requests for one of them. Those that write at once need a connection each
	away  func(r *redistest.Server, p *faultproxy.Proxy, requests int)
	back  func(*redistest.Server)
	late  bool // what was written is done all the same, and nobody is told
}

var outages = []outage{
	{"frozen", 12, 2, func(r *redistest.Server, _ *faultproxy.Proxy, _ int) { r.Stop() }, (*redistest.Server).Cont, false},
	{"killed", 12, 2, func(r *redistest.Server, _ *faultproxy.Proxy, _ int) { r.Kill() }, (*redistest.Server).Restart, false},
	{"frozen under writes", 4, 1, func(r *redistest.Server, p *faultproxy.Proxy, n int) {
		p.SetRule(atWrites(n, r.Stop, faultproxy.Pass))
	}, (*redistest.Server).Cont, true},
	{"killed under writes", 4, 1, func(r *redistest.Server, p *faultproxy.Proxy, n int) {
		p.SetRule(atWrites(n, r.Kill, faultproxy.Pass))
	}, (*redistest.Server).Restart, false},
	{"lost under writes", 4, 1, func(_ *redistest.Server, p *faultproxy.Proxy, n int) {
		p.SetRule(atWrites(n, func() {}, faultproxy.Lose))
	}, func(*redistest.Server) {}, true},
}

// TestFrozenRedis takes Redis away under a running server: before requests
// come, and when they have read and begin to write. Codes and refresh tokens
// are answered with 503 temporarily_unavailable and Retry-After, all of them,
// and never with invalid_grant; guards go on. When Redis is back the same
// process goes on: each code works, once, and each refresh token rotates, once.
// None is half-used by a command that was on its way, and that is done when
// Redis is back.
func TestFrozenRedis(t *testing.T) {
	for _, c := range outages {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			judges := &court{lossy: true}
			redis, k := redistest.Start(t), newKeys(t)
			proxy := faultproxy.Start(t, redis.Addr())
			s := newServer(t, k, "store redis {\n address "+proxy.Addr()+"\n}", false)
			s.start()
			state := k.newState(t, openRedis(t, redis))
			var records []*record
			for i := range 2 * c.codes {
				r, err := issue(t, state)
				if err != nil {
					t.Fatal(err)
				}
				if records = append(records, r); i < c.codes { // The others stay codes.
					inTheEnd(t, r, s, request{kind: redeem}, granted)
				}
			}

			begun := time.Now()
			c.away(redis, proxy, c.each*len(records))
			var clients sync.WaitGroup
			for _, r := range records {
				for range c.each {
					clients.Go(func() { wants(t, r, s, newest(r), postponed) })
				}
			}
			clients.Go(func() {
				if got := s.guarded(records[0].access); got != http.StatusOK {
					t.Errorf("the guard while Redis is away: got %d, want 200", got)
				}
			})
			clients.Wait()
			t.Logf("%d requests were answered with 503 within %s", c.each*len(records), time.Since(begun).Round(time.Millisecond))
			c.back(redis)
			proxy.SetRule(faultproxy.Always(faultproxy.Pass))
			if c.late {
				awaitWritten(t, state, records[c.codes:])
			}

			for _, r := range records {
				clients.Go(func() {
					for range 4 {
						inTheEnd(t, r, s, newest(r), granted)
					}
					// Whether it came too late for a repeat, the judge sees.
					inTheEnd(t, r, s, request{kind: redeem}, codeUsed, codeReused)
					judges.judge(t, r)
				})
			}
			clients.Wait()
			for i, r := range records {
				want := 4
				if i < c.codes {
					want = 5
				}
				if got := len(r.tokens); got != want {
					t.Errorf("record %d: got %d refresh tokens, want %d: one for each answer with tokens", i, got, want)
				}
			}
			if s.Ended() {
				t.Error("the server ended")
			}
		})
	}
}

// atWrites waits until so many requests have read and begin to write, takes the
// server of a proxy away, and does to the writes what the fault says.
func atWrites(requests int, away func(), fault faultproxy.Fault) faultproxy.Rule {
	var writes atomic.Int32
	all := make(chan struct{})
	once := sync.OnceFunc(func() {
		away()
		time.Sleep(10 * time.Millisecond) // A signal is not always there at once.
	})
	return func(request []byte) faultproxy.Fault {
		if !bytes.Contains(bytes.ToLower(request), []byte("\r\nevalsha\r\n")) {
			return faultproxy.Pass
		}
		if int(writes.Add(1)) == requests {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(redisstore.DefaultTimeout / 2): // It must not look like Redis.
		}
		once()
		return fault
	}
}

// awaitWritten waits until another process finds that codes were used, by the
// commands that were on their way.
func awaitWritten(t *testing.T, state *tokenexchange.State, codes []*record) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, r := range codes {
			if found, err := state.Codes().Find(t.Context(), r.code, clientID); err == nil && found.Used() != nil {
				return
			}
		}
	}
	t.Error("no command that was on its way was done")
}

// newest is the request of a client that has bad luck with nothing.
func newest(r *record) request {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.tokens) == 0 {
		return request{kind: redeem}
	}
	return request{kind: refresh, n: len(r.tokens) - 1}
}

// answered makes a request and gives its answer.
func answered(r *record, s *server, req request) string {
	r.act(s, req)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.history) - 1; i >= 0; i-- {
		if r.history[i].request == req {
			return r.history[i].answer
		}
	}
	return ""
}

func wants(t *testing.T, r *record, s *server, req request, want string) {
	t.Helper()
	if got := answered(r, s, req); got != want {
		t.Errorf("%s: got %q, want %q", req, got, want)
	}
}

// inTheEnd is wants of a server that may answer 503 before: a Redis that is just
// back, or on a busy machine, may take longer than a server waits. Meanwhile a code
// may get too old.
func inTheEnd(t *testing.T, r *record, s *server, req request, want ...string) {
	t.Helper()
	for end := time.Now().Add(patience); req.kind == refresh || r.since() < codeLife; {
		got := answered(r, s, req)
		if got == postponed && time.Now().Before(end) {
			continue
		}
		if !slices.Contains(want, got) {
			t.Errorf("%s: got %q, want %q", req, got, want)
		}
		return
	}
}
