package tokenexchange

import (
	"container/list"
	"slices"
	"time"
)

// Bounds of what is remembered of addresses from which somebody got in.
const (
	familiarFor   = 7 * 24 * time.Hour
	familiarRoom  = 12 << 10 // addresses of all names together
	familiarOfOne = 32       // addresses of one name
)

// familiar are the addresses from which a name lately got in. Each name has room
// for a few, so that whoever can log in from many addresses pushes out his own
// only. Where all room is used up, the name that was idle longest makes place.
type familiar struct {
	byName map[uint64]*list.Element
	recent *list.List // of *acquaintance, the latest in front
	total  int
}

type acquaintance struct {
	name uint64
	from []sighting
}

type sighting struct {
	address address
	at      time.Duration
}

func newFamiliar() *familiar {
	return &familiar{byName: map[uint64]*list.Element{}, recent: list.New()}
}

// has reports whether the name lately got in from the address.
func (f *familiar) has(name uint64, from address, now time.Duration) bool {
	e := f.byName[name]
	return e != nil && slices.ContainsFunc(e.Value.(*acquaintance).from, func(s sighting) bool {
		return s.address == from && now-s.at < familiarFor
	})
}

// add remembers that the name got in from the address.
func (f *familiar) add(name uint64, from address, now time.Duration) {
	e := f.byName[name]
	if e == nil {
		e = f.recent.PushFront(&acquaintance{name: name})
		f.byName[name] = e
	}
	f.recent.MoveToFront(e)
	a := e.Value.(*acquaintance)
	if i := slices.IndexFunc(a.from, func(s sighting) bool { return s.address == from }); i >= 0 {
		a.from[i].at = now
		return
	}
	if len(a.from) == familiarOfOne {
		oldest := slices.MinFunc(a.from, func(x, y sighting) int { return int(x.at - y.at) })
		a.from[slices.Index(a.from, oldest)] = sighting{from, now}
		return
	}
	a.from = append(a.from, sighting{from, now})
	for f.total++; f.total > familiarRoom; {
		gone := f.recent.Remove(f.recent.Back()).(*acquaintance)
		delete(f.byName, gone.name)
		f.total -= len(gone.from)
	}
}
