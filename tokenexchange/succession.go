package tokenexchange

import "sync"

// succession is how a server gives way to the next one, in the middle of requests.
// A request is issued a token by the server that is in force once it has been
// read: one that comes slowly would otherwise get what was taken away meanwhile.
type succession struct {
	mu      sync.Mutex
	next    *Server
	issuing int           // requests that this server makes a token for, or a login, or a code
	idle    chan struct{} // closed when there are none after it gave way
	waits   *Server       // that one must be left then
}

// enter has the call answered by the server in force: its own, or one after it.
// That one must be left.
func (c *call) enter() *Server {
	c.server = c.server.inForce()
	return c.server
}

func (s *Server) inForce() *Server {
	for {
		s.succession.mu.Lock()
		next := s.succession.next
		if next == nil {
			s.succession.issuing++
		}
		s.succession.mu.Unlock()
		if next == nil {
			return s
		}
		s = next
	}
}

// leave says that a token was made, or refused.
func (s *Server) leave() {
	if next := s.left(); next != nil {
		next.leave()
	}
}

// left returns the server that waited for this one to sign its last token, if that
// was the last one.
func (s *Server) left() (waits *Server) {
	s.succession.mu.Lock()
	defer s.succession.mu.Unlock()
	if s.succession.issuing--; s.succession.issuing == 0 && s.succession.next != nil {
		close(s.succession.idle)
		return s.succession.waits
	}
	return nil
}

// GiveWay has next make the tokens of all requests that s has not begun to make
// one for. The channel is closed when s has signed its last token, and so have all
// that gave way to it. A server gives way once; what it is told later changes
// nothing.
func (s *Server) GiveWay(next *Server) (last <-chan struct{}) {
	s.succession.mu.Lock()
	defer s.succession.mu.Unlock()
	if s.succession.next != nil || next == s {
		return s.succession.idle
	}
	s.succession.next, s.succession.idle = next, make(chan struct{})
	if s.succession.issuing == 0 {
		close(s.succession.idle)
	} else {
		// What is under way here counts as under way there: else two changes in a
		// row would forget it.
		s.succession.waits = next.inForce()
	}
	return s.succession.idle
}
