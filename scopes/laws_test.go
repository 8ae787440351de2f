package scopes_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
)

// The laws of docs/scopes.md, section 3.2. The alphabet is small, so that
// patterns touch each other; the resources of universe are all there are.

var (
	patternSegments = []string{"a", "ab", "b", "a*", "ab*", "b*", "*"}
	// Each prefix and "*" has members here that no literal above names.
	resourceSegments = []string{"a", "ab", "b", "abz", "az", "bz", "z"}
)

func genPattern() *rapid.Generator[scopes.Pattern] {
	return rapid.Custom(func(t *rapid.T) scopes.Pattern {
		segs := rapid.SliceOfN(rapid.SampledFrom(patternSegments), 0, 3).Draw(t, "segments")
		if len(segs) == 0 || rapid.Bool().Draw(t, "tail") {
			segs = append(segs, "**")
		}
		p, err := scopes.ParsePattern(strings.Join(segs, "/"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

// genDeepPattern has segments with many common starts, for the index.
func genDeepPattern() *rapid.Generator[scopes.Pattern] {
	return rapid.Custom(func(t *rapid.T) scopes.Pattern {
		first := rapid.SampledFrom([]string{"a*", "ab*", "aba*", "abb*", "abba*", "b*", "a", "ab", "abz", "abaz", "abb", "*"})
		second := rapid.SampledFrom([]string{"x", "y", "xy", "x*", "*", "**"})
		p, err := scopes.ParsePattern(first.Draw(t, "first") + "/" + second.Draw(t, "second"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func genEntry() *rapid.Generator[scopes.Entry] {
	return rapid.Custom(func(t *rapid.T) scopes.Entry {
		return scopes.Entry{
			Service:    rapid.SampledFrom([]string{"s", "s", "t"}).Draw(t, "service"),
			Permission: rapid.SampledFrom([]string{"p", "p", "q"}).Draw(t, "permission"),
			Resource:   genPattern().Draw(t, "resource"),
		}
	})
}

func genSet() *rapid.Generator[scopes.Set] {
	return rapid.Custom(func(t *rapid.T) scopes.Set {
		s, err := scopes.NewSet(rapid.SliceOfN(genEntry(), 0, 8).Draw(t, "entries")...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// universe is all resources of up to four segments.
var universe = func() [][]string {
	var all [][]string
	last := [][]string{nil}
	for range 4 {
		var next [][]string
		for _, r := range last {
			for _, s := range resourceSegments {
				next = append(next, append(r[:len(r):len(r)], s))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}()

// matches is what a pattern means, said as simply as can be.
func matches(pattern, resource []string) bool {
	switch {
	case len(pattern) == 1 && pattern[0] == "**":
		return true
	case len(pattern) == 0 || len(resource) == 0:
		return len(pattern) == len(resource)
	}
	prefix, wild := strings.CutSuffix(pattern[0], "*")
	if resource[0] != prefix && !(wild && strings.HasPrefix(resource[0], prefix)) {
		return false
	}
	return matches(pattern[1:], resource[1:])
}

func TestPatternsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := genPattern().Draw(t, "p"), genPattern().Draw(t, "q")
		m, meets := p.Meet(q)
		pSegs, qSegs := strings.Split(p.String(), "/"), strings.Split(q.String(), "/")
		mSegs := strings.Split(m.String(), "/")
		covers, reverse := true, true
		for _, r := range universe {
			inP, inQ := matches(pSegs, r), matches(qSegs, r)
			covers = covers && (inP || !inQ)
			reverse = reverse && (inQ || !inP)
			if inM := meets && matches(mSegs, r); inM != (inP && inQ) {
				t.Fatalf("%s meet %s = %s is wrong for %v", p, q, m, r)
			}
		}
		if p.Covers(q) != covers {
			t.Fatalf("%s covers %s: got %v, want %v", p, q, !covers, covers)
		}
		if (covers && reverse) != p.Equal(q) {
			t.Fatalf("%s and %s: the same resources need the same text", p, q)
		}
	})
}

func TestPatternLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := genPattern().Draw(t, "p"), genPattern().Draw(t, "q")
		if again, err := scopes.ParsePattern(p.String()); err != nil || !again.Equal(p) {
			t.Fatalf("%s was read as %s, %v", p, again, err)
		}
		pq, ok := p.Meet(q)
		qp, ok2 := q.Meet(p)
		if ok != ok2 || !pq.Equal(qp) {
			t.Fatalf("%s meet %s: %s, and the other way %s", p, q, pq, qp)
		}
		if ok && (!p.Covers(pq) || !q.Covers(pq)) {
			t.Fatalf("%s meet %s = %s is not inside both", p, q, pq)
		}
		if same, ok := p.Meet(p); !ok || !same.Equal(p) {
			t.Fatalf("%s meet itself = %s", p, same)
		}
		if p.Covers(q) != (ok && pq.Equal(q)) {
			t.Fatalf("%s covers %s, but they meet in %s", p, q, pq)
		}
	})
}
