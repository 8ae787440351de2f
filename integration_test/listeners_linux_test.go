package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// awaitOneListener waits until the configuration before the last reload has
// closed its listener for a site. Caddy says that a reload is done when the
// goroutines that close it were started, and a new connection can still land
// there until they run: it is served by the old rules, or gets no answer
// (docs/decisions/0014).
func (c *Caddy) awaitOneListener(site string) {
	c.t.Helper()
	for end := time.Now().Add(waitTimeout); ; time.Sleep(time.Millisecond) {
		n := listeners(c.t, c.ports[site])
		if n == 1 {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d sockets listen for %s, want one", n, site)
		}
	}
}

// listeners counts the sockets that listen on a port of 127.0.0.1.
func listeners(t *testing.T, port int) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // Number, local address, remote address, state: 0A listens.
		if len(fields) > 3 && fields[1] == fmt.Sprintf("0100007F:%04X", port) && fields[3] == "0A" {
			n++
		}
	}
	return n
}
