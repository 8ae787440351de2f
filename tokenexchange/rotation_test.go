package tokenexchange

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTrap30RetriesWithinSeconds walks along the window in which a refresh
// token that comes again is a retry, and out of it.
func TestTrap30RetriesWithinSeconds(t *testing.T) {
	h := newStateHouse(t)
	first := h.begin("g")
	h.store.taken()
	second := h.gives("the first use", first, "")
	if got, want := h.store.taken(), [4]int32{1, 0, 1, 0}; got != want {
		t.Errorf("a rotation: got %v round trips, want %v", got, want)
	}
	if fam, err := h.Families().Load(t.Context(), "g"); err != nil || fam.Counter != 1 {
		t.Errorf("Load: got %+v, %v; want counter 1", fam, err)
	}
	h.gives("a repeat at once", first, second)
	if got, want := h.store.taken(), [4]int32{2, 0, 1, 0}; got != want {
		t.Errorf("Load and a repeat: got %v round trips, want %v", got, want)
	}
	h.clock.pass(5 * time.Second)
	h.gives("the second repeat", first, second)
	h.clock.pass(5*time.Second - time.Millisecond)
	h.gives("the last repeat at the last moment", first, second)
	h.store.taken()
	for range 3 {
		h.refuses("a repeat too many", first, ErrSpent)
	}
	if got, want := h.store.taken(), [4]int32{3, 0, 0, 0}; got != want {
		t.Errorf("refusals: got %v round trips, want %v", got, want)
	}
	h.clock.pass(time.Millisecond) // The window is that of the rotation, and repeats do not move it.
	h.refuses("a repeat too late", first, ErrReused)

	third := h.gives("the successor", second, "")
	h.refuses("the one before the successor, in its window", first, ErrReused)
	h.gives("a repeat, counted anew", second, third)
	h.clock.pass(10 * time.Second)
	h.refuses("a repeat too late, though there were few", second, ErrReused)
	turn, err := h.Families().Present(t.Context(), first, "web")
	if !errors.Is(err, ErrReused) || turn == nil || turn.ID != "g" || turn.Counter != 2 {
		t.Errorf("Present of an old one: got %+v, %v; want the family and ErrReused", turn, err)
	}
	if got, err := turn.Rotate(t.Context(), testAttempt(t, h.State), time.Time{}); got != "" || !errors.Is(err, ErrReused) {
		t.Errorf("Rotate of an old one: got %q, %v; want ErrReused", got, err)
	}
	if err := h.Families().Revoke(t.Context(), testAttempt(t, h.State), "g"); err != nil {
		t.Fatalf("Revoke: got %v, want no error", err)
	}
	for _, refresh := range []string{first, second, third} {
		h.refuses("a token of a revoked family", refresh, ErrNotFound)
	}
}

// TestLosersJudgeAnew lets all uses of a token read the record before the first
// one rotates: what the others do is judged by what that one left.
func TestLosersJudgeAnew(t *testing.T) {
	h := newStateHouse(t)
	first := h.begin("g")
	second := h.gives("the first use", first, "")
	for range 3 {
		h.gives("a repeat", first, second)
	}
	var turns []*Turn
	for range 5 {
		turn, err := h.Families().Present(t.Context(), second, "web")
		if err != nil {
			t.Fatal(err)
		}
		turns = append(turns, turn)
	}
	third := ""
	for i, turn := range turns {
		got, err := turn.Rotate(t.Context(), testAttempt(t, h.State), time.Time{})
		if i == 4 {
			if got != "" || !errors.Is(err, ErrSpent) {
				t.Errorf("the last: got %q, %v; want ErrSpent", got, err)
			}
		} else if err != nil || third != "" && got != third {
			t.Errorf("use %d: got %q, %v; want the successor %q", i, got, err, third)
		} else {
			third = got
		}
	}
}

// TestAheadOfTheRecord puts an older record back, as a writer of the store can:
// a token that is newer than the record is refused, and no theft.
func TestAheadOfTheRecord(t *testing.T) {
	h := newStateHouse(t)
	first := h.begin("g")
	key := h.ring[0].keyFor(stateIssuer, kindFamily, "g")
	before, err := h.findAt(t.Context(), kindFamily, key)
	if err != nil {
		t.Fatal(err)
	}
	second := h.gives("the first use", first, "")
	after, err := h.findAt(t.Context(), kindFamily, key)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.store.Swap(t.Context(), key, after.raw, before.raw, before.exp); !ok || err != nil {
		t.Fatal(ok, err)
	}
	h.refuses("a token ahead of the record", second, ErrNotFound)
	h.gives("the token of the record", first, second)
}

