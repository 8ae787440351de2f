package caddymodule

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// late has the handlers of a configuration answer a request, as Caddy's server
// does when it read the request just before a reload.
func late(t *testing.T, app *App, method, path, token string) (status int, body string) {
	t.Helper()
	rec := httptest.NewRecorder()
	var err error
	if method == "POST" {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(tokenForm()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		err = (&OAuthServer{app: app}).ServeHTTP(rec, r, new(next))
	} else {
		r, after := request(method, "http://localhost"+path, token), new(next)
		err = app.guards[0].ServeHTTP(rec, r, after)
		if (rec.Code == 200) != (after.calls == 1) {
			t.Errorf("got %d and %d calls of the next handler", rec.Code, after.calls)
		}
	}
	if err != nil {
		t.Error(err)
	}
	return rec.Code, rec.Body.String()
}

// TestLateRequest has a configuration that a reload ended answer a request.
// What the new one took away is gone, and what both allow goes on.
func TestLateRequest(t *testing.T) {
	w := newLive(t)
	after := live("\t\tstore memory\n", "")
	two := func(guard string) string {
		return after + "http://internal.localhost:PORT {\n\tbind 127.0.0.1\n" + guard + "\n\trespond internal\n}\n"
	}
	for _, tc := range []struct {
		name, after, method, path string
		status                    int
		want                      string
	}{
		{"rule kept", after, "GET", "/orders/1", 200, ""},
		{"another guard of the service besides", two("\tguard shop {\n\t\t\tpublic GET /x\n\t\t}"), "GET", "/orders/1", 503, "not_ready"},
		{"another guard that allows it too", two("\tguard shop {" + liveGuard + "\t\t}"), "GET", "/orders/1", 200, ""},
		{"rule removed, and allowed at another host", two("\tguard shop {\n\t\t\tpublic GET /gone/{_id}\n\t\t}"), "GET", "/gone/1", 503, "not_ready"},
		{"public rule kept", after, "GET", "/healthz", 200, ""},
		{"rule removed", after, "GET", "/gone/1", 403, "no_rule"},
		{"public rule removed", strings.Replace(after, "public GET /healthz", "", 1), "GET", "/healthz", 403, "no_rule"},
		{"permission changed", strings.Replace(after, "GET /orders/{id} read", "GET /orders/{id} write", 1), "GET", "/orders/1", 403, "permission_missing"},
		{"rule added", strings.Replace(after, "authenticated GET /me", "authenticated GET /new", 1), "GET", "/new", 403, "no_rule"},
		{"another issuer", strings.Replace(after, "localhost:8080", "localhost:8089", 1), "GET", "/orders/1", 503, "not_ready"},
		{"no Scopegate", "{\n\tadmin off\n\tpersist_config off\n}\nhttp://localhost:PORT {\n\tbind 127.0.0.1\n\trespond behind\n}\n", "GET", "/orders/1", 503, "not_ready"},
		{"another service", strings.NewReplacer("guard shop", "guard other", "\t\tclient nightly", "\t\tservice other https://other.example.com {\n\t\t\tpermissions read\n\t\t}\n\t\tclient nightly").Replace(after), "GET", "/orders/1", 503, "not_ready"},
		{"client kept", after, "POST", "/oauth2/token", 200, "access_token"},
		{"another store", live(boltAt("other.db"), ""), "POST", "/oauth2/token", 200, "access_token"},
		{"client removed", strings.ReplaceAll(after, "client nightly", "client daily"), "POST", "/oauth2/token", 401, "invalid_client"},
		{"token endpoint removed", strings.Replace(after, "\toauth_server\n", "", 1), "POST", "/oauth2/token", 503, "temporarily_unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			app := w.start(t, live("\t\tstore memory\n", "\t\tGET /gone/{id} read orders/{id}"))
			token := w.token(t)
			if err := w.load(tc.after); err != nil {
				t.Fatal(err)
			}
			status, body := late(t, app, tc.method, tc.path, token)
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %s, want %d %s", status, body, tc.status, tc.want)
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if got := stores(); got != 0 {
				t.Errorf("stopped: got %d open stores, want none", got)
			}
		})
	}
}

// TestReturnToAStore reloads to another store and back while a request still
// holds the first: it is the same one, and nobody waits for a lock.
func TestReturnToAStore(t *testing.T) {
	w := newLive(t)
	held := w.start(t, live(boltAt("a.db"), "")).shared
	if err := held.hold(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.db", "a.db"} {
		if err := w.load(live(boltAt(name), "")); err != nil {
			t.Fatal(err)
		}
	}
	if running(t).shared != held || held.count() != 2 {
		t.Errorf("got another store, or %d references, want that of the request and 2", held.count())
	}
	if err := held.letGo(); err != nil {
		t.Fatal(err)
	}
	w.token(t)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	reopen(t, w.path("a.db"))
}

// TestOneFileByManyNames names the file of a running store in other ways.
func TestOneFileByManyNames(t *testing.T) {
	w := newLive(t)
	kept := w.start(t, live(boltAt("state/a.db"), "")).shared
	if err := os.Symlink(w.path("state"), w.path("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.path("state/a.db"), w.path("a.db")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"./state/../state/a.db", "link/a.db", "a.db"} {
		if err := w.load(live(boltAt(name), "")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if running(t).shared != kept {
			t.Errorf("%s: got another store", name)
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	// A first start names a file that is not there yet.
	first := w.start(t, live(boltAt("link/new.db"), "")).shared
	if err := w.load(live(boltAt("state/new.db"), "")); err != nil || running(t).shared != first {
		t.Errorf("the folder by another name: got %v or another store", err)
	}
}

// TestRefusedWhileItStarted has a request wait for a configuration that is then
// refused: it gets its answer at once.
func TestRefusedWhileItStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refused = 50 * time.Millisecond
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		app := &App{ready: make(chan struct{}), ctx: ctx}
		began := time.Now()
		time.AfterFunc(refused, cancel)
		rec := httptest.NewRecorder()
		if err := (&Guard{app: app}).ServeHTTP(rec, request("GET", "http://localhost/orders/1", "a.b.c"), new(next)); err != nil {
			t.Error(err)
		}
		checkNotReady(t, rec, "reason")
		if took := time.Since(began); took != refused {
			t.Errorf("the answer took %v, want %v", took, refused)
		}
	})
}
