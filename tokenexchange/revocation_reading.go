package tokenexchange

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// reading is how far a set of revocations has read its feed.
type reading struct {
	// Tokens that were issued until then, in Unix milliseconds, are refused
	// until the feed was read back: what it says of them is not known.
	unread atomic.Int64
	first  chan struct{} // closed when it was read back for the first time

	mu       sync.Mutex
	openers  []*opener
	position string // all entries up to it were applied
	pass     uint64 // counts what makes everything be read again
	running  map[*follower]context.CancelFunc
	live     int   // followers that have caught up
	cause    error // why the last of them was cut off, nil if one is live
	// When that was, in Unix milliseconds, 0 if one is live. A guard asks for it
	// on every request, so it takes no lock.
	cutOff atomic.Int64
}

// opener is a configuration whose state keys open entries.
type opener struct {
	state *State
	log   *slog.Logger
}

func newReading(now time.Time) *reading {
	r := &reading{first: make(chan struct{}), running: map[*follower]context.CancelFunc{}}
	r.unread.Store(always)
	r.cutOff.Store(now.UnixMilli())
	return r
}

// Attach lets entries be opened with the state keys of a configuration, and
// faults be logged to its log, until it is detached. The last one stays: while
// it serves, entries have to be opened.
func (v *Revocations) Attach(state *State, log *slog.Logger) (detach func()) {
	o, r := &opener{state: state, log: log}, v.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	known := !slices.ContainsFunc(state.ring, func(key *sealer) bool { return !r.opens(key.id) })
	r.openers = append(r.openers, o)
	if !known { // The new key may open what could not be opened before.
		r.readAgain()
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.openers) > 1 {
			r.openers = slices.DeleteFunc(r.openers, func(other *opener) bool { return other == o })
		}
	}
}

// readAgain has everything read from the oldest entry on, by all who follow.
func (r *reading) readAgain() {
	r.pass++
	for _, again := range r.running {
		again()
	}
}

func (r *reading) opens(id sealKeyID) bool {
	return slices.ContainsFunc(r.openers, func(o *opener) bool {
		return slices.ContainsFunc(o.state.ring, func(key *sealer) bool { return key.id == id })
	})
}

// latest is the configuration that seals what is published, and whose log it is.
func (r *reading) latest() *opener {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.openers[len(r.openers)-1]
}

func (r *reading) sealer() *State { return r.latest().state }

func (r *reading) log() *slog.Logger { return r.latest().log }

// unknown reports whether nobody knows if a token is revoked, since the feed
// was not read back, or has a gap.
func (v *Revocations) unknown(issued time.Time) bool {
	unread := v.reading.unread.Load()
	return unread != 0 && issued.UnixMilli() <= unread
}

// ReadBack waits until everything that the feed keeps was applied once. Its
// error is ErrStoreUnavailable.
func (v *Revocations) ReadBack(ctx context.Context) error {
	select {
	case <-v.reading.first:
		return nil
	case <-ctx.Done():
	}
	cause := ctx.Err()
	v.reading.mu.Lock()
	defer v.reading.mu.Unlock()
	if v.reading.cause != nil {
		cause = v.reading.cause
	}
	return fmt.Errorf("reading the revocations back: %w", storeFault(cause))
}

// Unread reports whether tokens are refused because the feed was not read back.
func (v *Revocations) Unread() bool { return v.reading.unread.Load() != 0 }

// Age returns how long the feed could not be read, 0 if it can. A feed notices
// a fault of its store within about two seconds, which are not counted.
func (v *Revocations) Age() time.Duration {
	since := v.reading.cutOff.Load()
	if since == 0 {
		return 0
	}
	return max(0, v.now().Sub(time.UnixMilli(since)))
}

// open opens an entry with the keys of any configuration, the latest first.
func (v *Revocations) open(raw []byte) (e feedEntry, err error) {
	v.reading.mu.Lock()
	openers := slices.Clone(v.reading.openers)
	v.reading.mu.Unlock()
	for _, o := range slices.Backward(openers) {
		if e, err = o.state.openEntry(raw); err == nil {
			return e, nil
		}
	}
	return feedEntry{}, err
}
