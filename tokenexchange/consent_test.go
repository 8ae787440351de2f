package tokenexchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// theSet makes a set of lines such as "shop/read orders/** reports/*".
func theSet(lines ...string) scopes.Set {
	var entries []scopes.Entry
	for _, line := range lines {
		f := strings.Fields(line)
		service, permission, _ := strings.Cut(f[0], "/")
		for _, pattern := range f[1:] {
			entries = append(entries, scopes.Entry{Service: service, Permission: permission, Resource: must(scopes.ParsePattern(pattern))})
		}
	}
	return must(scopes.NewSet(entries...))
}

// offered is what is offered to a client with these required lines.
func offered(required scopes.Set, scope string, set scopes.Set) offer {
	return must(newOffer(&client{required: required}, strings.Fields(scope), set, nil))
}

// boxes is the page as a person reads it: a box is ticked [x], not ticked [ ], or
// fixed [=].
func boxes(services []pages.Service, words []pages.Scope) (lines []string) {
	box := func(value string, required, chosen bool) string {
		switch {
		case required && chosen:
			return "[=] " + value
		case chosen:
			return "[x] " + value
		}
		return "[ ] " + value
	}
	seen := map[string]bool{}
	once := func(group string) {
		if seen[group] {
			lines = append(lines, group+" is there twice")
		}
		seen[group] = true
	}
	for _, s := range services {
		once(s.ID)
		for _, p := range s.Permissions {
			once(s.ID + "/" + p.ID)
			for _, r := range p.Resources {
				if want := s.ID + "/" + p.ID + " " + r.Pattern; r.Value != want {
					lines = append(lines, fmt.Sprintf("%s sends %s", want, r.Value))
				}
				lines = append(lines, box(r.Value, r.Required, r.Chosen))
			}
		}
	}
	for _, w := range words {
		lines = append(lines, box(w.Value, w.Required, w.Chosen))
	}
	return lines
}

func TestOfferOnThePage(t *testing.T) {
	for name, c := range map[string]struct {
		offer offer
		want  []string
	}{
		"nothing": {offer{}, nil},
		"all can be refused but the identity": {
			offered(scopes.Set{}, "openid profile", theSet("shop/read orders/** reports/7", "crm/read **")),
			[]string{"[x] crm/read **", "[x] shop/read orders/**", "[x] shop/read reports/7", "[=] openid", "[x] profile"},
		},
		"what is required is fixed": {
			offered(theSet("shop/read reports/7"), "", theSet("shop/read orders/** reports/7")),
			[]string{"[x] shop/read orders/**", "[=] shop/read reports/7"},
		},
		"a part of an offered right is required": {
			offered(theSet("shop/read orders/eu/**"), "", theSet("shop/read orders/**")),
			[]string{"[x] shop/read orders/**", "[=] shop/read orders/eu/**"},
		},
		"more is required than is offered": {
			offered(theSet("shop/read **", "crm/read **"), "", theSet("shop/read orders/eu/** orders/7")),
			[]string{"[=] shop/read orders/7", "[=] shop/read orders/eu/**"},
		},
		"an offered right is required in two parts": {
			offered(theSet("shop/read a/** b/**"), "", theSet("shop/read *")),
			[]string{"[x] shop/read *", "[=] shop/read a", "[=] shop/read b"},
		},
		"required and offered cross": {
			offered(theSet("shop/read */b"), "", theSet("shop/read a/*")),
			[]string{"[x] shop/read a/*", "[=] shop/read a/b"},
		},
		"another permission is required": {
			offered(theSet("shop/write **"), "", theSet("shop/read **")),
			[]string{"[x] shop/read **"},
		},
		"two permissions of one service": {
			offered(theSet("shop/write a"), "", theSet("shop/read a b", "shop/write a b")),
			[]string{"[x] shop/read a", "[x] shop/read b", "[=] shop/write a", "[x] shop/write b"},
		},
		"a word twice": {offered(scopes.Set{}, "openid profile openid", scopes.Set{}), []string{"[=] openid", "[x] profile"}},
	} {
		if diff := cmp.Diff(c.want, boxes(c.offer.view(c.offer.everything()))); diff != "" {
			t.Errorf("%s: got (+), want (-)\n%s", name, diff)
		}
	}
}

