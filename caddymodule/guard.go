package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

// Guard stands in front of one API. It takes the caller's token out of the
// request, decides by the token's allowed_resource_scope and these rules, and
// forwards the request with a token that was made for the upstream. Whatever
// no rule names is refused.
type Guard struct {
	// The service whose API this is, as the app `scopegate` names it.
	Service string `json:"service"`

	// Also accept the token in the header csp-auth-token. Its cookie never counts.
	AcceptCSPAuthToken bool `json:"accept_csp_auth_token,omitempty"`

	// Turn the load error for a way around this guard into a warning.
	UnguardedOK bool `json:"unguarded_ok,omitempty"`

	// The operations of the API. Their order has no meaning.
	Rules []scopes.Rule `json:"rules,omitempty"`

	app     *App
	log     *slog.Logger
	policy  *scopes.Policy
	current atomic.Pointer[tokenexchange.Guard]
}

// CaddyModule returns the Caddy module information.
func (*Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.guard", New: func() caddy.Module { return new(Guard) }}
}

// Provision gets the logger. The rules wait for the app, which binds them.
func (g *Guard) Provision(ctx caddy.Context) error {
	g.log = ctx.Slogger()
	return nil
}

// bind compiles the rules against the declared permissions.
func (g *Guard) bind(a *App) error {
	permissions, ok := a.realm.Service(g.Service)
	if !ok {
		return fmt.Errorf("guard %s: there is no service of this name in the global option scopegate", g.Service)
	}
	policy, err := scopes.NewPolicy(g.Service, permissions, a.realm.Declares, g.Rules)
	if err != nil {
		return fmt.Errorf("guard %s: %w", g.Service, err)
	}
	for _, w := range policy.Warnings() {
		g.log.Warn(w, "guard", g.Service)
	}
	g.app, g.policy = a, policy
	return nil
}

// start puts the guard to work.
func (g *Guard) start(server *tokenexchange.Server) error {
	guard, err := server.Guard(g.Service, g.policy, tokenexchange.GuardOptions{})
	if err != nil {
		return err
	}
	for _, rule := range g.policy.Public() {
		g.log.Info("public rule: requests pass without a token", "guard", g.Service, "rule", rule)
	}
	g.current.Store(guard)
	return nil
}

// ready returns the guard at work. If there is none, not bound, or not started
// within the time that a request waits, it returns one that refuses everything.
func (g *Guard) ready(r *http.Request) *tokenexchange.Guard {
	if core := g.current.Load(); core != nil {
		return core
	}
	if g.app != nil && g.app.waitReady(r.Context()) {
		if core := g.current.Load(); core != nil {
			return core
		}
	}
	return tokenexchange.NotReady(g.Service, g.log)
}

// ServeHTTP decides on a request and forwards it, or answers it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	// 1 Take the credentials out before anything can answer: an error route
	// that proxies would get whatever is still in the request.
	presented := tokenexchange.Take(r, g.AcceptCSPAuthToken)
	core := g.ready(r)

	// 2 to 10.
	verdict := core.Decide(r, presented)
	if verdict.Allowed() {
		// 11 Write the token; a copy of the presented one elsewhere refuses.
		verdict.Forward(r, presented)
	}
	core.Record(r.Context(), r, verdict)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) { return placeholder(verdict, key) })
	}
	if !verdict.Allowed() {
		// A refusal is an answer and never an error: errors run error routes.
		verdict.WriteRefusal(w)
		return nil
	}
	// The exchanged token is for the upstream alone, so no handler that runs
	// after this one, on an error or a panic, finds it.
	defer r.Header.Del("Authorization")
	err := next.ServeHTTP(&upstreamAnswer{&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}, r)
	if err != nil && (g.AcceptCSPAuthToken || presented.ShownInLogs()) {
		return g.answer(w, verdict, err)
	}
	return err
}

// answer turns an error of a later handler into an answer. Caddy would log the
// request with the error, and with it the csp-auth-token header in clear: it
// redacts only the headers that it knows.
func (g *Guard) answer(w http.ResponseWriter, v *tokenexchange.Verdict, err error) error {
	status := http.StatusInternalServerError
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) && handlerErr.StatusCode != 0 {
		status = handlerErr.StatusCode
	}
	g.log.Error("handler behind the guard", "status", status, "decision_id", v.DecisionID, "error", err.Error())
	http.Error(w, http.StatusText(status), status)
	return nil
}

// placeholder gives what later handlers and the access log may know.
func placeholder(v *tokenexchange.Verdict, key string) (any, bool) {
	switch key {
	case "http.auth.user.id":
		return v.Subject, v.Subject != ""
	case "http.auth.user.client_id":
		return v.Client, v.Client != ""
	case "http.auth.user.org":
		return v.Org, v.Org != ""
	case "http.auth.user.act":
		return v.Actor, v.Actor != ""
	case "http.scopegate.decision_id":
		return v.DecisionID, true
	case "http.scopegate.reason":
		return v.Reason.String(), true
	case "http.scopegate.rule":
		return v.Rule, true
	}
	return nil, false
}

var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
