package tokenexchange

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stateWinners races requests for one record, and counts those told they won.
func stateWinners(t *testing.T, random io.Reader, repeat bool) (adds, swaps int) {
	t.Helper()
	s := testState(t, &stateStore{Store: NewMemoryStore(nil), repeat: repeat}, stateIssuer, nil, random, 1)
	exp := time.Now().Add(time.Hour)
	if ok, err := s.add(t.Context(), testAttempt(t, s), kindFamily, "swapped", "old", exp); !ok || err != nil {
		t.Fatalf("add: got %v, %v; want true", ok, err)
	}
	found, err := s.findAt(t.Context(), kindFamily, "swapped")
	if err != nil {
		t.Fatal(err)
	}
	var added, swapped atomic.Int32
	count := func(n *atomic.Int32, ok bool, err error) {
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		if ok {
			n.Add(1)
		}
	}
	var requests sync.WaitGroup
	for range 64 {
		requests.Go(func() {
			a := testAttempt(t, s)
			ok, err := s.add(t.Context(), a, kindFamily, "added", "new", exp)
			count(&added, ok, err)
			ok, err = s.swap(t.Context(), a, found, "new", exp)
			count(&swapped, ok, err)
		})
	}
	requests.Wait()
	return int(added.Load()), int(swapped.Load())
}

// TestStateRace shows that one request wins, also when a store repeats each
// write, and that it is the random bytes which make it so: without them equal
// bytes look like a lost answer, and more than one request wins.
func TestStateRace(t *testing.T) {
	for _, repeat := range []bool{false, true} {
		if adds, swaps := stateWinners(t, nil, repeat); adds != 1 || swaps != 1 {
			t.Errorf("repeat %v: got %d adds and %d swaps that won, want 1 and 1", repeat, adds, swaps)
		}
		if adds, swaps := stateWinners(t, constantRandom(7), repeat); adds < 2 || swaps < 2 {
			t.Errorf("repeat %v, constant random bytes: got %d and %d winners; this test can see nothing", repeat, adds, swaps)
		}
	}
}

// TestAttemptDecidesAlone gives every value the same nonce: the attempt inside
// still keeps two requests apart.
func TestAttemptDecidesAlone(t *testing.T) {
	s := testState(t, NewMemoryStore(nil), stateIssuer, nil, constantRandom(7), 1)
	exp := time.Now().Add(time.Hour)
	one := Attempt{random: [16]byte{1}, drawn: true}
	two := Attempt{random: [16]byte{2}, drawn: true}
	for _, c := range []struct {
		name string
		a    Attempt
		want bool
	}{{"first", one, true}, {"other request", two, false}, {"same request", one, true}} {
		ok, err := s.add(t.Context(), c.a, kindFamily, "k", "v", exp)
		if ok != c.want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", c.name, ok, err, c.want)
		}
	}
}
