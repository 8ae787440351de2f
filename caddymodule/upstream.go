package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// upstreamAnswer writes what comes from behind the guard. The upstream's 401
// passes through without its challenge: it is about the token that the guard
// made, and would make the caller throw away a good one.
type upstreamAnswer struct {
	*caddyhttp.ResponseWriterWrapper
	metrics *guardMetrics
}

// WriteHeader drops the challenge of a 401, and counts it.
func (a *upstreamAnswer) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		a.Header().Del("WWW-Authenticate")
		a.metrics.upstreamRefused()
	}
	a.ResponseWriterWrapper.WriteHeader(status)
}
