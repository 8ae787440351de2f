package histories

import (
	"bytes"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// TestFrozenRedis takes Redis away under a running server, by SIGSTOP and by
// SIGKILL, before requests come and when they have read and begin to write.
// Codes and refresh tokens are answered with 503 temporarily_unavailable and
// Retry-After, all of them, and never with invalid_grant; guards go on. When
// Redis is back the same process goes on: each code works, once, and each
// refresh token rotates, once. None is half-used by a command that was on its
// way, and that is done when Redis is back.
func TestFrozenRedis(t *testing.T) {
	for _, c := range []struct {
		name       string
		away, back func(*redistest.Server)
		writing    bool
	}{
		{"frozen", (*redistest.Server).Stop, (*redistest.Server).Cont, false},
		{"killed", (*redistest.Server).Kill, (*redistest.Server).Restart, false},
		{"frozen under writes", (*redistest.Server).Stop, (*redistest.Server).Cont, true},
		{"killed under writes", (*redistest.Server).Kill, (*redistest.Server).Restart, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const codes = 12
			judges := &court{lossy: true}
			redis, k := redistest.Start(t), newKeys(t)
			proxy := faultproxy.Start(t, redis.Addr())
			s := newServer(t, k, "store redis {\n address "+proxy.Addr()+"\n}", false)
			s.start()
			state := k.newState(t, openRedis(t, redis))
			var records []*record
			for i := range 2 * codes {
				r, err := issue(t, state)
				if err != nil {
					t.Fatal(err)
				}
				if records = append(records, r); i < codes { // The others stay codes.
					wants(t, r, s, request{kind: redeem}, granted)
				}
			}

			begun := time.Now()
			if c.writing {
				proxy.SetRule(atFirstWrite(func() { c.away(redis) }))
			} else {
				c.away(redis)
			}
			var clients sync.WaitGroup
			for i, r := range records {
				for range 2 {
					clients.Go(func() { wants(t, r, s, newest(r), postponed) })
				}
				if i >= codes { // On a code that was used it writes nothing.
					clients.Go(func() { wants(t, r, s, request{kind: miss}, postponed) })
				}
			}
			clients.Go(func() {
				if got := s.guarded(records[0].access); got != http.StatusOK {
					t.Errorf("the guard while Redis is away: got %d, want 200", got)
				}
			})
			clients.Wait()
			t.Logf("%d requests were answered with 503 within %s", 5*codes, time.Since(begun).Round(time.Millisecond))
			c.back(redis)

			for _, r := range records {
				clients.Go(func() {
					end := time.Now().Add(patience)
					for req := newest(r); answered(r, s, req) == postponed && time.Now().Before(end); {
					}
					for range 3 {
						wants(t, r, s, newest(r), granted)
					}
					wants(t, r, s, request{kind: redeem}, codeUsed)
					judges.judge(t, r)
				})
			}
			clients.Wait()
			for i, r := range records {
				want := 4
				if i < codes {
					want = 5
				}
				if got := len(r.tokens); got != want {
					t.Errorf("record %d: got %d refresh tokens, want %d: one for each answer with tokens", i, got, want)
				}
			}
			if s.dead() {
				t.Error("the server ended")
			}
		})
	}
}

// atFirstWrite takes the server of a proxy away before the first write arrives.
func atFirstWrite(away func()) faultproxy.Rule {
	once := sync.OnceFunc(func() {
		away()
		time.Sleep(10 * time.Millisecond) // A signal is not always there at once.
	})
	return func(request []byte) faultproxy.Fault {
		if bytes.Contains(bytes.ToLower(request), []byte("evalsha")) {
			once()
		}
		return faultproxy.Pass
	}
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
