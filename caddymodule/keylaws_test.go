package caddymodule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// In the laws a minute is an hour of the real terms, more or less, and looks come
// seldom: a walk through a year is short then.
var lawTerms = terms{interval: 1000 * time.Second, lead: 300 * time.Second, slack: 60 * time.Second, look: 30 * time.Second}

const (
	lawClocks = 20 * time.Second  // how far a clock is off, ahead or behind
	lawAway   = 150 * time.Second // how long the storage is away, at most
)

// lawProcess is a process that shares a storage with others.
type lawProcess struct {
	name  string
	clock time.Duration // off
	life  time.Duration // of its configuration
	line  *keyLine[string]
	ring  []string
	next  time.Time // of the true time
	since time.Time // running, with looks that succeeded
}

// lawToken is what was signed or sealed, by a key, until a time.
type lawToken struct {
	by, key string
	until   time.Time
}

// lawWorld walks through time with processes that start, die, sleep for long, are
// configured anew, and have a storage that fails at times.
type lawWorld struct {
	*testing.T
	rand      *rand.Rand
	now       time.Time
	shelf     *shelf
	made      int
	processes []*lawProcess
	tokens    []lawToken
	published map[string]time.Time // when a key was first in a ring, by process and key
	signers   []string             // in their order
	kills     int
}

func (w *lawWorld) start(p *lawProcess) {
	p.life = time.Duration(10+w.rand.IntN(2500)) * time.Second
	p.line = textLine(w.shelf, lawTerms, &w.made)
	p.since = w.now
	w.look(p, true)
}

// look is what a keeper does, and may end in the death of its process.
func (w *lawWorld) look(p *lawProcess, start bool) {
	if w.shelf.killAt = 0; w.rand.IntN(40) == 0 {
		w.shelf.ops, w.shelf.killAt = 0, 1+w.rand.IntN(8)
	}
	lived := w.shelf.survives(func() {
		s, err := p.line.settle(w.Context(), ask{now: w.now.Add(p.clock), life: p.life, start: start, drop: !start})
		if err != nil && !errors.Is(err, errUnsettled) {
			if start && w.shelf.reads != nil || w.shelf.writes != nil {
				p.ring = nil // It does not start while the storage is away.
				p.next = w.now.Add(10 * time.Second)
				return
			}
			w.Fatalf("%s at %v: %v", p.name, w.now, err)
		}
		// A start that could not write down a longer life works on: it is the
		// operator's loss, as docs/keys.md says. The laws are about storage that works.
		if start && err != nil {
			p.ring, p.next = nil, w.now.Add(10*time.Second)
			return
		}
		p.ring = s.ring()
		p.next = later(s.look.Add(-p.clock), w.now.Add(100*time.Millisecond))
	})
	if !lived {
		w.kills++
		p.ring, p.next = nil, w.now.Add(time.Duration(1+w.rand.IntN(20))*time.Second)
	}
	for _, k := range p.ring {
		if _, ok := w.published[p.name+k]; !ok {
			w.published[p.name+k] = w.now
		}
	}
}

// sign lets a process use its first key.
func (w *lawWorld) sign(p *lawProcess) {
	key := p.ring[0]
	if !slices.Contains(w.signers, key) {
		w.signers = append(w.signers, key)
	}
	if !strings.Contains(string(w.shelf.values["line.json"]), fmt.Sprintf(`"id":"%s"`, key)) {
		w.Fatalf("%s signs with %s, which is not stored", p.name, key)
	}
	// Somebody published it for a lead, and all who run for what a lead leaves after
	// slow looks, unless they have just begun.
	longest := time.Duration(0)
	for _, q := range w.processes {
		published := w.now.Sub(w.published[q.name+key])
		longest = max(longest, published)
		const least = 80 * time.Second // the lead without lawAway, a look and both clocks
		if key != w.signers[0] && q.ring != nil && published < least && w.now.Sub(q.since) >= least {
			w.Fatalf("%s signs with %s, which %s published for %v", p.name, key, q.name, published)
		}
	}
	if key != w.signers[0] && longest < lawTerms.lead-2*lawClocks && w.now.Sub(p.since) >= lawTerms.lead {
		w.Fatalf("%s signs with %s, which was published for %v", p.name, key, longest)
	}
	w.tokens = append(w.tokens, lawToken{p.name, key, w.now.Add(p.life)})
}

// verify holds all that is alive against the ring of a process.
func (w *lawWorld) verify(p *lawProcess) {
	for _, token := range w.tokens {
		if w.now.Before(token.until) && !slices.Contains(p.ring, token.key) {
			w.Fatalf("at %v %s has the keys %v, and lacks %s, with which %s signed", w.now.Sub(hours(0)), p.name, p.ring, token.key, token.by)
		}
	}
}

// TestKeyLaws walks many worlds: whatever happens, what was signed can be verified
// by all, a key was published for a lead before it signs, and keys go in the end.
func TestKeyLaws(t *testing.T) {
	signers, kills := 0, 0
	for seed := range uint64(150) {
		w := &lawWorld{T: t, rand: rand.New(rand.NewPCG(seed, 1)), now: hours(0), shelf: newShelf(), published: map[string]time.Time{}}
		for i := range 2 {
			off := time.Duration(w.rand.Int64N(int64(2*lawClocks))) - lawClocks
			w.processes = append(w.processes, &lawProcess{name: fmt.Sprint("process ", i), clock: off, next: w.now})
		}
		var back time.Time // when the storage works again
		for end := w.now.Add(12000 * time.Second); w.now.Before(end); {
			p := slices.MinFunc(w.processes, func(a, b *lawProcess) int { return a.next.Compare(b.next) })
			w.now = later(w.now, p.next)
			switch {
			case w.now.After(back) && w.rand.IntN(60) == 0: // It fails for less than the lead leaves.
				back = w.now.Add(time.Duration(w.rand.Int64N(int64(lawAway))))
				w.shelf.writes = errors.New("away")
				if w.rand.IntN(2) == 0 {
					w.shelf.reads = w.shelf.writes
				}
			case w.now.After(back):
				w.shelf.reads, w.shelf.writes = nil, nil
			}
			switch w.rand.IntN(100) {
			case 0, 1: // It is loaded anew.
				p.ring = nil
			case 2: // It sleeps, at times for months.
				if w.rand.IntN(4) == 0 {
					p.ring, p.next = nil, w.now.Add(time.Duration(w.rand.IntN(4000))*time.Second)
					continue
				}
			}
			if p.ring == nil {
				w.start(p)
			} else {
				w.look(p, false)
			}
			if p.ring == nil {
				continue
			}
			w.sign(p)
			for _, p := range w.processes {
				if p.ring != nil {
					w.verify(p)
				}
			}
		}
		signers, kills = signers+len(w.signers), kills+w.kills
		if stored := strings.Count(string(w.shelf.values["line.json"]), `"id"`); stored > 8 {
			t.Errorf("seed %d: got %d keys in the end, want that old ones go", seed, stored)
		}
	}
	if signers < 150*8 || kills < 300 {
		t.Errorf("got %d keys that signed and %d kills: the walks show nothing", signers, kills)
	}
	t.Logf("%d keys signed, %d processes were killed", signers, kills)
}
