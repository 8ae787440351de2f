package tokenexchange

import (
	"net/http"
	"slices"
	"strings"
)

// endpoint is what a path is for.
type endpoint struct {
	methods []string // the first is the one that a refusal names first
	serve   func(*Server, http.ResponseWriter, *http.Request)
}

var (
	posted  = []string{http.MethodPost}
	read    = []string{http.MethodGet, http.MethodHead}
	visited = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

var (
	tokenEndpoint    = endpoint{posted, (*Server).serveToken}
	apiTokenEndpoint = endpoint{posted, (*Server).serveAPIToken}
	introspection    = endpoint{posted, (*Server).serveIntrospection}
	revocation       = endpoint{posted, (*Server).serveRevocation}
	logoutEndpoint   = endpoint{visited, (*Server).serveLogout}
	logoutCall       = endpoint{posted, (*Server).serveLogout}
	keysEndpoint     = endpoint{read, (*Server).serveKeys}
	metadataEndpoint = endpoint{read, (*Server).serveMetadata}
)

// endpoints is the table of docs/token-endpoint.md: standard and CSP names.
var endpoints = map[string]endpoint{
	"/oauth2/token":                                             tokenEndpoint,
	"/csp/gateway/am/api/auth/token":                            tokenEndpoint,
	"/csp/gateway/am/api/auth/authorize":                        tokenEndpoint,
	"/csp/gateway/am/api/auth/api-tokens/authorize":             apiTokenEndpoint,
	"/oauth2/introspect":                                        introspection,
	"/csp/gateway/am/api/auth/introspect":                       introspection,
	"/oauth2/revoke":                                            revocation,
	"/csp/gateway/am/api/auth/revoke":                           revocation,
	logoutPath:                                                  logoutEndpoint,
	"/csp/gateway/am/api/auth/logout":                           logoutCall,
	"/oauth2/jwks":                                              keysEndpoint,
	"/csp/gateway/am/api/auth/keys":                             keysEndpoint,
	"/.well-known/openid-configuration":                         metadataEndpoint,
	"/.well-known/oauth-authorization-server":                   metadataEndpoint,
	"/csp/gateway/am/api/auth/.well-known/openid-configuration": metadataEndpoint,
}

// endpointOf merges a doubled slash in front: a known client sends one.
func endpointOf(path string) (endpoint, bool) {
	if strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	e, ok := endpoints[path]
	return e, ok
}

// Owns reports whether a path is one of the server's endpoints.
func Owns(path string) bool {
	_, ok := endpointOf(path)
	return ok
}

// ServeHTTP answers a request to one of the endpoints.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := endpointOf(r.URL.Path)
	switch {
	case !ok:
		http.NotFound(w, r)
	case !slices.Contains(e.methods, r.Method):
		allow := strings.Join(e.methods, ", ")
		w.Header().Set("Allow", allow)
		http.Error(w, "expected "+allow, http.StatusMethodNotAllowed)
	default:
		e.serve(s, w, r)
	}
}
