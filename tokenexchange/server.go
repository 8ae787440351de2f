package tokenexchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Runtime is what a Server needs besides its configuration: what exists only
// once the process runs.
type Runtime struct {
	SigningKeys []SigningKey // of each algorithm the first signs, all verify
	StateKeys   []StateKey   // the first seals, all open
	Store       Store
	Caches      *Caches      // kept over reloads
	Throttles   *Throttles   // kept over reloads
	Revocations *Revocations // kept over reloads, and filled from the store's Feed
	Epoch       Epoch        // of the store, from State.Epoch
	// For each of Realm.Providers, by the domain of its users.
	LoginProviders map[string]LoginProvider
	Log            *slog.Logger
	Now            func() time.Time // nil is time.Now
	Random         io.Reader        // of what records hold; see NewState
}

// Server is one issuer at work. It is immutable and safe for concurrent use;
// a new configuration is a new Server, which the old one gives way to.
type Server struct {
	realm       *Realm
	ring        *mint.Ring
	mint        *mint.Mint
	state       *State
	epoch       Epoch
	caches      *Caches
	throttles   *Throttles
	revocations *Revocations
	logins      map[string]LoginProvider // by the domain of their users
	log         *slog.Logger
	now         func() time.Time
	ids         *decisionIDs
	looks       flights // at the store, for Ready
	succession  succession
	jwks        []byte
	publicKeys  publicKeys
	metadata    []byte
}

// New puts a checked configuration to work.
func New(realm *Realm, rt Runtime) (*Server, error) {
	if rt.Now == nil {
		rt.Now = time.Now
	}
	if realm == nil || rt.Caches == nil || rt.Throttles == nil || rt.Revocations == nil || rt.Log == nil || rt.Epoch.ID == "" {
		return nil, errors.New("starting the server: a realm, caches, throttles, revocations, a logger and an epoch are needed")
	}
	s := &Server{realm: realm, caches: rt.Caches, throttles: rt.Throttles, revocations: rt.Revocations, epoch: rt.Epoch, logins: rt.LoginProviders, log: rt.Log, now: rt.Now, ids: newDecisionIDs()}
	for domain := range realm.providers {
		if s.logins[domain] == nil {
			return nil, fmt.Errorf("starting the server: there is nothing that logs in the users of %s", domain)
		}
	}
	var err error
	if s.ring, err = newRing(rt.SigningKeys); err != nil {
		return nil, err
	}
	for _, c := range realm.clients {
		if err := s.canSign(c); err != nil {
			return nil, c.sources.Place("client "+c.ID, err)
		}
	}
	if s.mint, err = mint.New(realm.issuer, realm.mint, s.ring, s.now); err != nil {
		return nil, err
	}
	if s.state, err = NewState(rt.Store, realm.issuer, rt.StateKeys, s.now, rt.Random); err != nil {
		return nil, err
	}
	s.state.unsettled = rt.Caches.unsettled
	if _, ok := rt.Store.(Feed); !ok {
		return nil, errors.New("starting the server: the store has no feed for revocations")
	}
	if s.jwks, err = json.Marshal(keySet(rt.SigningKeys)); err != nil {
		return nil, fmt.Errorf("encoding the key set: %w", err)
	}
	if s.publicKeys, err = publicKeysOf(realm.issuer, rt.SigningKeys); err != nil {
		return nil, fmt.Errorf("encoding the public keys: %w", err)
	}
	s.metadata, err = json.Marshal(metadataOf(realm, s.ring))
	return s, err
}

// canSign checks that there are keys for the tokens that a client can get.
func (s *Server) canSign(c *client) error {
	switch {
	case !s.ring.Can(c.AccessAlg):
		return cannotSign("access_token_alg", c.AccessAlg)
	case s.realm.identifies(c) && !s.ring.Can(c.IDAlg):
		return cannotSign("id_token_alg", c.IDAlg)
	}
	return nil
}

// cannotSign names both ways out, since most who read it wrote neither word: the
// algorithm is a default. There is a key, so the other algorithm has one.
func cannotSign(word, alg string) error {
	key, other := "an RSA key", "ES256"
	if alg == "ES256" {
		key, other = "a P-256 key", "RS256"
	}
	return inWord(word, "%s: there is no signing_key for it; expected one with %s, or the line %s %s", alg, key, word, other)
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, "token", s.token)
}

func (s *Server) serveAPIToken(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, "api-token", s.apiToken)
}

func (s *Server) servePushed(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, "par", s.pushed)
}

func (s *Server) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, "introspect", s.introspect)
}

func (s *Server) serveRevocation(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, "revoke", s.revokePresented)
}

// reply writes the answer to a request that was not refused.
type reply func(http.ResponseWriter)

// steps take a request through all that comes before its answer.
type steps func(*http.Request, *Record, func() (parameters, error)) (reply, error)

// answer answers a request of a client.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, endpoint string, serve steps) {
	s.conclude(w, r, endpoint, serve, writeError)
}

// conclude is the ninth step of a request: audit, then write. The record comes
// first, so that no token leaves unrecorded.
func (s *Server) conclude(w http.ResponseWriter, r *http.Request, endpoint string, serve steps,
	refuse func(http.ResponseWriter, *http.Request, *Refused, string),
) {
	rec := &Record{DecisionID: s.ids.next(), Endpoint: endpoint, Peer: r.RemoteAddr}
	r = located(r)
	write, err := serve(r, rec, readingBody(w, r))
	if err != nil {
		e := asRefused(err)
		rec.Reason, rec.Cause = string(e.Reason), e.why()
		rec.write(r.Context(), s.log)
		refuse(w, r, e, rec.DecisionID)
		return
	}
	rec.Allowed, rec.Reason = true, "allowed"
	rec.write(r.Context(), s.log)
	write(w)
}

// bodyTimeout is how long the body of a token request may take.
const bodyTimeout = 10 * time.Second

// readingBody returns what reads the parameters of a request, within the time
// that a body may take.
func readingBody(w http.ResponseWriter, r *http.Request) func() (parameters, error) {
	return func() (p parameters, err error) {
		inTime(w, func() { p, err = readParameters(r) })
		return p, err
	}
}

// inTime has a body read within the time that it may take: one that comes slowly
// would hold the store beyond its configuration.
func inTime(w http.ResponseWriter, read func()) {
	body := http.NewResponseController(w)
	_ = body.SetReadDeadline(time.Now().Add(bodyTimeout)) // Not all writers can.
	defer func() { _ = body.SetReadDeadline(time.Time{}) }()
	read()
}

// ServeNotReady answers and records a request that came before the server was
// ready. The realm, where there is one, says whose scripts may read that.
func ServeNotReady(w http.ResponseWriter, r *http.Request, realm *Realm, log *slog.Logger) {
	if e, ok := endpointOf(r.URL.Path); ok {
		realm.allowOrigin(w, r, e.origins)
	}
	rec := &Record{DecisionID: newDecisionIDs().next(), Endpoint: "token", Reason: "not_ready", Peer: r.RemoteAddr}
	rec.write(r.Context(), log)
	writeError(w, r, &Refused{Reason: "not_ready"}, rec.DecisionID)
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) { servePublic(w, s.jwks) }

func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) { servePublic(w, s.metadata) }

// servePublic answers with a document that anyone may read and keep a while.
func servePublic(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // The client is gone if this fails.
}
