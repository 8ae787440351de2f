package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest"
	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// TestLostAnswersConformance loses the first answer to every command after it
// ran: the whole suite must see no difference.
func TestLostAnswersConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, lossyHarness())
}

// TestLostAnswersState does the same to codes, refresh tokens and claims.
func TestLostAnswersState(t *testing.T) {
	t.Parallel()
	storetest.RunState(t, lossyHarness())
}

// TestLostAnswersServer does the same to requests for tokens.
func TestLostAnswersServer(t *testing.T) {
	t.Parallel()
	storetest.RunServer(t, lossyHarness())
}

func lossyHarness() storetest.Harness {
	h := harness(func(t *testing.T) (string, func(), func()) {
		r := redistest.Start(t)
		p := faultproxy.Start(t, r.Addr())
		p.SetRule(faultproxy.Once(faultproxy.Lose, verbWords...))
		return p.Addr(), r.Kill, func() { r.Kill(); r.Restart() }
	})
	h.Lossy = true
	return h
}

// TestTrap23LostAnswerIsNoReplay loses the answers to a consume that ran:
// go-redis repeats it, and the repeat is success. When every answer is lost it
// is an error, and the same call later is success; anybody else's is not.
func TestTrap23LostAnswerIsNoReplay(t *testing.T) {
	t.Parallel()
	for lost := 1; lost <= attempts; lost++ {
		t.Run(fmt.Sprint(lost, " lost"), func(t *testing.T) {
			s, p, _ := behindProxy(t, Options{})
			mustAdd(t, s, "code", "issued")
			for verb, call := range map[string]func(val string) (bool, error){
				"Swap": func(val string) (bool, error) {
					return s.Swap(t.Context(), "code", []byte("issued"), []byte(val), later())
				},
				"Add": func(val string) (bool, error) { return s.Add(t.Context(), "jti", []byte(val), later()) },
			} {
				if ok, err := s.Swap(t.Context(), "none", []byte("x"), []byte("y"), later()); ok || err != nil {
					t.Fatal(ok, err) // Now the script is on the server.
				}
				p.SetRule(faultproxy.First(lost, faultproxy.Lose, verbWords...))
				ok, err := call("mine")
				if lost < attempts && (!ok || err != nil) {
					t.Errorf("%s: got %v, %v; want true", verb, ok, err)
				}
				if lost == attempts && (ok || err == nil || errors.Is(err, tokenexchange.ErrNotFound)) {
					t.Errorf("%s: got %v, %v; want a fault", verb, ok, err)
				}
				p.SetRule(faultproxy.Always(faultproxy.Pass))
				if ok, err := call("mine"); !ok || err != nil {
					t.Errorf("%s again: got %v, %v; want true", verb, ok, err)
				}
				if ok, err := call("another's"); ok || err != nil {
					t.Errorf("%s of another: got %v, %v; want false", verb, ok, err)
				}
			}
			holds(t, s, "code", "mine")
			holds(t, s, "jti", "mine")
		})
	}
}

// TestTrap23LostBegin loses the answer to the write of a new family: the family
// is this request's own, and not "exists already".
func TestTrap23LostBegin(t *testing.T) {
	s, p, _ := behindProxy(t, Options{})
	state := testState(t, s)
	p.SetRule(faultproxy.First(2, faultproxy.Lose, verbWords...))
	if err := begin(t.Context(), state, "new"); err != nil {
		t.Errorf("Begin: got %v, want no error", err)
	}
	if err := begin(t.Context(), state, "new"); !errors.Is(err, tokenexchange.ErrFamilyExists) {
		t.Errorf("Begin of another request: got %v, want ErrFamilyExists", err)
	}
}

// TestLostPublish loses the answer to a Publish that ran: the entry is there,
// once or twice, and the feed has no gap.
func TestLostPublish(t *testing.T) {
	s, p, _ := behindProxy(t, Options{})
	for _, entry := range []string{"first", "lost", "last"} {
		p.SetRule(faultproxy.Always(faultproxy.Pass))
		if entry == "lost" {
			p.SetRule(faultproxy.First(1, faultproxy.Lose, verbWords...))
		}
		if err := s.Publish(t.Context(), []byte(entry), later()); err != nil {
			t.Fatalf("Publish(%q): got %v, want no error", entry, err)
		}
	}
	var got [][]byte
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	err := s.Follow(ctx, "", func(_ string, entry []byte) {
		if got = append(got, entry); string(entry) == "last" {
			cancel()
		}
	})
	if all := string(bytes.Join(got, []byte(" "))); !errors.Is(err, context.Canceled) || all != "first lost last" && all != "first lost lost last" {
		t.Errorf("Follow: got %q, %v; want every entry in order", all, err)
	}
}

// TestRoundTrips counts requests: one for each verb, and two for a redemption or
// a rotation.
func TestRoundTrips(t *testing.T) {
	s, p, _ := behindProxy(t, Options{})
	ctx := t.Context()
	mustAdd(t, s, "k", "old")
	if ok, err := s.Swap(ctx, "k", []byte("old"), []byte("older"), later()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := s.Publish(ctx, nil, later()); err != nil {
		t.Fatal(err)
	}
	// The scripts are on the server now.
	state := newState(t, s)
	attempt, err := state.NewAttempt()
	if err != nil {
		t.Fatal(err)
	}
	var code, refresh string
	var requests atomic.Int32
	p.SetRule(func([]byte) faultproxy.Fault { requests.Add(1); return faultproxy.Pass })
	for _, c := range []struct {
		what string
		want int32
		call func() error
	}{
		{"Get", 1, func() error { _, err := s.Get(ctx, "k"); return err }},
		{"Add", 1, func() error { _, err := s.Add(ctx, "l", []byte("v"), later()); return err }},
		{"a losing Add", 1, func() error { _, err := s.Add(ctx, "k", []byte("v"), later()); return err }},
		{"Swap", 1, func() error { _, err := s.Swap(ctx, "l", []byte("v"), []byte("w"), later()); return err }},
		{"Delete", 1, func() error { return s.Delete(ctx, "l") }},
		{"Publish", 1, func() error { return s.Publish(ctx, []byte("e"), later()) }},
		{"a code", 1, func() (err error) {
			code, err = state.Codes().Issue(ctx, attempt, tokenexchange.Code{Grant: testGrant("code"), RedirectURI: "https://web.example.com/"})
			return err
		}},
		{"a redemption", 2, func() error {
			r, err := state.Codes().Find(ctx, code, "web")
			if err != nil {
				return err
			}
			_, refresh, err = r.Spend(ctx, attempt, time.Time{}, later())
			return err
		}},
		{"a rotation", 2, func() error {
			turn, err := state.Families().Present(ctx, refresh, "web")
			if err != nil {
				return err
			}
			_, err = turn.Rotate(ctx, attempt, time.Time{})
			return err
		}},
	} {
		requests.Store(0)
		if err := c.call(); err != nil {
			t.Fatalf("%s: got %v, want no error", c.what, err)
		}
		if got := requests.Load(); got != c.want {
			t.Errorf("%s: got %d round trips, want %d", c.what, got, c.want)
		}
	}
	requests.Store(0)
	fresh := openTest(t, Options{Addresses: []string{p.Addr()}})
	if _, err := fresh.Get(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if got := requests.Load(); got != 2 {
		t.Errorf("a Get on a new connection: got %d round trips, want 2: HELLO and GET", got)
	}
}
