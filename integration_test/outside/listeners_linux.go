package outside

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// OneListener waits until at most one socket listens on a port. Caddy says that
// a reload is done, or refused, when the goroutines that close the listeners
// that go were started, and a new connection can still land there until they
// run: it meets the other configuration, or gets no answer
// (docs/decisions/0014).
func OneListener(t testing.TB, port int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		n := listeners(t, port)
		if n <= 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d sockets listen on port %d after a minute, want one", n, port)
		}
	}
}

// listeners counts the sockets that listen on a port, on whichever address.
func listeners(t testing.TB, port int) (n int) {
	t.Helper()
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil && !os.IsNotExist(err) { // A kernel without IPv6 has no tcp6.
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line) // Number, local address, remote address, state: 0A listens.
			if len(fields) > 3 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && fields[3] == "0A" {
				n++
			}
		}
	}
	return n
}
