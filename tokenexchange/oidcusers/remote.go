package oidcusers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

const (
	// fresh is how long a document is used without another look.
	fresh = time.Hour
	// grace is how long one is used after that if there is no other.
	grace = time.Hour
	// pause is how long nobody asks again for a document.
	pause = tokenexchange.ProviderPause
)

// remote is a document of the provider, read when it is first needed and kept a
// while. However many need it, one request is under way, which none of them ends
// by leaving.
type remote[T any] struct {
	fetch func(context.Context) (T, error)
	now   func() time.Time

	mu    sync.Mutex
	value T
	got   time.Time // when it was read, zero for never
	tried time.Time // when it was last asked for
	err   error     // of that, nil for none
	under chan struct{}
}

func newRemote[T any](fetch func(context.Context) (T, error), now func() time.Time) *remote[T] {
	return &remote[T]{fetch: fetch, now: now}
}

// get returns the document. If it lacks what is needed, it is read again, but not
// at every word of a stranger: what it says then may lack that still. A nil enough
// needs nothing. The error is ErrProviderUnavailable, or that of the context.
func (r *remote[T]) get(ctx context.Context, enough func(T) bool) (T, error) {
	r.mu.Lock()
	now := r.now()
	has := enough == nil || !r.got.IsZero() && enough(r.value)
	if r.usable(now) && has && now.Before(r.got.Add(fresh)) || now.Before(r.tried.Add(pause)) && r.under == nil {
		defer r.mu.Unlock()
		return r.told(now, enough)
	}
	if r.under == nil {
		r.under, r.tried = make(chan struct{}), now
		go r.read(context.WithoutCancel(ctx), r.under)
	}
	under := r.under
	r.mu.Unlock()
	select {
	case <-under:
	case <-ctx.Done():
		var none T
		return none, unavailable("it takes too long: %w", ctx.Err())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told(r.now(), enough)
}

// usable reports whether there is a document that is not too old.
func (r *remote[T]) usable(now time.Time) bool {
	return !r.got.IsZero() && now.Before(r.got.Add(fresh+grace))
}

// told returns the document as it is known, or why none is. One that lacks what is
// needed while nobody can tell whether the provider's still does is none.
func (r *remote[T]) told(now time.Time, enough func(T) bool) (T, error) {
	if r.usable(now) && (r.err == nil || enough == nil || enough(r.value)) {
		return r.value, nil
	}
	var none T
	err := r.err
	if err == nil {
		err = errors.New("what was read is too old")
	}
	return none, unavailable("%w", err)
}

func (r *remote[T]) read(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	value, err := r.fetch(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = err; err == nil {
		r.value, r.got = value, r.now()
	}
	r.under = nil
	close(done)
}
