package integration_test

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spoofed are headers by which some upstream or proxy learns who a caller is,
// or which path or method is meant. The list is written down here once more,
// so that one that is taken out of the guard's own list is missed.
var spoofed = []string{
	"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
	"X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Envoy-Original-Path",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Roles", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
	"X-Forwarded-Client-Cert", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Accesstoken",
	"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Goog-Iap-Jwt-Assertion",
	"X-Authenticated-Userid", "X-Authenticated-Groups", "X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Consumer-Groups",
	"X-Credential-Identifier", "X-Anonymous-Consumer", "X-Pomerium-Jwt-Assertion", "X-Vouch-User",
	"X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-ID", "X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-CLIENT-PRINCIPAL-IDP", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "X-MS-TOKEN-AAD-ID-TOKEN",
	"X-authentik-username", "X-authentik-email", "X-authentik-groups", "X-authentik-jwt", "X-SSL-Client-Cert", "X-SSL-Client-Verify", "X-SSL-Client-S-DN", "X-Client-Cert",
	"Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email", "Tailscale-User-Login", "Tailscale-User-Name",
	"Impersonate-User", "Impersonate-Group", "Impersonate-Uid",
	"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-User", "X-WebAuth-User", "X-Authenticated-User",
	"Scopegate-Decision", "csp-auth-token", "HTTP2-Settings",
}

func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token := g.forge(t, nil)
	var all []string
	for i, name := range spoofed {
		all = append(all, name+": spoofed", []string{strings.ToLower(name), strings.ToUpper(name)}[i%2]+": spoofed")
	}
	for _, target := range []string{"/orders/1", "/healthz", "/me"} {
		got := g.allowed(t, "shop", raw("GET", target, append(all, bearer(token), "X-Kept: 1")...))
		for _, field := range got.Header {
			if strings.Contains(field.Value, "spoofed") {
				t.Errorf("%s: the upstream got %s: %s", target, field.Name, field.Value)
			}
		}
		if got.Method != "GET" || got.Target != target || got.Get("X-Kept") != "1" {
			t.Errorf("the upstream got %s and %v", got.Line, got.Header)
		}
	}
	// Caddy says itself who asked, and trusts no client about it.
	got := g.allowed(t, "shop", raw("GET", "/orders/1", bearer(token), "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: admin.example.com", "X-Forwarded-Proto: https"))
	for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example.com", "X-Forwarded-Proto": "http"} {
		if got.Get(name) != want {
			t.Errorf("%s: the upstream got %q, want %q", name, got.Get(name), want)
		}
	}
}

