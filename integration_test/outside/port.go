package outside

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// handedOut are the ports that some test of this process has.
var handedOut sync.Map // port -> struct{}

// FreePort picks a port of the loopback address that nothing listens on, and no
// port twice: neither for this process, nor for another one whose tests run at
// the same time. It stays below the range from which Linux takes the ports of
// outgoing connections, one of which could have it before the server starts, or
// while the server is away.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if _, taken := handedOut.LoadOrStore(port, struct{}{}); !taken && reserve(port) {
			return port
		}
	}
	t.Fatal("found no free port on loopback")
	return 0
}
