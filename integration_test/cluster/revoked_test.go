package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	within  = time.Second // everything that was revoked is refused everywhere
	rounds  = 40          // of each loss
	every   = 300 * time.Millisecond
	workers = 30 // of the load: 300 requests a second
	tokens  = 200
)

// TestRevokedWithinASecond has two servers under load. What is revoked at one of
// them is refused by both within a second of the answer, wherever it can be
// used; what is not goes on. It prints how long it took.
func TestRevokedWithinASecond(t *testing.T) { // Alone, because it measures.
	h := newHouse(t)
	h.users.add(loadUser)
	for i := range losses {
		for n := range rounds {
			h.users.user(victim(i, n))
		}
	}
	h.users.add(victim(0, 0))
	h.startPair()
	l := newLoad(t, h, workers, tokens)
	times := make([]*times, len(losses))
	var running sync.WaitGroup
	for i, loss := range losses {
		times[i] = newTimes()
		running.Go(func() {
			for n := range rounds {
				time.Sleep(time.Until(l.begun.Add(time.Duration(n)*every + time.Duration(i)*every/time.Duration(len(losses)))))
				h.lose(t, loss, victim(i, n), n, times[i])
			}
		})
	}
	running.Wait()
	l.end(t)
	for i, loss := range losses {
		t.Logf("%s: %s", loss.name, times[i])
		for where, refusals := range times[i].took {
			fastest := slices.MinFunc(refusals, func(a, b stretch) int { return cmp.Compare(a.took(), b.took()) }).took()
			for _, r := range refusals {
				if !l.allows(t, loss.name+": "+where, within, r.begun, r.took()) {
					break // One tells as much as many.
				}
			}
			if fastest > within { // No machine pauses in every round.
				t.Errorf("%s: %s: the fastest of %d took %v, want %v", loss.name, where, len(refusals), fastest, within)
			}
		}
	}
}

func victim(loss, round int) string { return fmt.Sprintf("victim%d-%d", loss, round) }

// lose makes a user lose something, and watches it end at all servers.
func (h *house) lose(t *testing.T, l loss, user string, round int, times *times) {
	t.Helper()
	f, err := l.newVictim(h, user)
	if err != nil {
		t.Errorf("%s: %v", l.name, err)
		return
	}
	dead := l.dead(f)
	for _, q := range dead {
		for _, s := range h.servers {
			if v, got := q.ask(s); v != accepted {
				t.Errorf("%s: before it, %s at server %s: got %s, want it accepted", l.name, q.name, s.name, got)
				return
			}
		}
	}
	if told := l.revoke(h, h.servers[round%len(h.servers)], f); !l.told(told) {
		t.Errorf("%s: got %s", l.name, told)
		return
	}
	begun := time.Now()
	var running sync.WaitGroup
	for _, q := range dead {
		for _, s := range h.servers {
			running.Go(func() { times.note(q.name+" at "+s.name, begun, until(t, l.name, q, s, begun)) })
		}
	}
	running.Wait()
	for _, s := range h.servers {
		for _, q := range dead {
			if v, got := q.ask(s); v != refused {
				t.Errorf("%s: %s at server %s after it was refused: got %s, want it refused again", l.name, q.name, s.name, got)
			}
		}
		for _, q := range l.lives(f) {
			untilAccepted(t, l.name, q, s)
		}
	}
}

// untilAccepted asks until it is accepted. What a user holds has changed at a
// time between two seconds, by the clock of each server, and a token that was
// issued in the second before may end with the old ones.
func untilAccepted(t *testing.T, name string, q question, s *server) {
	t.Helper()
	begun := time.Now()
	v, got := q.ask(s)
	for ; v != accepted && time.Since(begun) < patience; v, got = q.ask(s) {
		time.Sleep(50 * time.Millisecond)
	}
	if v != accepted {
		t.Errorf("%s: %s at server %s: %s: got %s, want it accepted", name, q.name, s.name, v, got)
	}
}

// until asks until it is refused, and returns how long after begun that was.
func until(t *testing.T, name string, q question, s *server, begun time.Time) time.Duration {
	t.Helper()
	for {
		v, got := q.ask(s)
		took := time.Since(begun)
		if v == refused {
			return took
		}
		if v != accepted || took > patience {
			t.Errorf("%s: %s at server %s, %v after it was revoked: %s: %s", name, q.name, s.name, took, v, got)
			return took
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// times are how long it took, by the question and the server.
type times struct {
	mu   sync.Mutex
	took map[string][]stretch
}

func newTimes() *times { return &times{took: map[string][]stretch{}} }

func (t *times) note(where string, begun time.Time, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took[where] = append(t.took[where], stretch{begun, begun.Add(took)})
}

// String gives the distribution over all questions and servers.
func (t *times) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []time.Duration
	for _, took := range t.took {
		for _, one := range took {
			all = append(all, one.took())
		}
	}
	if len(all) == 0 {
		return "never"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[min(len(all)-1, int(share*float64(len(all))))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("%d refusals; median %v, 99%% %v, max %v", len(all), at(0.5), at(0.99), at(1))
}
