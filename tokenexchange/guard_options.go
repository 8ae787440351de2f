package tokenexchange

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Values of GuardOptions.Preflight.
const (
	PreflightBlock  = "block"
	PreflightPass   = "pass"
	PreflightAnswer = "answer"
)

// maxAudit is how far ahead the end of mode audit may be. A guard that nobody
// looks at again enforces.
const maxAudit = 90 * 24 * time.Hour

// minStaleness is the least of RevocationMaxStaleness.
const minStaleness = time.Second

// GuardOptions are the words of a guard's block that change how it decides. The
// zero value is the default: it enforces, and forwards nothing without a token
// but what a public rule names. See docs/guard.md.
type GuardOptions struct {
	// "audience_exchange" (default), or "client_delegate": in a user's token for
	// the upstream the guard's client is the actor. A client's own token has no
	// user to act for and is exchanged in either case.
	Exchange string
	// Forward only the part of the rights that the rule needs.
	NarrowToRule bool
	// Answer 404, and not 403, where no rule names the path or the method.
	HideExistence bool
	// What becomes of a CORS preflight: "block" (default), "pass" or "answer".
	Preflight string
	// Until then requests that hold too little are forwarded and recorded.
	AuditUntil time.Time
	// With AuditUntil: also requests that no rule names.
	AuditNoRule bool
	// Keep %2F in a path as a byte of its segment.
	EncodedSlashKeep bool
	// For how long the revocations of other processes may be unreadable before
	// every token is answered with 503. 0 is for ever.
	RevocationMaxStaleness time.Duration
	// The configured client that the guard acts as. Default: guard:SERVICE.
	Client string
}

// Check says what is wrong with the options, as far as they can be judged
// without a configuration. The time is that of the load.
func (o GuardOptions) Check(now time.Time) error {
	switch {
	case o.exchange() != grantAudienceExchange.name && o.exchange() != grantClientDelegate.name:
		return fmt.Errorf("exchange: unrecognized %q; expected audience_exchange or client_delegate", o.Exchange)
	case !slices.Contains([]string{"", PreflightBlock, PreflightPass, PreflightAnswer}, o.Preflight):
		return fmt.Errorf("preflight: unrecognized %q; expected block, pass or answer", o.Preflight)
	case o.AuditUntil.After(now.Add(maxAudit)):
		return fmt.Errorf("mode audit until %s: expected a date at most 90 days ahead", o.AuditUntil.Format(time.DateOnly))
	case o.RevocationMaxStaleness != 0 && o.RevocationMaxStaleness < minStaleness:
		return fmt.Errorf("revocation_max_staleness %s: expected at least %s: a follower that is well needs as long to notice a fault", o.RevocationMaxStaleness, minStaleness)
	case o.AuditNoRule && o.AuditUntil.IsZero():
		return errors.New("including no_rule: expected it after mode audit until DATE")
	}
	return nil
}

// CheckGuard says what is wrong with the guard of a service, as far as it can
// be known before there are keys and a store. The time is that of the load.
func (r *Realm) CheckGuard(serviceID string, policy *scopes.Policy, o GuardOptions, now time.Time) error {
	if err := r.checkGuard(r.services[serviceID], policy, o, now); err != nil {
		return fmt.Errorf("guard %s: %w", serviceID, err)
	}
	return nil
}

var errNoService = errors.New("there is no service of this name")

func (r *Realm) checkGuard(s *service, policy *scopes.Policy, o GuardOptions, now time.Time) error {
	switch {
	case s == nil:
		return errNoService
	case policy == nil:
		return errors.New("there are no rules; expected at least one")
	}
	if err := o.Check(now); err != nil {
		return err
	}
	if err := checkHeaders(policy.Headers(), policy.Reader); err != nil || o.Client == "" {
		return err
	}
	return r.checkActing(s, o)
}

// checkActing asks whether the configured client can make the guard's exchange
// itself, as far as clients can: only a guard gets the upstream audience, and
// the service's own audience stands for it.
func (r *Realm) checkActing(service *service, o GuardOptions) error {
	c := r.clients[o.Client]
	switch {
	case c == nil:
		return fmt.Errorf("client: no client %q; expected one of the clients: %s", o.Client, names(r.clients))
	case c.public:
		return fmt.Errorf("client %s: expected a client with a secret", c.ID)
	case !slices.Contains(c.grants, o.exchange()):
		return fmt.Errorf("client %s: expected %s among its grant_types", c.ID, o.exchange())
	case !slices.Contains(c.targets, service.Audience):
		return fmt.Errorf("client %s: expected %s among its target_audiences", c.ID, service.Audience)
	}
	return nil
}

