package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// walk goes over the provisioned routes of one server. It binds the handlers
// of this module to the app, and finds the ways around a guard: a proxy of a
// guarded site that can be reached without it, a handler behind it that changes
// what was decided on, an error route that proxies.
type walk struct {
	app    *App
	server *caddyhttp.Server
	bound  []*Guard
	issues bool // an oauth_server is on this server
	err    error

	upstreams upstreams
	warned    map[string]bool

	// What belongs to the host name that is being walked.
	host     string // "" is every host that no route names
	guards   []*Guard
	findings []string
	proxied  map[string]reach // by address of the upstream
	inError  bool
	named    []string // the named routes that are being walked, against loops
}

// bind walks all servers. In a demo it also refuses listeners that strangers
// can reach.
func (a *App) bind(httpApp *caddyhttp.App) error {
	at := upstreams{}
	for _, name := range sortedKeys(httpApp.Servers) {
		srv := httpApp.Servers[name]
		if a.Demo {
			if err := onlyLoopback(srv.Listen); err != nil {
				return a.at("demo", 0, err)
			}
		}
		w := &walk{app: a, server: srv, upstreams: at, warned: map[string]bool{}}
		if err := w.run(); err != nil {
			return err
		}
	}
	// On another port it may be meant, as for one that only this machine reaches.
	for _, text := range at.around() {
		a.log.Warn(text)
	}
	return nil
}

func (w *walk) run() error {
	var errorRoutes caddyhttp.RouteList
	if w.server.Errors != nil {
		errorRoutes = w.server.Errors.Routes
	}
	w.bindAll(w.server.Routes)
	w.bindAll(errorRoutes)
	for _, name := range sortedKeys(w.server.NamedRoutes) {
		w.bindAll(caddyhttp.RouteList{*w.server.NamedRoutes[name]})
	}
	w.checkProxies()

	// A request has one host, so each name is followed alone through all the
	// routes that may match it.
	here := upstreams{}
	for _, host := range hostNames(w.server.Routes, errorRoutes) {
		w.host, w.guards, w.findings, w.proxied = host, nil, nil, map[string]reach{}
		w.site(w.server.Routes, entering(bare))
		w.errorRoutes(errorRoutes)
		if w.err != nil {
			return w.err
		}
		here.add(w, w.where())
		w.upstreams.add(w, w.where())
		if err := w.report(); err != nil {
			return err
		}
		w.probe()
	}
	// On one listener the caller chooses the host, so another name is no wall.
	if around := here.around(); len(around) > 0 && !slices.ContainsFunc(w.bound, func(g *Guard) bool { return g.UnguardedOK }) {
		return w.bound[0].wrong("%s (unguarded_ok in the guard's block makes this a warning)", around[0])
	}
	for _, g := range w.bound {
		if g.AcceptCSPAuthToken && w.server.Logs != nil {
			w.app.log.Warn("access logs show the csp-auth-token header in clear; delete it with a log filter: request>headers>Csp-Auth-Token", "guard", g.Service)
		}
	}
	return nil
}

// bindAll gives the handlers of this module to the app, wherever they stand:
// one that no request can reach is checked too.
func (w *walk) bindAll(list caddyhttp.RouteList) {
	for _, route := range list {
		for _, h := range route.Handlers {
			switch h := h.(type) {
			case *Guard:
				w.fail(h.bind(w.app))
				w.app.guards = append(w.app.guards, h)
				w.bound = append(w.bound, h)
			case *OAuthServer:
				h.app, w.app.issuing, w.issues = w.app, true, true
			case *caddyhttp.Subroute:
				w.bindAll(h.Routes)
				if h.Errors != nil {
					w.bindAll(h.Errors.Routes)
				}
			case *intercept.Intercept:
				for _, r := range h.HandleResponse {
					w.bindAll(r.Routes)
				}
			case *reverseproxy.Handler:
				for _, r := range h.HandleResponse {
					w.bindAll(r.Routes)
				}
			}
		}
	}
}

// site follows the top-level routes that may match the host. A terminal route
// for the host ends its site: what follows is another one's, unless it names
// the host too. Its guard then stands where no request comes.
func (w *walk) site(list caddyhttp.RouteList, s state) {
	ended := false
	for _, route := range list {
		may, always := matchesHost(route.MatcherSets, w.host)
		if !may || ended && !namesHost(route.MatcherSets, w.host) {
			continue
		}
		s = w.route(route, s, always)
		ended = ended || always && route.Terminal
	}
}

// errorRoutes finds proxies among the server's error routes for the host: what
// comes there was never decided on, or has the path that it had before the
// decision.
func (w *walk) errorRoutes(list caddyhttp.RouteList) {
	w.inError = true
	w.site(list, entering(bare))
	w.inError = false
}

func (w *walk) find(text string) { w.findings = append(w.findings, text) }

func (w *walk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// where names the site that is being followed.
func (w *walk) where() string {
	where := strings.Join(w.server.Listen, " ")
	if w.host != "" {
		return w.host + " on " + where
	}
	return where
}

// report makes the findings of a guarded host load errors, or warnings where a
// guard of the site says unguarded_ok.
func (w *walk) report() error {
	if len(w.guards) == 0 || len(w.findings) == 0 {
		return nil
	}
	where := w.where()
	if !slices.ContainsFunc(w.guards, func(g *Guard) bool { return g.UnguardedOK }) {
		return w.guards[0].wrong("site %s: %s (unguarded_ok in the guard's block makes this a warning)", where, w.findings[0])
	}
	for _, f := range w.findings {
		if !w.warned[f] {
			w.app.log.Warn("unguarded_ok: "+f, "site", where)
		}
		w.warned[f] = true
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
