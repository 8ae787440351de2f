package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

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

	// The grant of the exchange: audience_exchange (default) or client_delegate.
	Exchange string `json:"exchange,omitempty"`

	// Forward only what the rule needs, and not the presented token's whole part
	// for this service.
	NarrowToRule bool `json:"narrow_to_rule,omitempty"`

	// Forward what the token's holder has no right to, for a while, and count it.
	Audit *Audit `json:"audit,omitempty"`

	// Answer 404 and not 403 where no rule is.
	HideExistence bool `json:"hide_existence,omitempty"`

	// Keep %2F in a path as a byte of its segment. Default: refuse it.
	EncodedSlashKeep bool `json:"encoded_slash_keep,omitempty"`

	// A browser's preflight request: block (default), pass or answer.
	Preflight string `json:"preflight,omitempty"`

	// The client of the app that the guard acts as. Default: one of its own.
	Client string `json:"client,omitempty"`

	// For how long the revocations of other processes may be unreadable before
	// every token is answered with 503. Default: for ever.
	RevocationMaxStaleness tokenexchange.Duration `json:"revocation_max_staleness,omitempty"`

	// Turn the load error for a way around this guard into a warning.
	UnguardedOK bool `json:"unguarded_ok,omitempty"`

	// The operations of the API. Their order has no meaning.
	Rules []scopes.Rule `json:"rules,omitempty"`

	// Where the block was written, for errors.
	Source string `json:"source,omitempty"`

	app     *App
	log     *slog.Logger
	policy  *scopes.Policy
	opts    tokenexchange.GuardOptions
	about   *tokenexchange.ProtectedResource // nil until the app binds the guard
	metrics *guardMetrics
	current atomic.Pointer[tokenexchange.Guard]
}

// CaddyModule returns the Caddy module information.
func (*Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.guard", New: func() caddy.Module { return new(Guard) }}
}

// Provision gets the logger. The rules wait for the app, which binds them.
func (g *Guard) Provision(ctx caddy.Context) error {
	g.log = ctx.Slogger()
	return registerMetrics(ctx)
}

// bind compiles the rules against the declared permissions.
func (g *Guard) bind(a *App) error {
	permissions, ok := a.realm.Service(g.Service)
	if !ok {
		return g.wrong("there is no service of this name; expected one of the global option scopegate: %s", a.realm.ServiceNames())
	}
	for _, r := range g.Rules {
		if r.Path == readyPath || tokenexchange.OwnsResourcePath(r.Path) {
			return fmt.Errorf("guard %s: %s: %s %s: the guard answers this path itself; expected another one", g.Service, r.Source, r.Method, r.Path)
		}
	}
	policy, err := scopes.NewPolicy(g.Service, permissions, a.realm.Declares, tokenexchange.ClaimNames(), g.Rules)
	if err != nil {
		return fmt.Errorf("guard %s: %w", g.Service, err)
	}
	opts, err := g.options()
	if err != nil {
		return g.wrong("%w", err)
	}
	if err := a.realm.CheckGuard(g.Service, policy, opts, time.Now()); err != nil {
		return tokenexchange.Sources{"": g.Source}.Place("", err)
	}
	if g.about, err = a.realm.ProtectedResource(g.Service, g.HideExistence); err != nil {
		return g.wrong("%w", err)
	}
	for _, w := range append(policy.Warnings(), a.realm.GuardWarnings(g.Service, opts)...) {
		g.log.Warn(w, "guard", g.Service)
	}
	g.app, g.policy, g.opts, g.metrics = a, policy, opts, newGuardMetrics(g.Service)
	return nil
}

// wrong says what is wrong with the guard, and where it was written.
func (g *Guard) wrong(format string, args ...any) error {
	at := tokenexchange.Sources{"": g.Source}
	return at.Place("guard "+g.Service, fmt.Errorf(format, args...))
}

// announce says at start what lets requests pass that a token would not.
func (g *Guard) announce() {
	for _, rule := range g.policy.Public() {
		g.log.Info("public rule: requests pass without a token", "guard", g.Service, "rule", rule)
	}
	switch end := g.opts.AuditUntil; {
	case end.IsZero():
	case time.Now().Before(end):
		g.log.Warn("mode audit: requests pass that hold too little", "guard", g.Service, "until", g.Audit.Until, "including_no_rule", g.opts.AuditNoRule)
	default:
		g.log.Warn("mode audit has ended: the guard enforces; take the line out", "guard", g.Service, "until", g.Audit.Until)
	}
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
	return tokenexchange.NotReady(g.Service, g.app.decisionLog(g.log))
}

// ServeHTTP decides on a request and forwards it, or answers it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	// 1 Take the credentials out before anything can answer: an error route
	// that proxies would get whatever is still in the request.
	presented := tokenexchange.Take(r, g.AcceptCSPAuthToken)
	if r.URL.Path == readyPath {
		return serveReady(w, r, g.app)
	}
	if g.about != nil && tokenexchange.OwnsResourcePath(r.URL.Path) {
		g.about.ServeHTTP(w, r)
		return nil
	}

	// 2 to 10.
	core, verdict := g.decide(r, presented)
	if verdict.Allowed() {
		// 11 Write the token; a copy of the presented one elsewhere refuses.
		verdict.Forward(r, presented)
	}
	core.Record(r.Context(), r, verdict)
	g.metrics.count(verdict)
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
	err := next.ServeHTTP(&upstreamAnswer{&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, g.metrics}, r)
	if err != nil && (g.AcceptCSPAuthToken || presented.ShownInLogs()) {
		return g.answer(w, verdict, err)
	}
	return err
}

// decide decides on a request. Caddy's server may bring one that it was reading
// when a reload ended this configuration: it needs the consent of both, so that
// a rule that was removed and a user who was disabled end with the reload.
func (g *Guard) decide(r *http.Request, p tokenexchange.Presented) (*tokenexchange.Guard, *tokenexchange.Verdict) {
	core := g.ready(r)
	verdict := core.Decide(r, p)
	if !verdict.Allowed() {
		return core, verdict
	}
	app := g.app.inForce()
	if app == g.app {
		return core, verdict
	}
	none := tokenexchange.NotReady(g.Service, g.app.decisionLog(g.log))
	if app == nil {
		return none, none.Decide(r, p)
	}
	// Which guard of the service would get the request is not known here: all of
	// them must allow it. A client that is refused comes again, and finds its own.
	guards := slices.DeleteFunc(slices.Clone(app.guards), func(other *Guard) bool { return other.Service != g.Service })
	for _, other := range guards {
		if core = other.current.Load(); core == nil {
			return none, none.Decide(r, p)
		}
		if verdict = core.Decide(r, p); !verdict.Allowed() {
			break
		}
	}
	if len(guards) == 0 || len(guards) > 1 && !verdict.Allowed() {
		return none, none.Decide(r, p)
	}
	return core, verdict
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

// placeholder gives what later handlers and the access log may know. With a
// verified token, whose sub is never empty, all of the user is known: Caddy would
// leave a placeholder without a value as it is written, in a header as well.
func placeholder(v *tokenexchange.Verdict, key string) (any, bool) {
	switch key {
	case "http.auth.user.id":
		return v.Subject, v.Subject != ""
	case "http.auth.user.client_id":
		return v.Client, v.Subject != ""
	case "http.auth.user.org":
		return v.Org, v.Subject != ""
	case "http.auth.user.act":
		return v.Actor, v.Subject != ""
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
