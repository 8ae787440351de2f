package scopes_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
)

func meet(t *rapid.T, a, b scopes.Set) scopes.Set {
	t.Helper()
	m, err := a.Meet(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSetLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genSet().Draw(t, "a"), genSet().Draw(t, "b"), genSet().Draw(t, "c")
		ab := meet(t, a, b)
		if ba := meet(t, b, a); !ab.Equal(ba) {
			t.Fatalf("not commutative: %s, %s", show(ab), show(ba))
		}
		if left, right := meet(t, ab, c), meet(t, a, meet(t, b, c)); !left.Equal(right) {
			t.Fatalf("not associative: %s, %s", show(left), show(right))
		}
		if aa := meet(t, a, a); !aa.Equal(a) {
			t.Fatalf("not idempotent: %s, %s", show(a), show(aa))
		}
		if !a.Contains(ab) || !b.Contains(ab) || !a.Contains(a) || !a.Contains(scopes.Set{}) {
			t.Fatalf("%s is not inside %s and %s", show(ab), show(a), show(b))
		}
		if a.Contains(b) != ab.Equal(b) {
			t.Fatalf("contains is %v, but the meet is %s of %s", a.Contains(b), show(ab), show(b))
		}
		union, err := a.Union(b)
		if err != nil || !union.Contains(a) || !union.Contains(b) {
			t.Fatalf("union %s, %v", show(union), err)
		}
		if again, err := union.Union(a); err != nil || !again.Equal(union) {
			t.Fatalf("union again %s, %v", show(again), err)
		}
	})
}

// TestContainsIsSound compares with what sets mean, pattern by pattern.
func TestContainsIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genSet().Draw(t, "a"), genSet().Draw(t, "b")
		want := true
		for _, e := range b.Entries() {
			inside := false
			for _, f := range a.Entries() {
				inside = inside || e.Service == f.Service && e.Permission == f.Permission && f.Resource.Covers(e.Resource)
			}
			want = want && inside
		}
		if a.Contains(b) != want {
			t.Fatalf("%s contains %s: got %v", show(a), show(b), !want)
		}
	})
}

// TestIndexEqualsPatterns compares the index with a walk over all patterns.
func TestIndexEqualsPatterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []scopes.Entry
		for _, p := range rapid.SliceOfN(genDeepPattern(), 1, 30).Draw(t, "held") {
			entries = append(entries, scopes.Entry{Service: "s", Permission: "p", Resource: p})
		}
		s, err := scopes.NewSet(entries...)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range rapid.SliceOfN(genDeepPattern(), 20, 20).Draw(t, "needs") {
			want := slices.ContainsFunc(entries, func(e scopes.Entry) bool { return e.Resource.Covers(q) })
			need, err := scopes.NewSet(scopes.Entry{Service: "s", Permission: "p", Resource: q})
			if err != nil {
				t.Fatal(err)
			}
			if s.Contains(need) != want {
				t.Fatalf("%s contains %s: got %v", show(s), q, !want)
			}
		}
	})
}

// TestChain checks that what a chain of exchanges ends with was in every link.
func TestChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := rapid.SliceOfN(genSet(), 1, 5).Draw(t, "links")
		end := links[0]
		for _, l := range links[1:] {
			end = meet(t, end, l)
		}
		for _, l := range links {
			if !l.Contains(end) {
				t.Fatalf("%s is not in %s", show(end), show(l))
			}
		}
	})
}

func TestCanonicalForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(genEntry(), 1, 8).Draw(t, "entries")
		s, err := scopes.NewSet(entries...)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := scopes.ParseSet([]byte(s.Canonical()))
		if err != nil || !parsed.Equal(s) {
			t.Fatalf("%s was read as %s, %v", s.Canonical(), parsed.Canonical(), err)
		}
		shuffled, err := scopes.NewSet(rapid.Permutation(entries).Draw(t, "shuffled")...)
		if err != nil || shuffled.Canonical() != s.Canonical() {
			t.Fatalf("the order matters: %s, %s", s.Canonical(), shuffled.Canonical())
		}
		list := s.Entries()
		for i, e := range list {
			for j, f := range list {
				if i != j && e.Service == f.Service && e.Permission == f.Permission && e.Resource.Covers(f.Resource) {
					t.Fatalf("%s covers %s in %s", e.Resource, f.Resource, s.Canonical())
				}
			}
		}
		whole, err := json.Marshal(map[string]scopes.Set{"x": s})
		if err != nil || string(whole) != `{"x":`+s.Canonical()+`}` {
			t.Fatalf("inside a claim set: %s, %v", whole, err)
		}
		var parts scopes.Set
		for _, id := range s.Services() {
			if parts, err = parts.Union(s.Service(id)); err != nil {
				t.Fatal(err)
			}
		}
		if !parts.Equal(s) {
			t.Fatalf("the services together are %s", show(parts))
		}
	})
}

func TestAskLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		something := genSet().Filter(func(s scopes.Set) bool { return !s.Empty() })
		asked, have := something.Draw(t, "asked"), genSet().Draw(t, "held")
		ask, err := scopes.ParseAsk([]byte(asked.Canonical()))
		if err != nil {
			t.Fatal(err)
		}
		granted, excess, err := ask.Resolve(have)
		switch {
		case err != nil:
			t.Fatal(err)
		case (len(excess) == 0) != have.Contains(asked):
			t.Fatalf("excess %v of %s, held %s", excess, show(asked), show(have))
		case len(excess) == 0 && !granted.Equal(asked):
			t.Fatalf("asked %s, granted %s", show(asked), show(granted))
		case len(excess) > 0 && !granted.Empty():
			t.Fatalf("granted %s in spite of %v", show(granted), excess)
		}
	})
}

func TestPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genSet().Draw(t, "a"), genSet().Draw(t, "b")
		var want []scopes.Entry
		for _, e := range a.Entries() {
			for _, f := range b.Entries() {
				if e.Service == f.Service && e.Permission == f.Permission {
					want = append(want, e)
					break
				}
			}
		}
		w, err := scopes.NewSet(want...)
		if got := a.Pairs(b); err != nil || !got.Equal(w) || !a.Contains(got) {
			t.Fatalf("%s pairs %s = %s, %v", show(a), show(b), show(got), err)
		}
	})
}

// TestMeetLimit checks that a meet which outgrows the limits is refused whole.
func TestMeetLimit(t *testing.T) {
	var left, right []scopes.Entry
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		p, _ := scopes.ParsePattern("*/" + c + "/**")
		q, _ := scopes.ParsePattern(c + "/*/**")
		left = append(left, scopes.Entry{Service: "s", Permission: "p", Resource: p})
		right = append(right, scopes.Entry{Service: "s", Permission: "p", Resource: q})
	}
	a, err := scopes.NewSet(left...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := scopes.NewSet(right...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Meet(b)
	var limit *scopes.LimitError
	if !errors.As(err, &limit) || !errors.Is(err, scopes.ErrTooLarge) || !got.Empty() {
		t.Fatalf("got %s, %v", show(got), err)
	}
	if limit.Limit != "entries" || limit.Max != 256 {
		t.Errorf("got %v", limit)
	}
}

func TestPermissions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genSet().Draw(t, "set")
		service := rapid.SampledFrom([]string{"s", "t", "u"}).Draw(t, "service")
		permissions := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", "r"}), 0, 3, rapid.ID).Draw(t, "permissions")
		var want []scopes.Entry
		for _, e := range s.Entries() {
			if e.Service == service && slices.Contains(permissions, e.Permission) {
				want = append(want, e)
			}
		}
		w, err := scopes.NewSet(want...)
		if got := s.Permissions(service, permissions); err != nil || !got.Equal(w) || !s.Contains(got) {
			t.Fatalf("%s of %v of %s = %s, %v", service, permissions, show(s), show(got), err)
		}
	})
}
