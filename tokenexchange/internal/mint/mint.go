// Package mint is the only place that can build, narrow or sign a token, and
// the only place that can say what a presented token is worth.
//
// It owns three walls that the compiler keeps:
//
//   - A Draft is what a token will say. Its fields are unexported, its
//     constructors are First, Renew, OwnClient, Derive, Delegate, Switch and
//     Impersonate, its methods only narrow, and only the mint signs it. An
//     IDDraft is the same for an id token; Draft.Identity and DeriveID make it.
//   - A Subject is a token that was presented and verified: signature, type,
//     issuer, audience, time and revocation. Nothing else makes one.
//   - An UpstreamToken is the only value that can write an Authorization
//     header, and only a Draft for an upstream audience becomes one.
//
// One flow, an exchange: Ring.Verify reads the bytes and the signature (which
// may be cached), Signed.Admit judges them now, Mint.Derive meets the subject's
// rights with the caller's ceiling and the target's service, Mint.Sign signs.
//
// One promise: what a chain of derivations ends with was in every link of it.
package mint

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Limits of docs/tokens.md.
const (
	// MaxHops is how many clients may stand in act and via together.
	MaxHops = 4
	// MaxIssued is the size of an access token in bytes. Request headers are
	// limited to 16 KiB by Caddy and to 8 KiB by many upstreams.
	MaxIssued = 6 << 10
	// MaxPresented is the size in bytes up to which a token is read at all.
	MaxPresented = 16 << 10
)

// Service is an API as tokens name it.
type Service struct {
	ID       string
	Audience string // what a caller's token must carry
	Upstream string // what the forwarded token carries, alone
}

// Client is what the mint must know of a client: its ceilings. The zero value
// can get nothing.
type Client struct {
	ID             string
	Permit         scopes.Set // the most that a token got through this client can hold
	Own            scopes.Set // what the client may do by itself
	Ceilings       bool       // Permit was written down; without it Own is the ceiling
	GuardOf        string     // of a guard, its service: the ceiling is what that declares, on all resources
	Declared       []string
	Scopes         []string // the client's scope line
	AccessValidity time.Duration
	AccessAlg      string // ES256 or RS256
	IDAlg          string // the same, of id tokens
	MaxGroups      int    // the most that each list of groups in an id token can have
}

// limit keeps of rights what a token through this client can hold.
func (c *Client) limit(rights scopes.Set) (scopes.Set, error) {
	switch {
	case c.GuardOf != "":
		return rights.Permissions(c.GuardOf, c.Declared), nil
	case c.Ceilings:
		return meet(rights, c.Permit)
	}
	return meet(rights, c.Own)
}

// Mint builds and signs tokens for one issuer. It is immutable.
type Mint struct {
	issuer   string
	services map[string]Service // by id
	byAud    map[string]Service // by the audience of callers' tokens
	upstream map[string]bool    // all upstream audiences
	ring     *Ring
	now      func() time.Time
}

// New returns a mint.
func New(issuer string, services []Service, ring *Ring, now func() time.Time) (*Mint, error) {
	if ring == nil || now == nil {
		return nil, errors.New("building the mint: it needs a key ring and a clock")
	}
	if err := CheckServices(issuer, services); err != nil {
		return nil, err
	}
	m := &Mint{
		issuer: issuer, ring: ring, now: now,
		services: map[string]Service{}, byAud: map[string]Service{}, upstream: map[string]bool{},
	}
	for _, s := range services {
		m.services[s.ID], m.byAud[s.Audience], m.upstream[s.Upstream] = s, s, true
	}
	return m, nil
}

// CheckServices refuses an audience that stands for two things: with equal
// ones, a forwarded token would pass a guard.
func CheckServices(issuer string, services []Service) error {
	used := map[string]string{issuer: "the issuer", "": "nothing"}
	for _, s := range services {
		for _, aud := range []string{s.Audience, s.Upstream} {
			if other, taken := used[aud]; taken {
				return fmt.Errorf("service %s: audience %q is already that of %s; each audience and upstream_audience must be used once", s.ID, aud, other)
			}
			used[aud] = "service " + s.ID
		}
	}
	return nil
}

// Target is where a derived token may be used: exactly one audience. The zero
// value is nowhere.
type Target struct {
	audience string
	service  string // empty: no service of ours, the token is identity-only
	upstream bool
}

// Audience returns the audience that the derived token will carry.
func (t Target) Audience() string { return t.audience }

// Service returns the service whose rights the derived token can hold, "" for none.
func (t Target) Service() string { return t.service }

// Target returns the target of an exchange at the token endpoint. It reports
// false for an upstream audience: only a guard may ask for one of those, or a
// caller could walk around the guard.
func (m *Mint) Target(audience string) (Target, bool) {
	if audience == "" || audience == m.issuer || m.upstream[audience] {
		return Target{}, false
	}
	return Target{audience: audience, service: m.byAud[audience].ID}, true
}

// Upstream returns the target behind the guard of a service.
func (m *Mint) Upstream(service string) (Target, bool) {
	s, ok := m.services[service]
	return Target{audience: s.Upstream, service: s.ID, upstream: true}, ok
}

// Forwarded reports whether a token with these audiences was made for an
// upstream. Nothing is ever derived from one, whoever holds it.
func (m *Mint) Forwarded(audiences []string) bool {
	return slices.ContainsFunc(audiences, func(aud string) bool { return m.upstream[aud] })
}

// Accepts reports whether the client has rights in a service whose audience is
// among those given: the condition under which it may bring somebody else's
// token to the token endpoint.
func (m *Mint) Accepts(c *Client, audiences []string) bool {
	for _, aud := range audiences {
		if s, ok := m.byAud[aud]; ok && !c.Permit.Service(s.ID).Empty() {
			return true
		}
	}
	return false
}
