package integration_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	workers      = 30
	requestEvery = 100 * time.Millisecond // of each worker: 300 requests a second
	socketFor    = 5 * time.Second
)

// load asks a guard and a token endpoint all the time, as unmodified clients of
// net/http do that keep their connections, and one that never does.
type load struct {
	g          *guarded
	api        *loadedAPI
	kept       string // alice's token
	bob, carol *loadUser
	keeping    *http.Client
	single     *http.Client
	start      time.Time
	done       chan struct{}
	running    sync.WaitGroup
	reloads    atomic.Int64

	answered, again, streams, sockets atomic.Int64

	mu       sync.Mutex
	failures []string
}

// loadUser is a user whose tokens a reload ends.
type loadUser struct {
	token string
	at    int          // the number of that reload
	state atomic.Int32 // 0 before it, 1 while it runs, 2 after it
}

func (u *loadUser) change(reload int) {
	if reload == u.at {
		u.state.Store(1)
	}
}

func (u *loadUser) changed(reload int) {
	if reload == u.at {
		u.state.Store(2)
	}
}

func newLoad(g *guarded, api *loadedAPI) *load {
	token := func(user string) string {
		return g.token("web", "grant_type=password", "username="+user, "password="+password)
	}
	return &load{
		g: g, api: api, done: make(chan struct{}), kept: token("alice"),
		bob: &loadUser{token: token("bob"), at: cutBob}, carol: &loadUser{token: token("carol"), at: cutCarol},
		keeping: &http.Client{Timeout: waitTimeout, Transport: learning{&http.Transport{MaxIdleConnsPerHost: workers}}},
		single:  &http.Client{Timeout: waitTimeout, Transport: learning{&http.Transport{DisableKeepAlives: true}}},
	}
}

// kinds are the requests of the load, as often as they are named.
var kinds = []func(*load, int){
	(*load).read, (*load).write, (*load).read, (*load).issue, (*load).read, (*load).refused, (*load).read, (*load).exchange,
	(*load).askBob, (*load).read, (*load).issue, (*load).write, (*load).askCarol, (*load).read, (*load).readOnce, (*load).read,
	(*load).login, (*load).read, (*load).write, (*load).read,
}

// everything makes each kind of request once.
func (l *load) everything() {
	for _, kind := range kinds {
		kind(l, 0)
	}
}

func (l *load) begin() {
	l.start = time.Now()
	for i := range workers {
		l.running.Go(func() {
			time.Sleep(requestEvery * time.Duration(i) / workers)
			tick := time.NewTicker(requestEvery)
			defer tick.Stop()
			for n := i; ; n += workers + 1 {
				select {
				case <-l.done:
					return
				case <-tick.C:
					kinds[n%len(kinds)](l, n)
				}
			}
		})
	}
	for _, long := range []func(*load){(*load).stream, (*load).socket} {
		l.running.Go(func() {
			for !l.over() {
				long(l)
			}
		})
	}
}

func (l *load) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *load) end() time.Duration {
	took := time.Since(l.start)
	close(l.done)
	l.running.Wait()
	return took.Round(time.Millisecond)
}

func (l *load) report(took time.Duration) string {
	return fmt.Sprintf("%d requests answered (%.0f a second), %d failed; %d sent again, because their connection ended without an answer; %d streams and %d sockets of %v lived through reloads",
		l.answered.Load(), float64(l.answered.Load())/took.Seconds(), len(l.failures), l.again.Load(), l.streams.Load(), l.sockets.Load(), socketFor)
}

// assert fails the test if a request failed, or if there was no load.
func (l *load) assert(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, failure := range l.failures[:min(len(l.failures), 10)] {
		t.Error(failure)
	}
	if len(l.failures) > 0 {
		t.Fatalf("%d requests failed", len(l.failures))
	}
	// A slow machine answers fewer than are meant, and that is no failure.
	if want := int64(reloads * 30); l.answered.Load() < want {
		t.Errorf("got %d answers, want at least %d", l.answered.Load(), want)
	}
	if l.streams.Load() < 3 || l.sockets.Load() < 3 {
		t.Error("too few long requests lived through two reloads")
	}
	if l.again.Load()*20 > l.answered.Load() {
		t.Errorf("%d of %d requests had to be sent again, want a few at most", l.again.Load(), l.answered.Load())
	}
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf("%v, reload %d: ", time.Since(l.start).Round(time.Millisecond), l.reloads.Load())+fmt.Sprintf(format, args...))
}

