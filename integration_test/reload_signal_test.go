package integration_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SIGUSR1 reads the users file again although the Caddyfile did not change,
// with the admin API off. Who was disabled stays so over reloads, and a token
// from before that, or from before tokens_not_before, never works again. A file
// that changes is read without a signal too.
func TestReloadReadsUsersAgain(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: durableShop})
	login := func() string { return g.token("web", "grant_type=password", "username=alice", "password="+password) }
	before := login()
	users := strings.ReplaceAll(shopUsers, "{{.hash}}", passwordHash(t))
	alice := func(with string) {
		g.WriteFile("users.json", strings.Replace(users, `{"id":"alice",`, `{"id":"alice",`+with, 1))
	}
	for _, step := range []struct {
		name, with string
		before     int
	}{
		{"as it was", "", http.StatusOK},
		{"disabled", `"disabled":true,`, http.StatusUnauthorized},
		{"still disabled", `"disabled":true,`, http.StatusUnauthorized},
		{"enabled", "", http.StatusUnauthorized},
		{"cut", `"tokens_not_before":"2090-01-01T00:00:00Z",`, http.StatusUnauthorized},
	} {
		alice(step.with)
		g.Reload(g.config.Caddyfile)
		if got := g.again(http.MethodGet, "/orders/1", before); got.Status != step.before {
			t.Errorf("%s: got %d %s, want %d", step.name, got.Status, got.Body, step.before)
		}
		if step.name == "enabled" {
			g.worksSoon("she is back and logs in", login)
		}
	}
	alice("")
	g.worksSoon("a file that was changed and not loaded", login)
	if got := g.again(http.MethodGet, "/orders/1", before); got.Status != http.StatusUnauthorized {
		t.Errorf("the token from before: got %d, want 401", got.Status)
	}
}

// worksSoon logs in until the guard takes the token. Logins have whole seconds. How
// often the files are looked at, the tests of the watcher know: here a busy machine
// may take its time.
func (g *guarded) worksSoon(what string, login func() string) {
	g.t.Helper()
	began := time.Now()
	for g.again(http.MethodGet, "/orders/1", login()).Status != http.StatusOK {
		if time.Since(began) > waitTimeout {
			g.t.Fatalf("%s: no token works after %v", what, waitTimeout)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// `caddy run --watch` gives up at the first Caddyfile with an error in it;
// SIGUSR1 goes on. That is how Caddy is, and the documentation says so.
func TestWatchGivesUp(t *testing.T) {
	t.Parallel()
	c := &Caddy{Dir: t.TempDir(), t: t, ports: ports{}}
	site := func(name string) string {
		return "{\n\t{{globals}}\n}\nhttp://:{{port `web`}} {\n\trespond `" + name + "`\n}\n"
	}
	c.writeCaddyfile(site("first"))
	c.process = launch(t, c.Dir, filepath.Join(c.Dir, "home"), nil, "run", "--watch", "--config", "Caddyfile")
	t.Cleanup(c.Stop)
	c.WaitLog(0, MsgIs("watching config file for changes"))
	answers := func(want string) bool {
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(c.URL("web", "/"))
		if err != nil {
			return false
		}
		response, err := readAll(answer)
		return err == nil && response.Body == want
	}
	mark := c.Mark()
	c.WriteFile("Caddyfile", "{")
	c.WaitLog(mark, func(l Line) bool { return l.Level() == "error" && l.Logger() == "watcher" })
	mark = c.Mark()
	c.writeCaddyfile(site("second"))
	const looks = 3 * time.Second // Caddy looks every second.
	if line, ok := c.process.log.wait(looks, mark, func(l Line) bool { return l.Logger() == "watcher" }); ok {
		t.Errorf("--watch goes on after a bad file, the documentation says it does not: %s", line.Raw)
	}
	if !answers("first") {
		t.Error("got another answer, want that of the first configuration")
	}
	c.Reload(site("second"))
	if !answers("second") {
		t.Error("after SIGUSR1: got another answer, want that of the second configuration")
	}
}
