package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// revoke ends a token as a grant of this process would.
func (w liveWorld) revoke(t *testing.T, s *shared, token string) error {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(w.path("state.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := tokenexchange.ParseStateKey(line)
	if err != nil {
		t.Fatal(err)
	}
	state, err := tokenexchange.NewState(s.store, "http://localhost:8080", []tokenexchange.StateKey{key}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.revocations.Revoke(t.Context(), state, tokenexchange.RevokeToken(claims.ID, time.Now().Add(time.Hour)))
}

// gauge returns the value of a metric without labels.
func gauge(t *testing.T, name string) float64 {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name && len(family.GetMetric()) == 1 {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestRevocationsAreKept revokes, reloads and starts again: what was revoked
// stays so for as long as its store stays.
func TestRevocationsAreKept(t *testing.T) {
	w := newLive(t)
	app := w.start(t, live(boltAt("a.db"), ""))
	dead, alive := w.token(t), w.token(t)
	w.guarded(t, "/orders/1", dead, 200)
	if err := w.revoke(t, app.shared, dead); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		w.guarded(t, "/orders/1", dead, 401)
		w.guarded(t, "/orders/1", alive, 200)
		if got := gauge(t, "scopegate_revocations"); got != 1 {
			t.Errorf("%s: got %v revocations, want 1", when, got)
		}
		if got := gauge(t, "scopegate_revocation_feed_age_seconds"); got != 0 {
			t.Errorf("%s: got an age of %v, want 0", when, got)
		}
		if got, status := w.readiness(t); status != 200 || got.Details["revocations"] != "ok" {
			t.Errorf("%s: got readiness %d %+v", when, status, got)
		}
	}
	check("revoked")
	for _, rule := range []string{"\t\tpublic GET /one", "\t\tpublic GET /two"} {
		if err := w.load(live(boltAt("a.db"), rule)); err != nil {
			t.Fatal(err)
		}
		check("reloaded")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	w.start(t, live(boltAt("a.db"), ""))
	check("started again")
}

// TestReloadToAnOlderStore goes to another store and back. Each has an epoch that is
// older than the tokens, and knows nothing of what was revoked beside the other one,
// also after more reloads.
func TestReloadToAnOlderStore(t *testing.T) {
	w := newLive(t)
	w.start(t, live(boltAt("b.db"), ""))
	if err := w.load(live(boltAt("a.db"), "")); err != nil {
		t.Fatal(err)
	}
	for i, to := range []string{"b.db", "a.db", "b.db"} {
		token := w.token(t)
		if err := w.revoke(t, running(t).shared, token); err != nil {
			t.Fatal(err)
		}
		w.guarded(t, "/orders/1", token, 401)
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // Tokens have whole seconds.
		for _, rule := range []string{"", "\t\tpublic GET /more"} {
			if err := w.load(live(boltAt(to), rule)); err != nil {
				t.Fatal(err)
			}
			w.guarded(t, "/orders/1", token, 401)
			w.guarded(t, "/orders/1", w.token(t), 200)
			if got, status := w.readiness(t); status != 200 {
				t.Errorf("got readiness %d %+v, want 200", status, got)
			}
		}
		if got := w.warnings("another store than that of the running configuration"); got != i+2 {
			t.Errorf("got %d warnings, want one for each change of the store: %d", got, i+2)
		}
	}
}

// TestRevocationsOfRedis shares Redis with another process: it is heard over a
// reload with another password, and what it said while Redis was away afterwards.
func TestRevocationsOfRedis(t *testing.T) {
	w := newLive(t)
	server := startRedis(t, "x")
	for _, name := range []string{"redis-password", "redis-next"} {
		w.write(t, name, "x\n")
	}
	config := live(redisAt(server.Addr(), ""), "")
	first := w.startRemote(t, config)
	// The other process has its own connections and set.
	s, closer, err := first.store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	other := &shared{store: s, revocations: tokenexchange.NewRevocations(nil)}

	tokens := []string{w.token(t), w.token(t), w.token(t)}
	for i, change := range []func(){
		func() {},
		func() {
			if err := w.load(strings.Replace(config, "redis-password", "redis-next", 1)); err != nil {
				t.Fatal(err)
			}
			if now := running(t).shared; now == first.shared || now.revocations != first.shared.revocations {
				t.Error("want another store and the same revocations")
			}
		},
		func() {
			server.Close()
			eventually(t, "the age to grow", func() bool { return gauge(t, "scopegate_revocation_feed_age_seconds") > 1 })
			if got, status := w.readiness(t); status != 200 || !strings.HasPrefix(got.Details["revocations"], "away for ") {
				t.Errorf("away: got readiness %d %+v, want 200 and how long", status, got)
			}
			if got := w.orders(t, tokens[2]); got != 200 {
				t.Errorf("away: got %d, want 200", got)
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "Redis to be back", func() bool { return gauge(t, "scopegate_revocation_feed_age_seconds") == 0 })
		},
	} {
		change()
		if got := w.orders(t, tokens[i]); got != 200 {
			t.Fatalf("token %d: got %d, want 200", i, got)
		}
		if err := w.revoke(t, other, tokens[i]); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		eventually(t, "a token that another process revoked to be refused", func() bool { return w.orders(t, tokens[i]) == 401 })
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("token %d: refused after %s", i, took)
		}
	}
}

// TestReadyWaitsForTheRevocations starts with a feed that cannot be read: the
// process waits for it as it waits for the epoch.
func TestReadyWaitsForTheRevocations(t *testing.T) {
	w := newLive(t)
	far.mute.Store(true)
	t.Cleanup(func() { far.mute.Store(false) })
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatal(err)
	}
	if got, status := w.readiness(t); status != 503 || len(got.WaitingFor) != 1 || got.WaitingFor[0] != "store" {
		t.Errorf("got readiness %d %+v, want 503 until the store can be read", status, got)
	}
	if got := w.status(t, "/orders/1"); got != 503 {
		t.Errorf("a request: got %d, want 503", got)
	}
	far.mute.Store(false)
	w.becomesReady(t)
	if got := w.orders(t, w.token(t)); got != 200 {
		t.Errorf("a request: got %d, want 200", got)
	}
}

// TestStoreWithoutFeed refuses a store of another module that could not carry
// revocations.
func TestStoreWithoutFeed(t *testing.T) {
	w := newLive(t)
	if err := w.loadFar(t, "", `,"near":true,"bare":true`); err == nil || !strings.Contains(err.Error(), "no feed for revocations") {
		t.Errorf("got %v, want an error that says so", err)
	}
	if got := stores(); got != 0 {
		t.Errorf("got %d open stores, want none", got)
	}
}
