package mint_test

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// A derived token names every token that it was made of. One that leaves one
// out, or names one too many, is not ours.
func TestParentsOfAToken(t *testing.T) {
	chain := func(claims map[string]string) string {
		c := map[string]string{"root_jti": `"R"`, "root_iat": "1777636800"}
		for name, value := range claims {
			c[name] = value
		}
		return regular(c)
	}
	for name, c := range map[string]struct {
		claims string
		want   mint.Reason
	}{
		"a first token":                 {regular(nil), ""},
		"of the first token":            {chain(map[string]string{"via": `["a"]`}), ""},
		"of the second":                 {chain(map[string]string{"via": `["a","b"]`, "parent_jtis": `["p"]`}), ""},
		"of the second, by both claims": {chain(map[string]string{"via": `["a"]`, "act": actors(1), "parent_jtis": `["p"]`}), ""},
		"of the fourth":                 {chain(map[string]string{"via": `["a","b","c","d"]`, "parent_jtis": `["p","q","r"]`}), ""},
		"one is missing":                {chain(map[string]string{"via": `["a","b"]`}), mint.TokenMalformed},
		"one of two is missing":         {chain(map[string]string{"via": `["a","b"]`, "act": actors(1), "parent_jtis": `["p"]`}), mint.TokenMalformed},
		"one too many":                  {chain(map[string]string{"via": `["a"]`, "parent_jtis": `["p"]`}), mint.TokenMalformed},
		"an empty one":                  {chain(map[string]string{"via": `["a","b"]`, "parent_jtis": `[""]`}), mint.TokenMalformed},
		"four":                          {chain(map[string]string{"via": `["a","b","c","d","e"]`, "parent_jtis": `["p","q","r","s"]`}), mint.TokenMalformed},
		"without a root":                {regular(map[string]string{"via": `["a","b"]`, "parent_jtis": `["p"]`}), mint.TokenMalformed},
	} {
		verifies(t, name, forged(c.claims), c.want)
	}
}

// What a revocation can name of a token are all that it was made of.
func TestParentsAreIdentifiers(t *testing.T) {
	w := newWorld()
	raw := must(w.Sign(must(w.First(ada(), web())))).Raw
	var ids []string
	for range mint.MaxHops {
		subject := must(w.admit(raw))
		ids = append(ids, mint.Facts(subject).ID())
		shop, _ := w.Target("https://shop.example.com")
		raw = must(w.Sign(must(w.Delegate(subject, web(), shop)))).Raw
		id := must(w.ring.Verify(raw)).Identifiers()
		parents := slices.DeleteFunc(id.Parents[:], func(p string) bool { return p == "" })
		if got := append([]string{id.RootID}, parents...); !slices.Equal(got, ids) {
			t.Errorf("after %d hops: got %q, want %q", len(ids), got, ids)
		}
	}
}
