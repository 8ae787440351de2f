package tokenexchange

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
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

// bubbleStart is what a clock shows when a bubble begins.
var bubbleStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// TestForeignEntries publishes what a writer of the store could: such an entry
// may be a revocation that was spoilt, or one under a state key that this
// process lacks, so nothing that was issued before it is let pass. What is over
// is not even looked at.
func TestForeignEntries(t *testing.T) {
	until := bubbleStart.Add(time.Hour)
	store := NewMemoryStore(nil)
	state := testState(t, store, stateIssuer, nil, nil, 1)
	entry := feedEntry{Revoked: []Revocation{RevokeGrant("dead", until)}}
	good := must(state.sealEntry(entry, until))
	changed := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	over := bubbleStart.Add(-CollectAfter)
	record := must(state.ring[0].sealValue(state.random, sealBound(stateIssuer, kindFamily, string(good[:entryHeaderLen])), sealedPlain{exp: until, payload: []byte(`{"marker":"x"}`)}))
	raw := func(payload string) []byte {
		sealed := must(state.ring[0].sealValue(state.random, state.entryBound(good[:entryHeaderLen]), sealedPlain{exp: until, payload: []byte(payload)}))
		return append(bytes.Clone(good[:entryHeaderLen]), sealed...)
	}
	for name, c := range map[string]struct {
		entry []byte
		want  string // of every token from before; "" if the entry has no effect
	}{
		"empty":                     {nil, unopened},
		"short":                     {good[:entryHeaderLen-1], unopened},
		"without a value":           {good[:entryHeaderLen], unopened},
		"noise":                     {bytes.Repeat([]byte{0x5a}, 100), unopened},
		"cut":                       {good[:len(good)-1], unopened},
		"prolonged":                 {changed(5), unopened},
		"other version":             {changed(entryHeaderLen), unopened},
		"other key id":              {changed(entryHeaderLen + 1), unopened},
		"other nonce":               {changed(entryHeaderLen + 5), unopened},
		"other text":                {changed(len(good) - 1), unopened},
		"another issuer's":          {must(testState(t, store, "https://other.example", nil, nil, 1).sealEntry(entry, until)), unopened},
		"under another state key":   {must(testState(t, store, stateIssuer, nil, nil, 9).sealEntry(entry, until)), unopened},
		"a record of another kind":  {append(bytes.Clone(good[:entryHeaderLen]), record...), unopened},
		"of a version to come":      {raw(`{"revoked":[{"kind":"aud","value":"x","until":"2031-01-01T00:00:00Z"}]}`), unopened},
		"with a name to come":       {raw(`{"revoked":[{"kind":"jti","value":"x","until":"2031-01-01T00:00:00Z","audience":"y"}]}`), unopened},
		"sealed and empty":          {raw(`{}`), unopened},
		"sealed and no JSON":        {raw(`x`), unopened},
		"over, under a dropped key": {must(testState(t, store, stateIssuer, nil, nil, 9).sealEntry(entry, over)), ""},
		"over by what it says":      {append(make([]byte, entryHeaderLen), "noise"...), ""},
		"another's mark":            {must(state.sealEntry(feedEntry{Marker: "x"}, until)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := NewMemoryStore(nil)
				r := newReplica(t, store, 1)
				time.Sleep(time.Second)
				if err := store.Publish(t.Context(), c.entry, until); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.wants("published", c.want, c.want, "")
				if got := strings.Count(r.logged(), "level=ERROR"); (got == 1) != (c.want != "") {
					t.Errorf("got the log %s, want one error if the entry has an effect", r.logged())
				}
				newReplica(t, store, 1).wants("after a restart", c.want, c.want, "")
				if r.Unread() {
					t.Error("it waits for something")
				}
			})
		})
	}
}

// TestStateKeyIsRotated gives one process the new state key before another: what
// the second cannot open it does not let pass, and once it has the key, it knows.
func TestStateKeyIsRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		late, early := newReplica(t, store, 1), newReplica(t, store, 2, 1)
		late.wants("the other's mark", unopened, unopened, "")
		early.wants("has both keys", "", "", "")
		time.Sleep(time.Minute)
		late.wants("a minute later", "", "", "")
		early.revokes("dead")
		late.wants("under the key to come", unopened, unopened, "")
		detach := late.Attach(testState(t, store, stateIssuer, nil, nil, 1, 2), slog.New(slog.DiscardHandler))
		time.Sleep(time.Second)
		synctest.Wait()
		late.wants("with the key", byGrant, "", "")

		// A configuration that was refused takes its key along.
		detach()
		early.revokes("other")
		late.wants("without the key", byGrant, unopened, "")
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
