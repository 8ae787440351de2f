package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestRequestsWaitALittle has no app at work. A start may be on its way; but who
// knows how long a store stays away.
func TestRequestsWaitALittle(t *testing.T) {
	for name, c := range map[string]struct {
		waitsFor *string
		want     time.Duration
	}{
		"start":          {nil, 5 * time.Second},
		"the store":      {&waitsForStore, 500 * time.Millisecond},
		"the state keys": {&waitsForStateKey, 500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			app := &App{ready: make(chan struct{}), ctx: caddy.Context{Context: t.Context()}}
			app.waitsFor.Store(c.waitsFor)
			began := time.Now()
			if app.waitReady(t.Context()) {
				t.Errorf("%s: a request was let in", name)
			}
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: the request waited %v, want %v", name, took, c.want)
			}
		})
	}
}

// TestReady asks both handlers in every state: they answer at once, by
// themselves, and hand nothing on.
func TestReady(t *testing.T) {
	w := newLive(t)
	app := w.start(t, live("", ""))
	token := w.token(t)
	waiting := &App{ready: make(chan struct{})}
	for _, state := range []struct {
		name, want string
		app        *App
		status     int
	}{
		{"not bound", `{"ready":false,"waiting_for":["configuration"],"details":{},"reason":"not_ready"}`, nil, 503},
		{"not started", `{"ready":false,"waiting_for":["start"],"details":{},"reason":"not_ready"}`, waiting, 503},
		{"at work", `{"ready":true,"waiting_for":[],"details":{"revocations":"ok","store":"ok"}}`, app, 200},
	} {
		for name, h := range map[string]caddyhttp.MiddlewareHandler{
			"guard": &Guard{app: state.app, log: app.log}, "oauth_server": &OAuthServer{app: state.app, log: app.log},
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
				t.Run(state.name+" "+name+" "+method, func(t *testing.T) {
					var r *http.Request
					var rec *httptest.ResponseRecorder
					eventually(t, "the store not to answer late, which counts as away", func() bool {
						after := new(next)
						r, rec = request(method, "http://localhost/.well-known/scopegate/read%79?x=1", token), httptest.NewRecorder()
						if err := h.ServeHTTP(rec, r, after); err != nil || after.calls != 0 {
							t.Fatalf("got %v and %d calls of next, want an answer", err, after.calls)
						}
						return !strings.Contains(rec.Body.String(), `"store":"away"`)
					})
					if name == "guard" && r.Header.Get("Authorization") != "" {
						t.Error("the caller's token is still in the request")
					}
					status, body := state.status, state.want+"\n"
					switch method {
					case "HEAD":
						body = ""
					case "POST", "OPTIONS":
						status, body = 405, "expected GET, HEAD\n"
					}
					if rec.Code != status || rec.Body.String() != body {
						t.Errorf("got %d %q, want %d %q", rec.Code, rec.Body, status, body)
					}
					if got := rec.Header().Get("Retry-After"); (got != "") != (status == 503) {
						t.Errorf("got Retry-After %q with %d", got, status)
					}
					if got := rec.Header().Get("Allow"); (got == "GET, HEAD") != (status == 405) {
						t.Errorf("got Allow %q with %d", got, status)
					}
					if got := rec.Header().Get("Cache-Control"); status != 405 && got != "no-store" {
						t.Errorf("got Cache-Control %q, want no-store", got)
					}
				})
			}
		}
	}
	// Another path is nobody's but the rules'.
	for _, path := range []string{readyPath + "/", "/x" + readyPath, strings.ToUpper(readyPath)} {
		rec, after := httptest.NewRecorder(), new(next)
		if err := app.guards[0].ServeHTTP(rec, request("GET", "http://localhost"+path, ""), after); err != nil || rec.Code != 401 || after.calls != 0 {
			t.Errorf("%s: got %d, %v and %d calls of next, want 401", path, rec.Code, err, after.calls)
		}
	}
}
