package tokenexchange

import (
	"container/heap"
	"time"
)

// limit is how many failures are free at once, and how long each takes to be
// forgotten. room bounds how many keys are remembered.
type limit struct {
	atOnce int
	each   time.Duration
	room   int
}

// debts are leaky counters in bounded memory. A failure adds to what its key
// owes, and time pays it back. Moments are given as the time since one origin.
//
// Where the room is used up, the key that owes least makes place, and the new
// one takes over what that owed (this is the Space-Saving algorithm of Metwally,
// Agrawal and El Abbadi). So a key that is not remembered owes at most what the
// least one does, and is judged by that: nobody gets rid of a debt by pushing it
// out, and who fills the room makes all others owe more, never less.
type debts struct {
	limit
	byKey map[uint64]*debt
	least debtHeap
}

type debt struct {
	key   uint64
	until time.Duration // when all is paid back
	index int           // in the heap
}

func newDebts(l limit) *debts { return &debts{limit: l, byKey: map[uint64]*debt{}} }

// most is what a key can owe. Tries that ran side by side may have failed after
// each was let in; that costs a longer wait, but not an endless one.
func (d *debts) most() time.Duration { return 2 * time.Duration(d.atOnce) * d.each }

// remembers reports whether failures of this very key are counted.
func (d *debts) remembers(key uint64) bool { return d.byKey[key] != nil }

// owes returns what a key owes, at most.
func (d *debts) owes(key uint64, now time.Duration) time.Duration {
	e := d.byKey[key]
	if e == nil && len(d.least) == d.room {
		e = d.least[0]
	}
	if e == nil {
		return 0
	}
	return min(max(e.until-now, 0), d.most())
}

// wait returns how long a key has to wait until it may fail again, 0 for not at all.
func (d *debts) wait(key uint64, now time.Duration) time.Duration {
	return max(d.owes(key, now)-time.Duration(d.atOnce-1)*d.each, 0)
}

// add counts one failure.
func (d *debts) add(key uint64, now time.Duration) {
	until := now + min(d.owes(key, now)+d.each, d.most())
	e := d.byKey[key]
	switch {
	case e != nil:
	case len(d.least) < d.room:
		e = &debt{key: key, until: until}
		d.byKey[key] = e
		heap.Push(&d.least, e)
		return
	default:
		e = d.least[0]
		delete(d.byKey, e.key)
		e.key = key
		d.byKey[key] = e
	}
	e.until = until
	heap.Fix(&d.least, e.index)
}

// debtHeap has the key that owes least in front.
type debtHeap []*debt

func (h debtHeap) Len() int           { return len(h) }
func (h debtHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h debtHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap.Interface's.
func (h *debtHeap) Push(e any) {
	e.(*debt).index = len(*h)
	*h = append(*h, e.(*debt))
}

// Pop is heap.Interface's, and unused: a key makes place only for another.
func (h *debtHeap) Pop() any { panic("a debt is never taken out") }
