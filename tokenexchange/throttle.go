package tokenexchange

import (
	"context"
	"errors"
	"hash/maphash"
	"runtime"
	"sync"
	"time"
)

// guessKind is what somebody may be guessing. Failures of one kind do not count
// for another.
type guessKind int

const (
	guessSecret   guessKind = iota // a client's secret or assertion
	guessPassword                  // a user's password
	guessToken                     // an API token
)

// limits are the three ways in which failures of one kind are counted.
type limits struct {
	pair    limit // of one name from one address
	name    limit // of one name from all addresses where it is not familiar
	address limit // of one address, whatever the name
}

// guessLimits are in docs/token-endpoint.md. An address can fail for a name more
// slowly than the name can be failed for, so that nobody alone slows a name down
// for others. Nobody guesses a client's secret or an API token: there the limit of
// a name is about the load, and it takes hundreds of addresses to keep it used up.
// All rooms and familiarRoom together are 65,536.
var guessLimits = [...]limits{
	guessSecret:   {limit{30, 5 * time.Second, 8 << 10}, limit{1000, 20 * time.Millisecond, 4 << 10}, limit{100, time.Second, 4 << 10}},
	guessPassword: {limit{10, time.Minute, 16 << 10}, limit{30, 30 * time.Second, 8 << 10}, limit{100, 2 * time.Second, 4 << 10}},
	guessToken:    {limit{10, 5 * time.Second, 4 << 10}, limit{1000, 20 * time.Millisecond, 2 << 10}, limit{100, time.Second, 2 << 10}},
}

// Throttles slow down who guesses secrets, passwords and API tokens, and bound
// how many passwords are hashed at once. They live in the process, in bounded
// memory, and are kept over reloads, or a reload would forget who was guessing.
// Only failures cost. Who got in from an address before is judged there by the
// failures in his name at this address alone, whatever else is failed.
//
// Names are kept as keyed hashes: people type passwords where names belong.
type Throttles struct {
	hashing hashing
	seed    maphash.Seed

	mu       sync.Mutex
	origin   time.Time // of all moments below
	counted  [len(guessLimits)]counters
	familiar *familiar
	endings  *debts
	begun    *debts // logins that were begun, by address
}

type counters struct{ pair, name, address *debts }

// NewThrottles returns throttles that have seen nothing.
func NewThrottles() *Throttles {
	t := &Throttles{hashing: newHashing(runtime.GOMAXPROCS(0)), seed: maphash.MakeSeed(), familiar: newFamiliar(), endings: newDebts(endingLimit), begun: newDebts(beginLimit)}
	for kind, l := range guessLimits {
		t.counted[kind] = counters{newDebts(l.pair), newDebts(l.name), newDebts(l.address)}
	}
	return t
}

// guess is one try to prove who one is. The same is done for every name, so that
// it does not show which names exist.
type guess struct {
	throttles *Throttles
	now       func() time.Time
	kind      guessKind
	name      string // "" where none was given
	from      address
}

// guess begins a try of the given kind by what was sent as a name, such as a
// client id, from the address of the request.
func (s *Server) guess(ctx context.Context, kind guessKind, name string) guess {
	return guess{throttles: s.throttles, now: s.now, kind: kind, name: name, from: addressOf(ctx)}
}

// allowed gives too_many_attempts if the try must wait. Then nothing may be
// compared: an answer to a guess would be worth the wait.
func (g guess) allowed() error {
	t := g.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now, c := t.since(g.now()), t.counted[g.kind]
	var wait time.Duration
	var why string
	look := func(d *debts, key uint64, of string) {
		if w := d.wait(key, now); w > wait {
			wait, why = w, of
		}
	}
	name, pair := t.key(g.kind, g.name, address{}), t.key(g.kind, g.name, g.from)
	home := g.name != "" && t.familiar.has(name, g.from, now)
	if !home {
		look(c.address, t.key(g.kind, "", g.from), "from this address")
	}
	if g.name != "" && !home {
		look(c.name, name, "of this name")
	}
	// Where the room is full, who is familiar and not remembered as failing is not
	// judged by what others owe.
	if g.name != "" && (!home || c.pair.remembers(pair)) {
		look(c.pair, pair, "of this name from this address")
	}
	if wait > 0 {
		return &Refused{Reason: "too_many_attempts", wait: wait, cause: errors.New("too many failures " + why)}
	}
	return nil
}

// failed counts a failure.
func (g guess) failed() {
	t := g.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now, c := t.since(g.now()), t.counted[g.kind]
	c.address.add(t.key(g.kind, "", g.from), now)
	if g.name != "" {
		c.pair.add(t.key(g.kind, g.name, g.from), now)
		c.name.add(t.key(g.kind, g.name, address{}), now)
	}
}

// succeeded makes the address familiar to all names of the one who got in.
// Earlier failures stay: else whoever shares the address could guess on.
func (g guess) succeeded(names ...string) {
	t := g.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.since(g.now())
	for _, name := range names {
		t.familiar.add(t.key(g.kind, name, address{}), g.from, now)
	}
}

// since turns a time into a moment. The first one is the origin, so that the
// monotonic clock counts, where there is one.
func (t *Throttles) since(now time.Time) time.Duration {
	if t.origin.IsZero() {
		t.origin = now
	}
	return now.Sub(t.origin)
}

func (t *Throttles) key(kind guessKind, name string, from address) uint64 {
	return maphash.Comparable(t.seed, struct {
		kind guessKind
		name string
		from address
	}{kind, name, from})
}
