package cluster

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	askEvery = 100 * time.Millisecond // of each worker
	loadUser = "load"
)

// load asks all servers of a house all the time, with many tokens that nobody
// revokes. Every answer has to be the right one.
type load struct {
	h      *house
	access []string // tokens of many logins
	n      int      // of workers: ten times as many requests a second
	done   chan struct{}
	begun  time.Time
	ends   sync.WaitGroup
	// away, if set, tells that the store may be away: then 503 is an answer to
	// what needs it.
	away atomic.Bool

	stretches           // of requests, and of tick
	answered, postponed atomic.Int64

	mu       sync.Mutex
	failures []string
}

// newLoad begins the load of so many workers, with so many access tokens.
func newLoad(t *testing.T, h *house, workers, tokens int) *load {
	t.Helper()
	l := &load{h: h, done: make(chan struct{}), n: workers}
	for i := range tokens {
		got := h.servers[i%len(h.servers)].login(loadUser)
		if got.Access == "" {
			t.Fatalf("login: got %s, want tokens", got)
		}
		l.access = append(l.access, got.Access)
	}
	l.begun = time.Now()
	l.ends.Go(l.tick)
	for i := range workers {
		w := &worker{load: l, n: i}
		l.ends.Go(func() {
			time.Sleep(askEvery * time.Duration(i) / time.Duration(workers))
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			for {
				select {
				case <-l.done:
					return
				case <-tick.C:
					w.ask()
				}
			}
		})
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// tick notes when these tests stand still while no request is on its way.
func (l *load) tick() {
	for {
		begun := time.Now()
		select {
		case <-l.done:
			return
		case <-time.After(usual / 2):
			l.note(begun, time.Now())
		}
	}
}

func (l *load) stop() {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	l.ends.Wait()
}

// end stops the load, and fails the test for every wrong answer.
func (l *load) end(t *testing.T) {
	t.Helper()
	took := time.Since(l.begun)
	l.stop()
	for _, failure := range l.failures[:min(len(l.failures), 10)] {
		t.Error(failure)
	}
	// A slow machine reaches a hundredth of what is asked for.
	if n := l.answered.Load(); len(l.failures) > 0 || n < int64(took.Seconds())*int64(l.n)/10 {
		t.Errorf("%d requests of the load failed, %d were answered in %v", len(l.failures), n, took.Round(time.Second))
	}
	t.Logf("load: %d requests in %v, %.0f a second on %d servers, with %d tokens; %d failed, %d were postponed while the store was away; the longest took %v",
		l.answered.Load(), took.Round(time.Second), float64(l.answered.Load())/took.Seconds(), len(l.h.servers), len(l.access), len(l.failures), l.postponed.Load(),
		l.longest(l.begun, time.Now()).Round(time.Millisecond))
}

// allows fails the test if something took longer than it may. A machine that
// stands still for a while holds up the requests of the load as well, so that
// may take as much longer as the few requests of which it consists.
func (l *load) allows(t *testing.T, what string, limit time.Duration, begun time.Time, took time.Duration) bool {
	t.Helper()
	longest := l.longest(begun, begun.Add(took))
	may := limit + 5*longest
	if took > may {
		t.Errorf("%s: it took %v, want %v, and at most %v where a request took %v", what, took, limit, may, longest)
	}
	return took <= may
}

// worker is one client, with a family of its own.
type worker struct {
	*load
	n       int
	begun   time.Time // of the newest request
	refresh string
}

// ask makes one request, of each kind in turn, at each server in turn.
func (w *worker) ask() {
	w.n++
	s := w.h.servers[w.n/len(kinds)%len(w.h.servers)]
	token := w.access[(w.n*7919)%len(w.access)]
	w.begun = time.Now()
	kinds[w.n%len(kinds)](w, s, token)
}

var kinds = []func(w *worker, s *server, token string){
	(*worker).read, (*worker).write, (*worker).issue, (*worker).read, (*worker).rotate, (*worker).read, (*worker).exchanged,
	(*worker).write, (*worker).looked, (*worker).read, (*worker).rotate, (*worker).named, (*worker).read, (*worker).exchanged,
}

// want holds an answer against what it has to be.
func (w *worker) want(s *server, what string, got answer, ok, needsStore bool) {
	if !needsStore || !w.away.Load() {
		w.note(w.begun, time.Now())
	}
	switch {
	case ok:
		w.answered.Add(1)
	case needsStore && w.away.Load() && got.status == http.StatusServiceUnavailable:
		w.postponed.Add(1)
	default:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.failures = append(w.failures, fmt.Sprintf("load, %v, server %s, %s: got %s", time.Since(w.load.begun).Round(time.Millisecond), s.name, what, got))
	}
}

func (w *worker) read(s *server, token string) {
	got := s.guard(http.MethodGet, token)
	w.want(s, "GET at the guard", got, got.status == http.StatusOK, false)
}

func (w *worker) write(s *server, token string) {
	got := s.guard(http.MethodPut, token)
	w.want(s, "PUT at the guard", got, got.status == http.StatusOK, false)
}

func (w *worker) issue(s *server, _ string) {
	got := s.token("web", "client_credentials")
	w.want(s, "client_credentials", got, got.status == http.StatusOK && got.Access != "", false)
}

func (w *worker) exchanged(s *server, token string) {
	got := s.exchange(token)
	w.want(s, "audience_exchange", got, got.status == http.StatusOK && got.Access != "", false)
}

func (w *worker) looked(s *server, token string) {
	got := s.introspect(token)
	w.want(s, "introspect", got, got.status == http.StatusOK && got.Active != nil && *got.Active, false)
}

func (w *worker) named(s *server, token string) {
	got := s.userinfo(token)
	w.want(s, "userinfo", got, got.status == http.StatusOK, false)
}

// rotate logs in the first time, and then refreshes.
func (w *worker) rotate(s *server, _ string) {
	what, got := "refresh", answer{}
	if w.refresh == "" {
		what, got = "login", s.login(loadUser)
	} else {
		got = s.refresh(w.refresh)
	}
	if w.want(s, what, got, got.Refresh != "", true); got.Refresh != "" {
		w.refresh = got.Refresh
	}
}
