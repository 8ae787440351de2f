package integration_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// A stop ends no request that is under way, takes no new connection, and leaves
// a store that opens at once.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: strings.ReplaceAll(durableShop, "{{globals}}", strings.ReplaceAll(globals, "2s", "1m"))})
	token := g.token("web", "grant_type=client_credentials")
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	g.upstream.Answer(func(Request) Reply { <-released; return Reply{Body: "after the drain"} })
	proxied := Dial(t, g.Addr("shop"))
	proxied.Send(strings.ReplaceAll(raw("GET", "/orders/1", bearer(token)), "\n", "\r\n"))
	g.upstream.Request(t, 0)
	body := "grant_type=password&username=alice&password=" + password
	issued := Dial(t, g.Addr("auth"))
	basic := g.NewRequest(http.MethodPost, "auth", "/oauth2/token", "")
	basic.SetBasicAuth("web", g.secret("web"))
	issued.Send(fmt.Sprintf("POST /oauth2/token HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		g.Addr("auth"), basic.Header.Get("Authorization"), len(body)))
	issued.Read(len("HTTP/1.1 100 Continue\r\n\r\n")) // It is being read.

	g.Signal(syscall.SIGTERM)
	for _, site := range []string{"auth", "shop"} {
		g.refusesConnections(site)
	}
	issued.Send(body)
	answer := issued.Response(http.MethodPost)
	if answer.Status != http.StatusOK || !strings.Contains(answer.Body, `"access_token"`) {
		t.Errorf("the token request under way: got %d %s, want 200", answer.Status, answer.Body)
	}
	if g.process.ended() {
		t.Error("the process ended with a request under way")
	}
	release()
	if got := proxied.Response(http.MethodGet); got.Status != http.StatusOK || got.Body != "after the drain" {
		t.Errorf("the proxied request under way: got %d %s, want 200", got.Status, got.Body)
	}
	g.awaitEnd()
	db, err := bbolt.Open(filepath.Join(g.Dir, "state", "shop.db"), 0o600, &bbolt.Options{Timeout: time.Millisecond})
	if err != nil {
		t.Fatalf("the store after the stop: %v", err)
	}
	db.Close()
	g.Restart()
	g.upstream.Reply(Reply{})
	exchanged(t, g.allowedQuietly(t, "GET", "/orders/1", token))
}

// A request that takes longer than grace_period is cut, and the process ends
// all the same, with success.
func TestStopCutsAtGracePeriod(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: strings.ReplaceAll(durableShop, "{{globals}}", strings.ReplaceAll(globals, "2s", "1s"))})
	token := g.token("web", "grant_type=client_credentials")
	g.upstream.Reply(Reply{Hang: true})
	socket := Dial(t, g.Addr("shop"))
	socket.Send(strings.ReplaceAll(raw("GET", "/orders/1", bearer(token)), "\n", "\r\n"))
	g.upstream.Request(t, 0)
	began := time.Now()
	g.Signal(syscall.SIGTERM)
	if got := socket.Rest(); strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("got the answer %q of a request that never ended", got)
	}
	g.awaitEnd()
	if took := time.Since(began); took < time.Second {
		t.Errorf("the stop took %v, want the grace period of 1s", took)
	}
}

// refusesConnections waits until nobody listens any more.
func (c *Caddy) refusesConnections(site string) {
	c.t.Helper()
	for end := time.Now().Add(waitTimeout); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", c.Addr(site))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			conn.Close()
		}
	}
	c.t.Errorf("%s still takes connections", site)
}

// awaitEnd waits for the end of a process that was told to stop.
func (c *Caddy) awaitEnd() {
	c.t.Helper()
	c.stopped = true
	select {
	case <-c.process.done:
	case <-time.After(stopTimeout):
		c.process.kill()
		c.t.Fatalf("the process did not stop:\n%s", c.process.log.text())
	}
	if code := c.process.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("got the exit code %d, want 0", code)
	}
	c.process.assertNoCrash(c.t)
	c.assertCleanLog()
}

// Whoever was told of a token keeps it when the process is killed, with
// requests under way.
func TestKilledUnderLogins(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: durableShop})
	var (
		mu     sync.Mutex
		tokens []string
		logins sync.WaitGroup
	)
	enough := make(chan struct{})
	for range 4 {
		logins.Go(func() {
			for {
				r := g.NewRequest(http.MethodPost, "auth", "/oauth2/token", "grant_type=password&username=alice&password="+password, "Content-Type: application/x-www-form-urlencoded")
				r.SetBasicAuth("web", g.secret("web"))
				answer, err := g.Client.Do(r)
				if err != nil {
					return // It was killed.
				}
				response, err := readAll(answer)
				_, rest, found := strings.Cut(response.Body, `"access_token":"`)
				if err != nil || !found {
					return
				}
				token, _, _ := strings.Cut(rest, `"`)
				mu.Lock()
				if tokens = append(tokens, token); len(tokens) == 40 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(waitTimeout):
		t.Error("too few logins")
	}
	g.Kill()
	logins.Wait()
	g.Restart()
	for i, token := range tokens {
		if got := g.Get("shop", "/orders/1", bearer(token)); got.Status != http.StatusOK {
			t.Fatalf("token %d of %d after the kill: got %d %s, want 200", i, len(tokens), got.Status, got.Body)
		}
	}
}

// Without a grace_period, Caddy waits for ever: every example has one.
func TestExamplesHaveAGracePeriod(t *testing.T) {
	root, examples := repository(t), 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if name := entry.Name(); entry.IsDir() || !strings.HasPrefix(name, "Caddyfile") && !strings.HasSuffix(name, ".caddyfile") {
			return nil
		}
		text, err := os.ReadFile(path)
		if examples++; err == nil && !strings.Contains(string(text), "\n\tgrace_period 20s\n") {
			t.Errorf("%s has no grace_period 20s", path)
		}
		return err
	})
	if err != nil || examples == 0 {
		t.Errorf("got %d examples, %v", examples, err)
	}
}
