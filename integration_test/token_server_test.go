package integration_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestTokenEndpointPaths(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, strings.Replace(oneGuard, "guard shop {", "oauth_server\n\tguard shop {", 1))
	const form = "Content-Type: application/x-www-form-urlencoded"
	post := func(path string) Response {
		r := g.NewRequest(http.MethodPost, "auth", path, "grant_type=client_credentials", form)
		r.SetBasicAuth("web", g.secret("web"))
		return g.Do(r)
	}
	for _, path := range []string{"/oauth2/token", "/csp/gateway/am/api/auth/token", "/csp/gateway/am/api/auth/authorize"} {
		for _, path := range []string{path, "/" + path} {
			got := post(path)
			var body struct {
				Token string `json:"access_token"`
			}
			if err := json.Unmarshal([]byte(got.Body), &body); err != nil || got.Status != http.StatusOK || body.Token == "" {
				t.Errorf("POST %s: got %d %s", path, got.Status, got.Body)
				continue
			}
			if got := got.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("POST %s: got Cache-Control %q, want no-store", path, got)
			}
			if got := g.Get("auth", path); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
				t.Errorf("GET %s: got %d, Allow %q", path, got.Status, got.Header.Get("Allow"))
			}
		}
	}
	issuer := g.URL("auth", "")
	for path, want := range map[string][]string{
		"/oauth2/jwks":                                              {`"kid":"` + g.key.kid + `"`, `"alg":"ES256"`, `"use":"sig"`, `"x5c":`},
		"/csp/gateway/am/api/auth/keys":                             {`"kid":"` + g.key.kid + `"`},
		"/.well-known/openid-configuration":                         {`"issuer":"` + issuer + `"`, `"token_endpoint":"` + issuer + `/oauth2/token"`, `"jwks_uri":"` + issuer + `/oauth2/jwks"`},
		"/.well-known/oauth-authorization-server":                   {`"issuer":"` + issuer + `"`, rfcExchange, vmwareGrant + "audience-exchange"},
		"/csp/gateway/am/api/auth/.well-known/openid-configuration": {`"issuer":"` + issuer + `"`},
	} {
		for _, path := range []string{path, "/" + path} {
			got := g.Get("auth", path)
			for _, part := range want {
				if got.Status != http.StatusOK || !strings.Contains(got.Body, part) {
					t.Errorf("GET %s: got %d %s, want %s", path, got.Status, got.Body, part)
				}
			}
			if strings.Contains(got.Body, `"d":`) {
				t.Errorf("GET %s: shows a private key", path)
			}
		}
	}
	// On a guarded site the token endpoint answers before the guard, and what
	// it does not know is the guard's.
	if got := g.Get("shop", "/oauth2/jwks"); got.Status != http.StatusOK {
		t.Errorf("jwks on the guarded site: got %d", got.Status)
	}
	for _, path := range []string{"///oauth2/jwks", "/oauth2/jwks/", "/oauth2/JWKS", "/oauth2/callback"} {
		if got := Exchange(t, g.Addr("shop"), raw("GET", path)); got.Status != 401 && got.Status != 400 {
			t.Errorf("%s: got %d, want the guard's answer", path, got.Status)
		}
	}
	if got := post("/oauth2/token?grant_type=client_credentials"); got.Status != 400 || !strings.Contains(got.Body, "query_parameters") {
		t.Errorf("parameters in the query: got %d %s", got.Status, got.Body)
	}
}

func TestDemoStaysOnLoopback(t *testing.T) {
	t.Parallel()
	demo := strings.Replace(shopIssuer, "store memory", "store memory\n\t\tdemo", 1)
	demo = strings.Replace(demo, "users file {{dir}}/users.json", "", 1)
	demo = strings.Replace(demo, "signing_key file {{dir}}/es256.pem", "", 1)
	for name, sites := range map[string]string{
		"any":                       "\nhttp://:{{port `open`}} {\n\tbind 0.0.0.0\n\trespond x\n}\n",
		"any, IPv6":                 "\nhttp://:{{port `open`}} {\n\tbind [::]\n\trespond x\n}\n",
		"an address of the network": "\nhttp://:{{port `open`}} {\n\tbind 192.0.2.1\n\trespond x\n}\n",
	} {
		got := StartFails(t, Config{Caddyfile: demo + sites, Env: []string{"WEB_SECRET=" + randomText(), "BATCH_SECRET=" + randomText()}})
		if !strings.Contains(got, "demo: the listener") || !strings.Contains(got, "loopback") {
			t.Errorf("%s: got %s, want an error about demo and loopback", name, got)
		}
	}
}

// A file is for one process. Another one says so, and does not wait for long.
func TestTokenStoreOfAnotherProcess(t *testing.T) {
	t.Parallel()
	g := startGuardedConfig(t, Config{Caddyfile: durableShop})
	second := t.TempDir()
	ports := ports{"auth": g.ports["auth"]} // The same issuer; its port is never reached.
	text := strings.ReplaceAll(durableShop, "{{dir}}/state", g.Dir+"/state")
	if err := os.WriteFile(filepath.Join(second, "Caddyfile"), []byte(render(t, text, g.Dir, ports, g.config.Vars)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, second, filepath.Join(g.Dir, "home"), g.config.Env, "run", "--config", "Caddyfile")
	timeout := time.AfterFunc(startTimeout, func() { _ = p.cmd.Process.Kill() })
	defer timeout.Stop()
	<-p.done
	p.assertNoCrash(t)
	p.assertCleanLog(t)
	log := p.log.text()
	if p.err == nil || !strings.Contains(log, filepath.Join(g.Dir, "state", "shop.db")) || !strings.Contains(log, "process") {
		t.Fatalf("got %v and\n%s\nwant an error that names the file and another process", p.err, log)
	}
	// It says how long it waits, which TestOpenHeldFile measures: the start around
	// that takes what it takes.
	said := regexp.MustCompile(`\(waited ([^)]*)\)`).FindStringSubmatch(log)
	if said == nil {
		t.Fatalf("got\n%s\nwant an error that says how long it waited", log)
	}
	if waited, err := time.ParseDuration(said[1]); err != nil || waited > 2*time.Second {
		t.Errorf("it waited %s (%v), want 2s at most", said[1], err)
	}
	g.token("web", "grant_type=client_credentials") // The first one has not noticed.
}

// validate is for machines on which the server runs: it must not need what the
// server holds, and must not leave anything behind. The example's ports and its
// store are held here by the test.
func TestValidateOpensNothing(t *testing.T) {
	for _, port := range []string{"8080", "8081", "8082"} {
		// If somebody else has it, it is held too.
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			defer listener.Close()
		}
	}
	home := t.TempDir()
	state := filepath.Join(home, "data", "caddy", "scopegate", "localhost-8080", "state.db")
	if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := bbolt.Open(state, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	fresh := t.TempDir()
	for _, home := range []string{home, fresh} {
		p := launch(t, repository(t), home, nil, "validate", "--config", "Caddyfile.example")
		timeout := time.AfterFunc(startTimeout, func() { _ = p.cmd.Process.Kill() })
		<-p.done
		timeout.Stop()
		p.assertNoCrash(t)
		if log := p.log.text(); p.err != nil || !strings.Contains(log, "Valid configuration") {
			t.Errorf("got %v and\n%s\nwant a valid configuration", p.err, log)
		}
	}
	err = filepath.WalkDir(fresh, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("validate left %s", path)
		}
		if strings.Contains(path, "scopegate") {
			t.Errorf("validate made %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
