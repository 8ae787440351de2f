package tokenexchange

import (
	"slices"
	"sync"
	"time"
)

// A client may revoke one token as often as it likes, and each time it is told
// the truth: the feed has it. It is not written there again within toldFor, or
// one token would be enough to fill the store. After that it is, in case the
// store lost it meanwhile.
const (
	toldFor = time.Minute
	maxTold = 1 << 14
)

// told is what this process published lately.
type told struct {
	mu sync.Mutex
	at map[revocationName]toldRevocation
}

type toldRevocation struct {
	Revocation
	until time.Time // it is written again from then on
}

func newTold() *told { return &told{at: map[revocationName]toldRevocation{}} }

// news leaves out what was published lately, as strict as it is here.
func (t *told) news(what []Revocation, now time.Time) []Revocation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(what), func(r Revocation) bool {
		last, ok := t.at[r.name()]
		return ok && now.Before(last.until) && !last.Until.Before(r.Until) && !last.Before.Before(r.Before)
	})
}

// add remembers what was published. Where there is no room, any other makes
// place: who goes round in more than fit hits some of them all the same.
func (t *told) add(what []Revocation, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range what {
		key := r.name()
		if _, known := t.at[key]; !known && len(t.at) >= maxTold {
			for other := range t.at {
				delete(t.at, other)
				break
			}
		}
		t.at[key] = toldRevocation{r, now.Add(toldFor)}
	}
}
