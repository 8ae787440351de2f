package histories

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	kills = 200 // of the server, for each store
	lanes = 2   // servers that are killed at the same time, each with a store of its own

	open     = 5                      // records that are used at the same time
	lives    = 2                      // kills that a record lives through
	longest  = 100 * time.Millisecond // of requests between a start and a kill
	starting = 80 * time.Millisecond  // until a kill that comes while the server starts
)

// TestKilledWithBolt kills the server 200 times at random instants, under
// requests and while it starts, with its store in a file. After each start the
// clients go on: what they were told of works, what they used stays used, and
// what was revoked is refused, by the guard too.
func TestKilledWithBolt(t *testing.T) {
	t.Parallel()
	killAll(t, false, func(t *testing.T, k keys) (*server, func() (*tokenexchange.State, func())) {
		s := newServer(t, k, "store bolt {\n path state.db\n}", true)
		return s, func() (*tokenexchange.State, func()) {
			store, err := boltstore.Open(filepath.Join(s.Dir, "state.db"), boltstore.Options{})
			if err != nil {
				t.Fatalf("the file after a kill: %v", err)
			}
			return k.newState(t, store), func() { _ = store.Close() }
		}
	})
}

// TestKilledWithRedis does the same with its store in Redis.
func TestKilledWithRedis(t *testing.T) {
	t.Parallel()
	killAll(t, true, func(t *testing.T, k keys) (*server, func() (*tokenexchange.State, func())) {
		r := redistest.Start(t)
		s := newServer(t, k, "store redis {\n address "+r.Addr()+"\n}", true)
		state := k.newState(t, openRedis(t, r))
		return s, func() (*tokenexchange.State, func()) { return state, func() {} }
	})
}

// openRedis opens the store of servers in r, and closes it with the test.
func openRedis(t *testing.T, r *redistest.Server) tokenexchange.Store {
	t.Helper()
	store, err := redisstore.Open(redisstore.Options{Addresses: []string{r.Addr()}, Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// lane is one server that is killed again and again.
type lane struct {
	*court
	t       *testing.T
	server  *server
	records func() (state *tokenexchange.State, end func()) // of its store, while it is dead
	random  *rand.Rand
	open    []*record
	lived   map[*record]int // kills that it lived through
}

func killAll(t *testing.T, lossy bool, prepare func(*testing.T, keys) (*server, func() (*tokenexchange.State, func()))) {
	begun := time.Now()
	judges := &court{lossy: lossy}
	var killed atomic.Int32
	t.Run("lanes", func(t *testing.T) { // It ends when all of them have.
		for n := range lanes {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				l := &lane{court: judges, t: t, random: rand.New(rand.NewPCG(uint64(n), 4)), lived: map[*record]int{}}
				l.server, l.records = prepare(t, newKeys(t))
				for range kills / lanes {
					l.issue()
					l.round()
					killed.Add(1)
				}
				l.server.start()
				l.aftermath()
				l.retire(0)
			})
		}
	})
	t.Logf("%d kills, %s, in %s", killed.Load(), judges.sum(), time.Since(begun).Round(time.Second))
	if killed.Load() != kills {
		t.Errorf("got %d kills, want %d", killed.Load(), kills)
	}
}

// issue makes codes while the server is dead, as many as are missing.
func (l *lane) issue() {
	if len(l.open) == open {
		return
	}
	state, end := l.records()
	defer end()
	for len(l.open) < open {
		r, err := issue(l.t, state)
		if err != nil {
			l.t.Fatal(err)
		}
		l.open = append(l.open, r)
	}
}

// round runs the server until it is killed.
func (l *lane) round() {
	if l.random.IntN(8) == 0 {
		l.server.exec()
		time.Sleep(time.Duration(l.random.Int64N(int64(starting))))
		l.server.kill()
		return
	}
	l.server.start()
	l.aftermath()
	l.retire(lives)
	var clients sync.WaitGroup
	for _, r := range l.open {
		random := rand.New(rand.NewPCG(l.random.Uint64(), 4))
		clients.Go(func() {
			use(r, random, l.server.Ended, func(*rand.Rand) target { return l.server })
		})
	}
	time.Sleep(time.Duration(l.random.Int64N(int64(longest))))
	l.server.kill()
	clients.Wait()
	for _, r := range l.open {
		l.lived[r]++
	}
}

// aftermath looks, after a start, at every record that was used before it: the
// code, the newest refresh token that somebody was told of, and what the guard
// says to the newest access token.
func (l *lane) aftermath() {
	for _, r := range l.open {
		if l.lived[r] == 0 {
			continue
		}
		if r.access != "" && !r.unsure() {
			want := http.StatusOK
			if r.revoked {
				want = http.StatusUnauthorized
			}
			if got := l.server.guarded(r.access); got != want {
				l.t.Errorf("the guard after a kill: got %d, want %d; revoked: %v", got, want, r.revoked)
			}
		}
		if len(r.tokens) > 0 {
			r.act(l.server, request{kind: refresh, n: len(r.tokens) - 1})
		}
		r.act(l.server, request{kind: redeem})
	}
}

// retire has every record judged that lived through so many kills, or is over.
func (l *lane) retire(after int) {
	var young []*record
	for _, r := range l.open {
		if l.lived[r] >= after || l.lived[r] > 0 && r.over() {
			l.judge(l.t, r)
			delete(l.lived, r)
		} else {
			young = append(young, r)
		}
	}
	l.open = young
}
