package tokenexchange

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// replica is one process that follows a feed. Its clock is that of the bubble.
type replica struct {
	*Revocations
	t     *testing.T
	state *State
	log   bytes.Buffer
	stop  func()
}

// newReplica follows store with a set of its own, until the test ends.
func newReplica(t *testing.T, store Store, fills ...byte) *replica {
	t.Helper()
	r := &replica{Revocations: NewRevocations(nil), t: t, state: testState(t, store, stateIssuer, nil, nil, fills...)}
	r.Attach(r.state, slog.New(slog.NewTextHandler(io.MultiWriter(&r.log, showing{}), nil)))
	r.follow(store.(Feed))
	t.Cleanup(func() { r.stop() })
	return r
}

// logged returns what was logged so far.
func (r *replica) logged() string {
	synctest.Wait()
	return r.log.String()
}

// follow begins to follow, once more if stop ended it.
func (r *replica) follow(feed Feed) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	r.stop = func() { cancel(); <-done }
	go func() { defer close(done); r.Follow(ctx, feed) }()
	synctest.Wait()
}

// revokes publishes the end of a grant.
func (r *replica) revokes(grant string) {
	r.t.Helper()
	if err := r.Revoke(r.t.Context(), r.state, RevokeGrant(grant, time.Now().Add(time.Hour))); err != nil {
		r.t.Fatalf("Revoke: got %v", err)
	}
	synctest.Wait()
}

// judges says what happens to a token of a grant: "" if it lives.
func (r *replica) judges(grant string, issued time.Time) string {
	// Tokens have whole seconds.
	id := mint.Identifiers{ID: "jti", GrantID: grant, IssuedAt: issued.Truncate(time.Second)}
	if why := r.why(id); why != "" {
		return why
	}
	if r.unknown(id.IssuedAt) {
		return "unread"
	}
	return ""
}

// wants holds what happens to the tokens of two grants that were issued before
// the last word of the feed, and to one that was issued long after.
func (r *replica) wants(when, dead, other, later string) {
	r.t.Helper()
	before := time.Now().Add(-time.Second)
	for _, c := range []struct{ which, got, want string }{
		{"a token of the grant that was revoked", r.judges("dead", before), dead},
		{"another token", r.judges("other", before), other},
		{"a token that is issued later", r.judges("other", time.Now().Add(settled+time.Second)), later},
	} {
		if c.got != c.want {
			r.t.Errorf("%s: %s: got %q, want %q", when, c.which, c.got, c.want)
		}
	}
}

const (
	byGrant  = "revoked by grant_id"
	unopened = "issued before an entry of the feed that cannot be opened"
	overflow = "issued before there were more revocations than fit"
)

// faultyFeed is a store in memory whose feed fails as it is told.
type faultyFeed struct {
	*MemoryStore
	mu        sync.Mutex
	publish   error
	following error
	cut       context.CancelCauseFunc
	lose      bool          // publications are answered and lost
	hold      chan struct{} // entries wait until it is closed
	froms     []string
}

// set makes both directions fail from now on, and ends who follows.
func (f *faultyFeed) set(publish, following error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publish, f.following = publish, following
	if f.cut != nil && following != nil {
		f.cut(following)
	}
}

func (f *faultyFeed) Publish(ctx context.Context, entry []byte, until time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.publish != nil || f.lose {
		return f.publish
	}
	return f.MemoryStore.Publish(ctx, entry, until)
}

func (f *faultyFeed) Follow(ctx context.Context, from string, fn func(string, []byte)) error {
	f.mu.Lock()
	if f.following != nil {
		defer f.mu.Unlock()
		return f.following
	}
	ctx, f.cut = context.WithCancelCause(ctx)
	f.froms = append(f.froms, from)
	hold := f.hold
	f.mu.Unlock()
	err := f.MemoryStore.Follow(ctx, from, func(position string, entry []byte) {
		if hold != nil {
			<-hold
		}
		fn(position, entry)
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
