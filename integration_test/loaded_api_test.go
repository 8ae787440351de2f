package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// loadedAPI is an upstream for many requests: it keeps what they were exchanged
// for and what was wrong with them, and not their bytes as Upstream does.
type loadedAPI struct {
	server *httptest.Server

	mu     sync.Mutex
	tokens map[string][]string // path -> distinct tokens, in their order
	wrong  []string
}

const (
	streamLines = 60
	streamEvery = 100 * time.Millisecond
)

func newLoadedAPI(t *testing.T) *loadedAPI {
	t.Helper()
	a := &loadedAPI{tokens: map[string][]string{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.server.CloseClientConnections()
		a.server.Close()
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, wrong := range a.wrong[:min(len(a.wrong), 5)] {
			t.Errorf("the upstream got %s", wrong)
		}
	})
	return a
}

func (a *loadedAPI) addr() string { return a.server.Listener.Addr().String() }

// exchangedFor returns the distinct tokens that came with a path.
func (a *loadedAPI) exchangedFor(path string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.tokens[path])
}

func (a *loadedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.note("a body that broke off: %v", err)
	}
	a.look(r, body)
	switch r.URL.Path {
	case "/orders/stream":
		for n := range streamLines {
			fmt.Fprintf(w, "line %d\n", n)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(streamEvery)
		}
	case "/orders/socket":
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			a.note("a connection that cannot be taken over: %v", err)
			return
		}
		defer conn.Close()
		echo(conn, buffered)
	default:
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}
}

// echo sends back every byte until the other side closes.
func echo(conn net.Conn, from *bufio.ReadWriter) {
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	io.Copy(conn, from)
}

// look notes what a guard must never let through.
func (a *loadedAPI) look(r *http.Request, body []byte) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") || strings.Count(values[0], ".") != 2 {
		a.note("%s with %d lines of Authorization, want one token", r.URL.Path, len(values))
		return
	}
	if aud := audienceOf(strings.Split(values[0], ".")[1]); aud != upstreamAudience {
		a.note("%s with a token for %s", r.URL.Path, aud)
	}
	var all strings.Builder
	all.WriteString(r.RequestURI)
	_ = r.Header.Write(&all)
	all.Write(body)
	for _, finding := range registered.leaks([]byte(all.String())) {
		a.note("%s with a caller's %s", r.URL.Path, finding)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.tokens[r.URL.Path], values[0]) {
		a.tokens[r.URL.Path] = append(a.tokens[r.URL.Path], values[0])
	}
}

func (a *loadedAPI) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
}
