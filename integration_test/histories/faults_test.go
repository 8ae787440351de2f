package histories

import (
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	troubled = 8 * time.Second  // how long each kind of trouble lasts
	slots    = 6                // records that are used at the same time
	oldest   = 15 * time.Second // record that is still used
)

// arena is one or two servers on one Redis, each behind a proxy of its own.
type arena struct {
	*court
	t       *testing.T
	redis   *redistest.Server
	proxies []*faultproxy.Proxy
	servers []*server
	state   *tokenexchange.State // of the same store, to make codes
	random  *rand.Rand
	end     time.Time
}

// trouble is what happens while requests run. It goes on until the arena's end.
type trouble struct {
	name    string
	servers int
	mortal  bool // servers are killed
	silent  bool // each request gets an answer all the same, if late
	cause   func(*arena)
}

var troubles = []trouble{
	{"answers of Redis are lost", 1, false, false, func(a *arena) { a.lose(); a.wait(troubled) }},
	{"answers of Redis are lost, two servers", 2, false, false, func(a *arena) { a.lose(); a.wait(troubled) }},
	{"Redis is frozen", 1, false, false, func(a *arena) { a.repeat((*arena).freezeRedis) }},
	{"Redis is frozen, two servers", 2, false, false, func(a *arena) { a.repeat((*arena).freezeRedis) }},
	{"Redis is killed", 1, false, false, func(a *arena) { a.repeat((*arena).killRedis) }},
	{"a server is frozen", 2, false, true, func(a *arena) { a.repeat((*arena).freezeServer) }},
	{"a server is killed", 2, true, false, func(a *arena) { a.repeat((*arena).killServer) }},
	{"everything", 2, true, false, func(a *arena) {
		a.lose()
		a.repeat((*arena).freezeRedis, (*arena).killRedis, (*arena).freezeServer, (*arena).killServer)
	}},
}

// TestTroubles records what happens to codes and refresh tokens while a crowd
// uses them and there is trouble, and judges every history. After it, where one
// server lived all the time, nothing is half-used: a code that nobody was given
// tokens for works, and so does the newest refresh token.
func TestTroubles(t *testing.T) {
	for i, c := range troubles {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			a := newArena(t, c, uint64(i))
			a.end = time.Now().Add(troubled)
			done := make(chan []*record, slots)
			for n := range slots {
				random := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				go func() { done <- a.use(random) }()
			}
			c.cause(a)
			for _, p := range a.proxies {
				p.SetRule(faultproxy.Always(faultproxy.Pass))
			}
			var records []*record
			for range slots {
				records = append(records, <-done...)
			}
			for _, r := range records {
				if c.servers == 1 && !c.mortal {
					a.wholeAgain(r)
				} else {
					a.lastLook(r)
				}
				a.judge(t, r)
			}
			if a.unknown == 0 && !c.silent {
				t.Error("each request was answered: there was no trouble")
			}
			t.Logf("%s, in %s", a.sum(), time.Since(begun).Round(time.Second))
		})
	}
}

func newArena(t *testing.T, c trouble, seed uint64) *arena {
	t.Helper()
	a := &arena{court: &court{lossy: true}, t: t, redis: redistest.Start(t), random: rand.New(rand.NewPCG(seed, seed))}
	k := newKeys(t)
	for range c.servers {
		p := faultproxy.Start(t, a.redis.Addr())
		s := newServer(t, k, "store redis {\n address "+p.Addr()+"\n}", c.mortal)
		s.start()
		a.proxies, a.servers = append(a.proxies, p), append(a.servers, s)
	}
	a.state = k.newState(t, openRedis(t, a.redis))
	return a
}

// use uses one record after the other, each by a few clients at once, and gives
// those that it has used.
func (a *arena) use(random *rand.Rand) (used []*record) {
	for time.Now().Before(a.end) {
		r, err := issue(a.t, a.state)
		if err != nil {
			a.t.Error(err)
			return used
		}
		use(r, random, func() bool { return r.since() > oldest || time.Now().After(a.end) },
			func(random *rand.Rand) target { return a.servers[random.IntN(len(a.servers))] })
		used = append(used, r)
	}
	return used
}

// lastLook uses what is left of a record, once the trouble is over, and asks
// the guards of all servers with its newest access token.
func (a *arena) lastLook(r *record) {
	a.t.Helper()
	if r.access != "" && !r.unsure() {
		want := http.StatusOK
		if r.revoked {
			want = http.StatusUnauthorized
		}
		for i, s := range a.servers {
			got := s.guarded(r.access)
			// It tries to follow the feed again every 5 s at least.
			for end := time.Now().Add(patience); got != want && r.revoked && time.Now().Before(end); got = s.guarded(r.access) {
				a.wait(10 * time.Millisecond)
			}
			if got != want {
				a.t.Fatalf("guard %d after the trouble: got %d, want %d; revoked: %v", i, got, want, r.revoked)
			}
		}
	}
	for _, s := range a.servers {
		if len(r.tokens) > 0 {
			r.act(s, request{kind: refresh, n: len(r.tokens) - 1})
		}
		r.act(s, request{kind: redeem})
	}
}

// wholeAgain looks for what a 503 has used up.
func (a *arena) wholeAgain(r *record) {
	a.t.Helper()
	if r.revoked || r.unsure() || r.mayBeBurnt() {
		a.lastLook(r)
		return
	}
	req := request{kind: redeem}
	if len(r.tokens) > 0 {
		req = request{kind: refresh, n: len(r.tokens) - 1}
	}
	inTheEnd(a.t, r, a.servers[0], req, granted)
}

// repeat causes one or the other trouble until the end.
func (a *arena) repeat(causes ...func(*arena)) {
	for time.Now().Before(a.end) {
		a.wait(a.upTo(300 * time.Millisecond))
		causes[a.random.IntN(len(causes))](a)
	}
}

func (a *arena) wait(d time.Duration) { time.Sleep(d) }

func (a *arena) upTo(d time.Duration) time.Duration { return time.Duration(a.random.Int64N(int64(d))) }

// lose swallows the answers to commands that ran, so often that now and then
// all attempts of one verb are lost.
func (a *arena) lose() {
	for _, p := range a.proxies {
		p.SetRule(faultproxy.Random(a.random.Uint64(), 0.4, faultproxy.Lose, faultproxy.Lose, faultproxy.Lose, faultproxy.Delay, faultproxy.Reset))
	}
}

// freezeRedis freezes for less and for more than a server waits.
func (a *arena) freezeRedis() {
	a.redis.Stop()
	a.wait(a.upTo(3 * time.Second))
	a.redis.Cont()
}

func (a *arena) killRedis() {
	a.redis.Kill()
	a.wait(a.upTo(100 * time.Millisecond))
	a.redis.Restart()
}

func (a *arena) one() *server { return a.servers[a.random.IntN(len(a.servers))] }

func (a *arena) freezeServer() {
	s := a.one()
	s.signal(syscall.SIGSTOP)
	a.wait(a.upTo(time.Second))
	s.signal(syscall.SIGCONT)
}

func (a *arena) killServer() {
	s := a.one()
	s.kill()
	a.wait(a.upTo(100 * time.Millisecond))
	s.start()
}
