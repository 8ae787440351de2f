package tokenexchange

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"
)

// The pauses between two tries to follow double from the first to the last. What
// others revoked while the store was away is accepted here until the first try
// after it came back, so the last is short: a try that is under way may wait for
// half a second on a connection that died, and both are to be less than a second.
const (
	firstFollowPause = 100 * time.Millisecond
	lastFollowPause  = 250 * time.Millisecond
)

// Follow applies what is published, until ctx is done. Start it once for each
// store that is open, after Attach. It tries again when the store is away, from
// where it was; after a gap it reads everything back.
func (v *Revocations) Follow(ctx context.Context, feed Feed) {
	f := &follower{set: v, feed: feed}
	f.begin()
	delivered := make(chan struct{})
	go func() { defer close(delivered); v.deliver(ctx, feed) }()
	defer func() { <-delivered }()
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
	r.mu.Unlock()
	mark := rand.Text()
	if err := r.sealer().publishEntry(ctx, f.feed, feedEntry{Marker: mark}, f.set.now().Add(markerLife)); err != nil {
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
	v.unopened = max(v.unopened, issuedSoFar(now))
	v.counted()
	v.mu.Unlock()
	f.say("tokens that were issued so far are refused: an entry among the revocations cannot be opened", err, (*slog.Logger).Error)
	return ""
}

// catchUp notes that everything old was applied.
func (f *follower) catchUp() {
	v, r := f.set, f.set.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	f.caughtUp, f.said = true, ""
	v.outbox.knock()
	r.live++
	r.cutOff.Store(0)
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
		if r.live--; r.live == 0 {
			r.cutOff.Store(v.now().UnixMilli())
		}
	}
	r.cause = err
	gap := errors.Is(err, ErrFeedGap)
	if gap {
		r.readAgain()
		r.unread.Store(max(r.unread.Load(), issuedSoFar(v.now())))
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
		log(f.set.reading.log(), text, "error", cause)
	}
}
