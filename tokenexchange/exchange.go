package tokenexchange

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// exchangedKey names one exchange of the proxy path, completely: the presented
// token as bytes; who exchanges it, how, for where, under which ceilings,
// lifetimes and keys (the guard's digest); and the set that comes out. The
// zero set stands for the derivation itself, before a signature is needed.
type exchangedKey struct{ token, guard, set [sha256.Size]byte }

// exchanged is a derivation, and the signed token once a request was allowed.
type exchanged struct {
	draft mint.Draft
	set   [sha256.Size]byte // digest of the draft's canonical set
	token mint.UpstreamToken
}

// exchangeMargin is how long before its end a forwarded token is no longer used,
// at most.
const exchangeMargin = 5 * time.Second

// derive returns the set that the service would get of a presented token, from
// the cache where it can.
func (g *Guard) derive(how *way, token [sha256.Size]byte, subject mint.Subject) (*exchanged, error) {
	s, key := g.server, exchangedKey{token: token, guard: how.digest}
	if e, ok := s.caches.exchanged.get(key, s.now()); ok {
		return e, nil
	}
	draft, err := how.derive(subject, g.client, g.target)
	if err != nil {
		return nil, err
	}
	e := &exchanged{draft: draft, set: digestOf(draft.Rights())}
	s.caches.exchanged.put(key, e, mint.Facts(subject).Expiry(), 1024+4*len(draft.Rights().Canonical()))
	return e, nil
}

func digestOf(set scopes.Set) [sha256.Size]byte { return sha256.Sum256([]byte(set.Canonical())) }

// consent asks the client that a token was issued to. A line for the service is
// its consent that this service's own guard exchanges its tokens; any other
// client needs an allow line.
func (g *Guard) consent(how *way, t *mint.Token) error {
	source, err := g.server.source(t)
	switch {
	case err != nil:
		return err
	case g.acting == nil && !source.consents(g.service.ID):
		return missingConsent(source.ID, g.service)
	case g.acting != nil && !slices.Contains(g.acting.grants, how.grant):
		return fmt.Errorf("client %s, as which the guard acts, has not %s among its grant_types", g.client.ID, how.grant)
	case g.acting != nil && !source.allows(how.grant, g.client.ID, g.service.Audience):
		return missingAllow(source.ID, how.grant, g.client.ID, g.service.Audience)
	}
	return nil
}

// sign returns the token for the upstream, narrowed to what this request needs
// where the guard is told to, and marked where the decision was not to allow.
func (g *Guard) sign(how *way, token [sha256.Size]byte, e *exchanged, d scopes.Decision) (mint.UpstreamToken, error) {
	key, in, draft := exchangedKey{token: token, guard: how.digest, set: e.set}, g.server.caches.exchanged, e.draft
	if g.options.NarrowToRule {
		needed, err := d.Narrow()
		if err == nil {
			draft, err = draft.Within(needed)
		}
		if err != nil {
			return mint.UpstreamToken{}, fmt.Errorf("narrow to_rule: %w", err)
		}
		key.set, in = digestOf(draft.Rights()), g.server.caches.narrowed
	}
	if !d.Allowed() {
		key.guard, draft = how.audited, draft.Audited()
	}
	return g.signOnce(in, key, draft)
}

// signOnce signs a draft, or remembers that it did. Many requests with one new
// token cost one signature.
func (g *Guard) signOnce(in *cache[exchangedKey, *exchanged], key exchangedKey, draft mint.Draft) (mint.UpstreamToken, error) {
	s := g.server
	if hit, ok := in.get(key, s.now()); ok {
		return hit.token, nil
	}
	v, err := s.caches.flights.do(func() (any, error) {
		// Another flight may have landed between the look above and this one.
		if hit, ok := in.get(key, s.now()); ok {
			return hit.token, nil
		}
		signed, err := s.mint.SignUpstream(draft)
		if err == nil {
			// An issued token never outlives its subject, so its end is the earlier one.
			in.put(key, &exchanged{token: signed}, usedUntil(s.now(), signed.Expiry()), 512+signed.Size())
		}
		return signed, err
	}, key.token, key.guard, key.set)
	if err != nil {
		return mint.UpstreamToken{}, err
	}
	return v.(mint.UpstreamToken), nil
}

// usedUntil returns until when a forwarded token is used again: until shortly
// before its end, so that it does not die on its way. Of a short life that is a
// tenth, or each request would cost a signature.
func usedUntil(now, end time.Time) time.Time {
	return end.Add(-min(exchangeMargin, end.Sub(now)/10))
}

// exchangeDigest covers what enters a derived token besides the presented one.
func exchangeDigest(issuer, grant string, marked bool, c *mint.Client, target mint.Target, ring *mint.Ring) [sha256.Size]byte {
	sum := sha256.New()
	keys := ring.Digest()
	for _, part := range []string{
		issuer, grant, fmt.Sprint(marked), c.ID, c.Permit.Canonical(), c.Own.Canonical(), fmt.Sprint(c.Ceilings),
		c.GuardOf, fmt.Sprintf("%q", c.Declared),
		c.AccessValidity.String(), c.AccessAlg, target.Audience(), target.Service(), string(keys[:]),
	} {
		sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		sum.Write([]byte(part))
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// missingAllow says which line would allow an exchange. It goes to the log.
func missingAllow(source, grant, caller, audience string) error {
	return fmt.Errorf("client %s has no line: allow %s by %s to %s", source, grant, caller, audience)
}

// missingConsent is the same for a service's own guard.
func missingConsent(source string, s *service) error {
	return fmt.Errorf("client %s has no permit or own line for service %s, such as: permit %s/* **", source, s.ID, s.ID)
}

// pathReasons maps the mint's words to those of the proxy path.
var pathReasons = func() map[mint.Reason]scopes.Reason {
	m := map[mint.Reason]scopes.Reason{}
	for _, r := range scopes.Reasons() {
		m[mint.Reason(r.String())] = r
	}
	return m
}()

// pathReason returns the reason of an error on the proxy path. What is too large
// for a token stays so, and trying again does not help. What else has no reason
// there is an exchange that could not be made.
func pathReason(err error) scopes.Reason {
	switch mint.ReasonOf(err) {
	case mint.ResourceTooLarge, mint.TokenTooLarge:
		return scopes.ReasonExchangeRefused
	}
	if errors.Is(err, scopes.ErrTooLarge) {
		return scopes.ReasonExchangeRefused
	}
	if r, ok := pathReasons[mint.ReasonOf(err)]; ok && r != scopes.ReasonAllowed {
		return r
	}
	return scopes.ReasonExchangeUnavailable
}
