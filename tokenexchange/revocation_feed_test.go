package tokenexchange

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRevokedElsewhere has one process learn what another revoked, and one that
// starts later, and none of them twice.
func TestRevokedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		one, two := newReplica(t, store, 1), newReplica(t, store, 1)
		two.wants("at first", "", "", "")
		one.revokes("dead")
		one.revokes("dead")
		two.wants("revoked elsewhere", byGrant, "", "")
		three := newReplica(t, store, 1)
		three.wants("read back", byGrant, "", "")
		for _, r := range []*replica{one, two, three} {
			if r.Len() != 1 || r.Age() != 0 || r.Unread() {
				t.Errorf("got %d entries, an age of %s, unread %t; want 1, 0 and false", r.Len(), r.Age(), r.Unread())
			}
			if r.logged() != "" {
				t.Errorf("got the log %s, want none", r.logged())
			}
		}
	})
}

// A set that was never read refuses everything, also what is issued later.
func TestRevocationsBeforeTheFirstReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faultyFeed{MemoryStore: NewMemoryStore(nil)}
		store.set(errors.New("connection refused"), nil)
		r := newReplica(t, store, 1)
		time.Sleep(time.Hour)
		r.wants("away since the start", "unread", "unread", "unread")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.ReadBack(ctx); !errors.Is(err, ErrStoreUnavailable) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("ReadBack: got %v, want ErrStoreUnavailable and why", err)
		}
		store.set(nil, nil)
		if err := r.ReadBack(t.Context()); err != nil {
			t.Errorf("ReadBack: got %v", err)
		}
		r.wants("read back", "", "", "")
		if got := strings.Count(r.logged(), "level=WARN"); got < 10 || got > 70 {
			t.Errorf("got %d warnings in an hour, want about one a minute", got)
		}
	})
}

// TestRevocationsWhileTheFeedIsAway goes on with what is known, says how old it
// is, and catches up from where it was.
func TestRevocationsWhileTheFeedIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		one := newReplica(t, store, 1)
		feed := &faultyFeed{MemoryStore: store}
		two := newReplica(t, feed, 1)
		time.Sleep(time.Hour)
		away := errors.New("connection refused")
		feed.set(away, away)
		synctest.Wait()
		one.revokes("dead")
		time.Sleep(time.Minute)
		two.wants("away", "", "", "")
		if got := two.Age(); got != time.Minute || two.Unread() {
			t.Errorf("away for a minute: got an age of %s, unread %t; want 1m and false", got, two.Unread())
		}
		feed.set(away, nil) // One direction is not enough.
		time.Sleep(time.Minute)
		if got := two.Age(); got != 2*time.Minute {
			t.Errorf("half back: got an age of %s, want 2m", got)
		}
		feed.set(nil, nil)
		time.Sleep(lastFollowPause)
		synctest.Wait()
		two.wants("back", byGrant, "", "")
		if two.Age() != 0 {
			t.Errorf("back: got an age of %s, want 0", two.Age())
		}
		for i, from := range feed.froms {
			if (from == "") != (i == 0) {
				t.Errorf("time %d: it followed from %q, want everything at first and then only what is new", i, from)
			}
		}
	})
}

// TestRevocationsAfterAGap refuses what was issued before it until everything
// was read again, and keeps what was known.
func TestRevocationsAfterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		one := newReplica(t, store, 1)
		feed := &faultyFeed{MemoryStore: store}
		two := newReplica(t, feed, 1)
		one.revokes("known")
		hold := make(chan struct{})
		feed.mu.Lock()
		feed.hold = hold
		feed.mu.Unlock()
		time.Sleep(time.Minute)
		began := time.Now()
		feed.set(nil, FeedGap("x", "the feed was trimmed"))
		synctest.Wait()
		feed.set(nil, nil)
		one.revokes("dead")
		time.Sleep(2 * time.Second) // It reads, and gets nothing yet.
		two.wants("in the gap", "unread", "unread", "")
		if got := two.judges("other", began); got != "unread" {
			t.Errorf("a token of the second of the gap: got %q, want unread", got)
		}
		if got := two.judges("known", began); got != byGrant || !two.Unread() {
			t.Errorf("what was revoked before: got %q, unread %t; want it revoked still, and true", got, two.Unread())
		}
		close(hold)
		synctest.Wait()
		two.wants("read again", byGrant, "", "")
		if got := two.judges("known", began); got != byGrant || two.Unread() {
			t.Errorf("what was revoked before: got %q, unread %t; want it revoked still, and false", got, two.Unread())
		}
		if last := feed.froms[len(feed.froms)-1]; last != "" {
			t.Errorf("it followed from %q, want everything", last)
		}
	})
}

