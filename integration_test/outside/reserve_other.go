//go:build !linux

package outside

import (
	"fmt"
	"net"
)

// reserve looks whether a port is free, and cannot keep it: that is for Linux.
func reserve(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
