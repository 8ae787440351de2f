package mint

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Issued is a signed access token for the answer of the token endpoint.
type Issued struct {
	Raw       string
	ID        string
	ExpiresIn int64 // seconds
	Scope     string
	Rights    scopes.Set
	Narrowed  bool
	Audience  []string
}

// Sign signs a draft for a caller of the token endpoint. A draft for an
// upstream audience is refused: it is the guard's alone.
func (m *Mint) Sign(d Draft) (Issued, error) {
	if d.target.upstream {
		return Issued{}, refuse(TargetNotUpstream, "an upstream token never leaves through the token endpoint")
	}
	raw, c, err := m.sign(d)
	if err != nil {
		return Issued{}, err
	}
	return Issued{
		Raw: raw, ID: c.ID, ExpiresIn: c.Expiry - c.IssuedAt, Scope: c.Scope,
		Rights: c.rights, Narrowed: c.Narrowed, Audience: c.Audience,
	}, nil
}

// UpstreamToken is a token that was made for one upstream: the only value that
// can write an Authorization header. It has no String method. The zero value
// writes none.
type UpstreamToken struct {
	value  string // with the scheme
	expiry time.Time
}

// SignUpstream signs a draft for an upstream audience, and no other.
func (m *Mint) SignUpstream(d Draft) (UpstreamToken, error) {
	if !d.target.upstream {
		return UpstreamToken{}, refuse(TargetNotUpstream, "the draft is not for an upstream")
	}
	raw, c, err := m.sign(d)
	if err != nil {
		return UpstreamToken{}, err
	}
	return UpstreamToken{value: "Bearer " + raw, expiry: time.Unix(c.Expiry, 0)}, nil
}

// Authorize sets Authorization, in place of whatever was there. It reports
// false, and removes the header, if there is no token.
func (t UpstreamToken) Authorize(header map[string][]string) bool {
	if t.value == "" {
		delete(header, "Authorization")
		return false
	}
	header["Authorization"] = []string{t.value}
	return true
}

// Format keeps the token out of every print: fmt and loggers look into
// unexported fields.
func (UpstreamToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[upstream token]")) }

// Expiry returns when the token dies.
func (t UpstreamToken) Expiry() time.Time { return t.expiry }

// Size is how many bytes the token takes.
func (t UpstreamToken) Size() int { return len(t.value) }

// sign computes what only the mint says, and signs.
func (m *Mint) sign(d Draft) (string, *claims, error) {
	c, err := m.complete(d)
	if err != nil {
		return "", nil, err
	}
	raw, err := m.encode(&c, d.alg, TypeAccess)
	return raw, &c, err
}

// Fits refuses what Sign and SignID would refuse of these drafts, for whoever
// has something to use up before they are signed. A nil id is none.
func (m *Mint) Fits(d Draft, id *IDDraft) error {
	c, err := m.complete(d)
	if err == nil {
		_, _, err = m.input(&c, d.alg, TypeAccess)
	}
	if err != nil || id == nil {
		return err
	}
	c, err = m.completeID(*id, "any access token")
	if err == nil {
		_, _, err = m.input(&c, id.alg, TypeID)
	}
	return err
}

// complete adds what only the mint says: iss, aud, jti, dates, the views of the
// set.
func (m *Mint) complete(d Draft) (claims, error) {
	c := d.claims
	var err error
	if c.IssuedAt, c.Expiry, err = m.life(d.validity, d.latest); err != nil {
		return c, err
	}
	c.Issuer, c.ID, c.NotBefore = m.issuer, rand.Text(), c.IssuedAt
	c.Audience, c.SID = m.audience(d), d.sid()
	c.Perms = d.perms()
	if !c.rights.Empty() {
		c.Allowed = json.RawMessage(c.rights.Canonical())
	}
	return c, nil
}

// life returns iat and exp of a token that is signed now. A derived one dies no
// later than its subject.
func (m *Mint) life(validity time.Duration, latest time.Time) (iat, exp int64, err error) {
	now := m.now()
	end := now.Add(validity)
	if !latest.IsZero() && latest.Before(end) {
		end = latest
	}
	if end.Unix() <= now.Unix() {
		return 0, 0, refuse(TokenExpired, "the subject token has no time left")
	}
	return now.Unix(), end.Unix(), nil
}

// encode signs claims.
func (m *Mint) encode(c *claims, alg, typ string) (string, error) {
	input, key, err := m.input(c, alg, typ)
	if err != nil {
		return "", err
	}
	return key.signed(input)
}

// input returns what is signed of a token. What is too large is refused whole,
// never cut.
func (m *Mint) input(c *claims, alg, typ string) (string, *Key, error) {
	payload, err := c.encode()
	if err != nil {
		return "", nil, err
	}
	input, key, err := m.ring.input(alg, typ, payload)
	if err != nil {
		return "", nil, err
	}
	if over := len(input) + 1 + key.signatureSize() - MaxIssued; over > 0 {
		return "", nil, refuse(TokenTooLarge, fmt.Sprintf("the token is %d bytes over %d", over, MaxIssued))
	}
	return input, key, nil
}

// audience is exactly the target of an exchange. Any other token, which has no
// single target, names the services that it has rights in; and the issuer if it
// has none of them, or is good for asking who logged in (openid).
func (m *Mint) audience(d Draft) []string {
	if d.target.audience != "" {
		return []string{d.target.audience}
	}
	var aud []string
	for _, id := range d.claims.rights.Services() {
		if s, ok := m.services[id]; ok {
			aud = append(aud, s.Audience)
		}
	}
	if len(aud) == 0 || d.HasScope("openid") {
		aud = append(aud, m.issuer)
	}
	return aud
}

// TellsRoles returns the roles that the token tells of: those of a user's first
// token that nothing narrowed.
func (d Draft) TellsRoles() (roles []string) {
	if d.user == nil || d.claims.Narrowed {
		return nil
	}
	for _, role := range d.user.Roles {
		// A role of another form could read as a permission.
		if strings.HasPrefix(role, "csp:") {
			roles = append(roles, role)
		}
	}
	return roles
}

// perms is the view of the set that readers of CSP tokens expect: computed,
// never copied, never wider. A pattern that the view cannot say is left out.
func (d Draft) perms() []string {
	perms := d.TellsRoles()
	for _, e := range d.claims.rights.Entries() {
		switch resource := e.Resource.String(); {
		case resource == "**":
			perms = append(perms, "external/"+e.Service+"/"+e.Permission)
		case !strings.ContainsAny(resource, "*/"):
			perms = append(perms, "external/"+e.Service+"/"+resource+"/"+e.Permission)
		}
	}
	return perms
}
