package tokenexchange

import (
	"context"
	"crypto/rand"
	"errors"
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
	live     int       // followers that have caught up
	contact  time.Time // when the last of them was cut off
	cause    error     // by what, nil if one is live
}

// opener is a configuration whose state keys open entries.
type opener struct {
	state *State
	log   *slog.Logger
}

func newReading(now time.Time) *reading {
	r := &reading{first: make(chan struct{}), contact: now, running: map[*follower]context.CancelFunc{}}
	r.unread.Store(always)
	return r
}

// Attach lets entries be opened with the state keys of a configuration, and
// faults be logged to its log, until it is detached. The last one stays: while
// it serves, entries have to be opened.
func (v *Revocations) Attach(state *State, log *slog.Logger) (detach func()) {
	o := &opener{state: state, log: log}
	// The new key may open what could not be opened before.
	v.mu.RLock()
	again := v.unopened != 0
	v.mu.RUnlock()
	r := v.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	r.openers = append(r.openers, o)
	if again {
		r.pass++
		for _, cancel := range r.running {
			cancel()
		}
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.openers) > 1 {
			r.openers = slices.DeleteFunc(r.openers, func(other *opener) bool { return other == o })
		}
	}
}

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
	r := v.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live > 0 {
		return 0
	}
	return max(0, v.now().Sub(r.contact))
}

// The pauses between two tries to follow double from the first to the last.
const (
	firstFollowPause = 100 * time.Millisecond
	lastFollowPause  = 5 * time.Second
)

// Follow applies what is published, until ctx is done. Start it once for each
// store that is open, after Attach. It tries again when the store is away, from
// where it was; after a gap it reads everything back.
func (v *Revocations) Follow(ctx context.Context, feed Feed) {
	f := &follower{set: v, feed: feed}
	f.begin()
	for pause := firstFollowPause; ctx.Err() == nil; pause = min(2*pause, lastFollowPause) {
		err := f.follow(ctx)
		if f.caughtUp {
			pause = firstFollowPause
		}
		f.ended(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// follower is one goroutine that follows the feed for a set.
type follower struct {
	set      *Revocations
	feed     Feed
	from     string
	pass     uint64
	whole    bool // this pass began before the oldest entry
	failed   bool // it met an entry that could not be opened
	caughtUp bool

	said   string // what is wrong, as it was last logged
	saidAt time.Time
}

// begin says where to go on: where the set stands, if it lacks nothing.
func (f *follower) begin() {
	v, r := f.set, f.set.reading
	v.mu.RLock()
	lacks := v.unopened != 0 || r.unread.Load() != 0
	v.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	f.pass, f.from, f.whole = r.pass, r.position, false
	if lacks {
		f.from, f.whole = "", true
	}
}

// markerLife is how long a mark is kept, at least; markerPatience is how long
// no entry may come while the mark is awaited: then it was lost.
const (
	markerLife     = 5 * time.Minute
	markerPatience = 5 * time.Second
)

var errMarkerLost = errors.New("an entry that was published does not come back")

// follow follows once. What was published before its mark has come when the
// mark does.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := f.set.reading
	r.mu.Lock()
	if f.pass != r.pass {
		f.pass, f.from, f.whole, f.failed = r.pass, "", true, false
	}
	r.running[f], f.caughtUp = func() { cancel(nil) }, false
	seal := r.openers[len(r.openers)-1].state
	r.mu.Unlock()
	mark := rand.Text()
	if err := seal.publishEntry(ctx, feedEntry{Marker: mark}, f.set.now().Add(markerLife)); err != nil {
		return err
	}
	lost := time.AfterFunc(markerPatience, func() { cancel(errMarkerLost) })
	defer lost.Stop()
	err := f.feed.Follow(ctx, f.from, func(position string, raw []byte) {
		if !f.caughtUp {
			lost.Reset(markerPatience)
		}
		if f.apply(raw) == mark && !f.caughtUp {
			lost.Stop()
			f.catchUp()
		}
		f.from = position
		r.mu.Lock()
		r.position = position
		r.mu.Unlock()
	})
	if why := context.Cause(ctx); errors.Is(why, errMarkerLost) {
		return why
	}
	return err
}

// apply adds what an entry names, and returns the mark in it. An entry that
// cannot be opened may name any token that was issued before it came, so all of
// them are refused.
func (f *follower) apply(raw []byte) (mark string) {
	v := f.set
	e, err := v.open(raw)
	if err == nil {
		for _, r := range e.Revoked {
			v.add(r)
		}
		return e.Marker
	}
	now := v.now()
	if entryOver(raw, now) {
		return ""
	}
	f.failed = true
	v.mu.Lock()
	v.unopened = max(v.unopened, now.UnixMilli())
	v.counted()
	v.mu.Unlock()
	f.say("tokens that were issued so far are refused: an entry among the revocations cannot be opened", err, (*slog.Logger).Error)
	return ""
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

// catchUp notes that everything old was applied.
func (f *follower) catchUp() {
	v, r := f.set, f.set.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	f.caughtUp, f.said = true, ""
	r.live++
	r.cause = nil
	if !f.whole || f.pass != r.pass {
		return
	}
	r.unread.Store(0)
	select {
	case <-r.first:
	default:
		close(r.first)
	}
	if !f.failed {
		v.mu.Lock()
		v.unopened = 0
		v.counted()
		v.mu.Unlock()
	}
}

// ended notes why following ended. Nobody knows what stood in a gap, so what was
// issued before it is refused until all that is kept was read again.
func (f *follower) ended(ctx context.Context, err error) {
	v, r := f.set, f.set.reading
	r.mu.Lock()
	delete(r.running, f)
	if f.caughtUp {
		r.live--
		r.contact = v.now()
	}
	r.cause = err
	gap := errors.Is(err, ErrFeedGap)
	if gap {
		r.pass++
		r.unread.Store(max(r.unread.Load(), v.now().UnixMilli()))
	}
	r.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled) || ctx.Err() != nil: // To stop, or to begin again.
	case gap:
		f.say("revocations are read again, and tokens are refused meanwhile", err, (*slog.Logger).Warn)
	default:
		f.say("the revocations of other processes cannot be read; trying again in the background", err, (*slog.Logger).Warn)
	}
}

// saidFor is how long the same fault is not logged again.
const saidFor = time.Minute

func (f *follower) say(text string, err error, log func(*slog.Logger, string, ...any)) {
	if cause := err.Error(); cause != f.said || time.Since(f.saidAt) > saidFor {
		f.said, f.saidAt = cause, time.Now()
		r := f.set.reading
		r.mu.Lock()
		to := r.openers[len(r.openers)-1].log
		r.mu.Unlock()
		log(to, text, "error", cause)
	}
}