// TestReadingEndsWithItsOwnMark hands out one entry after the other: the mark of
// another process stands before a revocation.
func TestReadingEndsWithItsOwnMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		newReplica(t, store, 1).revokes("dead")
		feed := &faultyFeed{MemoryStore: store, hold: make(chan struct{})}
		r := newReplica(t, feed, 1)
		for _, c := range []struct{ when, dead, other string }{
			{"nothing came", "unread", "unread"},
			{"another's mark", "unread", "unread"},
			{"the revocation", byGrant, "unread"},
			{"its own mark", byGrant, ""},
		} {
			if c.when != "nothing came" {
				feed.hold <- struct{}{}
			}
			synctest.Wait()
			r.wants(c.when, c.dead, c.other, c.other)
		}
	})
}

// TestGapDuringAReading has one way to the feed tell of a gap while another
// still reads what was kept before it: the end of that reading says nothing.
func TestGapDuringAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		away := errors.New("connection refused")
		slow, quick := &faultyFeed{MemoryStore: store, hold: make(chan struct{})}, &faultyFeed{MemoryStore: store}
		r := newReplica(t, slow, 1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		defer func() { cancel(); <-ended }()
		go func() { defer close(ended); r.Follow(ctx, quick) }()
		synctest.Wait()
		r.wants("one has read it", "", "", "")
		quick.set(away, FeedGap("x", "the feed was trimmed"))
		synctest.Wait()
		slow.set(away, nil)
		close(slow.hold)
		synctest.Wait()
		r.wants("the other reads on", "unread", "unread", "")
		slow.set(nil, nil) // One of them is enough.
		time.Sleep(lastFollowPause)
		r.wants("read again", "", "", "")
	})
}

// TestRevocationsOfALostFeed goes on with a new feed, knowing what it knew.
func TestRevocationsOfALostFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := NewMemoryStore(nil), NewMemoryStore(nil)
		r := newReplica(t, old, 1)
		r.revokes("known")
		r.stop()
		// Somebody else published to it already.
		newReplica(t, fresh, 1).revokes("dead")
		r.follow(fresh)
		time.Sleep(time.Second)
		synctest.Wait()
		r.wants("another feed", byGrant, "", "")
		if got := r.judges("known", time.Now()); got != byGrant {
			t.Errorf("what was revoked before: got %q, want it revoked still", got)
		}
	})
}

// TestLostMarkIsPublishedAgain has a feed that loses what it answered for.
func TestLostMarkIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &faultyFeed{MemoryStore: NewMemoryStore(nil), lose: true}
		r := newReplica(t, feed, 1)
		time.Sleep(markerPatience + time.Second)
		r.wants("no mark came", "unread", "unread", "unread")
		if !strings.Contains(r.logged(), errMarkerLost.Error()) {
			t.Errorf("got the log %s, want it to say so", r.logged())
		}
		feed.mu.Lock()
		feed.lose = false
		feed.mu.Unlock()
		if err := r.ReadBack(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// TestWayToTheSameFeed follows one feed on two ways, as a reload to the same
// store with another password does, and nothing is missed when the first ends.
func TestWayToTheSameFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		one, two := newReplica(t, store, 1), newReplica(t, store, 1)
		second := &faultyFeed{MemoryStore: store}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go two.Follow(ctx, second)
		synctest.Wait()
		two.stop()
		if two.Age() != 0 || len(second.froms) != 1 || second.froms[0] == "" {
			t.Errorf("got an age of %s and positions %q, want 0 and one that goes on", two.Age(), second.froms)
		}
		one.revokes("dead")
		two.wants("on the second way", byGrant, "", "")
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
		if two.Age() != time.Second {
			t.Errorf("without a way: got an age of %s, want 1s", two.Age())
		}
	})
}
