package tokenexchange

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// exactly is what debts would be with room for all.
type exactly struct {
	limit
	until map[uint64]time.Duration
}

func (e *exactly) owes(key uint64, now time.Duration) time.Duration { return max(e.until[key]-now, 0) }

func (e *exactly) add(key uint64, now time.Duration) {
	e.until[key] = now + min(e.owes(key, now)+e.each, 2*time.Duration(e.atOnce)*e.each)
}

// Whatever is pushed out: nobody ever owes less than exact counting has it, and
// a key that was never pushed out owes just that.
func TestDebtsAreNeverForgotten(t *testing.T) {
	const seeds, steps, room = 30, 4000, 16
	pushed := 0
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := limit{atOnce: 4, each: 10 * time.Second, room: room}
		d, exact := newDebts(l), &exactly{limit: l, until: map[uint64]time.Duration{}}
		keys := uint64(8) << (seed % 4) // Fewer than there is room for, and more.
		now := time.Duration(0)
		for range steps {
			now += time.Duration(random.IntN(3)) * time.Second
			key := random.Uint64N(keys)
			if random.IntN(3) == 0 {
				key = 0 // One that is guessed all the time.
			}
			if d.wait(key, now) == 0 {
				d.add(key, now)
				exact.add(key, now)
			}
			for k := range keys {
				got, want := d.owes(k, now), exact.owes(k, now)
				if got < want || keys <= room && got != want {
					t.Fatalf("seed %d: key %d owes %s, by exact counting %s", seed, k, got, want)
				}
				if got > want {
					pushed++
				}
			}
			if len(d.byKey) > room || len(d.least) > room {
				t.Fatalf("got %d keys, want at most %d", len(d.byKey), room)
			}
		}
	}
	if pushed == 0 {
		t.Error("no key was ever pushed out")
	}
}

// Pushing one's own counter out takes room times as many failures, and does not
// even help: the others owe as much then, and so does everybody else.
func TestPushingOutDoesNotHelp(t *testing.T) {
	h := newHouse(t)
	l := guessLimits[guessPassword].name
	for i := range l.atOnce {
		h.guess(WithClientAddress(t.Context(), fmt.Sprint("198.51.100.", i)), guessPassword, "ada").failed()
	}
	h.byPassword("203.0.113.1", "ada", password).slowed(t, 30)
	for i := range 3 * l.room {
		h.guess(WithClientAddress(t.Context(), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)), guessPassword, fmt.Sprint("nobody", i)).failed()
	}
	h.byPassword("203.0.113.1", "ada", password).slowed(t, 30)
	counted := h.slow.counted[guessPassword]
	for _, d := range []*debts{counted.pair, counted.name, counted.address} {
		if len(d.byKey) > d.room || len(d.least) != len(d.byKey) {
			t.Errorf("got %d keys and %d in the heap, want at most %d", len(d.byKey), len(d.least), d.room)
		}
	}
}
