package histories

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// What every code was asked for with.
const (
	clientID     = "web"
	clientSecret = "a-secret-of-enough-characters"
	callback     = "https://web.example.com/callback"
	verifier     = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	wrong        = "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// target answers requests: a server, or what stands for one.
type target interface {
	// send gives "" for a request that was certainly not sent.
	send(k kind, token string) (answer, access, next string)
}

// record is one grant from its code on, what its clients know of it, and all
// that they did with it. It is safe for concurrent use.
type record struct {
	t     *testing.T
	epoch time.Time // what the times of the history count from
	id    string
	code  string
	// careful clients seldom send what was used before, so the record lives long.
	careful bool

	mu      sync.Mutex
	history []operation
	tokens  []string // the refresh tokens that somebody was told of
	access  string   // the newest access token
	revoked bool     // somebody was told so
}

// recordNumbers makes every other record a careful one.
var recordNumbers atomic.Int64

// newGrant is what a user granted, of a new ID.
func newGrant() tokenexchange.Code {
	return tokenexchange.Code{
		Grant: tokenexchange.Grant{
			ID: rand.Text(), Subject: "example.com:alice", Client: clientID, Org: "acme",
			Session: rand.Text(), AuthTime: time.Now(), Scope: "orders",
			Set: `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`,
		},
		RedirectURI: callback, Challenge: challenge, Method: "S256",
	}
}

// issue makes a code as the authorization endpoint does after a consent. It
// tries until the store answers, or the test has no time left.
func issue(t *testing.T, state *tokenexchange.State) (*record, error) {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		attempt, err := state.NewAttempt()
		if err != nil {
			return nil, err
		}
		// What failed may have been written, so each try is another grant.
		grant := newGrant()
		code, err := state.Codes().Issue(t.Context(), attempt, grant)
		if err == nil {
			return &record{t: t, epoch: time.Now(), id: grant.ID, code: code, careful: recordNumbers.Add(1)%2 == 0}, nil
		}
		if time.Now().After(end) {
			return nil, err
		}
	}
}

// codeLife is how long a code is redeemed here. The server takes it a little
// longer, so that no answer depends on that.
const codeLife = 45 * time.Second

// use lets a few clients use a record together until it is over, or they are
// told to end. Each request goes to one of the targets.
func use(r *record, random *mathrand.Rand, end func() bool, to func(*mathrand.Rand) target) {
	var clients sync.WaitGroup
	n := crowded
	if r.careful {
		n = 2
	}
	for range n {
		random := mathrand.New(mathrand.NewPCG(random.Uint64(), 0))
		clients.Go(func() {
			for !r.over() && !end() {
				r.act(to(random), r.choose(random))
			}
		})
	}
	clients.Wait()
}

// crowded is how many clients share a record.
const crowded = 3

// choose picks a request as clients make them, with some bad luck: mostly the
// right one, often a repeat, seldom one that only a thief makes.
func (r *record) choose(random *mathrand.Rand) request {
	r.mu.Lock()
	known := len(r.tokens)
	r.mu.Unlock()
	dice := random.IntN(100)
	if r.careful && dice >= 12 {
		dice = 12 + (dice-12)*2/3
	}
	switch {
	case known == 0 && dice < 85, known > 0 && dice < 8:
		return request{kind: redeem}
	case known == 0 || dice < 12:
		return request{kind: miss}
	case dice < 68 || known == 1:
		return request{kind: refresh, n: known - 1}
	case dice < 97 || known == 2:
		return request{kind: refresh, n: known - 2}
	}
	return request{kind: refresh, n: random.IntN(known - 2)}
}

// act makes one request and notes it in the history.
func (r *record) act(to target, req request) {
	token, before := r.code, r.since()
	if req.kind == refresh {
		r.mu.Lock()
		token = r.tokens[req.n]
		r.mu.Unlock()
	} else if before > codeLife {
		return
	}
	answer, access, next := to.send(req.kind, token)
	if answer == "" {
		return
	}
	r.note(operation{request: req, answer: answer, called: before, done: r.since()}, access, next)
}

func (r *record) since() time.Duration { return time.Since(r.epoch) }

func (r *record) note(op operation, access, next string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, op)
	switch op.answer {
	case codeReused, refreshReused, loginGone:
		r.revoked = true
	case granted:
		r.learn(op.request, next)
		r.access = access
	}
}

// learn keeps a successor: the n-th refresh token, one text for all.
func (r *record) learn(req request, next string) {
	n := 0
	if req.kind == refresh {
		n = req.n + 1
	}
	parts := strings.Split(next, ".")
	switch {
	case len(parts) != 4 || parts[1] != r.id || parts[2] != strconv.Itoa(n):
		r.t.Errorf("%s: got a refresh token that is not number %d of its grant", req, n)
	case n < len(r.tokens) && r.tokens[n] != next:
		r.t.Errorf("%s: got another successor than the one before", req)
	case n == len(r.tokens):
		r.tokens = append(r.tokens, next)
	case n > len(r.tokens):
		r.t.Errorf("%s: got refresh token %d, and nobody was told of the one before", req, n)
	}
}

// unsure tells whether nobody knows if a request revoked the record: it might
// have, and got no answer.
func (r *record) unsure() bool {
	for _, op := range r.history {
		old := op.kind == refresh && op.n < len(r.tokens)-1 || op.kind == redeem && op.done >= codeWindow
		if old && (op.answer == postponed || op.answer == cut) {
			return true
		}
	}
	return false
}

// mayBeBurnt tells whether so many wrong verifiers were sent that the code may
// be burnt.
func (r *record) mayBeBurnt() bool {
	misses := 0
	for _, op := range r.history {
		if op.kind == miss {
			misses++
		}
	}
	return len(r.tokens) == 0 && misses >= 5
}

// over tells whether nothing new can come of the record.
func (r *record) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, unknown := len(r.history), 0
	for _, op := range r.history {
		if op.answer == postponed || op.answer == cut {
			unknown++
		}
	}
	if n >= maxOperations || unknown >= maxUnknown || n > 1 && r.revoked {
		return true
	}
	// Nobody was told that it is revoked, and it is.
	for _, op := range r.history[max(0, n-3):] {
		if op.answer != codeInvalid && op.answer != refreshInvalid && op.answer != loginGone {
			return false
		}
	}
	return n >= 3
}

// A history is checked the sooner, the fewer orders there are to be tried.
const (
	maxOperations = 60
	maxUnknown    = 8
)
