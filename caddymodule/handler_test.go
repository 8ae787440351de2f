package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestNotReady drives guards and token endpoints that no app works with: they
// refuse, and let nothing through.
func TestNotReady(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	records := new(bytes.Buffer)
	waiting := &App{ready: make(chan struct{}), ctx: caddy.Context{Context: t.Context()}, log: slog.New(slog.NewTextHandler(records, nil))}
	started := &App{ready: make(chan struct{}), ctx: waiting.ctx, log: waiting.log}
	close(started.ready)
	for _, tc := range []struct {
		name  string
		guard *Guard
	}{
		{"not bound", new(Guard)},
		{"not bound, csp-auth-token accepted", &Guard{AcceptCSPAuthToken: true}},
		{"not started", &Guard{app: waiting}},
		{"started without this guard", &Guard{app: started}},
	} {
		for _, target := range []string{"/", "/healthz", "/orders/1?access_token=x", "/oauth2/token"} {
			t.Run(tc.name+target, func(t *testing.T) {
				r := request("GET", "http://localhost"+target, "a.b.c").WithContext(gone)
				r.Header.Set("Csp-Auth-Token", "d.e.f")
				rec, after := httptest.NewRecorder(), new(next)
				records.Reset()
				if err := tc.guard.ServeHTTP(rec, r, after); err != nil {
					t.Errorf("got the error %v, want an answer", err)
				}
				checkNotReady(t, rec, "reason")
				if tc.guard.app != nil && !strings.Contains(records.String(), "msg=decision") {
					t.Error("the app's log has no record of the decision")
				}
				if after.calls != 0 {
					t.Error("the next handler was called")
				}
				for name := range r.Header {
					if name == "Authorization" || name == "Csp-Auth-Token" {
						t.Errorf("%s is still in the request", name)
					}
				}
			})
		}
	}

	for name, app := range map[string]*App{"not bound": nil, "not started": waiting} {
		t.Run("oauth_server "+name, func(t *testing.T) {
			h := &OAuthServer{app: app}
			rec, after := httptest.NewRecorder(), new(next)
			records.Reset()
			if err := h.ServeHTTP(rec, request("POST", "http://localhost/oauth2/token", "").WithContext(gone), after); err != nil || after.calls != 0 {
				t.Errorf("got %v and %d calls of next, want an answer", err, after.calls)
			}
			checkNotReady(t, rec, "error")
			if app != nil && !strings.Contains(records.String(), "msg=decision") {
				t.Error("the app's log has no record of the decision")
			}
			if err := h.ServeHTTP(rec, request("GET", "http://localhost/x", "").WithContext(gone), after); err != nil || after.calls != 1 {
				t.Errorf("another path: got %v and %d calls of next, want one", err, after.calls)
			}
		})
	}
}

func checkNotReady(t *testing.T, rec *httptest.ResponseRecorder, key string) {
	t.Helper()
	want := map[string]string{"reason": "not_ready", "error": "temporarily_unavailable"}[key]
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body[key] != want {
		t.Errorf("got the body %q (%v), want %s %s", rec.Body, err, key, want)
	}
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("got %d with %v, want 503 with Retry-After", rec.Code, rec.Header())
	}
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("got the content type %q, want JSON", got)
	}
}

