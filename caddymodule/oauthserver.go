package caddymodule

import (
	"log/slog"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/tokenexchange"
)

// OAuthServer serves the endpoints of the issuer that the app `scopegate`
// configures: the token endpoint, those beside it, the public keys and the
// metadata. A request to any other path goes to the next handler.
type OAuthServer struct {
	app *App // set by the app when all routes are provisioned
	log *slog.Logger
}

// CaddyModule returns the Caddy module information.
func (*OAuthServer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.oauth_server", New: func() caddy.Module { return new(OAuthServer) }}
}

// Provision gets the logger.
func (h *OAuthServer) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	return nil
}

// ServeHTTP answers requests to the endpoints.
func (h *OAuthServer) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Path == readyPath {
		return serveReady(w, r, h.app)
	}
	if !tokenexchange.Owns(r.URL.Path) {
		return next.ServeHTTP(w, r)
	}
	app := h.begin(r)
	if app == nil {
		h.notReady(w, r)
		return nil
	}
	defer func() {
		if err := app.shared.letGo(); err != nil {
			h.log.Error("closing the store after the last request", "error", err)
		}
	}()
	server := app.server.Load()
	if server == nil { // Taken away in this moment.
		h.notReady(w, r)
		return nil
	}
	server.ServeHTTP(w, fromClient(r))
	return nil
}

// notReady refuses a request that no server answers. A handler that no app works
// with knows nobody's scripts.
func (h *OAuthServer) notReady(w http.ResponseWriter, r *http.Request) {
	var realm *tokenexchange.Realm
	if h.app != nil {
		realm = h.app.realm
	}
	tokenexchange.ServeNotReady(w, r, realm, h.app.decisionLog(h.log))
}

// fromClient says where a request comes from as Caddy knows it: behind proxies
// that trusted_proxies names, that is not the peer.
func fromClient(r *http.Request) *http.Request {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if ip == "" {
		return r
	}
	return r.WithContext(tokenexchange.WithClientAddress(r.Context(), ip))
}

// begin returns the app that answers a request, and holds its store. A request
// that was on its way when a reload ended this configuration is for the one in
// force: clients, users and keys are what they are now.
func (h *OAuthServer) begin(r *http.Request) *App {
	if h.app == nil || !h.app.waitReady(r.Context()) {
		return nil
	}
	for range 3 { // It can end between the two looks at it.
		app := h.app.inForce()
		if app == nil || !app.issuing {
			return nil
		}
		if app.shared.hold() == nil {
			return app
		}
	}
	return nil
}

// parseOAuthServer parses the directive:
//
//	oauth_server [<matcher>]
func parseOAuthServer(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // the directive
	if h.NextArg() {
		return nil, h.Errf("oauth_server: unrecognized %q; it takes no arguments, its settings are in the global option scopegate", h.Val())
	}
	if h.NextBlock(0) {
		return nil, h.Errf("oauth_server: unrecognized %q; it takes no block, its settings are in the global option scopegate", h.Val())
	}
	if h.Option("scopegate") == nil {
		return nil, h.Err("oauth_server needs the global option scopegate, which says who the issuer is")
	}
	return new(OAuthServer), nil
}

var (
	_ caddy.Provisioner           = (*OAuthServer)(nil)
	_ caddyhttp.MiddlewareHandler = (*OAuthServer)(nil)
)
