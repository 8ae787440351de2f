package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// reach says which requests can come to a place in the routes: such that went
// through a guard, such that did not, both, or none.
type reach uint8

const (
	bare    reach = 1 << iota // without a guard
	guarded                   // through one
)

// state is what is known of the requests at one place. Of the routes of a group
// a request takes only the first that matches, so the requests are also counted
// by group: those that took one of its routes already, and skip the rest.
type state struct {
	all    reach
	took   map[string]reach // by group; absent: none
	open   map[string]reach // by group; absent: all
	unsure bool             // a group that is absent may have been taken
}

func entering(r reach) state { return state{all: r} }

func (s state) tookOf(group string) reach {
	if r, ok := s.took[group]; ok || !s.unsure {
		return r
	}
	return s.all
}

func (s state) openOf(group string) reach {
	if r, ok := s.open[group]; ok {
		return r
	}
	return s.all
}

// each applies a function to every count.
func (s state) each(f func(reach) reach) state {
	out := state{all: f(s.all), took: map[string]reach{}, open: map[string]reach{}, unsure: s.unsure}
	for group, r := range s.took {
		out.took[group] = f(r)
	}
	for group, r := range s.open {
		out.open[group] = f(r)
	}
	return out
}

func (s state) only(mask reach) state { return s.each(func(r reach) reach { return r & mask }) }

// throughGuard is the state behind a guard: nobody comes out without it.
func (s state) throughGuard() state {
	return s.each(func(r reach) reach {
		if r != 0 {
			return guarded
		}
		return 0
	})
}

// forget gives up what is known of groups.
func (s state) forget() state { return state{all: s.all, unsure: true} }

// join is the state where two ways meet.
func join(a, b state) state {
	out := state{all: a.all | b.all, took: map[string]reach{}, open: map[string]reach{}, unsure: a.unsure || b.unsure}
	for _, groups := range []map[string]reach{a.took, a.open, b.took, b.open} {
		for group := range maps.Keys(groups) {
			out.took[group] = a.tookOf(group) | b.tookOf(group)
			out.open[group] = a.openOf(group) | b.openOf(group)
		}
	}
	return out
}

// split parts the requests at a route: those that go in, and those that skip it.
func (s state) split(group string, always bool) (in, past state) {
	in, past = s, s
	if group != "" {
		in = s.only(s.openOf(group))
		in.took[group], in.open[group] = in.all, 0
	}
	switch {
	case !always:
	case group == "":
		past = s.only(0)
	default:
		past = s.only(s.tookOf(group))
		past.open[group] = 0
	}
	return in, past
}

func (w *walk) routes(list caddyhttp.RouteList, s state) state {
	for _, route := range list {
		s = w.route(route, s, len(route.MatcherSets) == 0)
	}
	return s
}

func (w *walk) route(route caddyhttp.Route, s state, always bool) state {
	in, past := s.split(route.Group, always)
	for _, h := range route.Handlers {
		in = w.handler(h, in) // Even if none comes: a guard there is a mistake.
	}
	if route.Terminal {
		return past
	}
	return join(past, in)
}

// handler follows the requests through one handler: the result is the state of
// those that it hands on.
func (w *walk) handler(h caddyhttp.MiddlewareHandler, s state) state {
	switch h := h.(type) {
	case *Guard:
		switch {
		case w.inError:
			w.fail(h.wrong("a guard in an error route: requests come there undecided; expected it in the site's own routes"))
		case s.all == guarded:
			w.fail(h.wrong("stands behind another guard, which has already taken the caller's token; expected one guard in each handle block"))
		}
		w.guards = append(w.guards, h)
		return s.throughGuard()
	case *caddyhttp.Subroute:
		return w.subroute(h, s)
	case *caddyhttp.Invoke:
		return w.invoke(h.Name, s)
	case *rewrite.Rewrite:
		if s.all&guarded != 0 {
			w.find("rewrite or uri behind the guard changes what was decided on; put it before the guard")
		}
	case *headers.Handler:
		w.rereads(h, s)
	case *intercept.Intercept:
		w.responses(h.HandleResponse, s.forget())
	case *reverseproxy.Handler:
		return w.proxy(h, s)
	case *caddyhttp.StaticResponse:
		// It hands on after Early Hints only.
		if code := string(h.StatusCode); code != "103" && !strings.Contains(code, "{") {
			return s.only(0)
		}
	case *fileserver.FileServer:
		if !h.PassThru {
			return s.only(0)
		}
	case *caddyhttp.StaticError:
		return s.only(0)
	}
	return s
}

// subroute follows the routes of a subroute, and its error routes: those run
// when a route before its guard fails, and what they do not answer goes on to
// the handlers after the subroute.
func (w *walk) subroute(h *caddyhttp.Subroute, s state) state {
	out := w.routes(h.Routes, s)
	if h.Errors == nil {
		return out
	}
	outer := w.inError
	w.inError = true
	failed := w.routes(h.Errors.Routes, entering(bare).forget())
	w.inError = outer
	if failed.all != 0 {
		out = join(out, entering(s.all).forget())
	}
	return out
}

func (w *walk) proxy(h *reverseproxy.Handler, s state) state {
	to := "its upstreams"
	if len(h.Upstreams) > 0 {
		to = h.Upstreams[0].Dial
	}
	for _, u := range h.Upstreams {
		w.proxied[u.Dial] |= s.all
	}
	w.rereads(h.Headers, s)
	_, cgi := h.Transport.(*fastcgi.Transport)
	switch {
	case s.all == 0:
	case w.inError:
		w.find("an error route proxies to " + to + ": what comes there was not decided on, or has the path from before the decision; answer there instead")
	case s.all&bare != 0:
		w.find("reverse_proxy to " + to + " can be reached without the guard; put it in the guard's block, or behind it without a matcher that is before it")
	case h.Rewrite != nil:
		w.find("reverse_proxy to " + to + " changes the method or the path that was decided on (its own rewrite or method, or forward_auth)")
	case cgi:
		w.find("reverse_proxy to " + to + " sends REQUEST_URI by FastCGI, which is the path as it came and not the one that was decided on")
	}
	return w.responses(h.HandleResponse, s)
}

// responses follows the routes for an upstream's answer. What they do not
// answer goes on to the handler after the proxy.
func (w *walk) responses(list []caddyhttp.ResponseHandler, s state) state {
	out := s.only(0)
	for _, h := range list {
		out = join(out, w.routes(h.Routes, s))
	}
	return out
}

// invoke follows a named route each time that it is invoked, as Caddy runs it.
// Of one that invokes itself nothing is known.
func (w *walk) invoke(name string, s state) state {
	route := w.server.NamedRoutes[name]
	if route == nil {
		return s.only(0) // An error for every request.
	}
	if slices.Contains(w.named, name) {
		return entering(s.all | guarded).forget()
	}
	w.named = append(w.named, name)
	defer func() { w.named = w.named[:len(w.named)-1] }()
	return w.routes(caddyhttp.RouteList{*route}, s)
}