// TestGuardTakesItsTokenBack ends the handler behind a guard in every way: the
// exchanged token is there while it runs, and never after.
func TestGuardTakesItsTokenBack(t *testing.T) {
	w := newLive(t)
	app := w.start(t, live("", ""))
	token := w.token(t)
	for _, tc := range []struct {
		name   string
		accept bool
		header string // a csp-auth-token that was sent
		next   next
		want   error
		status int
	}{
		{name: "it answers", status: 200},
		{name: "it fails", next: next{err: errUpstream}, want: errUpstream, status: 200},
		{name: "it panics", next: next{panic: true}, status: 200},
		{name: "csp-auth-token accepted: it answers", accept: true, status: 200},
		{name: "csp-auth-token accepted: it fails", accept: true, next: next{err: errUpstream}, status: 502},
		{name: "csp-auth-token accepted: it fails without a status", accept: true, next: next{err: errors.New("x")}, status: 500},
		{name: "csp-auth-token accepted: it panics", accept: true, next: next{panic: true}, status: 200},
		{name: "csp-auth-token sent: it fails", header: "a.b.c", next: next{err: errUpstream}, status: 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := &Guard{Service: "shop", AcceptCSPAuthToken: tc.accept, app: app, log: app.log}
			g.current.Store(app.guards[0].current.Load())
			r, rec := request("GET", "http://localhost/orders/1", token), httptest.NewRecorder()
			if tc.header != "" {
				r.Header.Set("Csp-Auth-Token", tc.header)
			}
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil && !tc.next.panic {
						t.Errorf("it panicked: %v", p)
					}
				}()
				return g.ServeHTTP(rec, r, &tc.next)
			}()
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Errorf("got the error %v, want %v", err, tc.want)
			}
			if rec.Code != tc.status {
				t.Errorf("got the status %d, want %d", rec.Code, tc.status)
			}
			if tc.next.calls != 1 || !strings.HasPrefix(tc.next.auth, "Bearer ") || strings.Contains(tc.next.auth, token) {
				t.Errorf("next was called %d times with a token of %d bytes, want once with another token", tc.next.calls, len(tc.next.auth))
			}
			if _, still := r.Header["Authorization"]; still {
				t.Error("Authorization is still in the request")
			}
		})
	}
}

// TestPlaceholders holds what later handlers and the access log can show.
func TestPlaceholders(t *testing.T) {
	w := newLive(t)
	g := w.start(t, live("", "")).guards[0]
	token := w.token(t)
	const allowed, path = "http.scopegate.reason", "http://localhost/orders/1"
	for _, tc := range []struct {
		name, method, target, token string
		calls                       int
		want                        map[string]string
	}{
		{"allowed", "GET", path, token, 1, map[string]string{
			"http.auth.user.id": "nightly", "http.auth.user.client_id": "nightly", "http.auth.user.act": "", "http.auth.user.org": "",
			allowed: "allowed", "http.scopegate.rule": "GET /orders/{id}",
		}},
		{"no token", "GET", path, "", 0, map[string]string{"http.auth.user.id": "", allowed: "no_token", "http.scopegate.rule": "GET /orders/{id}"}},
		{"no rule", "GET", "http://localhost/x", token, 0, map[string]string{"http.auth.user.id": "nightly", allowed: "no_rule", "http.scopegate.rule": ""}},
		{"public", "GET", "http://localhost/healthz", token, 1, map[string]string{"http.auth.user.id": "", allowed: "allowed", "http.scopegate.rule": "GET /healthz"}},
		{"authenticated", "GET", "http://localhost/me", token, 1, map[string]string{"http.auth.user.id": "nightly", allowed: "allowed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, after := request(tc.method, tc.target, tc.token), new(next)
			rec := httptest.NewRecorder()
			if err := g.ServeHTTP(rec, r, after); err != nil || after.calls != tc.calls {
				t.Fatalf("got %v and %d calls of next, want %d", err, after.calls, tc.calls)
			}
			repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			for key, want := range tc.want {
				if got, _ := repl.GetString(key); got != want {
					t.Errorf("{%s}: got %q, want %q", key, got, want)
				}
			}
			// What Caddy does not know it leaves as it is written: an upstream would read
			// "{http.auth.user.act}" as the name of an actor.
			for _, key := range []string{"http.auth.user.id", "http.auth.user.client_id", "http.auth.user.org", "http.auth.user.act"} {
				if _, known := repl.Get(key); known != (tc.want["http.auth.user.id"] != "") {
					t.Errorf("{%s}: known is %v, want it with a verified token and never without", key, known)
				}
			}
			id, _ := repl.GetString("http.scopegate.decision_id")
			if id == "" || tc.calls == 0 && id != rec.Header().Get("Scopegate-Decision") {
				t.Errorf("decision_id: got %q, the answer says %q", id, rec.Header().Get("Scopegate-Decision"))
			}
		})
	}
}
