package integration_test

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 sends one request frame by frame, as no HTTP client would, and returns the
// status of the answer, "" if the stream was reset or the connection closed.
// Caddy speaks HTTP/2 without TLS to whoever begins with it.
func h2(t *testing.T, addr string, fields [][2]string, body string, trailers [][2]string) string {
	t.Helper()
	socket := Dial(t, addr)
	defer socket.Close()
	socket.Send(http2.ClientPreface)
	framer := http2.NewFramer(socket.conn, socket.conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.AllowIllegalWrites = true
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	send := func(fields [][2]string, end bool) {
		block.Reset()
		for _, f := range fields {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: end, EndHeaders: true})
	}
	_ = framer.WriteSettings()
	send(fields, body == "" && trailers == nil)
	if body != "" {
		_ = framer.WriteData(1, trailers == nil, []byte(body))
	}
	if trailers != nil {
		send(trailers, true)
	}
	_ = socket.conn.SetReadDeadline(time.Now().Add(waitTimeout))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), "reset") {
				t.Errorf("reading a frame: %v", err)
			}
			return ""
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		}
	}
}

// What HTTP/2 adds to the ways to say two things at once.
func TestGuardHTTP2(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	token, other := g.forge(t, nil), g.forge(t, nil)
	type fields = [][2]string
	pseudo := func(method, path string) fields {
		return fields{{":method", method}, {":scheme", "http"}, {":authority", "shop.example.com"}, {":path", path}}
	}
	get := func(more ...[2]string) fields {
		return append(append(pseudo("GET", "/orders/1"), [2]string{"authorization", "Bearer " + token}), more...)
	}
	at := func(path string) fields {
		return append(pseudo("GET", path), [2]string{"authorization", "Bearer " + token})
	}
	const none = "" // no answer, or any 4xx: nothing of it may reach the upstream
	cases := map[string]struct {
		fields   fields
		body     string
		trailers fields
		want     string
	}{
		"regular":                         {get(), "", nil, "200"},
		"no token":                        {pseudo("GET", "/orders/1"), "", nil, "401"},
		"two tokens":                      {get([2]string{"authorization", "Bearer " + other}), "", nil, "400"},
		"a token by alias":                {get([2]string{"csp_auth_token", other}, [2]string{"csp.auth.token", other}), "", nil, "200"},
		"cookie crumbs":                   {get([2]string{"cookie", "a=b"}, [2]string{"cookie", "csp-auth-token=" + other}), "", nil, "200"},
		"overrides":                       {get([2]string{"x-http-method-override", "DELETE"}, [2]string{"x-original-url", "/admin"}), "", nil, "200"},
		"te":                              {get([2]string{"te", "trailers"}), "", nil, "200"},
		"another te":                      {get([2]string{"te", "gzip"}), "", nil, none},
		"connection":                      {get([2]string{"connection", "authorization"}), "", nil, none},
		"keep-alive":                      {get([2]string{"keep-alive", "authorization"}), "", nil, none},
		"proxy-connection":                {get([2]string{"proxy-connection", "authorization"}), "", nil, none},
		"transfer-encoding":               {get([2]string{"transfer-encoding", "chunked"}), "0\r\n\r\n", nil, none},
		"upgrade":                         {get([2]string{"upgrade", "h2c"}), "", nil, none},
		"capitals":                        {get([2]string{"X-A", "b"}), "", nil, none},
		"Authorization in capitals":       {append(pseudo("GET", "/orders/1"), [2]string{"Authorization", "Bearer " + token}), "", nil, none},
		"line end in a value":             {get([2]string{"x-a", "b\r\nx-original-url: /admin"}), "", nil, none},
		"NUL in a value":                  {get([2]string{"x-a", "b\x00c"}), "", nil, none},
		"line end in a name":              {get([2]string{"x-a: b\r\nx-c", "d"}), "", nil, none},
		"colon in a name":                 {get([2]string{"x-a:b", "c"}), "", nil, none},
		"blank in a name":                 {get([2]string{"authorization ", "Bearer " + other}), "", nil, none},
		"no name":                         {get([2]string{"", "x"}), "", nil, none},
		"pseudo-header behind":            {get([2]string{":path", "/accounts/1"}), "", nil, none},
		"path twice":                      {append(fields{{":path", "/accounts/1"}}, get()...), "", nil, none},
		"method twice":                    {append(fields{{":method", "POST"}}, get()...), "", nil, none},
		"unknown pseudo-header":           {append(fields{{":token", other}}, get()...), "", nil, none},
		"status in a request":             {append(fields{{":status", "200"}}, get()...), "", nil, none},
		"no path":                         {get()[:3], "", nil, none},
		"no method":                       {get()[1:], "", nil, none},
		"line end in the method":          {append(pseudo("GET /admin HTTP/1.1\r\nx:", "/orders/1"), get()[4:]...), "", nil, none},
		"line end in the path":            {at("/orders/1 HTTP/1.1\r\nx: y"), "", nil, none},
		"blank in the path":               {at("/orders/1 /x"), "", nil, none},
		"empty path":                      {at(""), "", nil, none},
		"path without a slash":            {at("orders/1"), "", nil, none},
		"absolute path":                   {at("http://shop.example.com/orders/1"), "", nil, none},
		"star":                            {at("*"), "", nil, none},
		"two slashes":                     {at("//orders/1"), "", nil, "400"},
		"dots":                            {at("/assets/../orders/1"), "", nil, "400"},
		"encoded dots":                    {at("/assets/%2e%2e/orders/1"), "", nil, "400"},
		"parameters":                      {at("/x/..;/orders/1"), "", nil, "400"},
		"a fragment":                      {at("/orders/1#x"), "", nil, "400"},
		"a token in the query":            {append(pseudo("GET", "/orders/1?access_token="+token), get()[4:]...), "", nil, "400"},
		"CONNECT":                         {fields{{":method", "CONNECT"}, {":authority", "shop.example.com:443"}, {"authorization", "Bearer " + token}}, "", nil, none},
		"extended CONNECT":                {append(append(fields{{":protocol", "websocket"}}, pseudo("CONNECT", "/orders/1")...), get()[4:]...), "", nil, none},
		"more than its length":            {append(pseudo("POST", "/orders/1"), append(get()[4:], [2]string{"content-length", "3"})...), "abcdef", nil, none},
		"two lengths":                     {append(pseudo("POST", "/orders/1"), append(get()[4:], [2]string{"content-length", "3"}, [2]string{"content-length", "6"})...), "abcdef", nil, none},
		"Authorization in trailers":       {append(pseudo("POST", "/orders/1"), append(get()[4:], [2]string{"trailer", "x-ok"})...), "abc", fields{{"x-ok", "1"}, {"authorization", "Bearer " + other}, {"csp-auth-token", other}}, none},
		"csp-auth-token in trailers":      {append(pseudo("POST", "/orders/1"), append(get()[4:], [2]string{"trailer", "x-ok"})...), "abc", fields{{"x-ok", "1"}, {"csp-auth-token", other}}, "200"},
		"a copy in trailers":              {append(pseudo("POST", "/orders/1"), append(get()[4:], [2]string{"trailer", "x-ok, x-late"})...), "abc", fields{{"x-ok", "1"}, {"x-late", token}}, "200"},
		"pseudo-headers in trailers":      {append(pseudo("POST", "/orders/1"), get()[4:]...), "abc", fields{{":path", "/accounts/1"}}, none},
		"another host beside :authority":  {get([2]string{"host", "admin.example.com"}), "", nil, none},
		"userinfo in :authority":          {append(fields{{":method", "GET"}, {":scheme", "http"}, {":authority", "a@shop.example.com"}, {":path", "/orders/1"}}, get()[4:]...), "", nil, none},
		"a path in :authority":            {append(fields{{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example.com/admin"}, {":path", "/orders/1"}}, get()[4:]...), "", nil, none},
		"a line end in :authority":        {append(fields{{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example.com\r\nx: y"}, {":path", "/orders/1"}}, get()[4:]...), "", nil, none},
		"a URL as :scheme":                {append(fields{{":method", "GET"}, {":scheme", "http://evil.example.com/x?"}, {":authority", "shop.example.com"}, {":path", "/orders/1"}}, get()[4:]...), "", nil, none},
		"h2c settings and method in case": {append(pseudo("get", "/orders/1"), append(get()[4:], [2]string{"http2-settings", "AAMAAABk"})...), "", nil, "403"},
	}
	// What a proxy had forwarded of a body that was cut off can arrive late, so
	// the cases that count bytes come first.
	names := slices.SortedFunc(maps.Keys(cases), func(a, b string) int {
		return cmp.Compare(len(cases[a].body), len(cases[b].body))
	})
	for _, name := range names {
		c := cases[name]
		t.Run(name, func(t *testing.T) {
			before, seen := len(g.upstream.Requests()), g.seen()
			status := h2(t, g.Addr("shop"), c.fields, c.body, c.trailers)
			if status != c.want && (c.want != none || !strings.HasPrefix(status, "4")) {
				t.Errorf("got %q, want %q", status, c.want)
			}
			requests := g.upstream.Requests()[before:]
			if status != "200" {
				if len(requests) > 0 || c.body == "" && g.seen() != seen {
					t.Errorf("the upstream got %v of a refused request", requests)
				}
				return
			}
			if len(requests) != 1 {
				t.Fatalf("the upstream got %d requests, want 1", len(requests))
			}
			got := requests[0]
			exchanged(t, got)
			if got.Target != "/orders/1" || got.Get("Host") != "shop.example.com" {
				t.Errorf("the upstream got %s of host %q", got.Line, got.Get("Host"))
			}
			for _, field := range append(got.Header, got.Trailer...) {
				if strings.Contains(field.Value, other) || strings.Contains(strings.ToLower(field.Name), "override") || strings.Contains(field.Value, "/admin") {
					t.Errorf("the upstream got %s: %s", field.Name, field.Value)
				}
			}
			if name == "cookie crumbs" && got.Get("Cookie") != "a=b" {
				t.Errorf("Cookie: got %q, want the other cookie kept", got.Get("Cookie"))
			}
		})
	}
}
