package caddymodule

import (
	"slices"
	"strings"
	"testing"
	"time"

	miniredisserver "github.com/alicebob/miniredis/v2/server"

	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// TestStoreIsLostWhileItRuns empties Redis under a running process: it finds
// the loss by itself, refuses what was issued before, and goes on.
func TestStoreIsLostWhileItRuns(t *testing.T) {
	w := newLive(t)
	w.write(t, "redis-password", "x\n")
	server := startRedis(t, "x")
	until := time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly)
	w.startRemote(t, live(redisAt(server.Addr(), ""), "\t\tmode audit until "+until))
	token := w.token(t)
	if got := w.orders(t, token); got != 200 {
		t.Fatalf("before: got %d, want 200", got)
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // Tokens have whole seconds.
	// Scripts write. Without them nobody makes the next epoch before the loss of the
	// first was seen.
	server.Server().SetPreHook(func(c *miniredisserver.Peer, cmd string, _ ...string) bool {
		held := strings.HasPrefix(cmd, "EVAL")
		if held {
			c.WriteError("ERR held by the test")
		}
		return held
	})
	server.FlushAll()
	// A store that answers late counts as away, and so as no reason to be unready.
	// That the revocations are lost too is noticed within a second, or later.
	eventually(t, "it to wait for the epoch", func() bool {
		got, status := w.readiness(t)
		return status == 503 && slices.Contains(got.WaitingFor, "epoch")
	})
	server.Server().SetPreHook(nil)
	eventually(t, "a token from before to be refused", func() bool { return w.orders(t, token) == 401 })
	for _, text := range []string{"the store has a new epoch", "revocations are read again"} {
		eventually(t, "a warning that "+text, func() bool { return w.warnings(text) > 0 })
	}
	w.becomesReady(t)
	if got := w.orders(t, w.token(t)); got != 200 {
		t.Errorf("a new token: got %d, want 200", got)
	}
	for _, text := range []string{"the store has a new epoch", "mode audit"} {
		if got := w.warnings(text); got != 1 {
			t.Errorf("got %d warnings of %s, want 1", got, text)
		}
	}
}

// TestStoreIsSpoiledWhileItRuns changes a byte of the epoch, and changes it back:
// nothing is served in between.
func TestStoreIsSpoiledWhileItRuns(t *testing.T) {
	w := newLive(t)
	w.write(t, "redis-password", "x\n")
	server := startRedis(t, "x")
	w.startRemote(t, live(redisAt(server.Addr(), ""), ""))
	token := w.token(t)
	var key, epoch string
	for _, key = range server.Keys() {
		if epoch, _ = server.Get(key); strings.HasSuffix(key, ":epoch") {
			break
		}
	}
	last := len(epoch) - 1
	if err := server.Set(key, epoch[:last]+string([]byte{^epoch[last]})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing to be served", func() bool { return w.orders(t, token) == 503 })
	if err := server.Set(key, epoch); err != nil {
		t.Fatal(err)
	}
	w.becomesReady(t)
	if got := w.orders(t, token); got != 200 {
		t.Errorf("with its epoch: got %d, want 200", got)
	}
}

// warnings counts those of the log with a text.
func (w liveWorld) warnings(text string) (n int) {
	for _, entry := range w.logged() {
		if msg, _ := entry["msg"].(string); entry["level"] == "warn" && strings.Contains(msg, text) {
			n++
		}
	}
	return n
}

// TestRedisThatForgetsIsWarnedOf has servers that may drop what they were given.
func TestRedisThatForgetsIsWarnedOf(t *testing.T) {
	w := newLive(t)
	w.write(t, "redis-password", "a-long-passphrase\n")
	server := redistest.Start(t, "requirepass a-long-passphrase", "maxmemory-policy allkeys-lru", "appendonly no")
	w.start(t, live(redisAt(server.Addr(), ""), ""))
	for _, text := range []string{"maxmemory-policy allkeys-lru", "appendonly no"} {
		eventually(t, "a warning of "+text, func() bool { return w.warnings(text) > 0 })
	}
}

// TestReloadToAMistypedRedis keeps what serves.
func TestReloadToAMistypedRedis(t *testing.T) {
	w := newLive(t)
	w.write(t, "redis-password", "x\n")
	server := startRedis(t, "x")
	before := w.startRemote(t, live(redisAt(server.Addr(), ""), ""))
	token := w.token(t)
	if err := w.load(live(redisAt("127.0.0.1:1", ""), "")); err == nil || !strings.Contains(err.Error(), "the running configuration stays") {
		t.Errorf("got %v, want an error", err)
	}
	if running(t) != before || stores() != 1 {
		t.Error("another configuration runs, or a store is left")
	}
	if _, status := w.readiness(t); status != 200 || w.orders(t, token) != 200 {
		t.Error("what served does not serve any more")
	}
}

// TestAwayIsSaidAgain counts what the log says of a store that stays away.
func TestAwayIsSaidAgain(t *testing.T) {
	var lines []string
	log := func(text string, args ...any) { lines = append(lines, args[1].(string)) }
	f := new(follower)
	for _, cause := range []string{"refused", "refused", "timeout", "timeout"} {
		f.say("away", errText(cause), log)
	}
	f.saidAt = f.saidAt.Add(-sayAgain - time.Second)
	f.say("away", errText("timeout"), log)
	if want := []string{"refused", "timeout", "timeout"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

type errText string

func (e errText) Error() string { return string(e) }
