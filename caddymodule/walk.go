package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sort"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// walk goes over the provisioned routes of one server. It binds the handlers
// of this module to the app, and finds the ways around a guard: a proxy of a
// guarded site that can be reached without it, a handler behind it that changes
// what was decided on, an error route that proxies.
type walk struct {
	app     *App
	server  *caddyhttp.Server
	sites   map[string]*site
	current *site
	named   []string // the named routes that are being walked, against loops
	err     error
}

// site is what one set of host names leads to. Routes without host names are
// one site, and lead everywhere.
type site struct {
	guards   []*Guard
	findings []string
}

// bind walks all servers. In a demo it also refuses listeners that strangers
// can reach.
func (a *App) bind(httpApp *caddyhttp.App) error {
	for _, name := range sortedKeys(httpApp.Servers) {
		srv := httpApp.Servers[name]
		if a.Demo {
			if err := onlyLoopback(srv.Listen); err != nil {
				return err
			}
		}
		w := &walk{app: a, server: srv, sites: map[string]*site{}}
		if err := w.run(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) run() error {
	behind := map[string]bool{}
	for _, route := range w.server.Routes {
		key, hostOnly := hosts(route)
		if w.sites[key] == nil {
			w.sites[key] = new(site)
		}
		w.current = w.sites[key]
		through := w.handlers(route.Handlers, behind[key])
		behind[key] = behind[key] || through && hostOnly
	}
	if w.server.Errors != nil {
		for _, route := range w.server.Errors.Routes {
			w.errorRoute(route)
		}
	}
	if w.err != nil {
		return w.err
	}
	return w.report()
}

// hosts names the site of a top-level route, and reports whether nothing but
// the host names decides who gets there.
func hosts(route caddyhttp.Route) (key string, hostOnly bool) {
	var names []string
	hostOnly = true
	for _, set := range route.MatcherSets {
		for _, m := range set {
			switch m := m.(type) {
			case caddyhttp.MatchHost:
				names = append(names, m...)
			case *caddyhttp.MatchHost:
				names = append(names, *m...)
			default:
				hostOnly = false
			}
		}
	}
	sort.Strings(names)
	return strings.Join(names, " "), hostOnly
}

// routes walks a list. guarded says whether a guard stands before it; the
// result, whether one stands before what follows it.
func (w *walk) routes(list caddyhttp.RouteList, guarded bool) bool {
	for _, route := range list {
		through := w.handlers(route.Handlers, guarded)
		if len(route.MatcherSets) == 0 {
			guarded = through
		}
	}
	return guarded
}

func (w *walk) handlers(list []caddyhttp.MiddlewareHandler, guarded bool) bool {
	for _, h := range list {
		switch h := h.(type) {
		case *Guard:
			if guarded {
				w.fail(fmt.Errorf("guard %s: stands behind another guard, which has already taken the caller's token; use one guard in each handle block", h.Service))
			}
			w.fail(h.bind(w.app))
			w.app.guards = append(w.app.guards, h)
			w.current.guards = append(w.current.guards, h)
			guarded = true
		case *OAuthServer:
			h.app = w.app
		case *caddyhttp.Subroute:
			guarded = w.routes(h.Routes, guarded)
			if h.Errors != nil {
				w.inErrors(h.Errors.Routes)
			}
		case *caddyhttp.Invoke:
			guarded = w.invoke(h.Name, guarded)
		case *rewrite.Rewrite:
			if guarded {
				w.find("rewrite or uri behind the guard changes what was decided on; put it before the guard")
			}
		case *intercept.Intercept:
			w.responses(h.HandleResponse, guarded)
		case *reverseproxy.Handler:
			w.proxy(h, guarded)
		}
	}
	return guarded
}

func (w *walk) proxy(h *reverseproxy.Handler, guarded bool) {
	to := "its upstreams"
	if len(h.Upstreams) > 0 {
		to = h.Upstreams[0].Dial
	}
	switch {
	case !guarded:
		w.find("reverse_proxy to " + to + " can be reached without the guard; put it in the guard's block, or behind it without a matcher that is before it")
	case h.Rewrite != nil:
		w.find("reverse_proxy to " + to + " changes the method or the path that was decided on (its own rewrite or method, or forward_auth)")
	}
	w.responses(h.HandleResponse, guarded)
}

func (w *walk) responses(list []caddyhttp.ResponseHandler, guarded bool) {
	for _, h := range list {
		w.routes(h.Routes, guarded)
	}
}

// invoke walks a named route each time that it is invoked, as Caddy runs it.
func (w *walk) invoke(name string, guarded bool) bool {
	route := w.server.NamedRoutes[name]
	if route == nil || slices.Contains(w.named, name) {
		return guarded
	}
	w.named = append(w.named, name)
	defer func() { w.named = w.named[:len(w.named)-1] }()
	return w.routes(caddyhttp.RouteList{*route}, guarded)
}

// errorRoute walks an error route of the server. One without host names serves
// the errors of every site.
func (w *walk) errorRoute(route caddyhttp.Route) {
	key, _ := hosts(route)
	for siteKey, s := range w.sites {
		if key == "" || siteKey == "" || key == siteKey {
			w.current = s
			w.inErrors(caddyhttp.RouteList{route})
		}
	}
}

// inErrors finds proxies in error routes: what comes there was never decided
// on, or has the path that it had before the decision.
func (w *walk) inErrors(list caddyhttp.RouteList) {
	before := len(w.current.findings)
	guards := len(w.current.guards)
	w.routes(list, false)
	for i := range w.current.findings[before:] {
		w.current.findings[before+i] = "an error route proxies: " + w.current.findings[before+i]
	}
	if len(w.current.guards) > guards {
		w.fail(errors.New("a guard in an error route: requests come there undecided; guard the site's own routes"))
	}
}

func (w *walk) find(text string) { w.current.findings = append(w.current.findings, text) }

func (w *walk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// report makes the findings of guarded sites load errors, or warnings where a
// guard of the site says unguarded_ok.
func (w *walk) report() error {
	for _, key := range sortedKeys(w.sites) {
		s := w.sites[key]
		if len(s.guards) == 0 || len(s.findings) == 0 {
			continue
		}
		where := strings.Join(w.server.Listen, " ")
		if key != "" {
			where = key + " on " + where
		}
		if slices.ContainsFunc(s.guards, func(g *Guard) bool { return g.UnguardedOK }) {
			for _, f := range s.findings {
				w.app.log.Warn("unguarded_ok: "+f, "site", where)
			}
			continue
		}
		return fmt.Errorf("guard %s: site %s: %s (unguarded_ok in the guard's block makes this a warning)",
			s.guards[0].Service, where, s.findings[0])
	}
	for _, s := range w.sites {
		for _, g := range s.guards {
			if g.AcceptCSPAuthToken && w.server.Logs != nil {
				w.app.log.Warn("access logs show the csp-auth-token header in clear; delete it with a log filter: request>headers>Csp-Auth-Token", "guard", g.Service)
			}
		}
	}
	return nil
}

// onlyLoopback is the limit of demo: literal secrets are known to everybody
// who read the example.
func onlyLoopback(listen []string) error {
	for _, address := range listen {
		parsed, err := caddy.ParseNetworkAddress(address)
		if err != nil {
			return fmt.Errorf("demo: listener %s: %w", address, err)
		}
		ip := net.ParseIP(parsed.Host)
		if parsed.IsUnixNetwork() || parsed.Host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		return fmt.Errorf("demo: the listener %s can be reached by strangers; expected loopback, as with the global option default_bind 127.0.0.1", address)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
