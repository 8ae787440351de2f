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
	origins crossOrigin // whose scripts may read the answer
}

var (
	posted  = []string{http.MethodPost}
	read    = []string{http.MethodGet, http.MethodHead}
	paged   = []string{http.MethodGet, http.MethodPost}
	visited = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

var (
	tokenEndpoint    = endpoint{posted, (*Server).serveToken, appOrigins}
	apiTokenEndpoint = endpoint{posted, (*Server).serveAPIToken, sameOrigin}
	pushedRequests   = endpoint{posted, (*Server).servePushed, appOrigins}
	introspection    = endpoint{posted, (*Server).serveIntrospection, sameOrigin}
	revocation       = endpoint{posted, (*Server).serveRevocation, appOrigins}
	userinfo         = endpoint{visited, (*Server).serveUserinfo, appOrigins}
	userinfoCall     = endpoint{read, (*Server).serveUserinfo, appOrigins}
	organization     = endpoint{read, (*Server).serveOrganization, sameOrigin}
	logoutEndpoint   = endpoint{visited, (*Server).serveLogout, sameOrigin}
	logoutCall       = endpoint{posted, (*Server).serveLogout, sameOrigin}
	authorization    = endpoint{paged, (*Server).serveAuthorize, sameOrigin}
	discovery        = endpoint{[]string{http.MethodGet}, (*Server).serveAuthorize, sameOrigin}
	arrivals         = endpoint{[]string{http.MethodGet}, (*Server).serveCallback, sameOrigin}
	account          = endpoint{paged, (*Server).serveAccount, sameOrigin}
	keysEndpoint     = endpoint{read, (*Server).serveKeys, anyOrigin}
	publicKey        = endpoint{read, (*Server).servePublicKey, anyOrigin}
	metadataEndpoint = endpoint{read, (*Server).serveMetadata, anyOrigin}
)

// endpoints is the table of docs/token-endpoint.md: standard and CSP names.
var endpoints = map[string]endpoint{
	"/oauth2/token":                                             tokenEndpoint,
	"/csp/gateway/am/api/auth/token":                            tokenEndpoint,
	"/csp/gateway/am/api/auth/authorize":                        tokenEndpoint,
	"/csp/gateway/am/api/auth/api-tokens/authorize":             apiTokenEndpoint,
	"/oauth2/par":                                               pushedRequests,
	"/oauth2/introspect":                                        introspection,
	"/csp/gateway/am/api/auth/introspect":                       introspection,
	"/oauth2/revoke":                                            revocation,
	"/csp/gateway/am/api/auth/revoke":                           revocation,
	authorizePath:                                               authorization,
	"/csp/gateway/discovery":                                    discovery,
	accountPath:                                                 account,
	logoutPath:                                                  logoutEndpoint,
	"/csp/gateway/am/api/auth/logout":                           logoutCall,
	"/oauth2/jwks":                                              keysEndpoint,
	"/csp/gateway/am/api/auth/keys":                             keysEndpoint,
	"/csp/gateway/am/api/auth/token-public-key":                 publicKey,
	"/.well-known/openid-configuration":                         metadataEndpoint,
	"/.well-known/oauth-authorization-server":                   metadataEndpoint,
	"/csp/gateway/am/api/auth/.well-known/openid-configuration": metadataEndpoint,
	"/oauth2/userinfo":                                          userinfo,
	"/csp/gateway/am/api/userinfo":                              userinfoCall,
}

// merged takes one of two slashes in front away: a known client sends both.
func merged(path string) string {
	if strings.HasPrefix(path, "//") {
		return path[1:]
	}
	return path
}

func endpointOf(path string) (endpoint, bool) {
	path = merged(path)
	if _, ok := organizationOf(path); ok {
		return organization, true
	}
	if _, ok := arrivalOf(path); ok {
		return arrivals, true
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
	if !ok {
		http.NotFound(w, r)
		return
	}
	e.begin(s.realm, w, r, func() { e.serve(s, w, r) })
}

// begin does what all endpoints do first: it lets scripts read the answer, and
// refuses methods that the endpoint does not have.
func (e endpoint) begin(realm *Realm, w http.ResponseWriter, r *http.Request, serve func()) {
	reads := realm.allowOrigin(w, r, e.origins)
	switch {
	case reads && isPreflight(r):
		answerPreflight(w, e.methods)
	case !slices.Contains(e.methods, r.Method):
		allow := strings.Join(e.methods, ", ")
		w.Header().Set("Allow", allow)
		http.Error(w, "expected "+allow, http.StatusMethodNotAllowed)
	default:
		serve()
	}
}
