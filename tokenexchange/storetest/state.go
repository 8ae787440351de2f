package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// crowd is how many requests want to use one code or one refresh token.
const crowd = 1000

const (
	stateIssuer = "https://issuer.example"
	stateClient = "web"
)

// RunState runs, as subtests, what tokenexchange.State makes of a store: codes,
// refresh tokens and claims are used once, by whichever of two servers, and
// stay so. It first shows that it would notice if they were not.
func RunState(t *testing.T, h Harness) {
	t.Helper()
	cases := []stateCase{
		{"a constant random source is noticed", testConstantRandom},
		{"get, then set is noticed", testGetThenSet},
		{"race code", testRaceCode},
		{"race refresh token", testRaceRefresh},
		{"race claim", testRaceClaim},
		{"race misses", testRaceMisses},
		{"race revocation", testRaceRevocation},
		{"round trips", testRoundTrips},
		{"away", testStateAway},
	}
	if h.Reopen != nil {
		cases = append(cases, stateCase{"crash", testStateCrash})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, openStates(t, h, nil, nil)) })
	}
}

type stateCase struct {
	name string
	run  func(*testing.T, *stateFixture)
}

// stateFixture is two servers' states on the same data.
type stateFixture struct {
	*fixture
	states [2]*tokenexchange.State
}

// openStates opens a new store for two states, which draw from random and see
// the store as wrap gives it. Both may be nil.
func openStates(t *testing.T, h Harness, random io.Reader, wrap func(tokenexchange.Store) tokenexchange.Store) *stateFixture {
	t.Helper()
	f := &stateFixture{fixture: open(t, h)}
	stores := [2]tokenexchange.Store{f.store, f.store}
	if h.Second != nil {
		second, end := h.Second(t, f.store, f.now)
		t.Cleanup(end)
		stores[1] = second
	}
	for i, store := range stores {
		if wrap != nil {
			store = wrap(store)
		}
		f.states[i] = f.newState(store, random)
	}
	return f
}

func (f *fixture) newState(store tokenexchange.Store, random io.Reader) *tokenexchange.State {
	f.Helper()
	s, err := tokenexchange.NewState(store, stateIssuer, []tokenexchange.StateKey{f.stateKey()}, f.now, random)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

func (f *fixture) stateKey() tokenexchange.StateKey {
	f.Helper()
	key, err := tokenexchange.ParseStateKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))))
	if err != nil {
		f.Fatal(err)
	}
	return key
}

// attempt draws what marks one request. It may be called by any goroutine.
func (f *stateFixture) attempt(s *tokenexchange.State) tokenexchange.Attempt {
	a, err := s.NewAttempt()
	if err != nil {
		f.Errorf("NewAttempt: got %v, want no error", err)
	}
	return a
}

func stateGrant(id string) tokenexchange.Grant {
	return tokenexchange.Grant{ID: id, Subject: "alice", Client: stateClient}
}

func (f *stateFixture) issue(id string) string {
	f.Helper()
	code, err := f.states[0].Codes().Issue(f.Context(), f.attempt(f.states[0]), tokenexchange.Code{Grant: stateGrant(id), RedirectURI: "https://web.example.com/"})
	if err != nil {
		f.Fatalf("Issue: got %v, want no error", err)
	}
	return code
}

func (f *stateFixture) begin(id string) string {
	f.Helper()
	refresh, err := f.states[0].Families().Begin(f.Context(), f.attempt(f.states[0]), tokenexchange.Family{
		Grant: stateGrant(id), Created: f.now(), End: f.in(time.Hour),
	})
	if err != nil {
		f.Fatalf("Begin: got %v, want no error", err)
	}
	return refresh
}

func (f *stateFixture) revoke(id string) {
	f.Helper()
	if err := f.states[1].Families().Revoke(f.Context(), f.attempt(f.states[1]), id); err != nil {
		f.Fatalf("Revoke: got %v, want no error", err)
	}
}

// use presents a refresh token and rotates with it. Between the two it waits.
func (f *stateFixture) use(s *tokenexchange.State, refresh string, wait func()) (string, error) {
	turn, err := s.Families().Present(f.Context(), refresh, stateClient)
	wait()
	if err != nil {
		return "", err
	}
	return turn.Rotate(f.Context(), f.attempt(s), time.Time{})
}

// spend finds a code and spends it. Between the two it waits.
func (f *stateFixture) spend(s *tokenexchange.State, code string, wait func()) (string, error) {
	r, err := s.Codes().Find(f.Context(), code, stateClient)
	wait()
	if err != nil {
		return "", err
	}
	_, refresh, err := r.Spend(f.Context(), f.attempt(s), time.Time{}, f.in(time.Hour))
	return refresh, err
}

func noWait() {}

// uses wants an error of one use of a refresh token at each server.
func (f *stateFixture) refuses(what, refresh string, want error) {
	f.Helper()
	for _, s := range f.states {
		if next, err := f.use(s, refresh, noWait); next != "" || !errors.Is(err, want) {
			f.Errorf("%s: got %q, %v; want %v", what, next, err, want)
		}
	}
}

// outcome is what a crowd was told.
type outcome struct {
	answers int
	texts   map[string]bool
	errs    map[error]int // by the error that it is
}

// together lets n requests read before any of them writes, at both servers in
// turn, and counts what they were told.
func (f *stateFixture) together(n int, request func(s *tokenexchange.State, wait func()) (string, error)) outcome {
	f.Helper()
	out := outcome{texts: map[string]bool{}, errs: map[error]int{}}
	var mu sync.Mutex
	var read, end sync.WaitGroup
	read.Add(n)
	for i := range n {
		end.Go(func() {
			text, err := request(f.states[i%2], func() { read.Done(); read.Wait() })
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				out.answers++
				out.texts[text] = true
				return
			}
			for _, known := range []error{tokenexchange.ErrSpent, tokenexchange.ErrReused, tokenexchange.ErrNotFound} {
				if errors.Is(err, known) {
					out.errs[known]++
					return
				}
			}
			f.Errorf("got %v, want an answer, or to be refused", err)
		})
	}
	end.Wait()
	return out
}

// getThenSet is a store without compare-and-swap: all who come have read before
// any of them writes.
type getThenSet struct {
	tokenexchange.Store
	read *sync.WaitGroup
}

func (s getThenSet) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	now, err := s.Get(ctx, key)
	s.read.Done()
	s.read.Wait()
	if err != nil || !bytes.Equal(now, old) {
		return false, err
	}
	if err := s.Delete(ctx, key); err != nil {
		return false, err
	}
	_, err = s.Add(ctx, key, new, exp)
	return err == nil, err
}

// constantRandom draws the same byte for ever.
type constantRandom struct{}

func (constantRandom) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 7
	}
	return len(p), nil
}
