package caddymodule

import (
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestExample checks the example of the repository as a user would: it adapts
// and validates where it stands, and `caddy fmt` leaves it as it is.
func TestExample(t *testing.T) {
	t.Chdir("..") // It names files from there.
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(caddyfile.Format(text)); got != string(text) {
		t.Errorf("caddy fmt changes it:\n%s", got)
	}
	data, err := adapt(string(text))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := parseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(cfg); err != nil {
		t.Error(err)
	}

	// Beside a listener for everybody its secrets are refused.
	open := strings.Replace(string(text), "default_bind 127.0.0.1", "", 1)
	if data, err = adapt(open); err != nil {
		t.Fatal(err)
	}
	if cfg, err = parseConfig(data); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(cfg); err == nil || !strings.Contains(err.Error(), "demo: the listener :8080") {
		t.Errorf("without default_bind: got %v, want a refusal", err)
	}
}
