package outside

import (
	"math/rand/v2"
	"testing"
)

// FreePort picks a port of the loopback address that nothing listens on, for this
// test alone until it ends: no other test is given it, and none of another process
// that runs at the same time. It stays below the range from which Linux takes the
// ports of outgoing connections, one of which could have it before the server
// starts, or while the server is away.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if release, ok := reserve(port); ok {
			t.Cleanup(release)
			return port
		}
	}
	t.Fatal("found no free port on loopback")
	return 0
}
