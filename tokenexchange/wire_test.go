package tokenexchange

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// raw sends bytes as they are to a real server and returns the status and body
// of the answer.
func raw(t *testing.T, handler http.HandlerFunc, request string) (int, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// What a client can write in a request line, and what of it is one path.
func TestCanonicalPathOnTheWire(t *testing.T) {
	for target, want := range map[string]string{
		"/orders/1":                    "/orders/1",
		"/orders/%31":                  "/orders/1",
		"/orders/%c3%a4":               "/orders/%C3%A4",
		"/a?x=/../y":                   "/a",
		"http://shop.test/orders/1":    "/orders/1",
		"http://other.test/orders/1":   "/orders/1", // RFC 9112 section 3.2.2: such a target is the host
		"/a/":                          "/a/",
		"/":                            "/",
		"//orders/1":                   "",
		"/orders//1":                   "",
		"/orders/./1":                  "",
		"/orders/../1":                 "",
		"/orders/%2e%2e/1":             "",
		"/orders/%2E%2e/1":             "",
		"/x/..;/orders/1":              "",
		"/orders;v=1/1":                "",
		"/orders%3bv=1":                "",
		"/orders/1%2F2":                "",
		"/orders/1%5c2":                "",
		`/orders/1\2`:                  "",
		"/orders/%00":                  "",
		"/orders/%0a":                  "",
		"/orders/%7f":                  "",
		"/orders/%ff":                  "",
		"/orders/%252e":                "",
		"/orders/1#/../admin":          "",
		"/orders/1%23":                 "/orders/1%23",
		"http://shop.test":             "",
		"http:orders/1":                "",
		"http:/orders/1":               "",
		"mailto:x":                     "",
		"HTTPS://shop.test/orders/1":   "/orders/1",
		"ftp://shop.test/orders/1":     "",
		"ws://shop.test/orders/1":      "",
		"http://user@shop.test/orders": "",
		"*":                            "",
	} {
		status, body := raw(t, func(w http.ResponseWriter, r *http.Request) {
			path, err := canonicalPath(r, scopes.RefuseEncodedSlash)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, path.Raw())
		}, "GET "+target+" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
		if want == "" && status == http.StatusOK || want != "" && body != want {
			t.Errorf("%s: got %d %s, want %q", target, status, body, want)
		}
	}
	// What was rewritten before the guard must be one path as well.
	for name, change := range map[string]func(*http.Request){
		"path alone":      func(r *http.Request) { r.URL.Path = "/admin" },
		"opaque":          func(r *http.Request) { r.URL.Opaque = "//x/admin" },
		"another host":    func(r *http.Request) { r.URL.Host = "other.test" },
		"fragment":        func(r *http.Request) { r.URL.Fragment = "x" },
		"bad raw path":    func(r *http.Request) { r.URL.RawPath = "/%zz" },
		"empty":           func(r *http.Request) { r.URL.Path, r.URL.RawPath = "", "" },
		"without a slash": func(r *http.Request) { r.URL.Path, r.URL.RawPath = "orders", "" },
	} {
		r := httptest.NewRequest("GET", "/orders/%c3%84", nil) // in lower case, so that RawPath is set
		change(r)
		if path, err := canonicalPath(r, scopes.RefuseEncodedSlash); err == nil {
			t.Errorf("%s: got %s, want an error", name, path.Raw())
		}
	}
}

// Trailers arrive when the body ends, declared or not, under whatever name.
func TestTrailersOnTheWire(t *testing.T) {
	for name, c := range map[string]struct{ declared, sent, want string }{
		"declared":             {"Authorization, X-Sum", "Authorization: Bearer x\r\nX-Sum: 1\r\n", "map[X-Sum:[1]]"},
		"not declared":         {"X-Sum", "X-Sum: 1\r\nCsp-Auth-Token: x\r\n", "map[X-Sum:[1]]"},
		"none declared":        {"", "X-Sum: 1\r\nAuthorization: x\r\n", "map[X-Sum:[1]]"},
		"an alias":             {"X-Sum", "X-Sum: 1\r\nX_HTTP_Method.Override: DELETE\r\ncsp_auth_token: y\r\n", "map[X-Sum:[1]]"},
		"a copy":               {"X-Sum, X-Copy", "X-Sum: 1\r\nX-Copy: " + longToken + "\r\n", "map[X-Sum:[1]]"},
		"the guard's decision": {"X-Sum", "X-Sum: 1\r\nScopegate-Decision: x\r\nX-Original-Url: /y\r\n", "map[X-Sum:[1]]"},
	} {
		for _, read := range []string{"all at once", "one byte at a time"} {
			declare := ""
			if c.declared != "" {
				declare = "Trailer: " + c.declared + "\r\n"
			}
			request := "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + longToken + "\r\n" + declare +
				"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n" + c.sent + "\r\n"
			_, got := raw(t, func(w http.ResponseWriter, r *http.Request) {
				Take(r, true)
				var body io.Reader = r.Body
				if read != "all at once" {
					body = bufio.NewReaderSize(oneByte{r.Body}, 16)
				}
				text, err := io.ReadAll(body)
				if err != nil || string(text) != "hello" {
					t.Errorf("got the body %q, %v", text, err)
				}
				fmt.Fprint(w, map[string][]string(r.Trailer))
			}, request)
			if got != c.want {
				t.Errorf("%s, read %s: got the trailers %s, want %s", name, read, got, c.want)
			}
		}
	}
}

type oneByte struct{ io.Reader }

func (o oneByte) Read(b []byte) (int, error) { return o.Reader.Read(b[:min(1, len(b))]) }

// Header lines of a real client: folding, case and repeats are net/http's, what
// is left of them is the guard's.
func TestHeadersOnTheWire(t *testing.T) {
	_, got := raw(t, func(w http.ResponseWriter, r *http.Request) {
		p := Take(r, true)
		var left []string
		for name := range r.Header {
			left = append(left, name)
		}
		fmt.Fprint(w, p.ambiguous, " ", len(left), " ", strings.Join(left, " "))
	}, "GET / HTTP/1.1\r\nHost: x\r\nauthorization: Bearer a\r\nAUTHORIZATION: Bearer b\r\ncsp_auth_token: c\r\nX.Original.URL: /y\r\n"+
		"X_HTTP_METHOD_OVERRIDE: DELETE\r\nConnection: close, Authorization\r\n\r\n")
	if got != "true 1 Connection" {
		t.Errorf("got %q, want an ambiguous request with nothing left but Connection", got)
	}
}
