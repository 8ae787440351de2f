package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// verbWords are how the verbs look on the wire.
var verbWords = []string{"$7\r\nevalsha\r\n", "$4\r\neval\r\n", "$3\r\nget\r\n", "$3\r\ndel\r\n"}

// behindProxy opens a store on a real server with a proxy between, over which
// one pair of Add and Get has gone.
func behindProxy(t *testing.T, o Options) (*Store, *faultproxy.Proxy, *redistest.Server) {
	t.Helper()
	r := redistest.Start(t)
	p := faultproxy.Start(t, r.Addr())
	o.Addresses = []string{p.Addr()}
	s := openTest(t, o)
	soonAdd(t, s, "warm", "up")
	return s, p, r
}

func mustAdd(t testing.TB, s *Store, key, val string) {
	t.Helper()
	if ok, err := s.Add(t.Context(), key, []byte(val), later()); !ok || err != nil {
		t.Fatalf("Add(%q): got %v, %v; want true", key, ok, err)
	}
}

func holds(t *testing.T, s *Store, key, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("Get(%q): got %q, %v; want %q", key, got, err, want)
	}
}

// answered repeats a call until it is no fault, as a client does after a 503.
func answered(t *testing.T, call func() (bool, error)) bool {
	t.Helper()
	for deadline := time.Now().Add(enough); ; {
		ok, err := call()
		if err == nil {
			return ok
		}
		if ok || errors.Is(err, tokenexchange.ErrNotFound) {
			t.Errorf("got %v, %v; want a fault that is not ErrNotFound", ok, err)
		}
		if time.Now().After(deadline) {
			t.Errorf("no answer in %s: %v", enough, err)
			return false
		}
	}
}

// oneWinner races rounds of Add and Swap while trouble runs, and counts.
func oneWinner(t *testing.T, s *Store, rounds int, trouble func(round int)) {
	t.Helper()
	const racers = 32
	for round := range rounds {
		key, swapped := fmt.Sprint("add ", round), fmt.Sprint("swap ", round)
		answered(t, func() (bool, error) { return s.Add(t.Context(), swapped, []byte("old"), later()) })
		var adds, swaps atomic.Int32
		var added, won atomic.Value
		var end sync.WaitGroup
		for i := range racers {
			val := fmt.Sprint("racer ", i)
			end.Go(func() {
				if answered(t, func() (bool, error) { return s.Add(t.Context(), key, []byte(val), later()) }) {
					adds.Add(1)
					added.Store(val)
				}
				if answered(t, func() (bool, error) {
					return s.Swap(t.Context(), swapped, []byte("old"), []byte(val), later())
				}) {
					swaps.Add(1)
					won.Store(val)
				}
			})
		}
		trouble(round)
		end.Wait()
		if adds.Load() != 1 || swaps.Load() != 1 {
			t.Errorf("round %d: got %d winners of Add and %d of Swap, want 1 and 1", round, adds.Load(), swaps.Load())
			continue
		}
		for k, want := range map[string]any{key: added.Load(), swapped: won.Load()} {
			answered(t, func() (bool, error) {
				got, err := s.Get(t.Context(), k)
				if err == nil && string(got) != want {
					t.Errorf("round %d, Get(%q): got %q, want the winner's %q", round, k, got, want)
				}
				return false, err
			})
		}
	}
}

func TestRandomFaultsOneWinner(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s, p, _ := behindProxy(t, Options{Timeout: 200 * time.Millisecond})
			p.SetRule(faultproxy.Random(seed, 0.25, faultproxy.Lose, faultproxy.Lose, faultproxy.Delay, faultproxy.Reset))
			oneWinner(t, s, 5, func(int) {})
		})
	}
}

// TestFrozenServerOneWinner stops the server in the middle of races.
func TestFrozenServerOneWinner(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}, Timeout: 100 * time.Millisecond})
	oneWinner(t, s, 4, func(int) {
		time.Sleep(2 * time.Millisecond)
		r.Stop()
		time.Sleep(400 * time.Millisecond)
		r.Cont()
	})
}

// TestKilledServerOneWinner kills the server in the middle of races and starts
// it again: what was answered is on its disk.
func TestKilledServerOneWinner(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	oneWinner(t, s, 4, func(round int) {
		time.Sleep(time.Duration(round) * time.Millisecond)
		r.Kill()
		r.Restart()
	})
}