// What is shown again has the boxes of before.
func TestOfferIsShownAgain(t *testing.T) {
	o := offered(theSet("shop/read orders/eu/**"), "openid profile email", theSet("shop/read orders/**", "crm/read **"))
	got := boxes(o.view(choice{scope: []string{"email"}, set: theSet("crm/read **")}))
	want := []string{"[x] crm/read **", "[ ] shop/read orders/**", "[=] shop/read orders/eu/**", "[=] openid", "[ ] profile", "[x] email"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got (+), want (-)\n%s", diff)
	}
	services, words := choice{scope: []string{"openid"}, set: theSet("crm/read **")}.view()
	if diff := cmp.Diff([]string{"[x] crm/read **", "[=] openid"}, boxes(services, words)); diff != "" {
		t.Errorf("what a client has: got (+), want (-)\n%s", diff)
	}
}

func TestChoose(t *testing.T) {
	shop := offered(theSet("shop/read orders/eu/**"), "openid profile offline_access", theSet("shop/read orders/**", "shop/write orders/**", "crm/read **"))
	const read, write, crm = "shop/read orders/**", "shop/write orders/**", "crm/read **"
	free := offered(scopes.Set{}, "profile", theSet(crm))
	identity := offered(scopes.Set{}, "openid profile", theSet(crm))
	for name, c := range map[string]struct {
		offer        offer
		ticks, words []string
		want         scopes.Set
		scope        string
		narrowed     bool
		err          error
	}{
		"everything":                    {offer: shop, ticks: []string{read, write, crm}, words: []string{"profile", "offline_access"}, want: shop.set, scope: "openid profile offline_access"},
		"everything, in another order":  {offer: shop, ticks: []string{crm, write, read}, words: []string{"offline_access", "profile"}, want: shop.set, scope: "openid profile offline_access"},
		"one permission less":           {offer: shop, ticks: []string{read, crm}, words: []string{"profile", "offline_access"}, want: theSet(read, crm), scope: "openid profile offline_access", narrowed: true},
		"the part that is required":     {offer: shop, ticks: []string{write}, words: []string{"profile", "offline_access"}, want: theSet("shop/read orders/eu/**", write), scope: "openid profile offline_access", narrowed: true},
		"one word less":                 {offer: shop, ticks: []string{read, write, crm}, words: []string{"profile"}, want: shop.set, scope: "openid profile", narrowed: true},
		"nothing but what is required":  {offer: shop, want: theSet("shop/read orders/eu/**"), scope: "openid", narrowed: true},
		"nothing but the identity":      {offer: identity, want: scopes.Set{}, scope: "openid", narrowed: true},
		"no identity was asked for":     {offer: free, ticks: []string{crm}, want: theSet(crm), scope: "", narrowed: true},
		"nothing":                       {offer: free, err: errNothingGranted},
		"a word, and nothing else":      {offer: free, words: []string{"profile"}, err: errNothingGranted},
		"nothing, of nothing":           {}, // A name alone: no right was refused.
		"a word unticked, of no right":  {offer: offered(scopes.Set{}, "profile", scopes.Set{}), narrowed: true},
		"a right that was not offered":  {offer: shop, ticks: []string{"shop/write **"}, err: errNotOffered},
		"a part of an offered right":    {offer: shop, ticks: []string{"shop/write orders/7"}, err: errNotOffered},
		"a right of another service":    {offer: shop, ticks: []string{"crm/read orders/**"}, err: errNotOffered},
		"a right twice":                 {offer: shop, ticks: []string{write, read, write}, err: errNotOffered},
		"what is required, as if a box": {offer: shop, ticks: []string{"shop/read orders/eu/**"}, err: errNotOffered},
		"a tick without a value":        {offer: shop, ticks: []string{""}, err: errNotOffered},
		"a right with a blank":          {offer: shop, ticks: []string{write + " "}, err: errNotOffered},
		"a word that was not offered":   {offer: shop, words: []string{"email"}, err: errNotOffered},
		"a word twice":                  {offer: shop, words: []string{"profile", "profile"}, err: errNotOffered},
		"two words in one":              {offer: shop, words: []string{"profile offline_access"}, err: errNotOffered},
		"openid, as if a box":           {offer: shop, words: []string{"openid"}, err: errNotOffered},
		"openid, which was not asked":   {offer: free, ticks: []string{crm}, words: []string{"openid"}, err: errNotOffered},
		"a word without a value":        {offer: shop, words: []string{""}, err: errNotOffered},
	} {
		got, err := c.offer.choose(c.ticks, c.words)
		switch {
		case !errors.Is(err, c.err):
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		case err != nil:
			if !got.set.Empty() || got.scope != nil {
				t.Errorf("%s: got %v beside an error", name, got)
			}
		case !got.set.Equal(c.want) || strings.Join(got.scope, " ") != c.scope || c.offer.narrowed(got) != c.narrowed:
			t.Errorf("%s: got %s, %q, narrowed %t; want %s, %q, %t", name, got.set.Canonical(), got.scope, c.offer.narrowed(got), c.want.Canonical(), c.scope, c.narrowed)
		}
	}
}

