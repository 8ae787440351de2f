package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// TestRevocationsStayStrict revokes twice: what counts is the stricter of both.
func TestRevocationsStayStrict(t *testing.T) {
	clock := newStateClock()
	t0 := clock.now()
	in := func(minutes int) time.Time { return t0.Add(time.Duration(minutes) * time.Minute) }
	for _, c := range []struct {
		name        string
		first, then Revocation
		dead        bool // a token of the twentieth minute
		left        int  // entries after 90 minutes, one being until then
	}{
		{"later time", RevokeSubject("s", in(10), in(100)), RevokeSubject("s", in(30), in(100)), true, 1},
		{"earlier time", RevokeSubject("s", in(30), in(100)), RevokeSubject("s", in(10), in(100)), true, 1},
		{"both too early", RevokeSubject("s", in(10), in(100)), RevokeSubject("s", in(20), in(100)), false, 1},
		{"longer", RevokeSubject("s", in(30), in(60)), RevokeSubject("s", in(30), in(100)), true, 1},
		{"shorter", RevokeSubject("s", in(30), in(100)), RevokeSubject("s", in(30), in(60)), true, 1},
		{"shorter, of an earlier time", RevokeSubject("s", in(30), in(100)), RevokeSubject("s", in(10), in(60)), true, 1},
		{"longer, of an earlier time", RevokeSubject("s", in(30), in(60)), RevokeSubject("s", in(10), in(100)), true, 1},
		{"shorter, of a later time", RevokeSubject("s", in(10), in(100)), RevokeSubject("s", in(30), in(60)), true, 1},
		{"both over", RevokeSubject("s", in(30), in(60)), RevokeSubject("s", in(30), in(70)), true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newStateClock()
			v := NewRevocations(clock.now)
			v.add(c.first)
			v.add(c.then)
			if why := v.why(mint.Identifiers{Subject: "s", IssuedAt: in(25), LoginAt: in(20)}); (why != "") != c.dead {
				t.Errorf("got %q, want dead %t", why, c.dead)
			}
			if got := v.Len(); got != 1 {
				t.Errorf("got %d entries, want 1", got)
			}
			clock.pass(90 * time.Minute)
			if got := v.Len(); got != c.left {
				t.Errorf("90 minutes later: got %d entries, want %d", got, c.left)
			}
			clock.pass(time.Hour)
			if got := v.Len(); got != 0 {
				t.Errorf("at the end: got %d entries, want none", got)
			}
		})
	}
}

// claim is the one that a kind names, with its rights or without.
func claim(kind RevocationKind) string {
	name, _, _ := strings.Cut(string(kind), " ")
	return name
}

// TestIdentifiersThatAreRevoked names each of a token in turn.
func TestIdentifiersThatAreRevoked(t *testing.T) {
	now := time.Now()
	until := now.Add(time.Hour)
	id := mint.Identifiers{
		ID: "i", RootID: "r", GrantID: "g", Session: "s", Subject: "d:u", Operator: "d:o", ClientID: "c",
		Parents: [3]string{"p1", "p2", "p3"}, Hops: [mint.MaxHops]string{"h1", "h2", "h3", "h4"}, IssuedAt: now.Add(-time.Minute), LoginAt: now.Add(-time.Minute),
	}
	for _, r := range []Revocation{
		RevokeToken("i", until), RevokeToken("r", until), RevokeToken("p1", until), RevokeToken("p3", until), RevokeGrant("g", until), RevokeSession("s", until),
		RevokeSubject("d:u", now, until), RevokeSubject("d:o", now, until), RevokeClient("c", now, until),
		RevokeClient("h1", now, until), RevokeClient("h4", now, until),
		RevokeSubjectRights("d:u", now, until), RevokeSubjectRights("d:o", now, until), RevokeGrantRights("g", now, until),
		RevokeClientRights("c", now, until), RevokeClientRights("h1", now, until), RevokeClientRights("h4", now, until),
	} {
		v := NewRevocations(nil)
		if why := v.why(id); why != "" {
			t.Errorf("nothing revoked: got %q", why)
		}
		for _, kind := range revocationKinds {
			if claim(kind) != claim(r.Kind) {
				other := r
				other.Kind = kind
				v.add(other)
			}
		}
		if why := v.why(id); why != "" {
			t.Errorf("%q as anything but %s: got %q", r.Value, r.Kind, why)
		}
		v.add(r)
		if v.why(id) == "" {
			t.Errorf("%s %q: the token lives", r.Kind, r.Value)
		}
		if why := v.why(mint.Identifiers{IssuedAt: id.IssuedAt}); why != "" {
			t.Errorf("%s %q: a token without identifiers: got %q", r.Kind, r.Value, why)
		}
	}
}

