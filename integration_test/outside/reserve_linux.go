package outside

import "syscall"

// reserve keeps a port of the loopback address until it is released, by a socket
// that is bound to it and never listens. It fails if any socket has the port. Else
// two processes could be given one port before either listens there, and two Caddys
// would share it without a word: they listen with SO_REUSEPORT.
func reserve(port int) (release func(), ok bool) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		// From now on whoever sets this too, as servers do, may listen there.
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, false
	}
	return func() { _ = syscall.Close(fd) }, true
}
