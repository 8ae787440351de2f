package tokenexchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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
	client  *mint.Client
	target  mint.Target
	digest  [sha256.Size]byte
	log     *slog.Logger
	ids     *decisionIDs
	name    string // of the service, for records
}

// NotReady returns the guard of a service that is not at work yet: it refuses
// everything, and records that.
func NotReady(serviceID string, log *slog.Logger) *Guard {
	return &Guard{log: log, ids: newDecisionIDs(), name: serviceID}
}

// Guard returns the guard of a service with the given rules. It acts as the
// built-in client guard:SERVICE.
func (s *Server) Guard(serviceID string, policy *scopes.Policy) (*Guard, error) {
	service, ok := s.realm.services[serviceID]
	target, has := s.mint.Upstream(serviceID)
	if !ok || !has || policy == nil {
		return nil, fmt.Errorf("guard %s: there is no service of this name", serviceID)
	}
	alg := mint.ES256
	if !s.ring.Can(alg) {
		alg = mint.RS256
	}
	client := guardClient(service, alg)
	return &Guard{
		server: s, service: service, policy: policy, client: client, target: target,
		digest: exchangeDigest(s.realm.issuer, client, target, s.ring),
		log:    s.log, ids: s.ids, name: serviceID,
	}, nil
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

	missing []scopes.Need
	cause   error
	claimed mint.Identifiers // of a token that we signed, also if it was refused
}

// Allowed reports whether the request may be forwarded.
func (v *Verdict) Allowed() bool { return v.Reason == scopes.ReasonAllowed }

// Decide takes a request through steps 2 to 10 of docs/guard.md. The first
// step, Take, must have been done; the last one is the caller's: write the
// token, look for leaks, forward. A refused request costs no signature.
func (g *Guard) Decide(r *http.Request, p Presented) *Verdict {
	v := &Verdict{}
	if g.ids != nil {
		v.DecisionID = g.ids.next()
	}
	if g.server != nil {
		v.Reason, v.cause = g.decide(r, p, v)
	}
	if !v.Allowed() && p.within(v.Path.Raw()) {
		// The path holds a copy of the token: neither the answer nor the
		// record may show it.
		v.Path, v.missing = scopes.Path{}, nil
	}
	return v
}

func (g *Guard) decide(r *http.Request, p Presented, v *Verdict) (scopes.Reason, error) {
	s := g.server
	// 2 One canonical path, for the decision and for the upstream.
	path, err := canonicalPath(r)
	if err != nil {
		return scopes.ReasonPathAmbiguous, err
	}
	v.Path = path

	// 3 Find the rule and tell nobody yet.
	match := g.policy.Find(r.Method, path)
	v.Rule = match.Rule()

	// 4 Exactly one bearer token. One in the query is refused even where the
	// rule is public, since the query is forwarded as it came.
	if p.ambiguous {
		return scopes.ReasonTokenAmbiguous, nil
	}
	if match.Access() == scopes.AccessPublic {
		return scopes.ReasonAllowed, nil
	}
	if p.token == "" {
		return scopes.ReasonNoToken, nil
	}

	// 5 Signature, alg, typ, iss, aud, exp, nbf; 6 revocation, on every
	// request, whether the signature came from the cache or not.
	signed, token, err := s.verify(p.token)
	if err != nil {
		return pathReason(err), err
	}
	v.claimed = signed.Identifiers()
	subject, err := s.judge(signed, g.audience)
	if err != nil {
		return pathReason(err), err
	}
	facts := mint.Facts(subject)
	v.Subject, v.Client, v.Org, v.Actor = facts.Subject(), facts.ClientID(), facts.Org(), facts.Actor()

	// 7 No rule, or none for this method.
	if match.Access() == scopes.AccessNone {
		return match.Reason(), nil
	}

	// 8 Derive the set that this service would get.
	derived, err := g.derive(token, subject)
	if err != nil {
		return pathReason(err), err
	}

	// 9 Decide on exactly that set.
	decision := match.Decide(facts.Rights(), derived.draft.Rights(), scopes.Inputs{})
	if !decision.Allowed() {
		v.missing = decision.Missing()
		return decision.Reason(), nil
	}

	// 10 Sign, where the token's client consents. A client that is no longer
	// configured cannot be asked, and so refuses.
	source, known := s.realm.clients[facts.ClientID()]
	if !known || !source.consents(g.service.ID) {
		return scopes.ReasonExchangeRefused, missingConsent(facts.ClientID(), g.service)
	}
	v.Token, err = g.sign(token, derived)
	if err != nil {
		return pathReason(err), err
	}
	return scopes.ReasonAllowed, nil
}

func (g *Guard) audience(aud []string) bool { return slices.Contains(aud, g.service.Audience) }

// canonicalPath makes the one path of a request. What was rewritten before is
// what counts, and nothing behind the guard may change it.
func canonicalPath(r *http.Request) (scopes.Path, error) {
	u := r.URL
	if u.Opaque != "" || u.Fragment != "" || u.User != nil {
		return scopes.Path{}, errors.New("the request target is neither a path nor an absolute URL without user and fragment")
	}
	if u.Host == "" && u.Scheme != "" || u.Host != "" && u.Host != r.Host {
		return scopes.Path{}, errors.New("the request target names no host, or another one")
	}
	if strings.ContainsAny(u.RawQuery, " #") {
		return scopes.Path{}, errors.New("the query has a raw blank or #, where some upstreams would end it")
	}
	raw := u.RawPath
	if raw == "" {
		raw = u.EscapedPath()
	} else if decoded, err := url.PathUnescape(raw); err != nil || decoded != u.Path {
		return scopes.Path{}, errors.New("path and raw path of the request differ")
	}
	return scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash)
}

// Forward prepares an allowed request for the upstream: the path that was
// decided on and the token that was made for it. It reports false, and takes
// the token back, if a copy of what the caller presented is still in it.
func (v *Verdict) Forward(r *http.Request, p Presented) bool {
	u := *r.URL
	u.Scheme, u.Host, u.Path, u.RawPath = "", "", v.Path.Decoded(), v.Path.Raw()
	r.URL = &u
	v.Token.Authorize(r.Header)
	if p.Leaks(r) {
		delete(r.Header, "Authorization")
		v.Reason, v.cause = scopes.ReasonTokenLeak, errors.New("a copy of the presented token is in another header, the path or the query")
		return false
	}
	return true
}

// Record writes the audit record of a verdict.
func (g *Guard) Record(ctx context.Context, r *http.Request, v *Verdict) {
	rec := Record{
		DecisionID: v.DecisionID, Endpoint: "guard", Allowed: v.Allowed(), Reason: v.Reason.String(),
		Client: v.claimed.ClientID, Subject: v.claimed.Subject, Actor: v.Actor, Org: v.Org,
		Service: g.name, Method: r.Method, Rule: v.Rule, Peer: r.RemoteAddr, Missing: v.missing,
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

// Bounds of what a record shows of a path. No token is as short as a segment
// may be, so one that somebody put into the path does not get into the log.
const (
	maxLoggedSegment = 128
	maxLoggedPath    = 512
)

func loggable(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > maxLoggedSegment || strings.HasPrefix(segment, "eyJ") {
			segments[i] = "..."
		}
	}
	if path = strings.Join(segments, "/"); len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "..."
	}
	return path
}
