package tokenexchange

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The pauses between two tries to publish double from the first to the last,
// which is short: a store that is back must hear of it at once.
const (
	firstOutboxPause = 100 * time.Millisecond
	lastOutboxPause  = 250 * time.Millisecond
)

// maxOutbox bounds what requests may have wait for the store. What does not fit
// holds in this process alone; its caller was told that others may not know. For
// what is lost with a changed file nobody is told, and its number is bounded by the
// files: it has as much room as the set.
const maxOutbox = 1 << 16

// lastDelivery is how long a process that ends still tries to publish.
const lastDelivery = 2 * time.Second

// outbox is what was revoked here while the store was away. It holds here
// already, and is published once the store is back. It is lost with the process.
type outbox struct {
	mu     sync.Mutex
	unsent map[revocationName]Revocation
	full   bool          // something did not fit, and that was not logged yet
	wake   chan struct{} // has room for one
}

func newOutbox() *outbox {
	return &outbox{unsent: map[revocationName]Revocation{}, wake: make(chan struct{}, 1)}
}

// keep adds what could not be published. Of two that name the same the stricter
// parts count.
func (o *outbox) keep(what []Revocation, room int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range what {
		key := r.name()
		old, known := o.unsent[key]
		if !known && len(o.unsent) >= room {
			o.full = true
			continue
		}
		if old.Before.After(r.Before) {
			r.Before = old.Before
		}
		if old.Until.After(r.Until) {
			r.Until = old.Until
		}
		o.unsent[key] = r
	}
	o.knock()
}

// knock has a delivery tried now.
func (o *outbox) knock() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns some of what waits. It stays until sent says that it went.
func (o *outbox) take(now time.Time) (some []Revocation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, r := range o.unsent {
		if !r.end().After(now) {
			delete(o.unsent, key)
			continue
		}
		if some = append(some, r); len(some) == entryRevocations {
			break
		}
	}
	return some
}

// sent forgets what was published, unless it was made stricter meanwhile.
func (o *outbox) sent(some []Revocation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range some {
		if key := r.name(); o.unsent[key] == r {
			delete(o.unsent, key)
		}
	}
}

func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unsent)
}

// overflowed reports, once each time, that something did not fit.
func (o *outbox) overflowed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	full := o.full
	o.full = false
	return full
}

// Unpublished returns how many revocations hold in this process and wait for
// the store, so that other processes learn of them.
func (v *Revocations) Unpublished() int { return v.outbox.size() }

// deliver publishes what waits, until ctx is done and then once more.
func (v *Revocations) deliver(ctx context.Context, feed Feed) {
	waited := false
	for pause := firstOutboxPause; ; {
		n, err := v.empty(ctx, feed)
		log := v.reading.log()
		if v.outbox.overflowed() {
			log.Error("more revocations wait for the store than fit: some of them hold in this process alone", "waiting", v.outbox.size())
		}
		if n > 0 && waited {
			log.Info("revocations from while the store was away were published", "revocations", n)
		}
		var again <-chan time.Time
		if waited = err != nil; !waited {
			pause = firstOutboxPause
		} else {
			again = time.After(pause)
			pause = min(2*pause, lastOutboxPause)
		}
		select {
		case <-again:
		case <-v.outbox.wake:
		case <-ctx.Done():
			v.lastWords(feed)
			return
		}
	}
}

// lastWords is the last try of a process that ends.
func (v *Revocations) lastWords(feed Feed) {
	if v.outbox.size() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastDelivery)
	defer cancel()
	if _, err := v.empty(ctx, feed); err != nil {
		v.reading.log().Error("revocations could not be published and end with this process: others accept what they name until it expires",
			"revocations", v.outbox.size(), "error", err)
	}
}

// empty publishes all that waits, and returns how much it was.
func (v *Revocations) empty(ctx context.Context, feed Feed) (n int, err error) {
	for {
		some := v.outbox.take(v.now())
		if len(some) == 0 {
			return n, nil
		}
		if _, err := v.reading.sealer().publish(ctx, feed, some); err != nil {
			return n, err
		}
		v.outbox.sent(some)
		n += len(some)
	}
}

// publish appends revocations to a feed, and returns those that are not known
// to have come there. An error is ErrStoreUnavailable.
func (s *State) publish(ctx context.Context, feed Feed, what []Revocation) (rest []Revocation, err error) {
	for len(what) > 0 {
		some := what[:min(len(what), entryRevocations)]
		last := slices.MaxFunc(some, func(a, b Revocation) int { return a.Until.Compare(b.Until) })
		if err := s.publishEntry(ctx, feed, feedEntry{Revoked: some}, last.end()); err != nil {
			return what, fmt.Errorf("revoking: %w", err)
		}
		what = what[len(some):]
	}
	return nil, nil
}
