package tokenexchange

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Guard decides on requests to one service. It is immutable and safe for
// concurrent use. The zero value refuses everything.
type Guard struct {
	server  *Server
	service *service
	policy  *scopes.Policy
	headers []string     // that rules read
	client  *mint.Client // that the guard acts as
	acting  *client      // the same, where it is a configured one
	target  mint.Target
	users   way // for tokens of users
	clients way // for clients' own tokens
	slash   scopes.EncodedSlash
	options GuardOptions
	log     *slog.Logger
	ids     *decisionIDs
	name    string // of the service, for records

	metadata string // where to learn who issues tokens, for challenges; "" for nowhere
}

// NotReady returns the guard of a service that is not at work yet: it refuses
// everything, and records that.
func NotReady(serviceID string, log *slog.Logger) *Guard {
	return &Guard{log: log, ids: newDecisionIDs(), name: serviceID}
}

// Verdict is the answer to one proxied request. The zero value refuses.
type Verdict struct {
	DecisionID string
	Reason     scopes.Reason
	Rule       string             // "METHOD PATH" of the rule that was found
	Path       scopes.Path        // the path that was decided on, and that must go upstream
	Token      mint.UpstreamToken // what to forward; none for a public rule
	Subject    string
	Client     string
	Org        string
	Actor      string
	WouldDeny  string // the reason for which only mode audit let the request pass, "" for none

	missing   []scopes.Need
	anyOf     bool // one of missing is enough
	cause     error
	claimed   mint.Identifiers // of a token that we signed, also if it was refused
	guard     *Guard           // that decided
	hidden    bool             // tell nobody whether there is such a path
	malformed bool             // a preflight that cannot be answered
	answer    *preflightAnswer // what the guard itself answers
}

// Allowed reports whether the request may be forwarded. What may not is
// answered by WriteRefusal, a preflight that the guard answers itself too.
func (v *Verdict) Allowed() bool { return v.Reason == scopes.ReasonAllowed && v.answer == nil }

// Decide takes a request through steps 2 to 10 of docs/guard.md. The first
// step, Take, must have been done; the last one is the caller's: write the
// token, look for leaks, forward. A refused request costs no signature.
func (g *Guard) Decide(r *http.Request, p Presented) *Verdict {
	v := &Verdict{guard: g}
	if g.ids != nil {
		v.DecisionID = g.ids.next()
	}
	if g.server != nil {
		v.Reason, v.cause = g.decide(r, p, v)
	}
	// The path, or a value of the query or a header that the rule reads, may hold
	// a copy of the token: neither the answer nor the record may show it.
	if slices.ContainsFunc(v.missing, func(n scopes.Need) bool { return p.within(n.Resource) }) {
		v.missing = nil
		if !v.Allowed() {
			v.Path = scopes.Path{}
		}
	}
	if !v.Allowed() && p.within(v.Path.Raw()) {
		v.Path, v.missing = scopes.Path{}, nil
	}
	// Another token than the presented one can be there as well.
	if slices.ContainsFunc(v.missing, func(n scopes.Need) bool { return hasTokenForm(n.Resource) }) {
		v.missing = nil
	}
	return v
}