func TestFamilyEnds(t *testing.T) {
	h := newStateHouse(t)
	refresh := h.begin("g")
	for range 59 { // Use does not move the end.
		h.clock.pass(time.Minute)
		refresh = h.gives("a use", refresh, "")
	}
	h.clock.pass(time.Minute - time.Millisecond)
	turn, err := h.Families().Present(t.Context(), refresh, "web")
	if err != nil {
		t.Fatalf("Present in the last moment: got %v, want no error", err)
	}
	h.clock.pass(time.Millisecond)
	h.refuses("a token of a family that has ended", refresh, ErrNotFound)
	if got, err := turn.Rotate(t.Context(), testAttempt(t, h.State), time.Time{}); got != "" || !errors.Is(err, ErrNotFound) {
		t.Errorf("Rotate in a family that ended meanwhile: got %q, %v; want ErrNotFound", got, err)
	}
}

// TestRefreshEnd lets a family outlive its refresh tokens: none gives anything
// any more, and an old one is still a theft, for there are access tokens.
func TestRefreshEnd(t *testing.T) {
	h := newStateHouse(t)
	fam := testFamilyOf("g", h.now())
	fam.RefreshEnd = h.now().Add(time.Minute)
	first, err := h.Families().Begin(t.Context(), testAttempt(t, h.State), fam)
	if err != nil {
		t.Fatal(err)
	}
	second := h.gives("the first use", first, "")
	h.clock.pass(time.Minute - 2*time.Millisecond)
	third := h.gives("the successor", second, "")
	turn, err := h.Families().Present(t.Context(), third, "web")
	if err != nil {
		t.Fatal(err)
	}
	h.clock.pass(time.Millisecond)
	h.gives("a repeat in the last moment", second, third)
	h.clock.pass(time.Millisecond)
	h.refuses("the newest one at the end", third, ErrNotFound)
	h.refuses("a repeat at the end", second, ErrNotFound)
	h.refuses("an old one at the end", first, ErrReused)
	if got, err := turn.Rotate(t.Context(), testAttempt(t, h.State), time.Time{}); got != "" || !errors.Is(err, ErrNotFound) {
		t.Errorf("Rotate after the end: got %q, %v; want ErrNotFound", got, err)
	}
	if _, err := h.Families().Load(t.Context(), "g"); err != nil {
		t.Errorf("Load after the end of its refresh tokens: got %v, want no error", err)
	}
	h.clock.pass(time.Hour)
	h.refuses("an old one when the family is over", first, ErrNotFound)
}

// TestClockBehind judges by a clock that is behind the one that rotated, as
// that of another process may be: a retry stays a retry, and is still counted.
func TestClockBehind(t *testing.T) {
	h := newStateHouse(t)
	first := h.begin("g")
	code := h.issue("code")
	h.clock.pass(30 * time.Second)
	second := h.gives("the first use", first, "")
	h.spend(code)
	h.clock.pass(-20 * time.Second)
	for range 3 {
		h.gives("a repeat", first, second)
	}
	h.refuses("a repeat too many", first, ErrSpent)
	if err := h.find(code).Used(); !errors.Is(err, ErrSpent) {
		t.Errorf("Used: got %v, want ErrSpent", err)
	}
}

