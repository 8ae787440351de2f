package caddymodule

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// redisAt is the line for a server that wants a password.
func redisAt(address, more string) string {
	return "\t\tstore redis {\n\t\t\taddress " + address + "\n\t\t\tpassword {file.DIR/redis-password}\n" + more + "\t\t}\n"
}

// newRedis makes a server that wants a password and may go away and come back. It
// is not started: its port is one that no outgoing connection gets meanwhile.
func newRedis(t *testing.T, password string) (server *miniredis.Miniredis, address string) {
	t.Helper()
	server = miniredis.NewMiniRedis()
	server.RequireAuth(password)
	t.Cleanup(server.Close)
	return server, fmt.Sprint("127.0.0.1:", outside.FreePort(t))
}

// startRedis starts one.
func startRedis(t *testing.T, password string) *miniredis.Miniredis {
	t.Helper()
	server, address := newRedis(t, password)
	if err := server.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	return server
}

// TestRedis starts while Redis is away, works with it, and reloads.
func TestRedis(t *testing.T) {
	w := newLive(t)
	const password, next = "the-password-of-redis", "the-next-password"
	w.write(t, "redis-password", password+"\n")
	server, address := newRedis(t, password)
	first := w.start(t, live(redisAt(address, ""), ""))
	if got, status := w.readiness(t); status != 503 || got.WaitingFor[0] != "store" {
		t.Errorf("Redis is away: got %d %+v, want that it waits for the store", status, got)
	}
	if err := server.StartAddr(address); err != nil {
		t.Fatal(err)
	}
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
}

// TestRedisThatQuotesIsNotLogged comes to a server that repeats what it does
// not understand, as Redis does: the log says so without the password.
func TestRedisThatQuotesIsNotLogged(t *testing.T) {
	w := newLive(t)
	const password = "the-password-of-redis"
	w.write(t, "redis-password", password+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				for n, err := conn.Read(buf); err == nil; n, err = conn.Read(buf) {
					fmt.Fprintf(conn, "-ERR unknown command, with args beginning with: %s\r\n", strings.Join(strings.Fields(string(buf[:n])), " "))
				}
			}()
		}
	}()
	w.start(t, live(redisAt(l.Addr().String(), ""), ""))
	// The first tries may have met their timeout.
	eventually(t, "the server's answer in the log", func() bool { return strings.Contains(read(t, w.path("log")), "unknown command") })
	if log := read(t, w.path("log")); strings.Contains(log, password) {
		t.Errorf("got the log %s, want the server's answer without the password", log)
	}
}

// TestRefusedReloadKeepsTheStore refuses a reload that reached Redis in another
// way: what the running configuration knows of the store is still there for the
// next one, also while Redis is away.
func TestRefusedReloadKeepsTheStore(t *testing.T) {
	w := newLive(t)
	server := startRedis(t, "x")
	for _, name := range []string{"redis-password", "redis-next"} {
		w.write(t, name, "x\n")
	}
	other, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "other.key", string(other))
	config := live(redisAt(server.Addr(), ""), "")
	first := w.startRemote(t, config)
	next := strings.Replace(config, "redis-password", "redis-next", 1)
	if err := w.load(strings.Replace(next, "DIR/state.key", "DIR/other.key", 1)); err == nil {
		t.Fatal("another state key: got no error")
	}
	server.Close()
	if err := w.load(strings.Replace(config, "\t\tdemo\n", "\t\tdemo\n\t\tservice other https://other.example.com\n", 1)); err != nil {
		t.Fatal(err)
	}
	if app := running(t); app == first || app.shared != first.shared {
		t.Error("the store that was open was not found again")
	}
	if _, status := w.readiness(t); status != 200 {
		t.Errorf("while Redis is away: got %d, want 200", status)
	}
	// Another password while it is away takes over what is known too.
	if err := w.load(next); err != nil {
		t.Fatal(err)
	}
	if app := running(t); app.shared == first.shared || app.shared.caches != first.shared.caches {
		t.Error("another password: got the store or other caches, want another store and the same caches")
	}
	if _, status := w.readiness(t); status != 200 {
		t.Errorf("another password while Redis is away: got %d, want 200", status)
	}
}

// TestRedisFilesAreReadAgain replaces what the settings name, with the settings
// as they were. A password alone is read for each connection.
func TestRedisFilesAreReadAgain(t *testing.T) {
	w := newLive(t)
	ca := func() string { return string(redistest.NewCertificates(t).CA) }
	for name, text := range map[string]string{"redis-password": "p", "user": "alice", "sentinel-user": "sam", "sentinel": "one", "ca.pem": ca()} {
		w.write(t, name, text)
	}
	text := live(redisAt("127.0.0.1:1", `			username {file.DIR/user}
			master_name main
			sentinel_username {file.DIR/sentinel-user}
			sentinel_password {file.DIR/sentinel}
			tls {
				ca_file DIR/ca.pem
			}
`), "")
	last := w.start(t, text).shared
	for _, tc := range []struct {
		file, text string
		anew       bool
	}{
		{"redis-password", "another", false},
		{"user", "bob", true},
		{"sentinel-user", "sue", true},
		{"sentinel", "two", true},
		{"ca.pem", ca(), true},
	} {
		w.write(t, tc.file, tc.text)
		if err := w.load(text); err != nil {
			t.Fatal(err)
		}
		now := running(t).shared
		if anew := now != last; anew != tc.anew {
			t.Errorf("%s: opened anew: got %t, want %t", tc.file, anew, tc.anew)
		}
		last = now
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
	server := startRedis(t, "x")
	round := func() {
		w.startRemote(t, live(redisAt(server.Addr(), ""), ""))
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
