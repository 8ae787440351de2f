package outside

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
)

// A port that was handed out is nobody else's, before its server listens, while
// it does, and after. Until then connections are refused, as where nobody is.
func TestFreePort(t *testing.T) {
	var port int
	t.Run("a test that has ended", func(t *testing.T) { port = FreePort(t) })
	if release, ok := reserve(port); !ok {
		t.Error("the port of a test that has ended is not free")
	} else {
		release()
	}
	port = FreePort(t)
	address := fmt.Sprint("127.0.0.1:", port)
	taken := func(when string) {
		t.Helper()
		if _, ok := reserve(port); ok { // Another process asks the kernel no other way.
			t.Errorf("%s: the port was handed out again", when)
		}
	}
	refused := func(when string) {
		t.Helper()
		if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: got %v, %v at a connection, want it refused", when, conn, err)
		}
	}
	taken("before")
	refused("before")
	for range 2 {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		taken("while a server listens")
		if n := listeners(t, port); n != 1 {
			t.Errorf("%d sockets listen, want the server's", n)
		}
		l.Close()
		taken("after")
		refused("after")
	}
}
