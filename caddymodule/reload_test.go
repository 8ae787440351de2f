package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
)

// boltAt is the line for a store in a file of its own.
func boltAt(name string) string {
	return "\t\tstore bolt {\n\t\t\tpath DIR/" + name + "\n\t\t}\n"
}

// count is the number of configurations and requests that hold a store.
func (s *shared) count() int {
	open.Lock()
	defer open.Unlock()
	return s.refs
}

// stores is the number of open stores.
func stores() int {
	open.Lock()
	defer open.Unlock()
	return len(open.byKey)
}

func (w liveWorld) status(t *testing.T, path string) int {
	t.Helper()
	res, err := client.Get(w.url(path))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// statusWith asks the guard with a token.
func (w liveWorld) statusWith(t *testing.T, path, token string) int {
	t.Helper()
	r, err := http.NewRequest("GET", w.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// guarded asks the guard with a token, and wants this status.
func (w liveWorld) guarded(t *testing.T, path, token string, want int) {
	t.Helper()
	if got := w.statusWith(t, path, token); got != want {
		t.Errorf("GET %s: got %d, want %d", path, got, want)
	}
}

// eventually waits for what happens in the background after a reload.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for: %s", what)
		}
	}
}

// TestReload changes the rules: store and caches stay, and each configuration
// gives back what it took, once.
func TestReload(t *testing.T) {
	w := newLive(t)
	first := w.start(t, live(boltAt("a.db"), ""))
	kept, caches := first.shared, first.shared.caches
	token := w.token(t)
	for i, rules := range []string{"\t\tpublic GET /one", "\t\tpublic GET /two", "\t\tpublic GET /three"} {
		if err := w.load(live(boltAt("a.db"), rules)); err != nil {
			t.Fatal(err)
		}
		app := running(t)
		if app == first || app.shared != kept || app.shared.caches != caches {
			t.Fatalf("reload %d: the store or its caches are not those from before", i)
		}
		if got := kept.count(); got != 1 {
			t.Errorf("reload %d: got %d references, want 1", i, got)
		}
		if got := w.status(t, "/"+strings.Fields(rules)[2][1:]); got != 200 {
			t.Errorf("reload %d: the new rule: got %d, want 200", i, got)
		}
		if got := w.status(t, "/nothing"); got != 401 {
			t.Errorf("reload %d: no rule: got %d, want 401", i, got)
		}
	}
	w.guarded(t, "/orders/1", token, 200)

	// A second release must not take the reference of another configuration.
	if err := first.Cleanup(); err != nil || kept.count() != 1 {
		t.Errorf("a second cleanup: got %v and %d references, want 1", err, kept.count())
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := kept.count(); got != 0 {
		t.Errorf("stopped: got %d references, want none", got)
	}
	reopen(t, w.path("a.db"))
}

// reopen shows that nobody holds a store's file.
func reopen(t *testing.T, path string) {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Errorf("the store is still open: %v", err)
		return
	}
	s.Close()
}

// TestFailedStart tries configurations that load and do not start: the running
// one stays, and what they took is given back.
func TestFailedStart(t *testing.T) {
	w := newLive(t)
	if err := os.Remove(w.path("rs256.pem")); err != nil {
		t.Fatal(err)
	}
	before := w.start(t, live(boltAt("a.db"), ""))
	held, err := boltstore.Open(w.path("held.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	w.write(t, "text.db", strings.Repeat("this is no store\n", 1000))
	bad := filepath.Join(w.path("storage"), "scopegate", "localhost-8080")
	if err := os.MkdirAll(bad, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"es256.pem", "state.key"} {
		if err := os.WriteFile(filepath.Join(bad, name), []byte("no key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rsa := "\t\tclient other {\n\t\t\tpublic\n\t\t\tgrant_types password\n\t\t\tpermit none\n\t\t\taccess_token_alg RS256\n\t\t}\n"
	for _, tc := range []struct{ name, config, want string }{
		{"the store is held by another", live(boltAt("held.db"), ""), "held.db"},
		{"the store is another issuer's", strings.Replace(live(boltAt("a.db"), ""), "localhost:8080", "localhost:8089", 1), "open for the issuer http://localhost:8080"},
		{"the store is no store", live(boltAt("text.db"), ""), "text.db"},
		{"the stored signing key is none", strings.Replace(live(boltAt("a.db"), ""), "signing_key file DIR/es256.pem", "", 1), "signing_key generated: the key in storage"},
		{"the stored state key is none", strings.Replace(live(boltAt("a.db"), ""), "state_key file DIR/state.key", "", 1), "state_key generated: the key in storage"},
		{"no key for a client, with the same store", live(boltAt("a.db")+rsa, ""), "client other: access_token_alg: RS256: there is no signing_key for it"},
		{"no key for a client, with another store", live(boltAt("b.db")+rsa, ""), "client other: access_token_alg: RS256: there is no signing_key for it"},
		{"no key for a client, with a store in memory", live("\t\tstore memory\n"+rsa, ""), "client other: access_token_alg: RS256: there is no signing_key for it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := w.load(tc.config)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error with %s", err, tc.want)
			}
			if strings.Contains(err.Error(), "no key\n") || strings.Contains(err.Error(), liveSecret) {
				t.Errorf("the error shows a secret: %v", err)
			}
			if app := running(t); app != before {
				t.Error("another configuration runs")
			}
			if got := before.shared.count(); got != 1 {
				t.Errorf("got %d references to the store that runs, want 1", got)
			}
			if got := stores(); got != 1 {
				t.Errorf("got %d open stores, want the one that runs", got)
			}
			w.token(t)
		})
	}
	reopen(t, w.path("b.db"))
}

// TestRequestOutlivesItsConfiguration keeps a token request open over two
// reloads to other stores: its store is closed when it ends, and not before.
func TestRequestOutlivesItsConfiguration(t *testing.T) {
	w := newLive(t)
	app := w.start(t, live(boltAt("a.db"), ""))
	held := app.shared
	body, send := io.Pipe()
	status := make(chan int, 1)
	go func() {
		res, err := client.Post(w.url("/oauth2/token"), "application/x-www-form-urlencoded", body)
		if err != nil {
			status <- -1
			return
		}
		defer res.Body.Close()
		status <- res.StatusCode
	}()
	if _, err := io.WriteString(send, tokenForm()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request to hold the store", func() bool { return held.count() == 2 })
	for _, name := range []string{"b.db", "c.db"} {
		if err := w.load(live(boltAt(name), "")); err != nil {
			t.Fatal(err)
		}
	}
	if got := held.count(); got != 1 {
		t.Errorf("after two reloads: got %d references, want the request's", got)
	}
	if _, err := held.store.Get(t.Context(), "absent"); !errors.Is(err, tokenexchange.ErrNotFound) {
		t.Errorf("the store of the open request: got %v, want that it answers", err)
	}
	if err := held.hold(); err != nil {
		t.Errorf("another request of that configuration: got %v, want the store", err)
	}
	if err := held.letGo(); err != nil {
		t.Error(err)
	}
	send.Close()
	if got := <-status; got != 200 {
		t.Errorf("the open request: got %d, want 200", got)
	}
	eventually(t, "the store to be closed", func() bool { return held.count() == 0 })
	if _, err := held.store.Get(t.Context(), "absent"); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("the store after the last request: got %v, want that it is closed", err)
	}
	if err := held.hold(); !errors.Is(err, errClosed) {
		t.Errorf("a request that comes too late: got %v, want %v", err, errClosed)
	}
	reopen(t, w.path("a.db"))
}
