package tokenexchange

import (
	"context"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Record writes the audit record of a verdict.
func (g *Guard) Record(ctx context.Context, r *http.Request, v *Verdict) {
	rec := Record{
		DecisionID: v.DecisionID, Endpoint: "guard", Allowed: v.Reason == scopes.ReasonAllowed, Reason: v.Reason.String(), WouldDeny: v.WouldDeny,
		Client: v.claimed.ClientID, Subject: v.claimed.Subject, Actor: v.Actor, Org: v.Org,
		Service: g.name, Method: v.method(r), Rule: v.Rule, Peer: r.RemoteAddr, Missing: v.missing,
	}
	if _, wanted := rec.level(ctx, g.log); !wanted {
		return // Most requests are allowed, and most logs have no debug level.
	}
	if v.Reason != scopes.ReasonTokenLeak { // Its path may hold the copy.
		rec.Path = loggable(v.Path.Raw())
	}
	rec.Cause = causeText(v.cause)
	rec.write(ctx, g.log)
}

// method is the request's method where a rule has it or it is a common one. Any
// other is what a caller made up, and could be a token.
func (v *Verdict) method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return r.Method
	}
	if v.Rule != "" {
		return r.Method
	}
	return "other"
}

// Bounds of what a record shows of a path. What is longer than a segment may be,
// or has the form of a token, does not get into the log.
const (
	maxLoggedSegment = 128
	maxLoggedPath    = 512
)

func loggable(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > maxLoggedSegment || hasTokenForm(segment) {
			segments[i] = "..."
		}
	}
	if path = strings.Join(segments, "/"); len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "..."
	}
	return path
}
