package tokenexchange

import (
	"container/heap"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// maxRevocations bounds what is remembered, to about 64 MiB. See Revocations.
const maxRevocations = 1 << 20

// revocationSweep is how many dead entries leave with each new one, at most.
const revocationSweep = 4

// Revocations is what this process knows to be revoked. It is looked at on
// every request and survives a reload. The feed fills it, see Follow; until it
// was read back once, nobody knows what is revoked and every token is refused.
//
// An entry is forgotten when the last token that it names is over. If there are
// more than fit, all tokens issued so far are refused instead of those that are
// named, see overflow: a set that is full refuses too much and never too little.
//
// A value is kept as 64 bits of a hash with a seed of this process. Two values
// that agree in them share the stricter of their entries, so this too can only
// refuse too much, for one token in more than 10^13 when the set is full.
type Revocations struct {
	now   func() time.Time
	seeds [len(revocationKinds)]maphash.Seed

	count atomic.Int64 // of entries and floors, so that an empty set costs nothing
	limit int
	mu    sync.RWMutex
	dead  [len(revocationKinds)]map[uint64]revoked
	dying revokedHeap
	// Tokens that were issued until then are refused, in Unix milliseconds:
	overflowed int64 // since there were more revocations than fit
	ended      int64 // with their logins, since more logins were ended than fit
	unopened   int64 // since an entry of the feed could not be opened

	reading *reading // how far the feed was read
	outbox  *outbox  // what the feed does not have yet
	told    *told    // what it was given lately
}

// revoked is what is known of one value, in Unix milliseconds.
type revoked struct {
	before int64 // tokens that were issued sooner are dead
	end    int64 // when none of them is accepted any more
}

// always is later than any token was issued.
const always = math.MaxInt64

// NewRevocations returns a set that was not read back yet. A nil now is time.Now.
func NewRevocations(now func() time.Time) *Revocations {
	if now == nil {
		now = time.Now
	}
	v := &Revocations{now: now, limit: maxRevocations, reading: newReading(now()), outbox: newOutbox(), told: newTold()}
	for i := range revocationKinds {
		v.seeds[i], v.dead[i] = maphash.MakeSeed(), map[uint64]revoked{}
	}
	return v
}

// why tells why a token is dead, "" if it is not known to be.
func (v *Revocations) why(id mint.Identifiers) string {
	if v.count.Load() == 0 {
		return ""
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if why := v.names(id); why != "" {
		return why
	}
	if why := v.lacks(id); why != "" {
		return why
	}
	switch issued := id.IssuedAt.UnixMilli(); {
	case issued <= v.overflowed:
		return "issued before there were more revocations than fit"
	case issued <= v.unopened:
		return "issued before an entry of the feed that cannot be opened"
	}
	return ""
}

// named is why for a login, which is refused for what names it alone: what is
// refused in the place of lost entries are tokens, and a login gives new ones.
func (v *Revocations) named(id mint.Identifiers) string {
	if v.count.Load() == 0 {
		return ""
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.names(id)
}

func (v *Revocations) names(id mint.Identifiers) string {
	issued, login := id.IssuedAt.UnixMilli(), id.LoginAt.UnixMilli()
	switch {
	case v.holds(ofTokens, id.ID, issued) || v.holds(ofTokens, id.RootID, issued) || v.came(id.Parents[:], issued):
		return "revoked by jti, root_jti or parent_jtis"
	case v.holds(ofGrants, id.GrantID, issued):
		return "revoked by grant_id"
	case v.holds(ofSessions, id.Session, issued):
		return "revoked by sid"
	case v.holds(ofSubjects, id.Subject, login) || v.holds(ofSubjects, id.Operator, issued):
		return "revoked by sub"
	case v.holdsDomain(ofDomains, id.Subject, login) || v.holdsDomain(ofDomains, id.Operator, issued):
		return "revoked by the domain of its user"
	case v.holds(ofClients, id.ClientID, issued):
		return "revoked by client_id"
	case v.passed(ofClients, id.Hops[:], issued):
		return "revoked by a client in act or via"
	case v.ended != 0 && login <= v.ended:
		return "of a login from before more logins were ended than fit"
	}
	return ""
}

// holds reports whether a token with this value of a claim is dead.
func (v *Revocations) holds(kind int, value string, issued int64) bool {
	if value == "" || len(v.dead[kind]) == 0 {
		return false
	}
	return issued < v.dead[kind][maphash.String(v.seeds[kind], value)].before
}

// came reports whether one of the tokens that a token was made of is dead.
func (v *Revocations) came(parents []string, issued int64) bool {
	for _, parent := range parents {
		if v.holds(ofTokens, parent, issued) {
			return true
		}
	}
	return false
}

// passed reports whether one of the clients that a token went through is dead:
// as for a client that is taken out, see docs/decisions/0011-who-is-asked-in-a-chain.md.
func (v *Revocations) passed(kind int, hops []string, issued int64) bool {
	for _, client := range hops {
		if v.holds(kind, client, issued) {
			return true
		}
	}
	return false
}

// add remembers a revocation that was checked. What is remembered already stays
// as strict as it was.
func (v *Revocations) add(r Revocation) {
	now := v.now()
	end := r.end().UnixMilli()
	v.mu.Lock()
	defer v.mu.Unlock()
	defer v.counted()
	v.sweep(now, revocationSweep)
	if end <= now.Add(-CollectAfter).UnixMilli() {
		return
	}
	kind := r.Kind.index()
	hash, before := maphash.String(v.seeds[kind], r.Value), int64(always)
	if !r.Before.IsZero() {
		before = r.Before.UnixMilli()
	}
	old, known := v.dead[kind][hash]
	if known && old.end >= end && old.before >= before {
		return
	}
	if !known && v.dying.Len() >= v.limit {
		v.overflow(now)
		if v.ended == v.overflowed || !slices.Contains(ofLogins, kind) {
			return // It is among those that are refused.
		}
	}
	entry := revoked{before: max(before, old.before), end: max(end, old.end)}
	v.dead[kind][hash] = entry
	if !known { // Else it has its place, and sweep finds that it was prolonged.
		heap.Push(&v.dying, dyingRevocation{end: entry.end, hash: hash, kind: kind})
	}
}

// settled covers clocks of other processes that are ahead, by all that iat may be
// where tokens are accepted, and requests that began before a revocation and still
// issue what it names.
const settled = mint.LeewayNotBefore

// issuedSoFar is the time until which all tokens were issued that a revocation
// of now can name, in Unix milliseconds.
func issuedSoFar(now time.Time) int64 { return now.Add(settled).UnixMilli() }

// overflow makes room, and refuses all tokens that were issued so far in the
// place of those that were named. What names logins stays, since a login that
// goes on gives new tokens; a family that was revoked is refused by its record
// as well. If the logins that are named take half of the room themselves, all
// logins so far have ended.
func (v *Revocations) overflow(now time.Time) {
	v.overflowed = issuedSoFar(now)
	logins := 0
	for _, kind := range ofLogins {
		logins += len(v.dead[kind])
	}
	if logins > v.limit/2 {
		v.ended = issuedSoFar(now)
	}
	for kind := range v.dead {
		if v.ended == v.overflowed || !slices.Contains(ofLogins, kind) {
			v.dead[kind] = map[uint64]revoked{}
		}
	}
	v.dying = slices.DeleteFunc(v.dying, func(d dyingRevocation) bool {
		_, kept := v.dead[d.kind][d.hash]
		return !kept
	})
	heap.Init(&v.dying)
}

// sweep forgets at most limit entries that nobody can need any more, and
// reports whether there may be more. Clocks of replicas differ, so entries stay
// a while longer.
func (v *Revocations) sweep(now time.Time, limit int) (more bool) {
	over := now.Add(-CollectAfter).UnixMilli()
	for range limit {
		if v.dying.Len() == 0 || v.dying[0].end > over {
			return false
		}
		d := &v.dying[0]
		if end := v.dead[d.kind][d.hash].end; end > d.end {
			d.end = end // It was prolonged.
			heap.Fix(&v.dying, 0)
			continue
		}
		delete(v.dead[d.kind], d.hash)
		heap.Pop(&v.dying)
	}
	return true
}

// counted keeps count right.
func (v *Revocations) counted() {
	n := v.entries()
	if v.overflowed != 0 || v.unopened != 0 {
		n++
	}
	v.count.Store(int64(n))
}

func (v *Revocations) entries() (n int) {
	for _, kind := range v.dead {
		n += len(kind)
	}
	return n
}

// Len returns the number of entries that are needed still.
func (v *Revocations) Len() int {
	// A few at a time, since requests wait meanwhile.
	for more := true; more; {
		v.mu.Lock()
		more = v.sweep(v.now(), 256)
		v.counted()
		v.mu.Unlock()
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.entries()
}

type dyingRevocation struct {
	end  int64 // as it was when the place was taken, or later
	hash uint64
	kind int
}

// revokedHeap has the one that ends first at its top. Each value that is revoked
// has one place, however often that is said again: who repeats one revocation
// does not fill the set.
type revokedHeap []dyingRevocation

func (h revokedHeap) Len() int           { return len(h) }
func (h revokedHeap) Less(i, j int) bool { return h[i].end < h[j].end }
func (h revokedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *revokedHeap) Push(x any)        { *h = append(*h, x.(dyingRevocation)) }
func (h *revokedHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	*h = (*h)[:last]
	return d
}
