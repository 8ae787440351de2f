package caddymodule

import (
	"net"
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
		cfg, err := w.config(w.at(strings.Replace(text, "\t\tdemo\n", "\t\tdemo\n"+store, 1)))
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
	for _, made := range []string{"data/caddy/scopegate/localhost-8080/state.db", "storage/scopegate/localhost-8080/es256.json", "storage/scopegate/localhost-8080/rs256.json", "storage/scopegate/localhost-8080/state.json"} {
		info, err := os.Stat(w.path(made))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("started: %s: got %v, %v, want a file of mode 0600", made, info, err)
		}
	}
}

// withoutKey adds a client whose tokens no signing key can sign, which is found at
// the start.
func withoutKey(config string) string {
	return strings.Replace(config, "\t\tclient nightly {", "\t\tclient other {\n\t\t\tpublic\n\t\t\tgrant_types password\n\t\t\tpermit none\n\t\t\taccess_token_alg RS256\n\t\t}\n\t\tclient nightly {", 1)
}

// TestRefusedStartTouchesNothing brings a new state key with a mistake, to a
// configuration that runs and to a store that nobody has open. Neither notices,
// and a store that would be new is not made.
func TestRefusedStartTouchesNothing(t *testing.T) {
	w := newLive(t)
	key, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "next.key", string(key))
	good := live(boltAt("a.db"), "")
	refused := func(config string) {
		t.Helper()
		bad := withoutKey(strings.Replace(config, "state_key file DIR/state.key", "state_key file DIR/next.key\n\t\tstate_key file DIR/state.key", 1))
		if err := w.load(bad); err == nil || !strings.Contains(err.Error(), "there is no signing_key for it") {
			t.Fatalf("got %v, want the mistake", err)
		}
	}
	w.start(t, good)
	token := w.token(t)
	refused(good)
	if got, status := w.readiness(t); status != 200 {
		t.Errorf("the running configuration: got readiness %d %+v, want 200", status, got)
	}
	w.guarded(t, "/orders/1", token, 200)
	refused(live(boltAt("b.db"), ""))
	if _, err := os.Stat(w.path("b.db")); err == nil {
		t.Error("a refused configuration made its store")
	}
	for range 2 {
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		refused(good)
		if err := w.load(good); err != nil {
			t.Fatalf("started again: %v", err)
		}
		w.guarded(t, "/orders/1", token, 200)
	}
}

// TestChangeOfStateKey changes the state key step by step. At each step a port that
// is taken may refuse the configuration after it started, since Caddy starts its
// apps in any order: the one that runs goes on, and starts again.
func TestChangeOfStateKey(t *testing.T) {
	w := newLive(t)
	key, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "next.key", string(key))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const old, next = "\t\tstate_key file DIR/state.key\n", "\t\tstate_key file DIR/next.key\n"
	with := func(keys string) string { return strings.Replace(live(boltAt("a.db"), ""), old, keys, 1) }
	w.start(t, with(old))
	token := w.token(t)
	serves := func(keys string) {
		t.Helper()
		if got, status := w.readiness(t); status != 200 {
			t.Errorf("got readiness %d %+v, want 200", status, got)
		}
		w.guarded(t, "/orders/1", token, 200)
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := w.load(with(keys)); err != nil {
			t.Fatalf("started again: %v", err)
		}
	}
	if err := w.load(with(next + old)); err == nil || !strings.Contains(err.Error(), "Caddyfile:15: state_key: the first one seals, and the running configuration does not have it yet") {
		t.Errorf("the new key first, at once: got %v, want an error", err)
	}
	serves(old)
	running := old
	for _, keys := range []string{old + next, next + old, next} {
		bad := with(keys) + "http://" + taken.Addr().String() + " {\n\tbind 127.0.0.1\n}\n"
		for range 10 { // In one of them ours starts first, or it is one in a thousand.
			if err := w.load(bad); err == nil || !strings.Contains(err.Error(), "address already in use") {
				t.Fatalf("got %v, want a port that is taken", err)
			}
		}
		serves(running)
		if err := w.load(with(keys)); err != nil {
			t.Fatal(err)
		}
		running = keys
		serves(running)
	}
	// Nobody holds the store of another configuration, so nothing can go wrong there.
	if err := w.load(strings.Replace(with(old+next), "a.db", "b.db", 1)); err != nil {
		t.Errorf("with another store: got %v, want no error", err)
	}
}

// noneLeft finds goroutines that were not there before. Caddy's servers end in
// the background, on a slow machine after many seconds.
func noneLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if err = goleak.Find(before); err == nil { // It waits between its own tries.
			return
		}
	}
	t.Error(err)
}
