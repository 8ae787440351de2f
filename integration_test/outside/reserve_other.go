//go:build !linux

package outside

import (
	"fmt"
	"net"
	"sync"
)

// handedOut are the ports that some test of this process has.
var handedOut sync.Map // port -> struct{}

// reserve keeps a port from this process alone: more is for Linux.
func reserve(port int) (release func(), ok bool) {
	if _, taken := handedOut.LoadOrStore(port, struct{}{}); taken {
		return nil, false
	}
	l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return nil, false
	}
	_ = l.Close()
	return func() { handedOut.Delete(port) }, true
}
