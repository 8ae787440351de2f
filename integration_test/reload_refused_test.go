package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// A configuration that is refused changes nothing: rules, users, keys, store and
// caches are those of the one that runs, however often it is tried.
func TestRefusedReload(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: durableShop})
	token, kids := g.token("web", "grant_type=password", "username=alice", "password="+password), g.kids(t)
	first := g.allowedQuietly(t, "GET", "/orders/1", token).Get("Authorization")
	g.WriteFile("bad.json", `{"users":[{"id":"x"`)
	g.WriteFile("bad.pem", "no key\n")
	held, err := bbolt.Open(filepath.Join(g.Dir, "held.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	text := g.config.Caddyfile
	added := strings.ReplaceAll(text, "{{.rules}}", "{{.rules}}\n\t\tpublic GET /added")
	replace := func(old, new string) string {
		if !strings.Contains(added, old) {
			t.Fatalf("the Caddyfile has no %s", old)
		}
		return strings.ReplaceAll(added, old, new)
	}
	for round := range 2 {
		for _, tc := range []struct{ name, text, want string }{
			{"a wrong rule", replace("public GET /added", "GET /added/{id} orders.read orders/1"), "{id} is not checked"},
			{"no Caddyfile at all", "{", "Caddyfile"},
			{"a key that cannot be read", replace("signing_key generated", "signing_key file {{dir}}/absent.pem"), "absent.pem"},
			{"a key that is none", replace("signing_key generated", "signing_key file {{dir}}/bad.pem"), "bad.pem"},
			{"users that cannot be read", replace("users.json", "absent.json"), "absent.json"},
			{"users that are none", replace("users.json", "bad.json"), "bad.json"},
			{"a store that another holds", replace("state/shop.db", "held.db"), "held.db"},
			{"another issuer with the same store", replace(`issuer {{url "auth"}}`, "issuer https://other.example.com"), "open for the issuer"},
		} {
			got := g.ReloadFails(tc.text)
			if !strings.Contains(got, tc.want) {
				t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
			}
			if got := g.again(http.MethodGet, "/added", ""); got.Status != http.StatusUnauthorized {
				t.Errorf("round %d, %s: its rules are in force: got %d", round, tc.name, got.Status)
			}
			if got := g.again(http.MethodGet, "/orders/1", token); got.Status != http.StatusOK {
				t.Errorf("round %d, %s: got %d %s, want 200", round, tc.name, got.Status, got.Body)
			}
		}
		if diff := cmp.Diff(kids, g.kids(t)); diff != "" {
			t.Errorf("the keys changed: %s", diff)
		}
		g.token("web", "grant_type=password", "username=alice", "password="+password)
		requests := g.upstream.Requests()
		if got := requests[len(requests)-1].Get("Authorization"); got != first {
			t.Error("the token was exchanged anew, want what the cache has")
		}
	}

	g.writeCaddyfile(added)
	before := g.files()
	run := launch(t, g.Dir, filepath.Join(g.Dir, "home"), g.config.Env, "validate", "--config", "Caddyfile")
	timeout := time.AfterFunc(startTimeout, run.kill)
	<-run.done
	timeout.Stop()
	if run.err != nil {
		t.Errorf("validate: %v\n%s", run.err, run.log.text())
	}
	if diff := cmp.Diff(before, g.files()); diff != "" {
		t.Errorf("validate changed files: before (-), after (+):\n%s", diff)
	}

	g.Reload(added)
	if got := g.again(http.MethodGet, "/added", ""); got.Status != http.StatusOK {
		t.Errorf("after a good reload: got %d %s, want 200", got.Status, got.Body)
	}
	// Another store knows nothing, so what was issued before it is refused.
	g.Reload(strings.Replace(added, "state/shop.db", "state/other.db", 1))
	if got := g.again(http.MethodGet, "/orders/1", token); got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, "token_revoked") {
		t.Errorf("with another store: got %d %s, want 401", got.Status, got.Body)
	}
	// The first one was given back, and opens again. It does not know what was revoked
	// beside the other, so that holds for what was issued before it came back too.
	g.Reload(added)
	if got := g.again(http.MethodGet, "/orders/1", token); got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, "token_revoked") {
		t.Errorf("with the first store: got %d %s, want 401", got.Status, got.Body)
	}
	token = g.token("web", "grant_type=password", "username=alice", "password="+password)
	if got := g.again(http.MethodGet, "/orders/1", token); got.Status != http.StatusOK {
		t.Errorf("a new token with the first store: got %d %s, want 200", got.Status, got.Body)
	}
}

// again asks on a connection of its own: a kept one may end with a reload.
func (g *guarded) again(method, path, token string) Response {
	g.t.Helper()
	client := http.Client{Timeout: waitTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(g.NewRequest(method, "shop", path, "", bearer(token)))
	if err != nil {
		g.t.Fatal(err)
	}
	response, err := readAll(answer)
	if err != nil {
		g.t.Fatal(err)
	}
	return response
}

// files are the files of the process with their times, without its log.
func (c *Caddy) files() map[string]string {
	c.t.Helper()
	found := map[string]string{}
	err := filepath.Walk(c.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			found[path] = fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), " ", info.Mode())
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}