// Each thing that a person sees, or that decides what boxes are fixed, is in the
// digest.
func TestOfferDigest(t *testing.T) {
	base := offered(theSet("shop/read a"), "openid profile", theSet("shop/read a b"))
	others := map[string]offer{
		"more is offered":   offered(theSet("shop/read a"), "openid profile", theSet("shop/read a b c")),
		"less is offered":   offered(theSet("shop/read a"), "openid profile", theSet("shop/read a")),
		"more is required":  offered(theSet("shop/read a b"), "openid profile", theSet("shop/read a b")),
		"less is required":  offered(scopes.Set{}, "openid profile", theSet("shop/read a b")),
		"another word":      offered(theSet("shop/read a"), "openid email", theSet("shop/read a b")),
		"a word less":       offered(theSet("shop/read a"), "openid", theSet("shop/read a b")),
		"nothing is asked":  {},
		"words and no more": offered(scopes.Set{}, "openid profile", scopes.Set{}),
	}
	seen := map[string]string{base.digest(): "the base"}
	for name, o := range others {
		if was, again := seen[o.digest()]; again {
			t.Errorf("%s has the digest of %s", name, was)
		}
		seen[o.digest()] = name
	}
	// What the client requires and nobody offers is not on the page.
	same := offered(theSet("shop/read a z", "crm/read **"), "openid profile", theSet("shop/read b a"))
	if same.digest() != base.digest() {
		t.Errorf("the same page has another digest")
	}
}

// An offer whose parts outgrow the limits is refused whole.
func TestOfferTooLarge(t *testing.T) {
	var left, right []string
	for c := 'a'; c <= 'z'; c++ {
		left, right = append(left, fmt.Sprintf("*/%c/**", c)), append(right, fmt.Sprintf("%c/*/**", c))
	}
	required, set := theSet("s/p "+strings.Join(left, " ")), theSet("s/p "+strings.Join(right, " "))
	o, err := newOffer(&client{required: required}, []string{"openid"}, set, nil)
	if !errors.Is(err, scopes.ErrTooLarge) || !slices.Equal(o.scope, nil) || !o.set.Empty() {
		t.Errorf("got %v, %v, want an error of the limits and no offer", o, err)
	}
}

// What is required in many parts of one right can be too much beside the others.
// Then nothing is granted, rather than less than was ticked.
func TestChoiceTooLarge(t *testing.T) {
	var parts, others, ticks []string
	for i := range 200 {
		parts = append(parts, fmt.Sprintf("a/%d", i))
	}
	for i := range 100 {
		others = append(others, fmt.Sprintf("b%d", i))
		ticks = append(ticks, "s/p "+others[i])
	}
	o := offered(theSet("s/p "+strings.Join(parts, " ")), "openid", theSet("s/p a/** "+strings.Join(others, " ")))
	if c, err := o.choose(ticks, nil); !errors.Is(err, scopes.ErrTooLarge) || !c.set.Empty() || c.scope != nil {
		t.Errorf("got %v, %v, want an error of the limits and no choice", c, err)
	}
	if c, err := o.choose(append(ticks, "s/p a/**"), nil); err != nil || !c.set.Equal(o.set) {
		t.Errorf("got %v, %v, want all that was offered", c, err)
	}
}