func (g *Guard) decide(r *http.Request, p Presented, v *Verdict) (scopes.Reason, error) {
	// 2 One canonical path, for the decision and for the upstream.
	path, err := canonicalPath(r, g.slash)
	if err != nil {
		return scopes.ReasonPathAmbiguous, err
	}
	v.Path = path
	if neverForwarded(r.Method) {
		return scopes.ReasonMethodNotAllowed, nil
	}

	// 3 Find the rule and tell nobody yet.
	match := g.policy.Find(r.Method, path)
	v.Rule = match.Rule()

	// 4 Exactly one bearer token. One in the query is refused even where the
	// rule is public, since the query is forwarded as it came.
	if p.ambiguous {
		return scopes.ReasonTokenAmbiguous, nil
	}
	if g.options.Preflight != "" && g.options.Preflight != PreflightBlock && isPreflight(r) {
		return g.preflight(r, v)
	}
	if match.Access() == scopes.AccessPublic {
		return scopes.ReasonAllowed, nil
	}
	if p.token == "" {
		return scopes.ReasonNoToken, nil
	}

	// 5 Signature, alg, typ, iss, aud, exp, nbf; 6 revocation, on every
	// request, whether the signature came from the cache or not.
	signed, token, err := g.server.verify(p.token)
	if err != nil {
		return pathReason(err), err
	}
	v.claimed = signed.Identifiers()
	subject, err := g.server.judge(signed, mint.TypeAccess, g.audience)
	if err != nil {
		return pathReason(err), err
	}
	if g.stale() {
		return scopes.ReasonRevocationsStale, errStale
	}
	facts := mint.Facts(subject)
	v.Subject, v.Client, v.Org, v.Actor = facts.Subject(), facts.ClientID(), facts.Org(), facts.Actor()

	// 7 No rule, or none for this method. A kept %2F that two rules read in two
	// ways is said only here too, because it tells of both.
	if match.Access() == scopes.AccessNone && !g.softens(match.Reason()) {
		v.hidden = g.options.HideExistence && match.Reason() != scopes.ReasonPathAmbiguous
		return match.Reason(), nil
	}
	return g.exchange(r, v, match, subject, token)
}

// neverForwarded are methods that no rule can name and that no mode softens: an
// upstream answers TRACE with the token, and a proxy sends CONNECT on as
// another method. The answer is the same on every path, so it tells nothing.
func neverForwarded(method string) bool {
	return strings.EqualFold(method, http.MethodTrace) || strings.EqualFold(method, http.MethodConnect)
}

// exchange is steps 8 to 10, for a token that was judged.
func (g *Guard) exchange(r *http.Request, v *Verdict, match scopes.Match, subject mint.Subject, token [sha256.Size]byte) (scopes.Reason, error) {
	// 8 Derive the set that this service would get.
	how := g.way(subject)
	derived, err := g.derive(how, token, subject)
	if err != nil {
		return pathReason(err), err
	}

	// 9 Decide on exactly that set.
	facts := mint.Facts(subject)
	in := scopes.Inputs{Query: r.URL.RawQuery, Header: r.Header, Claims: facts}
	decision := match.Decide(facts.Rights(), derived.draft.Rights(), in)
	softened := !decision.Allowed()
	if softened && !g.softens(decision.Reason()) {
		v.missing, v.anyOf = decision.Missing(), decision.AnyOf()
		return decision.Reason(), nil
	}

	// 10 Sign, where the token's client consents. This is never softened.
	if err := g.consent(how, facts); err != nil {
		return scopes.ReasonExchangeRefused, err
	}
	if v.Token, err = g.sign(how, token, derived, decision); err != nil {
		return pathReason(err), err
	}
	if softened { // For the record alone, so only where nothing is refused any more.
		v.WouldDeny, v.missing = decision.Reason().String(), decision.Missing()
	}
	return scopes.ReasonAllowed, nil
}

var errStale = errors.New("the feed of revocations cannot be read for longer than revocation_max_staleness")

// stale reports whether too long nobody could tell what others revoked.
func (g *Guard) stale() bool {
	most := g.options.RevocationMaxStaleness
	return most > 0 && g.server.revocations.Age() > most
}

// softens reports whether mode audit lets a request pass that would be refused
// for this reason. The clock is asked each time, so the mode ends by itself.
func (g *Guard) softens(reason scopes.Reason) bool {
	if !g.server.now().Before(g.options.AuditUntil) {
		return false
	}
	switch reason {
	case scopes.ReasonNoResourceScope, scopes.ReasonNoMapping, scopes.ReasonServiceMissing,
		scopes.ReasonPermissionMissing, scopes.ReasonResourceMissing:
		return true
	case scopes.ReasonNoRule, scopes.ReasonMethodNotAllowed:
		return g.options.AuditNoRule
	}
	return false
}

// way returns how a token is exchanged. An impersonated token, which may be
// exchanged nowhere else, is a user's here. No other kind comes this way: an id
// token has another typ.
func (g *Guard) way(s mint.Subject) *way {
	switch s.(type) {
	case mint.UserToken, mint.DelegatedToken, mint.ImpersonatedToken:
		return &g.users
	}
	return &g.clients
}

func (g *Guard) audience(aud []string) bool { return slices.Contains(aud, g.service.Audience) }