// everyCall calls all that a store can do.
func everyCall(ctx context.Context, s *Store) map[string]func() error {
	return map[string]func() error{
		"Get":     func() error { _, err := s.Get(ctx, "warm"); return err },
		"Get 2":   func() error { _, err := s.Get(ctx, "absent"); return err },
		"Add":     func() error { _, err := s.Add(ctx, "a", []byte("v"), later()); return err },
		"Swap":    func() error { _, err := s.Swap(ctx, "warm", []byte("up"), []byte("down"), later()); return err },
		"Delete":  func() error { return s.Delete(ctx, "d") },
		"Publish": func() error { return s.Publish(ctx, []byte("e"), later()) },
		"Follow": func() error {
			ctx, cancel := context.WithTimeout(ctx, ceiling) // It would wait for ever.
			defer cancel()
			return s.Follow(ctx, "", func(string, []byte) {})
		},
		"Check": func() error { _, err := s.Check(ctx); return err },
	}
}

// ceiling is how long a call that has a bound may take on a slow machine. What
// has none would take much longer in these tests. TestVerbHasADeadline looks at
// the bound itself.
const ceiling = 10 * time.Second

// TestVerbHasADeadline gives what a verb sends three timeouts, or less if the
// caller's deadline comes before.
func TestVerbHasADeadline(t *testing.T) {
	const timeout = time.Minute // Longer than the machine may pause before the call.
	s := openTest(t, Options{Addresses: []string{"127.0.0.1:1"}, Timeout: timeout})
	for name, callers := range map[string]time.Duration{"the store's": time.Hour, "the caller's": 2 * timeout} {
		want := min(callers, 3*timeout)
		begun := time.Now()
		outer, cancel := context.WithDeadline(t.Context(), begun.Add(callers))
		called := false
		err := s.verb(outer, "testing", func(ctx context.Context) error {
			called = true
			deadline, ok := ctx.Deadline()
			if late := time.Since(begun); !ok || deadline.Before(begun.Add(want)) || deadline.After(begun.Add(want+late)) {
				t.Errorf("%s: got a deadline %s after the call, %v; want %s", name, deadline.Sub(begun), ok, want)
			}
			return nil
		})
		cancel()
		if err != nil || !called {
			t.Errorf("%s: got %v, called %v; want a call", name, err, called)
		}
	}
}

// TestFaultIsBoundedAndNoAnswer puts each trouble on the line for good: every
// call is an error in a bounded time, which reads as no answer and no deadline
// of the caller. When the trouble is over, everything goes on.
func TestFaultIsBoundedAndNoAnswer(t *testing.T) { // Alone: nobody else may take the killed server's port.
	s, p, r := behindProxy(t, Options{Timeout: DefaultTimeout})
	testState(t, openTest(t, Options{Addresses: []string{p.Addr()}})) // The family.
	state := newState(t, s)
	troubles := map[string]struct{ begin, end func() }{
		"half-open": {func() { p.SetRule(faultproxy.Always(faultproxy.Hang)) }, nil},
		"lost":      {func() { p.SetRule(faultproxy.Always(faultproxy.Lose)) }, nil},
		"reset":     {func() { p.SetRule(faultproxy.Always(faultproxy.Reset)) }, nil},
		"frozen":    {r.Stop, r.Cont},
		"killed":    {r.Kill, r.Restart},
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			trouble.begin()
			var calls sync.WaitGroup
			for verb, call := range everyCall(t.Context(), s) {
				calls.Go(func() {
					begun := time.Now()
					err := call()
					took := time.Since(begun)
					if err == nil || errors.Is(err, tokenexchange.ErrNotFound) || errors.Is(err, tokenexchange.ErrFeedGap) ||
						errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
						t.Errorf("%s: got %v, want a fault", verb, err)
					}
					if took > ceiling {
						t.Errorf("%s: took %s, want at most %s", verb, took, ceiling)
					}
					t.Logf("%s: %s: %v", verb, took.Round(time.Millisecond), err)
				})
			}
			calls.Go(func() { checkFamiliesAway(t, state) })
			calls.Wait()
			p.SetRule(faultproxy.Always(faultproxy.Pass))
			if trouble.end != nil {
				trouble.end()
			}
			answered(t, func() (bool, error) { return s.Add(t.Context(), "after "+name, []byte("v"), later()) })
			answered(t, func() (bool, error) {
				_, err := state.Families().Load(t.Context(), "family")
				return false, err
			})
		})
	}
}

