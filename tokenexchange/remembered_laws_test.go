package tokenexchange

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
)

// restored is a pair as it comes back from the store.
func restored(t *rapid.T, r remembered) (back remembered) {
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// TestSilentAnswerLaws compares with what each set means, resource by resource.
func TestSilentAnswerLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := genOffer().Draw(t, "before")
		decided, granted := decide(t, before)
		if !granted {
			return
		}
		pair := restored(t, remember(before, decided))
		now := genOffer().Draw(t, "now")
		if rapid.Bool().Draw(t, "of the same") { // Else most offers are wider.
			now.set = must(now.set.Meet(before.set))
			now.required = must(now.required.Meet(before.set))
			now.roles = slices.DeleteFunc(slices.Clone(now.roles), func(r string) bool { return !slices.Contains(before.roles, r) })
			now.scope = slices.DeleteFunc(slices.Clone(now.scope), func(w string) bool { return !slices.Contains(before.scope, w) })
		}
		c, silent := pair.answers(now)
		if !silent {
			if !c.set.Empty() || c.scope != nil {
				t.Fatalf("not silent, but %v", c)
			}
			return
		}
		got, had, offered, asked := reaches(c.set), reaches(decided.set), reaches(now.set), reaches(before.set)
		for right := range offered {
			if !asked[right] {
				t.Fatalf("%s was never asked", right)
			}
			if got[right] != had[right] {
				t.Fatalf("%s: got %t, was granted %t", right, got[right], had[right])
			}
		}
		for right := range got {
			if !offered[right] || !had[right] {
				t.Fatalf("%s: offered %t, granted %t", right, offered[right], had[right])
			}
		}
		switch {
		case !before.narrowed(decided) && !subset(now.roles, before.roles):
			t.Fatalf("tells %q, was asked for %q", now.roles, before.roles)
		case !subset(now.scope, before.scope) || !subset(c.scope, decided.scope) || !subset(c.scope, now.scope):
			t.Fatalf("scope %q of %q, granted %q of %q", c.scope, now.scope, decided.scope, before.scope)
		case !c.set.Contains(now.required):
			t.Fatalf("%s is required, got %s", now.required.Canonical(), c.set.Canonical())
		case now.deniedBy(c) || c.set.Empty() && !now.set.Empty() && !decided.set.Empty():
			t.Fatalf("an answer of nothing: %v", c)
		}
	})
}

// What was decided is the answer to the same question, until a part of it is
// asked that was refused whole.
func TestSameQuestionIsSilent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genOffer().Draw(t, "offer")
		decided, granted := decide(t, o)
		if !granted {
			return
		}
		c, silent := restored(t, remember(o, decided)).answers(o)
		if !silent || !c.set.Equal(decided.set) || !slices.Equal(c.scope, decided.scope) {
			t.Fatalf("%v of %v: got %v, silent %t", decided, o, c, silent)
		}
	})
}

// Who holds less, or may have less, never gets more by it.
func TestNarrowingNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requires := &client{required: genConsentSet().Draw(t, "required")}
		words, held := genWords().Draw(t, "scope"), genConsentSet().Draw(t, "held")
		wide := must(newOffer(requires, words, held, nil))
		narrow := must(newOffer(requires, words, must(held.Meet(genConsentSet().Draw(t, "left"))), nil))
		decided, granted := decide(t, wide)
		if !granted {
			return
		}
		pair := restored(t, remember(wide, decided))
		before, _ := pair.answers(wide)
		after, silent := pair.answers(narrow)
		if silent && (!before.set.Contains(after.set) || !narrow.set.Contains(after.set)) {
			t.Fatalf("with %s: %s, with %s: %s", wide.set.Canonical(), before.set.Canonical(), narrow.set.Canonical(), after.set.Canonical())
		}
		// Less of the rest is no reason to ask again.
		if want := must(decided.set.Meet(narrow.set)); !silent && !want.Empty() && want.Contains(narrow.required) {
			t.Fatalf("asked again for %v after %v of %v", narrow, decided, wide)
		}
	})
}

// TestOrderOfRequests sends requests in any order. No answer gives what the last
// decision did not, and what it refused stays refused until the next one.
func TestOrderOfRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := genConsentSet().Draw(t, "held")
		requires := &client{required: genConsentSet().Draw(t, "required")}
		var pair *remembered
		var asked offer
		var decided choice
		for range rapid.IntRange(1, 8).Draw(t, "requests") {
			if rapid.Bool().Draw(t, "rights change") {
				held = genConsentSet().Draw(t, "held")
			}
			o := must(newOffer(requires, genWords().Draw(t, "scope"), must(held.Meet(genConsentSet().Draw(t, "asked"))), nil))
			if pair != nil {
				if c, silent := pair.answers(o); silent {
					for right := range reaches(c.set) {
						if !reaches(decided.set)[right] || !reaches(held)[right] {
							t.Fatalf("%s was given: decided %s, held %s", right, decided.set.Canonical(), held.Canonical())
						}
					}
					if !asked.set.Contains(o.set) || !subset(c.scope, decided.scope) {
						t.Fatalf("%v was answered, asked was %v", o, asked)
					}
					continue
				}
			}
			if c, granted := decide(t, o); granted {
				r := restored(t, remember(o, c))
				pair, asked, decided = &r, o, c
			}
		}
	})
}

// What nobody can read is no consent.
func TestUnreadablePairIsNoAnswer(t *testing.T) {
	set := theSet("s/p a")
	o := offered(scopes.Set{}, "openid", set)
	good := remember(o, o.everything())
	if _, silent := good.answers(o); !silent {
		t.Fatal("the pair itself is no answer")
	}
	for name, change := range map[string]func(*remembered){
		"nothing":        func(r *remembered) { *r = remembered{} },
		"asked is cut":   func(r *remembered) { r.Asked.Set = r.Asked.Set[:10] },
		"granted is cut": func(r *remembered) { r.Granted.Set = r.Granted.Set[:10] },
		"granted is an ask": func(r *remembered) {
			r.Granted.Set = strings.Replace(r.Granted.Set, `"resources":["a"]`, `"resources":null`, 1)
		},
		"asked nothing":            func(r *remembered) { r.Asked = extent{} },
		"granted nothing":          func(r *remembered) { r.Granted = extent{} },
		"granted without identity": func(r *remembered) { r.Granted.Scope = "" },
		"asked without identity":   func(r *remembered) { r.Asked.Scope = "" },
	} {
		r := good
		change(&r)
		if c, silent := r.answers(o); silent || !c.set.Empty() || c.scope != nil {
			t.Errorf("%s: got %v, silent %t, want to be asked", name, c, silent)
		}
	}
}
