package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// cannot revokes a grant while the store is away.
func (r *replica) cannot(what ...Revocation) {
	r.t.Helper()
	if err := r.Revoke(r.t.Context(), r.state, what...); !errors.Is(err, ErrStoreUnavailable) {
		r.t.Errorf("Revoke: got %v, want ErrStoreUnavailable", err)
	}
	synctest.Wait()
}

// TestRevokedWhileTheStoreIsAway has one process revoke what no other can hear
// of: it holds there at once, and everywhere as soon as the store is back.
func TestRevokedWhileTheStoreIsAway(t *testing.T) {
	away := errors.New("connection refused")
	for _, c := range []struct {
		name      string
		following error // what becomes of following meanwhile
	}{
		{"both directions", away},
		{"publishing alone", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := NewMemoryStore(nil)
				feed := &faultyFeed{MemoryStore: store}
				one, two := newReplica(t, feed, 1), newReplica(t, store, 1)
				feed.set(away, c.following)
				synctest.Wait()
				until := time.Now().Add(time.Hour)
				one.cannot(RevokeGrant("dead", until))
				for range 3 {
					one.cannot(RevokeGrant("dead", until)) // Clients try again.
				}
				one.wants("the one that knows", byGrant, "", "")
				two.wants("the other, meanwhile", "", "", "")
				if got := one.Unpublished(); got != 1 {
					t.Errorf("away: got %d that wait, want 1", got)
				}
				time.Sleep(30 * time.Second)
				feed.set(nil, nil)
				time.Sleep(lastOutboxPause)
				synctest.Wait()
				two.wants("the other, once the store is back", byGrant, "", "")
				if got := one.Unpublished(); got != 0 {
					t.Errorf("back: got %d that wait, want 0", got)
				}
				if !strings.Contains(one.logged(), "revocations from while the store was away were published") {
					t.Errorf("got the log %s", one.logged())
				}
				time.Sleep(lastFollowPause) // A follower that begins again leaves a mark.
				synctest.Wait()
				entries := len(store.feed.entries)
				time.Sleep(time.Minute)
				if synctest.Wait(); len(store.feed.entries) != entries {
					t.Error("it is published again and again")
				}
			})
		})
	}
}

// TestPartOfTheRevocationsIsPublished loses the store between two entries: what
// did not come there is what waits.
func TestPartOfTheRevocationsIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		feed := &faultyFeed{MemoryStore: store}
		one, two := newReplica(t, feed, 1), newReplica(t, store, 1)
		var all []Revocation
		for i := range 2*entryRevocations + 1 {
			all = append(all, RevokeGrant(fmt.Sprint(i), time.Now().Add(time.Hour)))
		}
		rest, err := one.state.publish(t.Context(), &lastFeed{faultyFeed: feed, left: 1}, all)
		if !errors.Is(err, ErrStoreUnavailable) || len(rest) != entryRevocations+1 {
			t.Errorf("got %d that are left and %v, want %d and ErrStoreUnavailable", len(rest), err, entryRevocations+1)
		}
		one.outbox.keep(rest, maxOutbox)
		time.Sleep(lastOutboxPause)
		synctest.Wait()
		for _, r := range all {
			if two.judges(r.Value, time.Now().Add(-time.Second)) == "" {
				t.Errorf("grant %s lives at the other process", r.Value)
			}
		}
	})
}

// lastFeed takes a few entries and then none.
type lastFeed struct {
	*faultyFeed
	left int
}

func (f *lastFeed) Publish(ctx context.Context, entry []byte, until time.Time) error {
	if f.left == 0 {
		return ErrStoreUnavailable
	}
	f.left--
	return f.faultyFeed.Publish(ctx, entry, until)
}

// TestOutboxKeepsTheStricter holds what waits to be as strict as all that was
// said, and to leave when nothing that it names can live.
func TestOutboxKeepsTheStricter(t *testing.T) {
	now := time.Now()
	in := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	o := newOutbox()
	o.keep([]Revocation{RevokeSubject("s", in(-5), in(60))}, maxOutbox)
	o.keep([]Revocation{RevokeSubject("s", in(-9), in(90)), RevokeGrant("s", in(5))}, maxOutbox)
	o.keep([]Revocation{RevokeSubject("s", in(-7), in(30))}, maxOutbox)
	some := o.take(in(10))
	if len(some) != 1 || some[0] != RevokeSubject("s", in(-5), in(90)) || o.size() != 1 {
		t.Fatalf("got %v and %d that wait, want the subject alone, before minute -5 and until minute 90", some, o.size())
	}
	o.keep([]Revocation{RevokeSubject("s", in(-1), in(90))}, maxOutbox)
	if o.sent(some); o.size() != 1 {
		t.Error("what was made stricter while it was published is forgotten")
	}
	if o.sent(o.take(in(10))); o.size() != 0 {
		t.Error("what was published still waits")
	}
}

// TestOutboxIsBounded fills the outbox: the log says so, and what was there stays.
func TestOutboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &faultyFeed{MemoryStore: NewMemoryStore(nil)}
		one := newReplica(t, feed, 1)
		feed.set(errors.New("away"), nil)
		until := time.Now().Add(time.Hour)
		var many []Revocation
		for i := range maxOutbox {
			many = append(many, RevokeGrant(fmt.Sprint(i), until))
		}
		one.outbox.keep(many, maxOutbox)
		one.cannot(RevokeGrant("dead", until))
		if got := one.Unpublished(); got != maxOutbox {
			t.Errorf("got %d that wait, want %d", got, maxOutbox)
		}
		one.wants("what did not fit", byGrant, "", "")
		time.Sleep(lastOutboxPause)
		if !strings.Contains(one.logged(), "more revocations wait for the store than fit") {
			t.Errorf("got the log %s", one.logged())
		}
	})
}

// TestLastWords ends a process while the store is away, and after it came back.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		feed := &faultyFeed{MemoryStore: store}
		one, two := newReplica(t, feed, 1), newReplica(t, store, 1)
		feed.set(errors.New("away"), errors.New("away"))
		synctest.Wait()
		one.cannot(RevokeGrant("dead", time.Now().Add(time.Hour)))
		one.stop()
		if !strings.Contains(one.logged(), "end with this process") {
			t.Errorf("ended while the store is away: got the log %s", one.logged())
		}
		feed.set(nil, nil)
		one.follow(feed) // Another configuration of the same process.
		two.wants("followed again", byGrant, "", "")
		feed.set(errors.New("away"), errors.New("away"))
		synctest.Wait()
		one.cannot(RevokeGrant("other", time.Now().Add(time.Hour)))
		feed.set(nil, nil)
		one.stop()
		synctest.Wait()
		two.wants("ended when the store was back", byGrant, byGrant, byGrant)
	})
}
