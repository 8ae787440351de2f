package integration_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Upstream is the API behind the guard, seen from the wire: a TCP server that
// keeps every byte it receives. When the test ends it searches them.
type Upstream struct {
	t        *testing.T
	audience string
	listener net.Listener
	serving  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	answer   func(Request) Reply
	conns    []*recording
	requests []Request
	changed  chan struct{} // closed and replaced at every request
}

// recording is what one connection received.
type recording struct {
	net.Conn
	mu   sync.Mutex
	data []byte
}

func (r *recording) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data = append(r.data, p[:n]...)
	return n, err
}

func (r *recording) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.data...)
}

// NewUpstream starts an upstream on a free loopback port. Tokens whose only
// `aud` is this audience are made for it; with an empty audience none are.
// Start it before the process that connects to it, so that it is searched
// after that process has stopped.
func NewUpstream(t *testing.T, audience string) *Upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &Upstream{
		t: t, audience: audience, listener: listener,
		answer: func(Request) Reply { return Reply{} }, changed: make(chan struct{}),
	}
	u.serving.Go(u.accept)
	t.Cleanup(func() {
		u.Close()
		u.AssertClean(t)
	})
	return u
}

// Addr returns 127.0.0.1:<port>.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// Answer sets how the following requests are answered.
func (u *Upstream) Answer(answer func(Request) Reply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = answer
}

// Reply sets one answer for all following requests.
func (u *Upstream) Reply(reply Reply) { u.Answer(func(Request) Reply { return reply }) }

// Requests returns the requests that were received in full, in their order.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Request(nil), u.requests...)
}

// Request waits for the n-th request, counted from 0, and returns it.
func (u *Upstream) Request(t *testing.T, n int) Request {
	t.Helper()
	deadline := time.After(waitTimeout)
	for {
		u.mu.Lock()
		requests, changed := u.requests, u.changed
		u.mu.Unlock()
		if n < len(requests) {
			return requests[n]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the upstream got %d requests, want at least %d", len(requests), n+1)
		}
	}
}

// Streams returns every byte of every connection so far.
func (u *Upstream) Streams() [][]byte {
	u.mu.Lock()
	conns := append([]*recording(nil), u.conns...)
	u.mu.Unlock()
	streams := make([][]byte, len(conns))
	for i, conn := range conns {
		streams[i] = conn.bytes()
	}
	return streams
}

// AssertClean fails the test if any registered token, any of these tokens, or
// any token that was made for somebody else arrived here. It runs by itself at
// the end of every test.
func (u *Upstream) AssertClean(t *testing.T, tokens ...string) {
	t.Helper()
	for _, finding := range u.findings(tokens...) {
		t.Errorf("upstream %s got %s", u.Addr(), finding)
	}
}

func (u *Upstream) findings(tokens ...string) []string {
	var findings []string
	look := func(where string, stream []byte) {
		for _, finding := range slices.Concat(registered.leaks(stream), leaks(stream, tokens...), strangers(stream, u.audience)) {
			findings = append(findings, where+": "+finding)
		}
	}
	for i, stream := range u.Streams() {
		look(fmt.Sprintf("connection %d", i), stream)
	}
	// Chunks cut a body into pieces; here it is in one.
	for _, request := range u.Requests() {
		look(fmt.Sprintf("connection %d, body of %q", request.Conn, request.Line), request.Body)
	}
	return findings
}

// Close ends all connections and takes no new ones, as an upstream that is down.
func (u *Upstream) Close() {
	u.listener.Close()
	u.mu.Lock()
	u.closed = true
	for _, conn := range u.conns {
		conn.Close()
	}
	u.mu.Unlock()
	u.serving.Wait()
}

func (u *Upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return // The listener was closed.
		}
		recorded := &recording{Conn: conn}
		u.mu.Lock()
		if u.closed {
			conn.Close() // It came in while Close went through the others.
		}
		number := len(u.conns)
		u.conns = append(u.conns, recorded)
		u.mu.Unlock()
		u.serving.Go(func() { u.serve(number, recorded) })
	}
}

// serve answers the requests of a connection. What is no request is kept too:
// it is read to its end.
func (u *Upstream) serve(number int, conn *recording) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		request, err := readRequest(reader, conn)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			}
			io.Copy(io.Discard, reader)
			return
		}
		request.Conn = number
		u.mu.Lock()
		u.requests = append(u.requests, request)
		answer := u.answer
		close(u.changed)
		u.changed = make(chan struct{})
		u.mu.Unlock()
		if !u.reply(conn, reader, request, answer(request)) {
			return
		}
	}
}

// reply tells whether the connection can be used for another request.
func (u *Upstream) reply(conn *recording, reader *bufio.Reader, request Request, reply Reply) bool {
	switch {
	case reply.Close:
		return false
	case reply.Hang:
		io.Copy(io.Discard, reader) // Ends when either side closes.
		return false
	case reply.Raw != "":
		io.WriteString(conn, reply.Raw)
		return true
	case reply.Upgrade != "":
		io.WriteString(conn, head(http.StatusSwitchingProtocols, append(reply.Header, "Connection: Upgrade", "Upgrade: "+reply.Upgrade)))
		io.Copy(conn.Conn, reader)
		return false
	}
	_, err := io.WriteString(conn, ordinary(request, reply))
	return err == nil
}
