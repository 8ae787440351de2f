package integration_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The guard that docs/guard.md shows in a process of its own, with the issuer
// in another one. It needs the issuer's key and a stub of each client; a
// restart with a store that stays takes no token.
func TestGuardInAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, "")
	page, err := os.ReadFile(filepath.Join(repository(t), "docs", "guard.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)### A guard in a process of its own\n.*?```caddyfile\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/guard.md shows no guard in a process of its own")
	}
	caddyfile := string(block[1])
	for _, change := range [][2]string{
		{"admin off\n\tgrace_period 20s", "{{globals}}"},
		{"https://auth.example.com", g.URL("auth", "")},
		{"/run/keys/es256.pem", "{{dir}}/es256.pem"},
		{"state_key file /run/keys/state\n", ""},
		{"redis {\n\t\t\taddress {env.REDIS_ADDR}", "bolt {\n\t\t\tpath {{dir}}/guard.db"},
		{"users file /run/config/users.json\n", ""},
		{"https://shop.example.com {\n\tguard", "http://:{{port `shop`}} {\n\tguard"},
		{"localhost:8082", g.upstream.Addr()},
	} {
		if !strings.Contains(caddyfile, change[0]) {
			t.Fatalf("the page's Caddyfile has no %q", change[0])
		}
		caddyfile = strings.Replace(caddyfile, change[0], change[1], 1)
	}
	side := Start(t, Config{Caddyfile: caddyfile, Files: map[string]string{"es256.pem": g.key.pem(t)}})
	token := g.token("web", "grant_type=client_credentials")
	stranger := g.token("both", "grant_type=client_credentials")
	for _, when := range []string{"at first", "after a restart"} {
		if got := Exchange(t, side.Addr("shop"), raw("GET", "/orders/1", bearer(token))); got.Status != 200 {
			t.Errorf("%s, a client with a stub: got %d %s, want 200", when, got.Status, got.Body)
		}
		if got := Exchange(t, side.Addr("shop"), raw("GET", "/orders/eu/1", bearer(stranger))); got.Status != 403 {
			t.Errorf("%s, a client without one: got %d %s, want 403", when, got.Status, got.Body)
		}
		side.Stop()
		side.Restart()
	}
}
