package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// probe warns of a guarded site where nobody of ours answers readyPath. What no
// route answers is 200 in Caddy, which a probe takes for ready.
func (w *walk) probe() {
	if len(w.guards) > 0 && !w.answersReady(w.server.Routes) {
		w.app.log.Warn("no route brings "+readyPath+" to a guard or to oauth_server: a probe there gets Caddy's own answer, 200 with an empty body; expected a block with one of them that matches the path", "site", w.where())
	}
}

// answersReady reports whether a request for readyPath may come to a handler of
// this module. Of matchers only hosts and paths are known before a request.
func (w *walk) answersReady(list caddyhttp.RouteList) bool {
	return slices.ContainsFunc(list, func(route caddyhttp.Route) bool {
		if may, _ := matchesHost(route.MatcherSets, w.host); !may || !matchesReadyPath(route.MatcherSets) {
			return false
		}
		return slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool {
			switch h := h.(type) {
			case *Guard, *OAuthServer:
				return true
			case *caddyhttp.Subroute:
				return w.answersReady(h.Routes)
			case *caddyhttp.Invoke:
				named := w.server.NamedRoutes[h.Name]
				if named == nil || slices.Contains(w.named, h.Name) {
					return false
				}
				w.named = append(w.named, h.Name)
				defer func() { w.named = w.named[:len(w.named)-1] }()
				return w.answersReady(caddyhttp.RouteList{*named})
			}
			return false
		})
	})
}

// matchesReadyPath reports whether the matchers of a path let readyPath in.
func matchesReadyPath(sets caddyhttp.MatcherSets) bool {
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+readyPath, nil)
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
