package tokenexchange

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// bodyCase is a line of testdata/bodies.txt, whose head says what it means.
type bodyCase struct{ name, query, kind, body, want string }

func readBodies(t *testing.T) (cases []bodyCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/bodies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if line[0] == '#' {
			continue
		}
		if len(cells) != 5 {
			t.Fatalf("testdata/bodies.txt: %q: expected 5 cells", line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		body, rest, filled := strings.Cut(cells[3], "$fill")
		if filled {
			body += strings.Repeat("x", maxBody-len(body)) + rest
		}
		body = strings.NewReplacer("$mib", strings.Repeat("x", 1<<20), "$ff", "\xff", "$scope", scopeOf("orders.read"),
			"$jwt", secret("a token in the place of a name", "eyJhbGciOiJFUzI1NiJ9.c29tZS10b2tlbi1pbi1hLXdyb25nLXBsYWNl.c2ln")).Replace(body)
		cases = append(cases, bodyCase{cells[0], cells[1], cells[2], body, cells[4]})
	}
	return cases
}

// TestBodies sends what is no plain token request. The client authenticates in
// the header, so that the body is the only thing that differs.
func TestBodies(t *testing.T) {
	const wwwForm, cc = "application/x-www-form-urlencoded", "grant_type=client_credentials"
	h := newHouse(t)
	for _, c := range readBodies(t) {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/oauth2/token"+c.query, strings.NewReader(c.body))
			r.SetBasicAuth("nightly", secretOf("nightly"))
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			g := h.do(r)
			if c.want == "granted" {
				g.granted(t)
				return
			}
			g.refused(t, 400, "invalid_request", c.want)
		})
	}
	r := form(cc)
	r.Header.Add("Content-Type", wwwForm)
	h.do(r).refused(t, 400, "invalid_request", "content_type")
	r = httptest.NewRequest(http.MethodPost, "/oauth2/token", io.MultiReader(strings.NewReader(cc), brokenReader{}))
	r.Header.Set("Content-Type", wwwForm)
	h.do(r).refused(t, 400, "invalid_request", "body_malformed")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the client hung up") }

func TestMethodsAndPaths(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/oauth2/token", "POST", 405},
		{"HEAD", "/oauth2/token", "POST", 405},
		{"PUT", "/oauth2/token", "POST", 405},
		{"OPTIONS", "/csp/gateway/am/api/auth/authorize", "POST", 405},
		{"GET", "/oauth2/token?grant_type=client_credentials", "POST", 405},
		{"POST", "/oauth2/jwks", "GET, HEAD", 405},
		{"DELETE", "/.well-known/openid-configuration", "GET, HEAD", 405},
		{"GET", "/oauth2/jwks", "", 200},
		{"HEAD", "/oauth2/jwks", "", 200},
		{"GET", "//oauth2/jwks", "", 200},
		{"GET", "/csp/gateway/am/api/auth/keys", "", 200},
		{"GET", "//csp/gateway/am/api/auth/.well-known/openid-configuration", "", 200},
		{"GET", "/.well-known/oauth-authorization-server", "", 200},
		{"GET", "///oauth2/jwks", "", 404},
		{"GET", "/oauth2//jwks", "", 404},
		{"GET", "/oauth2/jwks/", "", 404},
		{"GET", "/OAUTH2/jwks", "", 404},
		{"GET", "/oauth2/jwks/../token", "", 404},
		{"GET", "/", "", 404},
	} {
		g := h.do(httptest.NewRequest(c.method, c.path, nil))
		if g.status != c.status || g.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", c.method, c.path, g.status, g.header.Get("Allow"), c.status, c.allow)
		}
		if owns := Owns(strings.SplitN(c.path, "?", 2)[0]); owns != (c.status != 404) {
			t.Errorf("Owns(%s): got %v", c.path, owns)
		}
	}
	for _, path := range []string{"/oauth2/token", "//oauth2/token", "/csp/gateway/am/api/auth/token", "//csp/gateway/am/api/auth/authorize"} {
		r := form("grant_type=client_credentials")
		r.URL.Path = path
		r.SetBasicAuth("nightly", secretOf("nightly"))
		h.do(r).granted(t)
	}
}

func TestTraceparent(t *testing.T) {
	h := newHouse(t)
	for parent, want := range map[string]any{
		"": nil, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "0af7651916cd43dd8448eb211c80319c",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": nil, "00-0af7651916cd43dd8448eb211c80319c": nil,
		"00-<script>alert(1)</script>xxxxxxx-b7ad6b7169203331-01": nil,
	} {
		r := form("grant_type=x")
		r.Header.Set("Traceparent", parent)
		if got := h.do(r).body["traceId"]; got != want {
			t.Errorf("%q: got %v, want %v", parent, got, want)
		}
	}
}

func TestServeNotReady(t *testing.T) {
	h := newHouse(t)
	w := httptest.NewRecorder()
	ServeNotReady(w, httptest.NewRequest("POST", "/oauth2/token", nil), nil, h.log)
	g := got{status: w.Code, header: w.Header(), raw: w.Body.String()}
	for into, text := range map[*map[string]any]string{&g.body: g.raw, &g.record: h.records.String()} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	g.refused(t, 503, "temporarily_unavailable", "not_ready")
}
