package tokenexchange

import (
	"context"
	"time"
)

// PushedLife is how long a pushed authorization request can be used.
const PushedLife = time.Minute

// requestURN is how a request_uri of ours begins (RFC 9126 section 2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

// keep stores the parameters of an authorization request that was checked, for
// its client, and returns the request_uri that stands for them once.
func (s *Server) keep(ctx context.Context, a Attempt, p parameters) (requestURI string, err error) {
	return "", refused("server_error", "")
}

// requested returns the parameters that a request stands for: those that were
// pushed, where it names a request_uri of ours, else its own.
func (s *Server) requested(ctx context.Context, a Attempt, p parameters) (parameters, error) {
	return p, nil
}
