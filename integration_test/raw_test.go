package integration_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Raw is a socket to the process, for requests that no HTTP client would send.
// It closes when the test ends.
type Raw struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

// Response is an answer with its whole body.
type Response struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    string
}

// Dial opens a socket to 127.0.0.1:<port>, as Caddy.Addr returns it.
func Dial(t *testing.T, addr string) *Raw {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, waitTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Raw{t: t, conn: conn, reader: bufio.NewReader(conn)}
}

// Send writes these bytes and nothing else.
func (r *Raw) Send(text string) {
	r.t.Helper()
	r.conn.SetWriteDeadline(time.Now().Add(waitTimeout))
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatalf("sending: %v", err)
	}
}

// Response reads one answer to a request with this method; a HEAD has no body.
func (r *Raw) Response(method string) Response {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(waitTimeout))
	answer, err := http.ReadResponse(r.reader, &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("reading the answer: %v", err)
	}
	response, err := readAll(answer)
	if err != nil {
		r.t.Fatalf("reading the answer: %v", err)
	}
	learnAnswer(response.Body)
	return response
}

// Read reads exactly n bytes, for a connection that was upgraded.
func (r *Raw) Read(n int) string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(waitTimeout))
	data := make([]byte, n)
	if _, err := io.ReadFull(r.reader, data); err != nil {
		r.t.Fatalf("reading %d bytes: %v", n, err)
	}
	return string(data)
}

// Rest reads until the other side closes, and fails the test if it does not.
func (r *Raw) Rest() string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(waitTimeout))
	data, err := io.ReadAll(r.reader)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("the connection is still open after %v; got %q", waitTimeout, data)
	}
	return string(data) // A reset is an end too.
}

// Close closes the socket before the test ends.
func (r *Raw) Close() { r.conn.Close() }

// Exchange sends one request on a socket of its own and reads the answer.
// Line breaks of the text are sent as CR LF, for easy writing of headers.
func Exchange(t *testing.T, addr, request string) Response {
	t.Helper()
	raw := Dial(t, addr)
	defer raw.Close()
	raw.Send(strings.ReplaceAll(strings.ReplaceAll(request, "\r\n", "\n"), "\n", "\r\n"))
	method, _, _ := strings.Cut(request, " ")
	return raw.Response(method)
}

// Do sends a request with the client of the process and reads the whole answer.
func (c *Caddy) Do(request *http.Request) Response {
	c.t.Helper()
	answer, err := c.Client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := readAll(answer)
	if err != nil {
		c.t.Fatalf("reading the answer: %v", err)
	}
	return response
}

// Get asks for a path of a site, with headers written as "Name: value".
func (c *Caddy) Get(site, path string, headers ...string) Response {
	c.t.Helper()
	return c.Do(c.NewRequest(http.MethodGet, site, path, "", headers...))
}

// NewRequest makes a request to a site, with headers written as "Name: value".
func (c *Caddy) NewRequest(method, site, path, body string, headers ...string) *http.Request {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.URL(site, path), strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, found := strings.Cut(header, ":")
		if !found {
			c.t.Fatalf("no header: %q", header)
		}
		request.Header.Add(name, strings.TrimSpace(value))
	}
	return request
}

func readAll(answer *http.Response) (Response, error) {
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return Response{answer.StatusCode, answer.Header, answer.Trailer, string(body)}, err
}
