package tokenexchange

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// closed reports whether a server has signed its last token.
func closed(last <-chan struct{}) bool {
	select {
	case <-last:
		return true
	default:
		return false
	}
}

// TestSlowRequestIsForTheServerInForce sends the body of a request after what it
// asks for was taken away.
func TestSlowRequestIsForTheServerInForce(t *testing.T) {
	h := newHouse(t)
	old := h.Server
	next := h.reload(h.caches, func(c *Config) { c.client("nightly").Own = lines("shop/orders.read orders/1") })
	after := h.reload(h.caches, func(c *Config) { c.client("nightly").Own = lines("shop/orders.read orders/2") })
	r := form("")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("grant_type=client_"), readerFunc(func([]byte) (int, error) {
		if !closed(old.GiveWay(next)) || !closed(next.GiveWay(after)) {
			t.Error("a request that is being read holds up what comes next")
		}
		return 0, io.EOF
	}), strings.NewReader("credentials")))
	r.ContentLength = -1
	r.SetBasicAuth("nightly", secretOf("nightly"))
	if got := setOf(t, h.do(r).granted(t)); !strings.Contains(got, "orders/2") {
		t.Errorf("got %s, want what the server in force gives", got)
	}
	if !closed(old.GiveWay(next)) {
		t.Error("a second time: a server that gave way waits again")
	}
}

// TestSlowFormIsForTheServerInForce sends the last of a form, with a password, after
// that was replaced.
func TestSlowFormIsForTheServerInForce(t *testing.T) {
	h := newHouse(t, logins)
	old := h.Server
	cfg := baseConfig()
	logins(&cfg)
	another := string(must(bcrypt.GenerateFromPassword([]byte("another password"), bcrypt.MinCost)))
	next := h.serve(must(Compile(cfg, []string{usersPath(t, strings.Replace(baseUsers, cheap, another, 1))})), h.caches, ecKey(), rsaKey())
	b := h.browser().open(authorizeURL()).sees("login")
	form := b.fill("login", "username", "ada", "password", password).values.Encode()
	b.once(http.MethodPost, authorizePath, "", func(r *http.Request) {
		r.ContentLength = -1
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(form[:9]), readerFunc(func([]byte) (int, error) {
			if !closed(old.GiveWay(next)) {
				t.Error("a form that is being read holds up what comes next")
			}
			return 0, io.EOF
		}), strings.NewReader(form[9:])))
	})
	b.turnedDown(400, "credentials_wrong")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestLastTokenOfAServer tells when a server has signed its last token: not while
// it makes one.
func TestLastTokenOfAServer(t *testing.T) {
	h := newHouse(t, logins)
	s := &meanwhileStore{MemoryStore: h.store}
	h.state.store = s
	_, refresh := h.login().tokens(t)
	var last <-chan struct{}
	s.meanwhile = func() {
		last = h.GiveWay(h.reload(h.caches, logins))
		if closed(last) {
			t.Error("it is about to sign one")
		}
	}
	h.refresh("web", refresh).tokens(t)
	if last == nil || !closed(last) {
		t.Error("it has signed its last token, and does not say so")
	}
}

// TestServersGiveWayUnderLoad has each of many requests answered once, and each
// server say when it is done.
func TestServersGiveWayUnderLoad(t *testing.T) {
	h := newHouse(t)
	var mu sync.Mutex
	current := h.Server
	var requests sync.WaitGroup
	for range 8 {
		requests.Go(func() {
			for range 200 {
				mu.Lock()
				s := current
				mu.Unlock()
				if in := s.inForce(); in == nil {
					t.Error("no server is in force")
				} else {
					in.leave()
				}
			}
		})
	}
	var all []<-chan struct{}
	for range 50 {
		next := h.reload(h.caches)
		mu.Lock()
		old := current
		current = next
		mu.Unlock()
		all = append(all, old.GiveWay(next))
	}
	requests.Wait()
	for i, last := range all {
		if !closed(last) {
			t.Errorf("server %d does not say that it is done", i)
		}
	}
}