// Requests whose framing two readers could take for different ones. Whatever
// the server makes of it: the upstream gets only requests that were decided on,
// in their canonical form.
func TestGuardFraming(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token := g.forge(t, nil)
	inner := "GET /accounts/1 HTTP/1.1\r\nHost: shop.example.com\r\n\r\n" // without a token, and for nobody
	head := func(lines ...string) string {
		return strings.Join(append([]string{"POST /orders/1 HTTP/1.1", "Host: shop.example.com", bearer(token)}, append(lines, "", "")...), "\r\n")
	}
	cases := map[string]struct {
		request string
		allowed int // how many requests reach the upstream
	}{
		"chunk extension":               {head("Transfer-Encoding: chunked") + "3;a=\"b\"\r\nabc\r\n0;x=y\r\n\r\n", 1},
		"long chunk extension":          {head("Transfer-Encoding: chunked") + "3;" + strings.Repeat("a", 20000) + "\r\nabc\r\n0\r\n\r\n", -1},
		"chunk size in capitals":        {head("Transfer-Encoding: CHUNKED") + "A\r\n0123456789\r\n0\r\n\r\n", 1},
		"chunk size with a sign":        {head("Transfer-Encoding: chunked") + "+3\r\nabc\r\n0\r\n\r\n" + inner, -1},
		"chunk size of 0x":              {head("Transfer-Encoding: chunked") + "0x3\r\nabc\r\n0\r\n\r\n" + inner, -1},
		"chunk size that wraps around":  {head("Transfer-Encoding: chunked") + "10000000000000003\r\nabc\r\n0\r\n\r\n" + inner, -1},
		"chunk line with LF alone":      {head("Transfer-Encoding: chunked") + "3\nabc\r\n0\r\n\r\n" + inner, -1},
		"chunk without its end":         {head("Transfer-Encoding: chunked") + "3\r\nabcd\r\n0\r\n\r\n" + inner, -1},
		"no last chunk":                 {head("Transfer-Encoding: chunked") + "3\r\nabc\r\n", -1},
		"length and chunked":            {head("Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\n" + inner, 1},
		"chunked and length":            {head("Transfer-Encoding: chunked", "Content-Length: 200") + "0\r\n\r\n" + inner, 1},
		"chunked, blank in the name":    {head("Transfer-Encoding : chunked") + "0\r\n\r\n" + inner, 0},
		"chunked by an alias":           {head("Transfer_Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n" + inner, -1},
		"chunked, quoted":               {head("Transfer-Encoding: \"chunked\"") + "0\r\n\r\n" + inner, 0},
		"chunked, with a parameter":     {head("Transfer-Encoding: chunked;q=0") + "0\r\n\r\n" + inner, 0},
		"chunked, folded":               {head("Transfer-Encoding:", " chunked") + "0\r\n\r\n" + inner, -1},
		"chunked after a bare CR":       {head("X-A: b\rTransfer-Encoding: chunked") + "0\r\n\r\n" + inner, 0},
		"two equal lengths":             {head("Content-Length: 3", "Content-Length: 3") + "abc" + inner, -1},
		"a list of lengths":             {head("Content-Length: 3, 3") + "abc" + inner, -1},
		"a negative length":             {head("Content-Length: -1") + inner, 0},
		"a length with a blank":         {head("Content-Length: 3 0") + inner, 0},
		"a length beyond int64":         {head("Content-Length: 18446744073709551619") + "abc" + inner, 0},
		"an empty length":               {head("Content-Length:") + inner, -1},
		"LF alone ends lines":           {strings.ReplaceAll(head("Content-Length: 3"), "\r\n", "\n") + "abc", 1},
		"CR alone ends lines":           {strings.ReplaceAll(head("Content-Length: 3"), "\r\n", "\r") + "abc", 0},
		"blank lines in front":          {"\r\n" + head("Content-Length: 3") + "abc", -1},
		"a line without a colon":        {head("X-A"), 0},
		"a body after GET":              {strings.Replace(head("Content-Length: 3"), "POST", "GET", 1) + "abc", 1},
		"a request as the body of GET":  {strings.Replace(head("Content-Length: "+strconv.Itoa(len(inner))), "POST", "GET", 1) + inner, 1},
		"an expectation that is met":    {head("Expect: 100-continue", "Content-Length: 3") + "abc", 1},
		"an expectation, unknown":       {head("Expect: 200-maybe", "Content-Length: 3") + "abc", -1},
		"HTTP/1.0":                      {strings.Replace(head("Content-Length: 3"), "HTTP/1.1", "HTTP/1.0", 1) + "abc", 1},
		"HTTP/1.0, chunked":             {strings.Replace(head("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1) + "3\r\nabc\r\n0\r\n\r\n", -1},
		"HTTP/1.2":                      {strings.Replace(head("Content-Length: 0"), "HTTP/1.1", "HTTP/1.2", 1), -1},
		"HTTP/0.9":                      {"GET /orders/1\r\n\r\n", 0},
		"HTTP/2 in a request line":      {strings.Replace(head("Content-Length: 0"), "HTTP/1.1", "HTTP/2.0", 1), 0},
		"a method with a line end":      {strings.Replace(head("Content-Length: 0"), "POST", "PO\rST", 1), 0},
		"a header of 2 MiB":             {head("X-Long: "+strings.Repeat("a", 2<<20), "Content-Length: 0"), 0},
		"a trailer with a length":       {head("Transfer-Encoding: chunked", "Trailer: Content-Length, Transfer-Encoding, X-Ok") + "0\r\nX-Ok: 1\r\nContent-Length: 5\r\n\r\n" + inner, -1},
		"TE and Keep-Alive":             {head("TE: trailers, deflate", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Content-Length: 3") + "abc", 1},
		"Connection names Content-Type": {head("Connection: Content-Length, Transfer-Encoding, Host, close", "Content-Length: 3") + "abc", 1},
	}
	for i, name := range slices.Sorted(maps.Keys(cases)) {
		target := "/orders/case-" + strconv.Itoa(i)
		t.Run(name, func(t *testing.T) {
			c := cases[name]
			socket := Dial(t, g.Addr("shop"))
			defer socket.Close()
			// The server may answer and close before it has read all of it.
			go func() { _, _ = socket.conn.Write([]byte(strings.Replace(c.request, "/orders/1", target, 1))) }()
			first := waitTimeout
			if name == "CR alone ends lines" || name == "no last chunk" { // The server waits for more.
				first = 100 * time.Millisecond
			}
			answers := socket.until(first, 100*time.Millisecond)
			if !strings.HasPrefix(answers, "HTTP/1.") && answers != "" {
				t.Errorf("answered %q", answers)
			}
			requests := g.got(target)
			for deadline := time.Now().Add(waitTimeout); c.allowed == 1 && len(requests) == 0 && time.Now().Before(deadline); requests = g.got(target) {
				time.Sleep(10 * time.Millisecond)
			}
			if len(requests) > 1 || c.allowed >= 0 && len(requests) != c.allowed {
				t.Errorf("the upstream got %d requests, want %d; answered %q", len(requests), c.allowed, answers)
			}
			for _, got := range requests {
				exchanged(t, got)
				if len(got.Values("Content-Length"))+len(got.Values("Transfer-Encoding")) > 1 || got.Get("Host") != "shop.example.com" {
					t.Errorf("the upstream got %s with %v", got.Line, got.Header)
				}
				for _, name := range []string{"Keep-Alive", "Proxy-Connection"} {
					if got.Values(name) != nil {
						t.Errorf("the upstream got %s: %s", name, got.Get(name))
					}
				}
			}
		})
	}
	// What a body holds is a body, and nothing of a frame goes on.
	for _, stream := range g.upstream.Streams() {
		if bytes.Contains(stream, []byte("a=\"b\"")) || bytes.Contains(stream, []byte(";x=y")) {
			t.Error("the upstream got a chunk extension")
		}
	}
	if slices.ContainsFunc(g.upstream.Requests(), func(r Request) bool { return strings.HasPrefix(r.Target, "/accounts") }) {
		t.Error("the upstream got the smuggled request")
	}
	t.Run("an expectation of a refused request", func(t *testing.T) {
		const target = "/orders/refused" // Bytes of the requests above may come late.
		got := Exchange(t, g.Addr("shop"), raw("POST", target, "Expect: 100-continue", "Content-Length: 3")+"abc")
		if got.Status != 401 || bytes.Contains(bytes.Join(g.upstream.Streams(), nil), []byte(target)) {
			t.Errorf("got %d, want 401 and nothing at the upstream", got.Status)
		}
	})
}

// got returns the requests for a path that the upstream got so far.
func (g *guarded) got(target string) []Request {
	return slices.DeleteFunc(g.upstream.Requests(), func(r Request) bool { return r.Target != target })
}

// until reads what comes until nothing has come for a while, or the end. It has
// more patience with the first answer.
func (r *Raw) until(first, quiet time.Duration) string {
	var text []byte
	buffer := make([]byte, 4096)
	for wait := first; ; wait = quiet {
		_ = r.conn.SetReadDeadline(time.Now().Add(wait))
		n, err := r.reader.Read(buffer)
		text = append(text, buffer[:n]...)
		if err != nil {
			return string(text)
		}
	}
}
