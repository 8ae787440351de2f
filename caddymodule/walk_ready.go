package caddymodule

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// probe warns of a guarded site where a path that handlers of ours answer by
// themselves comes to none of them. What no route answers is 200 in Caddy: a probe
// takes it for ready, and a client finds no metadata.
func (w *walk) probe() {
	if len(w.guards) == 0 {
		return
	}
	ready := visitor{readyPath, func(h caddyhttp.MiddlewareHandler) bool {
		_, issues := h.(*OAuthServer)
		_, guards := h.(*Guard)
		return issues || guards
	}}
	if !w.reaches(w.server.Routes, ready) {
		w.app.log.Warn("no route brings "+readyPath+" to a guard or to oauth_server: a probe there gets Caddy's own answer, 200 with an empty body; expected a block with one of them that matches the path", "site", w.where())
	}
	for i, g := range w.guards {
		if g.about == nil || slices.ContainsFunc(w.guards[:i], func(before *Guard) bool { return before.Service == g.Service }) {
			continue
		}
		metadata := visitor{g.about.Path(), func(h caddyhttp.MiddlewareHandler) bool {
			other, guards := h.(*Guard)
			return guards && other.Service == g.Service
		}}
		if !w.reaches(w.server.Routes, metadata) {
			w.app.log.Warn("no route brings "+metadata.path+" to the guard of "+g.Service+": clients that look there for who issues its tokens do not find it; expected a block with this guard that matches the path", "site", w.where())
		}
	}
}

// visitor is a request for a path, and the handlers that can answer it.
type visitor struct {
	path    string
	answers func(caddyhttp.MiddlewareHandler) bool
}

// reaches reports whether a request may come to a handler that answers it. Of
// matchers only hosts and paths are known before a request.
func (w *walk) reaches(list caddyhttp.RouteList, v visitor) bool {
	return slices.ContainsFunc(list, func(route caddyhttp.Route) bool {
		if may, _ := matchesHost(route.MatcherSets, w.host); !may || !matchesPath(route.MatcherSets, v.path) {
			return false
		}
		return slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool {
			if v.answers(h) {
				return true
			}
			switch h := h.(type) {
			case *caddyhttp.Subroute:
				return w.reaches(h.Routes, v)
			case *caddyhttp.Invoke:
				named := w.server.NamedRoutes[h.Name]
				if named == nil || slices.Contains(w.named, h.Name) {
					return false
				}
				w.named = append(w.named, h.Name)
				defer func() { w.named = w.named[:len(w.named)-1] }()
				return w.reaches(caddyhttp.RouteList{*named}, v)
			}
			return false
		})
	})
}

// matchesPath reports whether the matchers of a path let this one in.
func matchesPath(sets caddyhttp.MatcherSets, path string) bool {
	r, err := http.NewRequest(http.MethodGet, (&url.URL{Scheme: "http", Host: "localhost", Path: path}).String(), nil)
	if err != nil {
		return false
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
	return len(sets) == 0 || slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		for _, m := range set {
			switch m.(type) {
			case caddyhttp.MatchPath, *caddyhttp.MatchPath, caddyhttp.MatchPathRE, *caddyhttp.MatchPathRE:
				if ok, err := m.(caddyhttp.RequestMatcherWithError).MatchWithError(r); err != nil || !ok {
					return false
				}
			}
		}
		return true
	})
}
