package tokenexchange

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// pairOf is what is remembered of a page with two rights and two words of which a
// person refused one each.
func pairOf(t *testing.T) remembered {
	t.Helper()
	o := offered(scopes.Set{}, "openid profile email", theSet("shop/read orders/** reports/**", "shop/write orders/**"))
	return remember(o, must(o.choose([]string{"shop/read orders/**", "shop/write orders/**"}, []string{"profile"})))
}

func TestRememberedAnswers(t *testing.T) {
	pair := pairOf(t)
	identity := offered(scopes.Set{}, "openid profile", theSet("shop/read orders/**"))
	known := remember(identity, must(identity.choose(nil, nil)))
	bare := offered(scopes.Set{}, "profile email", theSet("shop/read orders/** reports/**"))
	words := remember(bare, must(bare.choose([]string{"shop/read orders/**"}, []string{"profile"})))
	const ask = "ask"
	for name, c := range map[string]struct {
		pair  remembered
		offer offer
		want  string // the scope and the rights, or ask
	}{
		"the same":                         {pair, offered(scopes.Set{}, "openid profile email", theSet("shop/read orders/** reports/**", "shop/write orders/**")), "openid profile: shop/read orders/**, shop/write orders/**"},
		"a part":                           {pair, offered(scopes.Set{}, "openid", theSet("shop/read orders/eu/**")), "openid: shop/read orders/eu/**"},
		"a part with what was refused":     {pair, offered(scopes.Set{}, "openid", theSet("shop/read orders/eu/** reports/7")), "openid: shop/read orders/eu/**"},
		"only what was refused":            {pair, offered(scopes.Set{}, "openid", theSet("shop/read reports/7")), ask},
		"a right that was not asked":       {pair, offered(scopes.Set{}, "openid", theSet("shop/read orders/**", "shop/write reports/7")), ask},
		"a wider right":                    {pair, offered(scopes.Set{}, "openid", theSet("shop/write **")), ask},
		"another service":                  {pair, offered(scopes.Set{}, "openid", theSet("crm/read orders/**")), ask},
		"a word that was not asked":        {pair, offered(scopes.Set{}, "openid offline_access", theSet("shop/read orders/**")), ask},
		"a word that was refused":          {pair, offered(scopes.Set{}, "openid email", theSet("shop/read orders/**")), "openid: shop/read orders/**"},
		"the user holds nothing now":       {pair, offered(scopes.Set{}, "openid profile", scopes.Set{}), "openid profile: "},
		"required, and granted":            {pair, offered(theSet("shop/read orders/7"), "openid", theSet("shop/read orders/**")), "openid: shop/read orders/**"},
		"required, and refused":            {pair, offered(theSet("shop/read reports/7"), "openid", theSet("shop/read orders/** reports/**")), ask},
		"required, and refused in part":    {pair, offered(theSet("shop/read reports/7"), "openid", theSet("shop/read reports/7 orders/**")), ask},
		"nothing is offered":               {pair, offer{}, ": "},
		"the identity alone was granted":   {known, identity, "openid: "},
		"and a part of the rest is asked":  {known, offered(scopes.Set{}, "openid", theSet("shop/read orders/7")), "openid: "},
		"the same part, with no identity":  {known, offered(scopes.Set{}, "profile", theSet("shop/read orders/7")), ask},
		"the identity is asked anew":       {words, offered(scopes.Set{}, "openid profile", theSet("shop/read orders/**")), ask},
		"rights without the identity":      {words, offered(scopes.Set{}, "profile email", theSet("shop/read orders/7")), "profile: shop/read orders/7"},
		"words without rights or identity": {words, offered(scopes.Set{}, "profile", scopes.Set{}), "profile: "},
		"nothing was ever asked":           {remembered{}, identity, ask},
	} {
		got := ask
		if answer, silent := c.pair.answers(c.offer); silent {
			var rights []string
			for _, e := range answer.set.Entries() {
				rights = append(rights, item{Entry: e}.value())
			}
			got = strings.Join(answer.scope, " ") + ": " + strings.Join(rights, ", ")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
