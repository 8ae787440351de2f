package caddymodule

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestWalk loads configurations with ways around a guard. A case is the sites
// of a Caddyfile, or in JSON one server, with the words GUARD, LOOSE and PROXY
// for these handlers.
func TestWalk(t *testing.T) {
	prelude, err := os.ReadFile("testdata/walk/prelude.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	runCases(t, "testdata/walk/*.txt", func(t *testing.T, in string) string {
		w := newWorld(t)
		cfg, err := w.walked(string(prelude), in)
		if err == nil {
			err = caddy.Validate(cfg)
		}
		out := w.outcome(err)
		if !strings.HasPrefix(in, "{") { // What is written in JSON has no lines.
			checkPlace(t, out)
		}
		return out
	})
}

func (w world) walked(prelude, in string) (*caddy.Config, error) {
	if !strings.HasPrefix(in, "{") {
		return w.config(prelude + in)
	}
	const rule = `"rules":[{"method":"GET","path":"/orders/{id}","all_of":[{"permission":"read","resource":"orders/{id}"}]}]}`
	server := strings.NewReplacer(
		"GUARD", `{"handler":"guard","service":"shop",`+rule,
		"LOOSE", `{"handler":"guard","service":"shop","unguarded_ok":true,`+rule,
		"PROXY", `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:9000"}]}`,
	).Replace(in)
	cfg, err := w.config(prelude)
	if err == nil {
		cfg.AppsRaw["http"] = json.RawMessage(`{"servers":{"srv":` + server + `}}`)
	}
	return cfg, err
}
