package caddymodule

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"
)

// TestStopsWhatItStarted counts goroutines and stores over a hundred loads,
// reloads and stops. Those that Caddy keeps for the process are there after the
// first time.
func TestStopsWhatItStarted(t *testing.T) {
	w := newLive(t)
	round := func() {
		w.start(t, live(boltAt("a.db"), ""))
		w.guarded(t, "/orders/1", w.token(t), 200)
		if err := w.load(live("\t\tstore memory\n", "")); err != nil {
			t.Fatal(err)
		}
		w.guarded(t, "/orders/1", w.token(t), 200)
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		if got := stores(); got != 0 {
			t.Fatalf("stopped: got %d open stores, want none", got)
		}
	}
	round()
	before := goleak.IgnoreCurrent()
	for range 50 {
		round()
	}
	noneLeft(t, before)
}

// TestValidateMakesNothing checks a configuration with a store in a file and
// generated keys, as `caddy validate` does.
func TestValidateMakesNothing(t *testing.T) {
	w := newLive(t)
	text := strings.NewReplacer("signing_key file DIR/es256.pem", "", "state_key file DIR/state.key", "").Replace(live("", ""))
	for _, store := range []string{"", boltAt("a.db")} {
		cfg, err := w.config(strings.NewReplacer("PORT", w.port, "\t\tdemo\n", "\t\tdemo\n"+store).Replace(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(cfg); err != nil {
			t.Fatal(err)
		}
	}
	for _, made := range []string{w.path("a.db"), w.path("data/caddy/scopegate"), w.path("storage/scopegate")} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("validating made %s", made)
		}
	}
	// Started, the same configuration makes them: the places are right.
	w.start(t, text)
	for _, made := range []string{"data/caddy/scopegate/localhost-8080/state.db", "storage/scopegate/localhost-8080/es256.pem", "storage/scopegate/localhost-8080/state.key"} {
		info, err := os.Stat(w.path(made))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("started: %s: got %v, %v, want a file of mode 0600", made, info, err)
		}
	}
}

// noneLeft finds goroutines that were not there before. Caddy's servers end in
// the background, on a slow machine after seconds.
func noneLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if err = goleak.Find(before); err == nil { // It waits between its own tries.
			return
		}
	}
	t.Error(err)
}