func TestRevoke(t *testing.T) {
	h := newStateHouse(t)
	revoke := func(id string) {
		t.Helper()
		if err := h.Families().Revoke(t.Context(), testAttempt(t, h.State), id); err != nil {
			t.Errorf("Revoke of %q: got %v, want no error", id, err)
		}
	}
	revoke("absent")
	code, spent, refresh := h.issue("code"), h.issue("spent"), h.begin("family")
	_, ofCode := h.spend(spent)
	held := h.find(code)
	turn, err := h.Families().Present(t.Context(), refresh, "web")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, id := range []string{"code", "spent", "family"} {
			revoke(id)
			if _, err := h.Families().Load(t.Context(), id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Load of %s after Revoke: got %v, want ErrNotFound", id, err)
			}
		}
	}
	h.noCode("a revoked code", code, "web")
	h.noCode("a used code of a revoked family", spent, "web")
	h.refuses("a token of a revoked family", refresh, ErrNotFound)
	h.refuses("a token of a revoked code", ofCode, ErrNotFound)
	if _, got, err := held.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour)); got != "" || !errors.Is(err, ErrNotFound) {
		t.Errorf("Spend of a code that was revoked meanwhile: got %q, %v; want ErrNotFound", got, err)
	}
	if got, err := turn.Rotate(t.Context(), testAttempt(t, h.State), time.Time{}); got != "" || !errors.Is(err, ErrNotFound) {
		t.Errorf("Rotate in a family that was revoked meanwhile: got %q, %v; want ErrNotFound", got, err)
	}
	// Its place stays taken until its end, so nobody can begin it again.
	if got, err := h.Families().Begin(t.Context(), testAttempt(t, h.State), testFamilyOf("family", h.now())); got != "" || !errors.Is(err, ErrFamilyExists) {
		t.Errorf("Begin of a revoked family: got %q, %v; want ErrFamilyExists", got, err)
	}
	h.clock.pass(time.Hour)
	revoke("family")
}

// TestRevokeRace revokes while others rotate as fast as they can: the family is
// over, whoever was faster.
func TestRevokeRace(t *testing.T) {
	for range 8 {
		h := newStateHouse(t)
		refresh := h.begin("g")
		var requests sync.WaitGroup
		var stop atomic.Bool
		for range 4 {
			requests.Go(func() {
				mine := refresh
				for !stop.Load() {
					if next, err := h.use(mine); err == nil {
						mine = next
					} else if errors.Is(err, ErrNotFound) {
						return
					}
				}
			})
		}
		if err := h.Families().Revoke(t.Context(), testAttempt(t, h.State), "g"); err != nil {
			t.Errorf("Revoke: got %v, want no error", err)
		}
		h.refuses("the first token after Revoke", refresh, ErrNotFound)
		stop.Store(true)
		requests.Wait()
	}
}

// TestKeyRotationKeepsTokens changes the state key under a code and a family:
// what the older key made goes on for as long as that key is in the ring, where
// it is, and what is written is sealed under the first key.
func TestKeyRotationKeepsTokens(t *testing.T) {
	h := newStateHouse(t)
	code, refresh := h.issue("code"), h.begin("g")
	key := h.ring[0].keyFor(stateIssuer, kindFamily, "g")
	old := h.State
	h.State = testState(t, h.store, stateIssuer, h.clock.now, nil, 3, 2, 1)
	h.store.taken()
	second := h.gives("a token of the last key", refresh, "")
	if got, want := h.store.taken(), [4]int32{1, 0, 1, 0}; got != want {
		t.Errorf("a rotation with a token of the last key: got %v round trips, want %v", got, want)
	}
	_, ofCode := h.spend(code)
	third := h.gives("its successor", second, "")
	found, err := h.findAt(t.Context(), kindFamily, key)
	if err != nil || !h.ring[0].sealed(found.raw) {
		t.Errorf("the record after its rotation: got %v, want it where it was, under the first key", err)
	}
	h.gives("the refresh token of a code of the last key", ofCode, "")
	if begun := h.begin("new"); begun[:8] != h.ring[0].name() {
		t.Errorf("a new family's token: got the key %s, want the first one, %s", begun[:8], h.ring[0].name())
	}
	if err := h.Families().Revoke(t.Context(), testAttempt(t, h.State), "code"); err != nil {
		t.Fatalf("Revoke: got %v, want no error", err)
	}
	h.refuses("a token of a revoked family of the last key", ofCode, ErrNotFound)

	// A process that has no other key yet cannot read what was sealed anew, and
	// must not take it for absent.
	h.State = old
	if _, err := h.use(third); !errors.Is(err, ErrStateCorrupt) || errors.Is(err, ErrNotFound) {
		t.Errorf("a process without the new key: got %v, want ErrStateCorrupt", err)
	}
	h.State = testState(t, h.store, stateIssuer, h.clock.now, nil, 3, 2)
	h.store.taken()
	h.refuses("a token of a dropped key", third, ErrNotFound)
	if got := h.store.taken(); got != [4]int32{} {
		t.Errorf("a token of a dropped key: got %v round trips, want none", got)
	}
}