// expected is an answer.
type expected struct {
	status int
	part   string // of its body
}

func (e expected) String() string { return fmt.Sprint(e.status, " ", e.part) }

// ask sends a request and wants one of these answers, which are asked for when it
// is there. An answer counts as it is, whole or not. Only a request that got none
// at all is sent again, as a client may with what can be repeated: at the instant
// of a reload Caddy drops the connections on which it has not read a request yet
// (docs/stores.md).
func (l *load) ask(c *http.Client, method, url, body string, header http.Header, want func() []expected) {
	for try := 0; ; try++ {
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			l.fail("%v", err)
			return
		}
		r.Header = header.Clone()
		r.Header.Set("Idempotency-Key", "the same each time")
		answer, err := c.Do(r)
		if err != nil {
			if try == 5 || !unanswered(err) {
				l.fail("%v", err)
				return
			}
			l.again.Add(1)
			continue
		}
		data, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		fits := func(e expected) bool { return answer.StatusCode == e.status && strings.Contains(string(data), e.part) }
		if want := want(); err != nil || !slices.ContainsFunc(want, fits) {
			l.fail("%s %s: got %d %.300s (%v), want one of %v", method, url, answer.StatusCode, data, err, want)
			return
		}
		l.answered.Add(1)
		return
	}
}

// unanswered tells whether the server ended the connection without an answer.
// A refused connection or a timeout is none of it.
func unanswered(err error) bool {
	text := err.Error()
	return errors.Is(err, io.EOF) || strings.Contains(text, "connection reset") || strings.Contains(text, "broken pipe") || strings.Contains(text, "server closed idle connection")
}

func (l *load) proxied(c *http.Client, method, path, body, token string, status int, want string) {
	l.ask(c, method, l.g.URL("shop", path), body, bearerHeader(token), func() []expected { return []expected{{status, want}} })
}

func bearerHeader(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// fresh asks on a connection of its own.
func (l *load) fresh(method, path, token string, status int, want string) {
	l.proxied(l.single, method, path, "", token, status, want)
}

func (l *load) read(int) {
	l.proxied(l.keeping, http.MethodGet, "/orders/7", "", l.kept, http.StatusOK, "GET /orders/7")
}

func (l *load) readOnce(int) {
	l.fresh(http.MethodGet, "/orders/7", l.kept, http.StatusOK, "GET /orders/7")
}

func (l *load) write(n int) {
	body := fmt.Sprintf("body %d", n)
	l.proxied(l.keeping, http.MethodPost, "/orders/8", body, l.kept, http.StatusOK, "POST /orders/8 "+body)
}

func (l *load) refused(int) {
	l.proxied(l.keeping, http.MethodPut, "/orders/2", "x", l.kept, http.StatusForbidden, `"resource_missing"`)
}

func (l *load) askBob(int)   { l.askUser(l.bob) }
func (l *load) askCarol(int) { l.askUser(l.carol) }

// askUser wants an answer that fits the time: before the reload allowed, after
// it refused, and between the two one or the other.
func (l *load) askUser(u *loadUser) {
	allowed, refused := expected{http.StatusOK, "GET /orders/9"}, expected{http.StatusUnauthorized, "token_revoked"}
	before := u.state.Load()
	l.ask(l.keeping, http.MethodGet, l.g.URL("shop", "/orders/9"), "", bearerHeader(u.token), func() []expected {
		switch {
		case before == 2:
			return []expected{refused}
		case u.state.Load() == 0:
			return []expected{allowed}
		}
		return []expected{allowed, refused}
	})
}

func (l *load) issue(int) { l.token("web", "grant_type=client_credentials") }

func (l *load) login(int) {
	l.token("web", "grant_type=password&username=alice&password="+password)
}

func (l *load) exchange(int) {
	l.token("batch", "grant_type=audience_exchange&target_audience="+shopAudience+"&subject_token="+l.kept+
		"&subject_token_type=urn:ietf:params:oauth:token-type:access_token")
}

func (l *load) token(client, form string) {
	r := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	r.SetBasicAuth(client, l.g.secret(client))
	l.ask(l.keeping, http.MethodPost, l.g.URL("auth", "/oauth2/token"), form, r.Header, func() []expected { return []expected{{http.StatusOK, `"access_token":"`}} })
}
