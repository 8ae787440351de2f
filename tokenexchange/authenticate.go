package tokenexchange

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// proof is what a request brings to show which client sends it. Nothing of it
// was checked.
type proof struct {
	client    string    // the id that is claimed
	secrets   [2]string // form-decoded, and as it was sent
	assertion *assertion
}

// empty reports whether the proof is a name alone.
func (p proof) empty() bool { return p.assertion == nil && p.secrets == [2]string{} }

// readProof finds the one way in which a client authenticates (RFC 6749 section
// 2.3): Basic, the body, an assertion, or nothing.
func readProof(r *http.Request, p parameters) (proof, error) {
	headers := r.Header.Values("Authorization")
	if p["client_assertion"] != "" || p["client_assertion_type"] != "" {
		if len(headers) > 0 || p["client_secret"] != "" {
			return proof{}, refused("client_ambiguous", "")
		}
		return readAssertionProof(p)
	}
	id, secrets := p["client_id"], [2]string{p["client_secret"], p["client_secret"]}
	if len(headers) == 0 {
		return proof{client: id, secrets: secrets}, nil
	}
	user, pass, ok := r.BasicAuth()
	if !ok || len(headers) > 1 {
		return proof{}, notAuthenticated("expected one Authorization header with the scheme Basic")
	}
	// RFC 6749 has both parts form-encoded; many clients send them raw.
	decodedID, err1 := url.QueryUnescape(user)
	decoded, err2 := url.QueryUnescape(pass)
	if err1 != nil {
		return proof{}, notAuthenticated("the client id in Basic is not form-encoded")
	}
	if err2 != nil {
		decoded = pass
	}
	if id != "" && id != decodedID || secrets[0] != "" && secrets[0] != pass && secrets[0] != decoded {
		return proof{}, refused("client_ambiguous", "")
	}
	return proof{client: decodedID, secrets: [2]string{decoded, pass}}, nil
}

func readAssertionProof(p parameters) (proof, error) {
	if p["client_assertion_type"] != assertionType || p["client_assertion"] == "" {
		return proof{}, notAuthenticated("expected client_assertion, and client_assertion_type " + assertionType)
	}
	a, err := readAssertion(p["client_assertion"])
	if err != nil {
		return proof{}, refusedBecause("client_authentication", err)
	}
	if id := p["client_id"]; id != "" && id != a.subject {
		return proof{}, refused("client_ambiguous", "")
	}
	return proof{client: a.subject, assertion: a}, nil
}

func notAuthenticated(why string) error {
	return refusedBecause("client_authentication", errors.New(why))
}

// nobody is compared with where there is no client, so that an unknown client
// takes as long as a wrong secret.
var nobody = client{}

// authenticate finds and authenticates the client. It comes before any code or
// token of the request is looked at. What failed is counted, by the id that was
// sent and by the address; see docs/token-endpoint.md.
func (s *Server) authenticate(r *http.Request, p parameters) (*client, error) {
	proof, err := readProof(r, p)
	c, found := s.realm.clients[proof.client]
	if !found {
		c = &nobody
	}
	// There is nothing to guess where there is no secret, so nobody can slow a
	// public client down by failing in its name.
	if err == nil && c.public && proof.empty() {
		return c, nil
	}
	try := s.guess(r.Context(), guessSecret, proof.client)
	if err := try.allowed(); err != nil {
		return nil, err
	}
	if err == nil {
		err = s.check(r.Context(), c, proof)
	}
	if err == nil {
		try.succeeded(c.ID)
		return c, nil
	}
	if asRefused(err).Reason == "client_authentication" {
		try.failed()
	}
	return nil, err
}

// check holds the proof against the client. Where there is none, the client is
// nobody, whom no proof fits.
func (s *Server) check(ctx context.Context, c *client, p proof) (err error) {
	if p.assertion != nil {
		err = s.checkAssertion(ctx, c, p.assertion)
	} else {
		err = c.checkSecrets(p.secrets)
	}
	if c == &nobody {
		if p.client == "" {
			return notAuthenticated("no client is named")
		}
		return notAuthenticated("no client has this id")
	}
	return err
}

// checkSecrets compares all secrets with all forms of what was sent, and takes
// as long for each client. A public client has none, so none is right.
func (c *client) checkSecrets(presented [2]string) error {
	good := false
	for _, p := range presented {
		for _, secret := range c.secrets {
			good = secret.matches(p) || good
		}
	}
	if !good {
		return notAuthenticated("wrong or missing secret of client " + c.ID)
	}
	return nil
}

// claimSlack is how much longer than an assertion could be accepted its jti
// stays claimed.
const claimSlack = time.Second

// checkAssertion verifies an assertion and uses it up. The jti is claimed last,
// so that nobody but the client itself can use up one of its own; and before
// anything else is touched, so that a repeated assertion reaches nothing.
func (s *Server) checkAssertion(ctx context.Context, c *client, a *assertion) error {
	if !a.signedBy(c) {
		return notAuthenticated("no key of client " + c.ID + " signed the assertion")
	}
	if err := a.judge(s.realm.issuer, s.epoch.Created, s.now()); err != nil {
		return notAuthenticated("the assertion of client " + c.ID + ": " + err.Error())
	}
	attempt, err := s.state.NewAttempt()
	if err != nil {
		return err
	}
	until := time.Unix(a.expiry, 0).Add(mint.LeewayExpiry + claimSlack)
	// A client id has no blank, so two clients never share a claim.
	first, err := s.state.Once().Claim(ctx, attempt, "client_assertion", c.ID+" "+a.id, until)
	if err != nil {
		return err
	}
	if !first {
		return notAuthenticated("the assertion of client " + c.ID + ": jti was used before")
	}
	// A store that was lost, and of which that is not known here yet, has
	// forgotten the first use.
	return s.state.inEpoch(ctx, s.epoch)
}
