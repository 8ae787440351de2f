package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/tokenexchange"
)

func init() { caddy.RegisterModule(new(farStore)) }

// farStore is a store that may be away. What it holds stays between tests.
type farStore struct {
	Near bool   `json:"near,omitempty"`
	Bare bool   `json:"bare,omitempty"` // it has no feed
	Name string `json:"name,omitempty"`
}

var far struct {
	away  atomic.Bool
	mute  atomic.Bool // its feed fails
	tries atomic.Int64
	named sync.Map
}

func (*farStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "scopegate.stores.far", New: func() caddy.Module { return new(farStore) }}
}
func (f *farStore) Identity() string { return "far " + f.Name }
func (f *farStore) Remote() bool     { return !f.Near }
func (f *farStore) Open() (tokenexchange.Store, io.Closer, error) {
	s, _ := far.named.LoadOrStore(f.Name, tokenexchange.NewMemoryStore(nil))
	if f.Bare {
		return struct{ tokenexchange.Store }{s.(tokenexchange.Store)}, io.NopCloser(nil), nil
	}
	return farAway{s.(*tokenexchange.MemoryStore)}, io.NopCloser(nil), nil
}

type farAway struct{ *tokenexchange.MemoryStore }

func (f farAway) Get(ctx context.Context, key string) ([]byte, error) {
	if far.tries.Add(1); far.away.Load() {
		return nil, errors.New("connection refused")
	}
	return f.MemoryStore.Get(ctx, key)
}

func (f farAway) Publish(ctx context.Context, entry []byte, until time.Time) error {
	if far.mute.Load() {
		return errors.New("the feed is mute")
	}
	return f.MemoryStore.Publish(ctx, entry, until)
}

// loadFar loads a Caddyfile with such a store in the place of one in memory.
func (w liveWorld) loadFar(t *testing.T, app, settings string) error {
	t.Helper()
	data, err := adapt(w.at(live("\t\tstore memory\n"+app, "")))
	if err != nil {
		t.Fatal(err)
	}
	const memory = `"store":{"module":"memory"}`
	if !bytes.Contains(data, []byte(memory)) {
		t.Fatal("no store in the configuration")
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return w.run(bytes.Replace(data, []byte(memory), []byte(`"store":{"module":"far","name":"`+w.dir+`"`+settings+`}`), 1))
}

func (w liveWorld) readiness(t *testing.T) (readiness, int) {
	t.Helper()
	res, err := client.Get(w.url(readyPath))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body readiness
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body, res.StatusCode
}

func (w liveWorld) becomesReady(t *testing.T) {
	t.Helper()
	eventually(t, "the store to be found", func() bool { _, status := w.readiness(t); return status == 200 })
}

func (w liveWorld) orders(t *testing.T, token string) int {
	t.Helper()
	return w.statusWith(t, "/orders/1", token)
}

// TestStartWithoutStore starts while the store is away: the process says what
// it waits for, requests wait a little, and everything goes on when it is back.
func TestStartWithoutStore(t *testing.T) {
	w := newLive(t)
	far.away.Store(true)
	defer far.away.Store(false)
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatalf("a start without the store: got %v, want none", err)
	}
	if got, status := w.readiness(t); status != 503 || got.Reason != "not_ready" || !slices.Equal(got.WaitingFor, []string{"store"}) {
		t.Errorf("readiness: got %d %+v, want 503 and that it waits for the store", status, got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if running(t).waitReady(ctx) {
		t.Error("a request was let in")
	}
	if got := w.status(t, "/orders/1"); got != 503 {
		t.Errorf("while the store is away: got %d, want 503", got)
	}
	before := far.tries.Load()
	eventually(t, "two more tries", func() bool { return far.tries.Load() > before+1 })
	far.away.Store(false)
	w.becomesReady(t)
	token := w.token(t)

	// A reload while it is away goes on with what was read before.
	far.away.Store(true)
	if err := w.loadFar(t, "\t\tservice other https://other.example.com\n", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.orders(t, token); got != 200 {
		t.Errorf("a request after a reload without the store: got %d, want 200", got)
	}
	if got, status := w.readiness(t); status != 200 || !got.Ready || got.Details["store"] != "away" {
		t.Errorf("readiness after a reload without the store: got %d %+v, want 200", status, got)
	}
}

// TestStartWithAMistake holds what does not wait until the store is back.
func TestStartWithAMistake(t *testing.T) {
	w := newLive(t)
	far.away.Store(true)
	defer far.away.Store(false)
	rsa := "\t\tclient other {\n\t\t\tpublic\n\t\t\tgrant_types password\n\t\t\tpermit none\n\t\t\taccess_token_alg RS256\n\t\t}\n"
	if err := w.loadFar(t, rsa, ""); err == nil || !strings.Contains(err.Error(), "client other: access_token_alg") {
		t.Errorf("a client without a key: got %v, want an error", err)
	}
	if err := w.loadFar(t, "", `,"near":true`); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a local store that is away: got %v, want an error", err)
	}
}

// TestForeignStateKey comes to a store that was sealed with another key: at
// once a start error, found later an error in the log, and never ready.
func TestForeignStateKey(t *testing.T) {
	w := newLive(t)
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatal(err)
	}
	w.becomesReady(t)
	token := w.token(t)
	mine, err := os.ReadFile(w.path("state.key"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "state.key", string(other))
	if err := w.loadFar(t, "", ""); err == nil || !strings.Contains(err.Error(), "another state key") {
		t.Errorf("the store answers: got %v, want a start error", err)
	}
	far.away.Store(true)
	defer far.away.Store(false)
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.orders(t, token); got != 200 {
		t.Errorf("while the store is away: got %d, want 200", got)
	}
	far.away.Store(false)
	eventually(t, "the mistake to be found", func() bool {
		got, status := w.readiness(t)
		return status == 503 && slices.Equal(got.WaitingFor, []string{"state_key"})
	})
	if got := w.orders(t, token); got != 503 {
		t.Errorf("with another state key: got %d, want 503", got)
	}
	// It is said after nobody is let in any more.
	eventually(t, "an error in the log about the state key", func() bool {
		return slices.ContainsFunc(w.logged(), func(entry map[string]any) bool {
			text, _ := entry["error"].(string)
			return entry["level"] == "error" && strings.Contains(text, "another state key")
		})
	})
	// The right key in a reload makes it good again.
	w.write(t, "state.key", string(mine))
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.orders(t, token); got != 200 {
		t.Errorf("with the right state key: got %d, want 200", got)
	}
}

// TestStopsTrying ends the search for the store with its configuration.
func TestStopsTrying(t *testing.T) {
	w := newLive(t)
	if err := w.loadFar(t, "", ""); err != nil { // What Caddy keeps for the process.
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	far.away.Store(true)
	defer far.away.Store(false)
	if err := w.loadFar(t, "", ""); err != nil {
		t.Fatal(err)
	}
	// While the configuration is still there, Stop alone has to end it.
	if err := running(t).Stop(); err != nil {
		t.Fatal(err)
	}
	tried := far.tries.Load()
	time.Sleep(3 * firstPause)
	if got := far.tries.Load(); got != tried {
		t.Errorf("got %d tries after Stop, want none", got-tried)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	noneLeft(t, before)
}