// GuardWarnings returns what is allowed of a guard but refuses tokens that are
// probably meant to pass, for the log at load.
func (r *Realm) GuardWarnings(serviceID string, o GuardOptions) (warnings []string) {
	c, s := r.clients[o.Client], r.services[serviceID]
	if c == nil || s == nil {
		return nil
	}
	allowed := false
	for _, from := range r.clients {
		allowed = allowed || from.allows(o.exchange(), c.ID, s.Audience)
	}
	if !allowed {
		warnings = append(warnings, "no client has allow "+o.exchange()+" by "+c.ID+" to "+s.Audience+": the guard refuses every token that needs it")
	}
	if !slices.Contains(c.grants, grantAudienceExchange.name) {
		warnings = append(warnings, "client "+c.ID+" has not audience_exchange among its grant_types: the guard refuses clients' own tokens")
	}
	return warnings
}

func (o GuardOptions) exchange() string { return cmp.Or(o.Exchange, grantAudienceExchange.name) }

// Guard returns the guard of a service with the given rules. Without the option
// Client it acts as the built-in client guard:SERVICE.
func (s *Server) Guard(serviceID string, policy *scopes.Policy, o GuardOptions) (*Guard, error) {
	if err := s.realm.CheckGuard(serviceID, policy, o, s.now()); err != nil {
		return nil, err
	}
	g := &Guard{
		server: s, service: s.realm.services[serviceID], policy: policy, headers: policy.Headers(),
		options: o, log: s.log, ids: s.ids, name: serviceID, acting: s.realm.clients[o.Client],
	}
	g.target, _ = s.mint.Upstream(serviceID)
	g.metadata = resourceMetadataURL(g.service.Audience)
	if o.EncodedSlashKeep {
		g.slash = scopes.KeepEncodedSlash
	}
	switch {
	case g.acting != nil:
		g.client = &g.acting.Client
	case s.ring.Can(mint.ES256):
		g.client = guardClient(g.service, mint.ES256)
	default:
		g.client = guardClient(g.service, mint.RS256)
	}
	g.clients = g.wayOf(grantAudienceExchange, s.mint.Derive)
	g.users = g.clients
	if o.exchange() == grantClientDelegate.name {
		g.users = g.wayOf(grantClientDelegate, s.mint.Delegate)
	}
	return g, nil
}

// way is how tokens of one kind are exchanged.
type way struct {
	grant  string
	derive func(mint.Subject, *mint.Client, mint.Target) (mint.Draft, error)
	// digest and audited are all that enters the token besides the presented
	// one, without and with the mark of mode audit.
	digest, audited [sha256.Size]byte
}

func (g *Guard) wayOf(row *grant, derive func(mint.Subject, *mint.Client, mint.Target) (mint.Draft, error)) way {
	digest := func(marked bool) [sha256.Size]byte {
		return exchangeDigest(g.server.realm.issuer, row.name, marked, g.client, g.target, g.server.ring)
	}
	return way{grant: row.name, derive: derive, digest: digest(false), audited: digest(true)}
}

// checkHeaders refuses rules that read a header which does not reach the
// upstream as it came: what was decided on would not be what counts.
func checkHeaders(names []string, reader func(name string) string) error {
	for _, name := range names {
		if folded := alias(name); owned[folded] || changed[folded] {
			return fmt.Errorf("%s: {header:%s}: this header is removed or changed on its way to the upstream; expected another one", reader(name), http.CanonicalHeaderKey(name))
		}
	}
	return nil
}

// changed are headers that the guard, net/http or reverse_proxy write anew.
var changed = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "proxy-connection": true, "proxy-authorization": true,
	"proxy-authenticate": true, "te": true, "trailer": true, "transfer-encoding": true, "content-length": true,
	"upgrade": true, "expect": true, "cookie": true, "via": true, "forwarded": true,
	"x-forwarded-for": true, "x-forwarded-proto": true, "x-forwarded-host": true,
}
