package caddymodule

import (
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"
)

// redisAt is the line for a server that wants a password.
func redisAt(address, more string) string {
	return "\t\tstore redis {\n\t\t\taddress " + address + "\n\t\t\tpassword {file.DIR/redis-password}\n" + more + "\t\t}\n"
}

// TestRedis starts while Redis is away, works with it, and reloads.
func TestRedis(t *testing.T) {
	w := newLive(t)
	const password, next = "the-password-of-redis", "the-next-password"
	w.write(t, "redis-password", password+"\n")
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	address := server.Addr()
	server.Close()

	first := w.start(t, live(redisAt(address, ""), ""))
	if got, status := w.readiness(t); status != 503 || got.WaitingFor[0] != "store" {
		t.Errorf("Redis is away: got %d %+v, want that it waits for the store", status, got)
	}
	if err := server.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w.becomesReady(t)
	token := w.token(t)
	if got := server.Keys(); len(got) == 0 || !strings.HasPrefix(got[0], "scopegate:") {
		t.Errorf("got the keys %q in Redis, want ours", got)
	}

	// The same settings share the store, on another line too; others reach the
	// same data anew.
	if err := w.load(live("\n"+redisAt(address, ""), "\t\tpublic GET /more")); err != nil {
		t.Fatal(err)
	}
	if app := running(t); app == first || app.shared != first.shared {
		t.Error("a reload with the same settings opened the store again")
	}
	w.write(t, "redis-next", next+"\n")
	server.RequireAuth(next)
	changed := strings.Replace(live(redisAt(address, ""), ""), "redis-password", "redis-next", 1)
	if err := w.load(changed); err != nil {
		t.Fatal(err)
	}
	app := running(t)
	if app.shared == first.shared || app.shared.caches != first.shared.caches {
		t.Error("a reload with another password: got the store or other caches, want another store and the same caches")
	}
	if _, status := w.readiness(t); status != 200 || w.orders(t, token) != 200 {
		t.Errorf("after another password: got %d, want 200", status)
	}
	if got := stores(); got != 1 {
		t.Errorf("got %d open stores, want one", got)
	}

	server.Close()
	if err := w.load(strings.Replace(changed, "\t\tdemo\n", "\t\tdemo\n\t\tservice other https://other.example.com\n", 1)); err != nil {
		t.Fatalf("a reload while Redis is away: %v", err)
	}
	if got := w.orders(t, token); got != 200 {
		t.Errorf("a request after that: got %d, want 200", got)
	}

	log, err := os.ReadFile(w.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, next} {
		if strings.Contains(string(log), secret) {
			t.Error("the log shows the password")
		}
	}
}

// TestRedisPasswords holds what may be seen of a password, in the
// configuration too.
func TestRedisPasswords(t *testing.T) {
	out, err := adapt(strings.ReplaceAll(live(redisAt("127.0.0.1:6379", ""), ""), "PORT", "8081"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), `"password":"{file.DIR/redis-password}"`) {
		t.Errorf("got %s, want the reference as it was written", out)
	}
}

// TestRedisIsLeft gives back the connections.
func TestRedisIsLeft(t *testing.T) {
	w := newLive(t)
	w.write(t, "redis-password", "x\n")
	server := miniredis.RunT(t)
	server.RequireAuth("x")
	round := func() {
		w.start(t, live(redisAt(server.Addr(), ""), ""))
		w.token(t)
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	before := goleak.IgnoreCurrent()
	round()
	eventually(t, "the connections to end", func() bool { return server.CurrentConnectionCount() == 0 })
	noneLeft(t, before)
}
