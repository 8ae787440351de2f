package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// counting counts the verbs that reach a store.
type counting struct {
	tokenexchange.Store
	gets, writes *atomic.Int32
}

func (c counting) Get(ctx context.Context, key string) ([]byte, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, key)
}

func (c counting) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	c.writes.Add(1)
	return c.Store.Add(ctx, key, val, exp)
}

func (c counting) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	c.writes.Add(1)
	return c.Store.Swap(ctx, key, old, new, exp)
}

// testRoundTrips counts what one use takes: one read and one write.
func testRoundTrips(t *testing.T, f *stateFixture) {
	var gets, writes atomic.Int32
	counted := openStates(t, f.h, nil, func(s tokenexchange.Store) tokenexchange.Store { return counting{s, &gets, &writes} })
	code, s := counted.issue("code"), counted.states[1]
	var refresh string
	for _, c := range []struct {
		what         string
		gets, writes int32
		call         func() error
	}{
		{"a redemption", 1, 1, func() (err error) { refresh, err = counted.spend(s, code, noWait); return err }},
		{"a rotation", 1, 1, func() error { _, err := counted.use(s, refresh, noWait); return err }},
		{"a repeat", 1, 1, func() error { _, err := counted.use(s, refresh, noWait); return err }},
		{"a claim", 0, 1, func() error {
			_, err := s.Once().Claim(t.Context(), counted.attempt(s), "assertion", "id", f.in(time.Minute))
			return err
		}},
		{"another client's try", 0, 0, func() error {
			if _, err := s.Families().Present(t.Context(), refresh, "other"); !errors.Is(err, tokenexchange.ErrNotFound) {
				return err
			}
			return nil
		}},
	} {
		gets.Store(0)
		writes.Store(0)
		if err := c.call(); err != nil {
			t.Errorf("%s: got %v, want no error", c.what, err)
		}
		if gets.Load() != c.gets || writes.Load() != c.writes {
			t.Errorf("%s: got %d reads and %d writes, want %d and %d", c.what, gets.Load(), writes.Load(), c.gets, c.writes)
		}
	}
}

// testStateAway takes the store away at each step: nobody is told that a code
// or a token is not valid.
func testStateAway(t *testing.T, f *stateFixture) {
	s := f.states[0]
	code, refresh := f.issue("code"), f.begin("family")
	redemption, err := s.Codes().Find(t.Context(), code, stateClient)
	if err != nil {
		t.Fatal(err)
	}
	turn, err := s.Families().Present(t.Context(), refresh, stateClient)
	if err != nil {
		t.Fatal(err)
	}
	f.h.Break(t, f.store)
	errs := map[string]error{}
	_, errs["Issue"] = s.Codes().Issue(t.Context(), f.attempt(s), tokenexchange.Code{Grant: stateGrant("new"), RedirectURI: "https://web.example.com/"})
	_, errs["Find"] = s.Codes().Find(t.Context(), code, stateClient)
	errs["Miss"] = redemption.Miss(t.Context(), f.attempt(s))
	_, _, errs["Spend"] = redemption.Spend(t.Context(), f.attempt(s), time.Time{}, f.in(time.Hour))
	_, errs["Begin"] = s.Families().Begin(t.Context(), f.attempt(s), tokenexchange.Family{Grant: stateGrant("new"), Created: f.now(), End: f.in(time.Hour)})
	_, errs["Present"] = s.Families().Present(t.Context(), refresh, stateClient)
	_, errs["Rotate"] = turn.Rotate(t.Context(), f.attempt(s), time.Time{})
	errs["Revoke"] = s.Families().Revoke(t.Context(), f.attempt(s), "family")
	_, errs["Load"] = s.Families().Load(t.Context(), "family")
	_, errs["Claim"] = s.Once().Claim(t.Context(), f.attempt(s), "assertion", "id", f.in(time.Minute))
	for what, err := range errs {
		if !errors.Is(err, tokenexchange.ErrStoreUnavailable) {
			t.Errorf("%s, store away: got %v, want ErrStoreUnavailable", what, err)
		}
		for _, refusal := range []error{tokenexchange.ErrNotFound, tokenexchange.ErrSpent, tokenexchange.ErrReused, tokenexchange.ErrFamilyExists, tokenexchange.ErrStateCorrupt} {
			if errors.Is(err, refusal) {
				t.Errorf("%s, store away: got %v, which reads as %v", what, err, refusal)
			}
		}
	}
}

// testStateCrash checks that what somebody was told before a crash holds after
// it: what was spent is spent, and what was given is good.
func testStateCrash(t *testing.T, f *stateFixture) {
	spent, fresh, first := f.issue("spent"), f.issue("fresh"), f.begin("family")
	ofCode, err := f.spend(f.states[0], spent, noWait)
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.use(f.states[1], first, noWait)
	if err != nil {
		t.Fatal(err)
	}
	f.begin("revoked")
	f.revoke("revoked")
	if ok, err := f.states[0].Once().Claim(t.Context(), f.attempt(f.states[0]), "assertion", "id", f.in(time.Minute)); !ok || err != nil {
		t.Fatal(ok, err)
	}

	store, end := f.h.Reopen(t, f.store, f.now)
	defer end()
	s := f.newState(store, nil)
	f.states = [2]*tokenexchange.State{s, s}
	if _, err := f.spend(s, spent, noWait); !errors.Is(err, tokenexchange.ErrSpent) {
		t.Errorf("the used code: got %v, want ErrSpent", err)
	}
	if again, err := f.use(s, first, noWait); err != nil || again != second {
		t.Errorf("a repeat: got %q, %v; want the same successor", again, err)
	}
	f.pass(10 * time.Second)
	f.refuses("the used refresh token", first, tokenexchange.ErrReused)
	for what, refresh := range map[string]string{"the code's": ofCode, "the successor": second} {
		if _, err := f.use(s, refresh, noWait); err != nil {
			t.Errorf("%s refresh token: got %v, want no error", what, err)
		}
	}
	if _, err := f.spend(s, fresh, noWait); err != nil {
		t.Errorf("the code that was not used: got %v, want no error", err)
	}
	if _, err := s.Families().Load(t.Context(), "revoked"); !errors.Is(err, tokenexchange.ErrNotFound) {
		t.Errorf("Load of what was revoked: got %v, want ErrNotFound", err)
	}
	if first, err := s.Once().Claim(t.Context(), f.attempt(s), "assertion", "id", f.in(time.Minute)); first || err != nil {
		t.Errorf("Claim again: got %v, %v; want false", first, err)
	}
}
