package tokenexchange

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A rule that reads a header decides on one value. No other spelling of the
// name, and no trailer, may bring a second one to the upstream.
func TestPinnedHeadersOnTheWire(t *testing.T) {
	h := newHouse(t)
	g, ada := h.ruled(t, GuardOptions{}), h.adas()
	for name, c := range map[string]struct{ headers, trailers, want string }{
		"alone":                   {"X-Tenant: a\r\n", "", "[a] map[]"},
		"other spellings":         {"X_Tenant: b\r\nX-Tenant: a\r\nX.TENANT: c\r\nX-Other_One: d\r\n", "", "[a] map[]"},
		"a declared trailer":      {"X-Tenant: a\r\nTrailer: X-Tenant, X-Sum\r\n", "X-Tenant: b\r\nX-Sum: 1\r\n", "[a] map[X-Sum:[1]]"},
		"an undeclared one":       {"X-Tenant: a\r\n", "X-Tenant: b\r\nX-Sum: 1\r\n", "[a] map[X-Sum:[1]]"},
		"a spelling of it":        {"X-Tenant: a\r\nTrailer: X_Tenant\r\n", "X_Tenant: b\r\nX-Sum: 1\r\n", "[a] map[X-Sum:[1]]"},
		"a trailer and no header": {"Trailer: X-Tenant\r\n", "X-Tenant: b\r\n", "[] map[]"},
	} {
		request := "GET /orders/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ada + "\r\n" + c.headers +
			"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n" + c.trailers + "\r\n"
		status, got := raw(t, func(w http.ResponseWriter, r *http.Request) {
			p := Take(r, true)
			if v := g.Decide(r, p); !v.Allowed() || !v.Forward(r, p) {
				t.Errorf("%s: got %s", name, v.Reason)
				return
			}
			for spelling := range r.Header {
				if spelling != "X-Tenant" && alias(spelling) == "x-tenant" {
					t.Errorf("%s: the header %s is still there", name, spelling)
				}
			}
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, r.Header["X-Tenant"], " ", map[string][]string(r.Trailer))
		}, request)
		if status != 200 || got != c.want {
			t.Errorf("%s: got %d %s, want %s", name, status, got, c.want)
		}
	}
}

// Where the guard, net/http or the proxy write a header anew, what a rule read
// of it is not what the upstream gets.
func TestHeadersThatRulesCannotRead(t *testing.T) {
	for name, good := range map[string]bool{
		"X-Tenant": true, "Accept-Language": true, "X-Api-Key": true,
		"Authorization": false, "Csp-Auth-Token": false, "Cookie": false, "Host": false, "Connection": false, "Te": false,
		"Transfer-Encoding": false, "Content-Length": false, "Upgrade": false, "Proxy-Authorization": false, "X-Forwarded-For": false,
		"X-Forwarded-Host": false, "X-Forwarded-Proto": false, "X-Http-Method-Override": false, "X-Original-Url": false,
		"X_original_url": false, "Scopegate-Decision": false, "Remote-User": false, "Http2-Settings": false,
	} {
		if err := checkHeaders([]string{"X-Good", name}, func(string) string { return "" }); (err == nil) != good || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