// TestFullRevocations fills a set: nothing that was revoked comes back to life,
// everything else that was issued so far dies, and it goes on.
func TestFullRevocations(t *testing.T) {
	clock := newStateClock()
	v := NewRevocations(clock.now)
	v.limit = 100
	until := clock.now().Add(time.Hour)
	id := func(grant string, issued time.Time) mint.Identifiers {
		return mint.Identifiers{ID: "jti", GrantID: grant, IssuedAt: issued.Truncate(time.Second)}
	}
	issued := clock.now()
	for i := range v.limit {
		v.add(RevokeGrant(fmt.Sprint(i), until))
		v.add(RevokeGrant(fmt.Sprint(i), until)) // The same once more takes no room.
	}
	if got := v.why(id("other", issued)); got != "" || v.Len() != v.limit {
		t.Fatalf("full: got %q and %d entries, want other tokens alive and %d", got, v.Len(), v.limit)
	}
	clock.pass(time.Minute)
	v.add(RevokeGrant("one more", until))
	for i := range v.limit {
		if v.why(id(fmt.Sprint(i), issued)) == "" {
			t.Fatalf("grant %d came back to life", i)
		}
	}
	for grant, want := range map[string]string{"one more": overflow, "other": overflow} {
		if got := v.why(id(grant, clock.now())); got != want {
			t.Errorf("%s: got %q, want %q", grant, got, want)
		}
	}
	clock.pass(settled + time.Second)
	if got := v.why(id("other", clock.now())); got != "" {
		t.Errorf("issued afterwards: got %q, want it alive", got)
	}
	v.add(RevokeGrant("other", until))
	if got := v.why(id("other", clock.now())); got != byGrant || v.Len() != 1 {
		t.Errorf("revoked afterwards: got %q and %d entries, want %q and 1", got, v.Len(), byGrant)
	}
}