// TestHalfOpenClusterIsBounded has many servers that never answer, which
// go-redis asks one after the other: a verb does not wait for all of them.
func TestHalfOpenClusterIsBounded(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	o := Options{Timeout: DefaultTimeout}
	for range 3 * int(ceiling/DefaultTimeout) {
		p := faultproxy.Start(t, r.Addr())
		p.SetRule(faultproxy.Always(faultproxy.Hang))
		o.Addresses = append(o.Addresses, p.Addr())
	}
	s := openTest(t, o)
	begun := time.Now()
	_, err := s.Get(t.Context(), "k")
	wantFault(t, "Get", err, "no answer in time")
	if took := time.Since(begun); took > ceiling {
		t.Errorf("Get: took %s, want at most %s", took, ceiling)
	}
}

// TestOneSilentAnswerIsRepeated lets one request go unanswered: after one
// timeout it is repeated on another connection.
func TestOneSilentAnswerIsRepeated(t *testing.T) {
	t.Parallel()
	const timeout = 3 * time.Second
	s, p, _ := behindProxy(t, Options{Timeout: timeout})
	p.SetRule(faultproxy.First(1, faultproxy.Hang, verbWords...))
	begun := time.Now()
	ok, err := s.Add(t.Context(), "k", []byte("v"), later())
	if took := time.Since(begun); !ok || err != nil || took < timeout {
		t.Errorf("Add: got %v, %v after %s; want true after a timeout of %s", ok, err, took, timeout)
	}
}

// TestCallersDeadlineIsHeeded waits for a silent server no longer than the
// caller wants to, whatever the store's own timeout.
func TestCallersDeadlineIsHeeded(t *testing.T) {
	t.Parallel()
	s, p, _ := behindProxy(t, Options{Timeout: time.Minute})
	p.SetRule(faultproxy.Always(faultproxy.Hang))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := s.Get(ctx, "k")
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > ceiling {
		t.Errorf("Get: got %v after %s; want context.DeadlineExceeded after 100 ms", err, took)
	}
}

// lateContext has a deadline that passed, and does not know it yet.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// TestDeadlineIsTheCallers tells a deadline of the caller, which a connection
// may notice first, from one of ours.
func TestDeadlineIsTheCallers(t *testing.T) {
	s := openTest(t, Options{Addresses: []string{"127.0.0.1:1"}})
	if err := s.fault(lateContext{t.Context()}, "reading", os.ErrDeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's deadline: got %v, want context.DeadlineExceeded", err)
	}
	for _, ours := range []error{os.ErrDeadlineExceeded, context.DeadlineExceeded} {
		err := s.fault(t.Context(), "reading", ours)
		wantFault(t, "our deadline", err, "no answer in time")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("our deadline: got %v, want no context.DeadlineExceeded", err)
		}
	}
}

// testState gives sealed records in s, among them the family "family".
func testState(t *testing.T, s tokenexchange.Store) *tokenexchange.State {
	t.Helper()
	state := newState(t, s)
	if err := begin(t.Context(), state, "family"); err != nil {
		t.Fatal(err)
	}
	return state
}

func newState(t *testing.T, s tokenexchange.Store) *tokenexchange.State {
	t.Helper()
	key, err := tokenexchange.ParseStateKey([]byte("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"))
	if err != nil {
		t.Fatal(err)
	}
	state, err := tokenexchange.NewState(s, testIssuer, []tokenexchange.StateKey{key}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func testGrant(id string) tokenexchange.Grant {
	return tokenexchange.Grant{ID: id, Subject: "alice", Client: "web"}
}

func begin(ctx context.Context, state *tokenexchange.State, id string) error {
	attempt, err := state.NewAttempt()
	if err != nil {
		return err
	}
	_, err = state.Families().Begin(ctx, attempt, tokenexchange.Family{
		Grant:   testGrant(id),
		Created: time.Now(), End: later(),
	})
	return err
}

// checkFamiliesAway checks that a store's fault reads as 503, never as a grant
// that is not valid.
func checkFamiliesAway(t *testing.T, state *tokenexchange.State) {
	t.Helper()
	_, loadErr := state.Families().Load(t.Context(), "family")
	for what, err := range map[string]error{"Load": loadErr, "Begin": begin(t.Context(), state, "other")} {
		if !errors.Is(err, tokenexchange.ErrStoreUnavailable) || errors.Is(err, tokenexchange.ErrNotFound) ||
			errors.Is(err, tokenexchange.ErrFamilyExists) || errors.Is(err, tokenexchange.ErrStateCorrupt) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable alone", what, err)
		}
	}
}
