package caddymodule

import (
	"slices"
	"time"
)

// terms are the times by which generated keys come and go. See docs/keys.md.
type terms struct {
	// interval is how long a key is the one that signs.
	interval time.Duration
	// lead is how long a key stands in storage, and in the published key set,
	// before it signs. It is longer than anybody keeps a key set.
	lead time.Duration
	// slack is more than clocks differ by, and than verifiers add to exp.
	slack time.Duration
	// look is the longest pause between two looks at the storage, where another
	// process or the operator may have changed something.
	look time.Duration
}

// The lead is a day for the caches of verifiers, and an hour for processes whose
// looks at the storage fail for a while.
var keyTerms = terms{interval: 90 * 24 * time.Hour, lead: 25 * time.Hour, slack: 10 * time.Minute, look: 30 * time.Second}

// scheduled is a key as the schedule knows it. All that a key is for follows
// from these, the keys beside it and the time, so nothing else has to be kept
// up to date: the last one that has taken over signs.
type scheduled struct {
	id   string
	from time.Time     // when it takes over
	life time.Duration // the longest life of what it signs or seals
}

// plan is what the schedule wants of a line: the keys of one algorithm, or those
// that seal state.
type plan struct {
	keep []scheduled // in the order of a ring: the first one signs
	over []scheduled // nothing that they signed can be alive
	make []time.Time // when the keys take over that have to be made
	late bool        // a life in keep is longer than the stored one
	look time.Time   // when there is something to do again
}

// plan holds the stored keys of a line against the time. Life is the longest
// life that the configuration gives to what is signed now. There is always a key
// that signs, unless there is none at all.
func (t terms) plan(keys []scheduled, now time.Time, life time.Duration) plan {
	p := plan{look: now.Add(t.look)}
	at := func(event time.Time) {
		if event.After(now) && event.Before(p.look) {
			p.look = event
		}
	}
	keys = byTurn(keys)
	signs := signing(keys, now)
	for i, k := range keys {
		at(k.from)
		gone := i < signs
		if gone {
			end := keys[i+1].from.Add(k.life + t.slack)
			at(end)
			gone = !now.Before(end)
		}
		// Another process, whose clock is behind, may sign with a key for a while
		// after the next one has taken over here.
		if signed := i < signs && !now.Before(keys[i+1].from.Add(t.slack)); !signed && k.life < life {
			k.life, p.late = life, true
		}
		switch {
		case gone:
			p.over = append(p.over, k)
		case i == signs:
			p.keep = slices.Insert(p.keep, 0, k)
		default:
			p.keep = append(p.keep, k)
		}
	}
	p.make = t.missing(keys, now)
	if next := t.newest(keys, now).Add(t.interval - t.lead); len(p.make) == 0 {
		at(next)
	}
	return p
}

// missing tells when the keys take over that have to be made now: those of the
// time of one lead, so that each was published for as long before it signs.
func (t terms) missing(keys []scheduled, now time.Time) (from []time.Time) {
	if len(keys) == 0 {
		// Nobody has anything to verify yet, so the very first key signs at once.
		keys, from = []scheduled{{from: now}}, []time.Time{now}
	}
	for newest := t.newest(keys, now); !newest.Add(t.interval - t.lead).After(now); {
		newest = later(newest.Add(t.interval), now.Add(t.lead))
		from = append(from, newest)
	}
	return from
}

// newest tells when the last key takes over. One that a process made whose clock
// was far ahead does not count, or nothing would be made until then.
func (t terms) newest(keys []scheduled, now time.Time) (last time.Time) {
	for _, k := range keys {
		if k.from.After(last) && !k.from.After(now.Add(t.interval+t.lead)) {
			last = k.from
		}
	}
	if last.IsZero() {
		return now // The clock is far behind: there is no hurry.
	}
	return last
}

// signing is the index of the key that signs: the last one that has taken over.
// If none has, as for a process whose clock is behind that of the one that made
// the first key, it is the first one.
func signing(keys []scheduled, now time.Time) (at int) {
	for i, k := range keys {
		if !k.from.After(now) {
			at = i
		}
	}
	return at
}

// byTurn sorts keys by when they take over, in one order for all processes.
func byTurn(keys []scheduled) []scheduled {
	return slices.SortedFunc(slices.Values(keys), func(a, b scheduled) int {
		if c := a.from.Compare(b.from); c != 0 {
			return c
		}
		if a.id < b.id {
			return -1
		}
		return 1
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