// TestFullRevocationsEndNoLogin fills a set beside logins that were ended: those
// stay ended, since they would give new tokens, and other logins go on. When the
// logins are too many themselves, all so far have ended.
func TestFullRevocationsEndNoLogin(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended int // a subject, a client, and sessions
		other string
	}{
		{"few logins", 50, ""},
		{"more logins than half", 51, "of a login from before more logins were ended than fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newStateClock()
			v := NewRevocations(clock.now)
			v.limit = 100
			login, until := clock.now(), clock.now().Add(24*time.Hour)
			named := func(id mint.Identifiers) string {
				id.IssuedAt, id.LoginAt = login, login
				return v.named(id)
			}
			v.add(RevokeSubject("d:gone", login.Add(time.Second), until))
			v.add(RevokeClient("gone", login.Add(time.Second), until))
			for i := range v.limit - 2 {
				// They end in another order than they come.
				if r := RevokeSession(fmt.Sprint(i), until.Add(-time.Duration(i)*time.Minute)); i < c.ended-2 {
					v.add(r)
				} else {
					v.add(RevokeGrant(fmt.Sprint(i-c.ended+2), r.Until.Add(-20*time.Hour)))
				}
			}
			clock.pass(time.Minute)
			v.add(RevokeSession("the last", until)) // It does not fit.
			for what, id := range map[string]mint.Identifiers{
				"subject": {Subject: "d:gone"}, "client": {ClientID: "gone"}, "first session": {Session: "0"}, "last session": {Session: "the last"},
			} {
				if named(id) == "" {
					t.Errorf("%s: the login lives", what)
				}
			}
			if got := named(mint.Identifiers{Session: "other"}); got != c.other {
				t.Errorf("another login: got %q, want %q", got, c.other)
			}
			if got := v.why(mint.Identifiers{GrantID: "0", IssuedAt: login, LoginAt: login}); got == "" {
				t.Error("a token of a grant that was revoked lives")
			}
			clock.pass(settled + time.Second)
			if got := v.why(mint.Identifiers{GrantID: "new", IssuedAt: clock.now(), LoginAt: clock.now()}); got != "" {
				t.Errorf("a login of afterwards: got %q, want it alive", got)
			}
			for range 24 * 60 { // Each leaves when it ends, and none before.
				clock.pass(time.Minute)
				over := clock.now().Add(-CollectAfter).UnixMilli()
				alive := 0
				for _, d := range v.dying {
					if d.end > over {
						alive++
					}
				}
				if got := v.Len(); got != alive {
					t.Fatalf("at %s: got %d entries, want %d", clock.now(), got, alive)
				}
			}
			clock.pass(time.Hour)
			if got := v.Len(); got != 0 || len(v.dying) != 0 {
				t.Errorf("at the end: got %d entries and %d places, want none", got, len(v.dying))
			}
		})
	}
}

// TestRevokedAgainTakesNoRoom revokes one value again and again, each time for
// longer: the bound counts values, and the last word is kept to its end.
func TestRevokedAgainTakesNoRoom(t *testing.T) {
	clock := newStateClock()
	v := NewRevocations(clock.now)
	v.limit = 2
	issued, until := clock.now().Add(-time.Minute), clock.now().Add(time.Hour)
	v.add(RevokeGrant("other", until))
	for i := range 100 {
		v.add(RevokeGrant("one", until.Add(time.Duration(i)*time.Minute)))
	}
	if why := v.why(mint.Identifiers{GrantID: "alive", IssuedAt: issued}); why != "" || v.Len() != 2 {
		t.Errorf("got %q for another grant and %d entries, want it alive and 2", why, v.Len())
	}
	clock.pass(time.Hour + 99*time.Minute)
	if why := v.why(mint.Identifiers{GrantID: "one", IssuedAt: issued}); why != byGrant || v.Len() != 1 {
		t.Errorf("at its last end: got %q and %d entries, want %q and 1", why, v.Len(), byGrant)
	}
	clock.pass(mint.LeewayExpiry + CollectAfter)
	if got := v.Len(); got != 0 || len(v.dying) != 0 {
		t.Errorf("later: got %d entries and %d places, want none", got, len(v.dying))
	}
}

// deafFeed is the feed of a store that can be read and takes nothing, as Redis
// does when its memory is full.
type deafFeed struct{ *MemoryStore }

func (deafFeed) Publish(context.Context, []byte, time.Time) error {
	return errors.New("OOM command not allowed when used memory > 'maxmemory'")
}

// TestOneThiefDoesNotFillTheSet repeats one old refresh token while nothing can
// be published: each time its family is revoked once more, and nobody else is.
func TestOneThiefDoesNotFillTheSet(t *testing.T) {
	h := newHouse(t, logins)
	h.revocations.limit = 10
	others := h.nightlys()
	_, old := h.login().tokens(t)
	h.clock = h.clock.Add(time.Second)
	h.refresh("web", old).tokens(t)
	h.clock = h.clock.Add(time.Minute)
	h.state.store = deafFeed{h.store}
	for range 2 * h.revocations.limit {
		h.clock = h.clock.Add(time.Millisecond)
		h.refresh("web", old).refused(t, 503, "temporarily_unavailable", "store_unavailable")
	}
	if got := h.revocations.Len(); got != 1 {
		t.Errorf("got %d entries, want one", got)
	}
	h.lives(t, others, true)
}

