package scopes

import (
	"sort"
	"strings"
)

// Meet returns what both sets hold: all pairs of patterns, in canonical form.
// It is commutative, associative and idempotent, and lies inside both. The
// error is a [*LimitError] when the result outgrows the limits, which is then
// refused whole. See docs/scopes.md, section 3.2.
func (s Set) Meet(t Set) (Set, error) {
	var both []Entry
	for _, sv := range s.services {
		for _, p := range sv.permissions {
			other := t.patterns(sv.id, p.id)
			for _, a := range p.patterns {
				for _, b := range other {
					if m, ok := a.Meet(b); ok {
						both = append(both, Entry{sv.id, p.id, m})
					}
				}
			}
		}
	}
	return setOf(both)
}

// Union returns what either set holds, as for the roles of one user. The error
// is a [*LimitError] when the result outgrows the limits. See docs/scopes.md,
// section 3.1.
func (s Set) Union(t Set) (Set, error) {
	return setOf(append(s.Entries(), t.Entries()...))
}

// Contains says whether every pattern of t lies inside one pattern of s. That
// is sound and never generous: what several patterns cover only together is
// not said to be contained. See docs/scopes.md, section 3.2.
func (s Set) Contains(t Set) bool {
	for _, sv := range t.services {
		for _, p := range sv.permissions {
			held := s.patterns(sv.id, p.id)
			for _, pattern := range p.patterns {
				if !covered(held, 0, cursor{segs: pattern.segs, tail: pattern.tail}) {
					return false
				}
			}
		}
	}
	return true
}

// comparePatterns is the order of the index: segment by segment, and in one
// place: "**", the end, "*", prefixes, literals. Patterns with the same first
// segments stand side by side, which makes a sorted list a tree. What covers
// another pattern stands before it.
func comparePatterns(p, q Pattern) int {
	for i := 0; ; i++ {
		a, b := p.place(i), q.place(i)
		if a != b || a <= placeEnd {
			return int(a) - int(b)
		}
		if c := strings.Compare(p.segs[i].text, q.segs[i].text); c != 0 {
			return c
		}
	}
}

// The places of comparePatterns.
const (
	placeTail = iota
	placeEnd
	placeAny
	placePrefix
	placeLiteral
)

// place says what stands at position i of the pattern.
func (p *Pattern) place(i int) uint8 {
	switch {
	case i < len(p.segs):
		return uint8(p.segs[i].kind-segAny) + placeAny
	case p.tail:
		return placeTail
	}
	return placeEnd
}

// covered says whether one pattern of held covers what the cursor still has to
// give. All of held are in the order of the index and agree in the segments
// before depth, which cover what the cursor gave so far. Each pattern is looked
// at once a segment at most, most of them never.
func covered(held []Pattern, depth int, need cursor) bool {
	if len(held) == 0 {
		return false
	}
	switch held[0].place(depth) {
	case placeTail:
		return true
	case placeEnd:
		if need.done() && !need.tail {
			return true
		}
		held = held[1:]
	}
	if len(held) == 0 || need.done() {
		return false
	}
	next, need := need.next()

	if held[0].place(depth) == placeAny {
		n := groupEnd(held, depth)
		if covered(held[:n], depth+1, need) {
			return true
		}
		held = held[n:]
	}
	literals := sort.Search(len(held), func(i int) bool { return held[i].place(depth) == placeLiteral })
	if next.kind != segAny && coveredByPrefix(held[:literals], depth, next.text, need) {
		return true
	}
	held = held[literals:]
	if len(held) == 0 || next.kind != segLiteral {
		return false
	}
	first := sort.Search(len(held), func(i int) bool { return held[i].segs[depth].text >= next.text })
	held = held[first:]
	if len(held) == 0 || held[0].segs[depth].text != next.text {
		return false
	}
	return covered(held[:groupEnd(held, depth)], depth+1, need)
}

// coveredByPrefix is the part of covered for patterns that all have a prefix at
// depth. It looks at those prefixes only that text begins with, the longest one
// first: the greatest that is not greater than text is one of them, or else
// tells how much of text the others can have at most.
func coveredByPrefix(held []Pattern, depth int, text string, need cursor) bool {
	for most := text; len(held) > 0; {
		n := sort.Search(len(held), func(i int) bool { return held[i].segs[depth].text > most })
		if n == 0 {
			return false
		}
		last := held[n-1].segs[depth].text
		same := 0
		for same < len(last) && same < len(text) && last[same] == text[same] {
			same++
		}
		held, most = held[:n], text[:same]
		if same < len(last) {
			continue
		}
		first := sort.Search(n, func(i int) bool { return held[i].segs[depth].text >= last })
		if covered(held[first:], depth+1, need) {
			return true
		}
		held = held[:first]
	}
	return false
}

// groupEnd returns how many patterns at the start of held have the same segment
// at depth.
func groupEnd(held []Pattern, depth int) int {
	first, last := held[0].segs[depth], held[len(held)-1].segs[depth]
	if last.kind == first.kind && last.text == first.text {
		return len(held)
	}
	if len(held) > 1 {
		if second := held[1].segs[depth]; second.kind != first.kind || second.text != first.text {
			return 1
		}
	}
	return sort.Search(len(held), func(i int) bool {
		s := held[i].segs[depth]
		return s.kind != first.kind || s.text != first.text
	})
}

// cursor gives the segments of a need one after the other: those of a pattern
// as they are, those of a template with the values of a request in their place.
type cursor struct {
	segs   []seg
	tail   bool
	values *values
	rest   string // what is left of the "{name...}" that is being given
}

// done says whether all segments were given.
func (c cursor) done() bool { return len(c.segs) == 0 && c.rest == "" }

// next gives one segment and the cursor after it. It must not be called when
// done. It changes no cursor in place, because what is stored through a pointer
// would have to live on the heap, the values of the request with it.
func (c cursor) next() (seg, cursor) {
	if c.rest == "" {
		s := c.segs[0]
		c.segs = c.segs[1:]
		switch s.kind {
		case segVariable:
			return seg{kind: segLiteral, text: c.values.one[s.slot].text}, c
		case segRest:
			c.rest = c.values.rest
		default:
			return s, c
		}
	}
	var text string
	text, c.rest, _ = strings.Cut(c.rest, "/")
	return seg{kind: segLiteral, text: text}, c
}
