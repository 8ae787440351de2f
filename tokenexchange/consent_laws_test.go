package tokenexchange

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
)

// consentPatterns overlap in every way: equal, inside, crossing and apart.
var consentPatterns = []string{"**", "a/**", "a/*", "*/b", "a/b", "a/b/**", "*/*", "a*/b", "c", "*", "c/**"}

// consentResources are all that is different to these patterns.
var consentResources = []string{"a", "b", "c", "a/a", "a/b", "b/b", "ab/b", "c/c", "a/b/c", "b/b/b", "c/b/c"}

var consentWords = []string{"openid", "profile", "email", "offline_access"}

func genConsentSet() *rapid.Generator[scopes.Set] {
	return rapid.Custom(func(t *rapid.T) scopes.Set {
		var entries []scopes.Entry
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			entries = append(entries, scopes.Entry{
				Service:    rapid.SampledFrom([]string{"s", "t"}).Draw(t, "service"),
				Permission: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "permission"),
				Resource:   must(scopes.ParsePattern(rapid.SampledFrom(consentPatterns).Draw(t, "pattern"))),
			})
		}
		return must(scopes.NewSet(entries...))
	})
}

func genWords() *rapid.Generator[[]string] {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(consentWords), 0, len(consentWords), rapid.ID[string])
}

// genRoles are roles that somebody has, mostly the same.
func genRoles() *rapid.Generator[[]string] {
	return rapid.SampledFrom([][]string{nil, {"csp:member"}, {"csp:member"}, {"csp:member", "csp:owner"}})
}

func genOffer() *rapid.Generator[offer] {
	return rapid.Custom(func(t *rapid.T) offer {
		return must(newOffer(&client{required: genConsentSet().Draw(t, "required")}, genWords().Draw(t, "scope"), genConsentSet().Draw(t, "set"), genRoles().Draw(t, "roles")))
	})
}

// decide ticks some boxes of a page, as a person does. It reports false for who
// ticks nothing.
func decide(t *rapid.T, o offer) (c choice, granted bool) {
	var ticks, words []string
	for _, i := range o.items() {
		if !i.required && rapid.Bool().Draw(t, i.value()) {
			ticks = append(ticks, i.value())
		}
	}
	for _, w := range o.scope {
		if w != "openid" && rapid.Bool().Draw(t, w) {
			words = append(words, w)
		}
	}
	c, err := o.choose(rapid.Permutation(ticks).Draw(t, "ticks"), rapid.Permutation(words).Draw(t, "words"))
	if err != nil && !errors.Is(err, errNothingGranted) {
		t.Fatalf("ticked %q, %q of %v: %v", ticks, words, o, err)
	}
	return c, err == nil
}

// reaches names all that a set allows, resource by resource.
func reaches(set scopes.Set) map[string]bool {
	all := map[string]bool{}
	for _, e := range set.Entries() {
		for _, r := range consentResources {
			if e.Resource.Covers(must(scopes.ParsePattern(r))) {
				all[e.Service+"/"+e.Permission+" "+r] = true
			}
		}
	}
	return all
}

func TestChoiceLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genOffer().Draw(t, "offer")
		if !o.set.Contains(o.required) {
			t.Fatalf("%s is required of %s", o.required.Canonical(), o.set.Canonical())
		}
		var ticks, words []string
		for _, i := range o.items() {
			if !i.required {
				ticks = append(ticks, i.value())
			}
		}
		for _, w := range o.scope {
			if w != "openid" {
				words = append(words, w)
			}
		}
		if all, err := o.choose(ticks, words); err == nil && (o.narrowed(all) || !slices.Equal(all.scope, o.scope)) ||
			err != nil {
			t.Fatalf("all ticked of %v: got %v, %v", o, all, err)
		}
		c, granted := decide(t, o)
		switch {
		case !granted && (o.set.Empty() || !o.required.Empty() || slices.Contains(o.scope, "openid")):
			t.Fatalf("%v cannot be refused whole", o)
		case !granted:
			return
		case !o.set.Contains(c.set) || !subset(c.scope, o.scope):
			t.Fatalf("granted %v of %v", c, o)
		case !c.set.Contains(o.required) || slices.Contains(o.scope, "openid") != slices.Contains(c.scope, "openid"):
			t.Fatalf("granted %v without what %v requires", c, o)
		case o.narrowed(c) != (!c.set.Equal(o.set) || len(c.scope) != len(o.scope)):
			t.Fatalf("narrowed %t: %v of %v", o.narrowed(c), c, o)
		}
	})
}

// What is unticked is refused, unless something else that was granted covers it.
func TestUntickedIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genOffer().Draw(t, "offer")
		want, ticks := map[string]bool{}, []string(nil)
		for _, i := range o.items() {
			ticked := i.required || rapid.Bool().Draw(t, i.value())
			if ticked && !i.required {
				ticks = append(ticks, i.value())
			}
			for _, r := range consentResources {
				if ticked && i.Resource.Covers(must(scopes.ParsePattern(r))) {
					want[i.Service+"/"+i.Permission+" "+r] = true
				}
			}
		}
		c, err := o.choose(ticks, nil)
		if err != nil {
			return
		}
		if got := reaches(c.set); !sameKeys(got, want) {
			t.Fatalf("ticked %q of %v: got %v, want %v", ticks, o, got, want)
		}
	})
}

func sameKeys(a, b map[string]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return len(a) == len(b)
}
