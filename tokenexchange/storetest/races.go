package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// racers is how many goroutines want the same thing at the same time.
const racers = 64

// race starts all racers together and waits for all.
func race(run func(i int)) {
	var start, end sync.WaitGroup
	start.Add(1)
	for i := range racers {
		end.Go(func() {
			start.Wait()
			run(i)
		})
	}
	start.Done()
	end.Wait()
}

func racerValue(i int) string { return fmt.Sprintf("racer %d", i) }

// oneWinner races a verb, and checks that one racer won, that its value is
// there, that its repeat answers true and every other racer's false.
func oneWinner(t *testing.T, f *fixture, key string, verb func(val []byte) (bool, error)) {
	t.Helper()
	var won [racers]bool
	race(func(i int) {
		ok, err := verb([]byte(racerValue(i)))
		if err != nil {
			t.Errorf("racer %d: got %v, want no error", i, err)
		}
		won[i] = ok
	})
	winner, winners := -1, 0
	for i, ok := range won {
		if ok {
			winner = i
			winners++
		}
	}
	if winners != 1 {
		t.Fatalf("got %d winners, want 1", winners)
	}
	f.holds(key, racerValue(winner))
	race(func(i int) {
		ok, err := verb([]byte(racerValue(i)))
		if want := i == winner; err != nil || ok != want {
			t.Errorf("repeat of racer %d, winner %d: got %v, %v; want %v", i, winner, ok, err, want)
		}
	})
	f.holds(key, racerValue(winner))
}

func testRaceAdd(t *testing.T, f *fixture) {
	for round := range 8 {
		key := fmt.Sprint("k", round)
		oneWinner(t, f, key, func(val []byte) (bool, error) {
			return f.store.Add(t.Context(), key, val, f.in(time.Hour))
		})
	}
}

func testRaceAddExpired(t *testing.T, f *fixture) {
	for range 8 {
		f.add("k", "old", f.in(time.Minute), true)
		f.pass(time.Minute)
		oneWinner(t, f, "k", func(val []byte) (bool, error) {
			return f.store.Add(t.Context(), "k", val, f.in(time.Hour))
		})
		f.pass(time.Hour)
	}
}

func testRaceSwap(t *testing.T, f *fixture) {
	for round := range 8 {
		key := fmt.Sprint("k", round)
		f.add(key, "old", f.in(time.Hour), true)
		oneWinner(t, f, key, func(val []byte) (bool, error) {
			return f.store.Swap(t.Context(), key, []byte("old"), val, f.in(time.Hour))
		})
	}
}

// testRaceEqual shows the other side of "a lost answer is not a replay": racers
// with equal bytes all win. State exists so that no two requests write them.
func testRaceEqual(t *testing.T, f *fixture) {
	f.add("swap", "old", f.in(time.Hour), true)
	race(func(i int) {
		ok, err := f.store.Add(t.Context(), "add", []byte("same"), f.in(time.Hour))
		if !ok || err != nil {
			t.Errorf("Add, racer %d: got %v, %v; want true", i, ok, err)
		}
		ok, err = f.store.Swap(t.Context(), "swap", []byte("old"), []byte("same"), f.in(time.Hour))
		if !ok || err != nil {
			t.Errorf("Swap, racer %d: got %v, %v; want true", i, ok, err)
		}
	})
}

// testRaceCounter adds up to one per racer only if no swap is lost or doubled.
func testRaceCounter(t *testing.T, f *fixture) {
	f.add("k", "0", f.in(time.Hour), true)
	race(func(i int) {
		for {
			got, err := f.store.Get(t.Context(), "k")
			if err != nil {
				t.Errorf("Get: got %v, want no error", err)
				return
			}
			text, _, _ := strings.Cut(string(got), " ")
			n, _ := strconv.Atoi(text)
			// Each racer's bytes differ: else two would both win one step.
			next := fmt.Sprintf("%d racer %d", n+1, i)
			ok, err := f.store.Swap(t.Context(), "k", got, []byte(next), f.in(time.Hour))
			if err != nil {
				t.Errorf("Swap: got %v, want no error", err)
				return
			}
			if ok {
				return
			}
		}
	})
	got, err := f.store.Get(t.Context(), "k")
	if text, _, _ := strings.Cut(string(got), " "); err != nil || text != strconv.Itoa(racers) {
		t.Errorf("counter: got %q, %v; want %d", got, err, racers)
	}
}

// testRaceDelete ends with nothing there: a swap before the deletes is deleted,
// one after them matches nothing.
func testRaceDelete(t *testing.T, f *fixture) {
	for round := range 8 {
		key := fmt.Sprint("k", round)
		f.add(key, "old", f.in(time.Hour), true)
		race(func(i int) {
			var err error
			if i%2 == 0 {
				err = f.store.Delete(t.Context(), key)
			} else {
				_, err = f.store.Swap(t.Context(), key, []byte("old"), []byte(racerValue(i)), f.in(time.Hour))
			}
			if err != nil {
				t.Errorf("racer %d: got %v, want no error", i, err)
			}
		})
		f.absent(key)
	}
}

// testRaceReaders reads while others write: a reader sees one whole value of
// those that were written, and never a gap between two.
func testRaceReaders(t *testing.T, f *fixture) {
	whole := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 5000) }
	f.add("k", whole(0), f.in(time.Hour), true)
	race(func(i int) {
		for n := range 20 {
			got, err := f.store.Get(t.Context(), "k")
			if errors.Is(err, tokenexchange.ErrNotFound) {
				t.Errorf("racer %d: a present value was not found", i)
				return
			}
			if err != nil || len(got) != 5000 || strings.Count(string(got), string(got[:1])) != 5000 {
				t.Errorf("racer %d: got %d bytes, %v; want one whole value", i, len(got), err)
				return
			}
			if i%8 == 0 {
				if _, err := f.store.Swap(t.Context(), "k", got, []byte(whole(i+n)), f.in(time.Hour)); err != nil {
					t.Errorf("racer %d: Swap: %v", i, err)
					return
				}
			}
		}
	})
}