// TestRevocationsAreForgotten adds to a set for a long time: it stays as large
// as what can still be needed.
func TestRevocationsAreForgotten(t *testing.T) {
	clock := newStateClock()
	v := NewRevocations(clock.now)
	for i := range 10_000 {
		v.add(RevokeToken(fmt.Sprint(i), clock.now().Add(time.Duration(1+i%60)*time.Second)))
		clock.pass(time.Second)
		if n := len(v.dying); n > 60+2*60+10 {
			t.Fatalf("after %d seconds: got %d entries, want no more than those of the last minutes", i, n)
		}
	}
	clock.pass(time.Hour)
	if got := v.Len(); got != 0 || v.count.Load() != 0 || len(v.dying) != 0 {
		t.Errorf("got %d entries, a count of %d and %d to die; want none", got, v.count.Load(), len(v.dying))
	}
	v.add(RevokeToken("over", clock.now().Add(-time.Hour)))
	if got := v.Len(); got != 0 {
		t.Errorf("what was over when it came: got %d entries, want none", got)
	}
	v.add(RevokeToken("over elsewhere", clock.now().Add(-30*time.Second)))
	if got := v.Len(); got != 1 {
		t.Errorf("what is over by a clock half a minute ahead: got %d entries, want it kept", got)
	}
}

// TestRevocationsCostNoMemory holds what the look at a set allocates, and what
// a quarter of a full one takes.
func TestRevocationsCostNoMemory(t *testing.T) {
	for _, n := range []int{0, 1000} {
		v := filledRevocations(n)
		if got := testing.AllocsPerRun(100, func() { v.why(alive); v.unknown(alive.IssuedAt) }); got != 0 {
			t.Errorf("with %d entries: got %v allocations, want 0", n, got)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := filledRevocations(maxRevocations / 4)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > 24<<20 {
		t.Errorf("a quarter of a full set takes %d MiB", got>>20)
	} else {
		t.Logf("a quarter of a full set takes %d MiB", got>>20)
	}
	if got := v.Len(); got != maxRevocations/4 {
		t.Errorf("got %d entries, want %d", got, maxRevocations/4)
	}
}

// TestRevocationsRace revokes, asks and reloads from many sides. What was
// revoked is refused from then on, here at once and elsewhere when it came.
func TestRevocationsRace(t *testing.T) {
	store := NewMemoryStore(nil)
	here, there := NewRevocations(nil), NewRevocations(nil)
	state := testState(t, store, stateIssuer, nil, nil, 1)
	var followers, workers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	until := time.Now().Add(time.Hour)
	for _, v := range []*Revocations{here, there} {
		v.Attach(state, slog.New(slog.DiscardHandler))
		followers.Go(func() { v.Follow(ctx, store) })
		if err := v.ReadBack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 16 {
		workers.Go(func() {
			for n := range 20 {
				id := mint.Identifiers{ID: "jti", GrantID: fmt.Sprint(i, " ", n), IssuedAt: time.Now().Add(-time.Minute)}
				if why := here.why(id); why != "" {
					t.Errorf("before: got %q", why)
				}
				if err := here.Revoke(t.Context(), state, RevokeGrant(id.GrantID, until), RevokeToken("x", until)); err != nil {
					t.Errorf("got %v", err)
				}
				if here.why(id) == "" {
					t.Errorf("%s: not refused here", id.GrantID)
				}
				for end := time.Now().Add(time.Minute); there.why(id) == "" && time.Now().Before(end); {
					runtime.Gosched()
				}
				if there.why(id) == "" {
					t.Errorf("%s: not refused there", id.GrantID)
				}
				there.Attach(state, slog.New(slog.DiscardHandler))()
				_, _, _ = there.Len(), there.Age(), there.Unread()
			}
		})
	}
	workers.Wait()
	if a, b := here.Len(), there.Len(); a != 16*20+1 || b != a {
		t.Errorf("got %d entries here and %d there, want %d", a, b, 16*20+1)
	}
	stop()
	followers.Wait()
}
