package tokenexchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// PushedLife is how long a pushed authorization request can be used.
const PushedLife = time.Minute

// requestURN is how a request_uri of ours begins (RFC 9126 section 2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

const kindPushed recordKind = "pushed request"

// pushedRecord is what a client pushed. Once it was used, it holds nothing.
type pushedRecord struct {
	Params parameters `json:"params,omitempty"`
}

// pushed answers an authorization request that a client sends by itself, before
// the browser comes (RFC 9126). The client authenticates as at the token
// endpoint, and learns here what is wrong with its request.
func (s *Server) pushed(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	c, err := s.begin(r, rec, read)
	if err != nil {
		return nil, err
	}
	s = c.enter()
	s.leave() // Nothing is issued, so nobody waits for it.
	if c.client, err = s.authenticate(r, c.params); err != nil {
		return nil, err
	}
	rec.Client = c.client.ID
	if c.params["request_uri"] != "" {
		return nil, refused("parameter_misplaced", "request_uri")
	}
	c.params["client_id"] = c.client.ID // Where another proof names the client it may be left out.
	if _, err := s.authorizationRequest(c.params); err != nil {
		return nil, err
	}
	// Anybody can be a public client, and fill the store.
	if c.client.public {
		if err := s.mayBegin(c); err != nil {
			return nil, err
		}
	}
	uri, err := s.keep(c, c.attempt, c.params)
	if err != nil {
		return nil, err
	}
	answer := struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}{uri, int64(PushedLife.Seconds())}
	return func(w http.ResponseWriter) { writeJSON(w, http.StatusCreated, answer) }, nil
}

// keep stores an authorization request that was checked, and returns the
// request_uri that stands for it, once and for its client alone. Nothing else of
// what was sent is stored: there are secrets among it.
func (s *Server) keep(ctx context.Context, a Attempt, p parameters) (requestURI string, err error) {
	kept := parameters{}
	for name, value := range p {
		if requestParameter(name) {
			kept[name] = value
		}
	}
	state := s.state
	id := opaque{key: state.ring[0], grant: rand.Text()}
	key := id.key.keyFor(state.issuer, kindPushed, id.grant)
	first, err := state.add(ctx, a, kindPushed, key, pushedRecord{Params: kept}, s.now().Add(PushedLife))
	if err == nil && !first {
		err = errors.New("the id is taken")
	}
	if err != nil {
		return "", fmt.Errorf("keeping an authorization request: %w", err)
	}
	return requestURN + id.text(opaquePushed, state.issuer, p["client_id"]), nil
}

// requested returns the parameters of a request: those that were pushed, where it
// names a request_uri of ours, else its own. They are checked again: the
// configuration may have changed.
func (s *Server) requested(ctx context.Context, a Attempt, p parameters) (parameters, error) {
	id, ours := strings.CutPrefix(p["request_uri"], requestURN)
	if !ours {
		return p, nil
	}
	if err := p.aloneWithURI(); err != nil {
		return nil, err
	}
	pushed, err := s.state.usePushed(ctx, a, id, p["client_id"])
	if errors.Is(err, ErrNotFound) {
		return nil, refusedBecause("request_uri_invalid", err)
	}
	return pushed, err
}

// aloneWithURI refuses what stands beside a request_uri of ours, other than the
// client: somebody would believe that it counts.
func (p parameters) aloneWithURI() error {
	if err := p.check(); err != nil {
		return err
	}
	for name := range p {
		if requestParameter(name) && name != "client_id" || name == "request" || slices.Contains(grantBound, name) {
			return refused("parameter_misplaced", name)
		}
	}
	if p["client_id"] == "" {
		return refused("parameter_missing", "client_id")
	}
	return nil
}

// usePushed uses up what was pushed under an id. Of all who try one gets it, the
// others ErrNotFound, as for an id that is forged, another client's or too old.
func (s *State) usePushed(ctx context.Context, a Attempt, id, client string) (parameters, error) {
	o, ok := s.readOpaque(opaquePushed, id, client)
	if !ok {
		return nil, fmt.Errorf("using a pushed request: %w: none of ours for this client", ErrNotFound)
	}
	found, err := s.findAt(ctx, kindPushed, o.key.keyFor(s.issuer, kindPushed, o.grant))
	var rec pushedRecord
	if err == nil {
		err = found.read(&rec)
	}
	if err == nil && rec.Params == nil {
		err = fmt.Errorf("%w: it was used", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("using a pushed request: %w", err)
	}
	first, err := s.handOut(ctx, a, found, pushedRecord{}, found.exp)
	if err == nil && !first {
		err = fmt.Errorf("%w: it was used a moment ago", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("using a pushed request: %w", err)
	}
	return rec.Params, nil
}

// requestNames are the parameters of an authorization request that are read,
// besides the narrowing ones.
var requestNames = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age",
	"login_hint", "id_token_hint", "ui_locales", "code_challenge", "code_challenge_method",
}

func requestParameter(name string) bool {
	return slices.Contains(requestNames, name) || slices.Contains(narrowing, name)
}
