package caddymodule

import (
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
)

// rereads warns of a handler behind a guard that changes a header which a rule
// reads: what was decided on is not what the upstream gets. A name that holds a
// placeholder is not known.
func (w *walk) rereads(h *headers.Handler, s state) {
	if h == nil || h.Request == nil || s.all&guarded == 0 {
		return
	}
	names := slices.Concat(h.Request.Delete, sortedKeys(h.Request.Add), sortedKeys(h.Request.Set), sortedKeys(h.Request.Replace))
	for _, g := range w.guards {
		for _, read := range g.policy.Headers() {
			if slices.ContainsFunc(names, func(name string) bool { return matchesHeader(name, read) }) {
				w.warn("a rule reads the header "+read+", and request_header or header_up behind the guard changes it; change it before the guard", g)
			}
		}
	}
}

// matchesHeader matches as Caddy does: without case, a star stands for any text.
func matchesHeader(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}

// warn says a thing once, for however many host names it was found.
func (w *walk) warn(text string, g *Guard) {
	if !w.warned[text] {
		w.app.log.Warn(text, "guard", g.Service)
	}
	w.warned[text] = true
}
