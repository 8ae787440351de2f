package browser

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// handedOut are the ports that some test of this process has.
var handedOut sync.Map // port -> struct{}

// freePort picks a port below those of outgoing connections, one of which would
// take it before the server does.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if _, taken := handedOut.LoadOrStore(port, struct{}{}); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("found no free port on loopback")
	return 0
}
