package tokenexchange

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
)

// TestRefusedBoxesStayUnticked: a person who is asked again, and only presses the
// button, has still refused what was refused before.
func TestRefusedBoxesStayUnticked(t *testing.T) {
	h := newHouse(t, logins)
	b := h.consenting("ada", "acme").allow(boxCRM, "email")
	b.granted()
	b.open(authorizeURL("prompt", "consent", "orgId", "acme")).sees("consent").allow()
	access, _ := h.redeem("web", b.granted()).tokens(t)
	if got, want := setOf(t, access), `{"servicesScopes":[`+ofShop+`]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if words := claimsOf(t, access)["scope"]; words != "openid profile offline_access group_names orders" {
		t.Errorf("got the scope %v, which has what was refused", words)
	}
}

func TestTicks(t *testing.T) {
	asked := offered(scopes.Set{}, "openid profile email", theSet("shop/read orders/**", "shop/write orders/eu/**", "crm/read **"))
	was := remember(asked, choice{scope: []string{"openid", "profile"}, set: theSet("shop/read orders/**")})
	for name, c := range map[string]struct {
		offer offer
		want  []string
	}{
		"the same":                 {asked, []string{"[ ] crm/read **", "[x] shop/read orders/**", "[ ] shop/write orders/eu/**", "[=] openid", "[x] profile", "[ ] email"}},
		"part of what was refused": {offered(scopes.Set{}, "openid", theSet("shop/write orders/eu/7")), []string{"[ ] shop/write orders/eu/7", "[=] openid"}},
		"more than was refused":    {offered(scopes.Set{}, "openid", theSet("shop/write orders/**")), []string{"[ ] shop/write orders/**", "[=] openid"}},
		"part of what was granted": {offered(scopes.Set{}, "openid", theSet("shop/read orders/7")), []string{"[x] shop/read orders/7", "[=] openid"}},
		"what is new":              {offered(scopes.Set{}, "openid orders", theSet("shop/write reports/**")), []string{"[x] shop/write reports/**", "[=] openid", "[x] orders"}},
		"refused, and needed now":  {offered(theSet("crm/read a"), "openid", theSet("crm/read **")), []string{"[ ] crm/read **", "[=] crm/read a", "[=] openid"}},
	} {
		if got := boxes(c.offer.view(was.ticks(c.offer))); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := (remembered{Asked: extent{Set: "{"}}).ticks(asked); !got.set.Equal(asked.set) {
		t.Errorf("a record that cannot be read: got %s, want everything: the person decides anew", got.set.Canonical())
	}
}

// TestTicksGrantNothingRefused is the law of it: what the ticked boxes grant has
// nothing in common with what was refused, but what is required.
func TestTicksGrantNothingRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, now := genOffer().Draw(t, "before"), genOffer().Draw(t, "now")
		c, granted := decide(t, before)
		if !granted {
			return
		}
		ticked := remember(before, c).ticks(now)
		if !now.set.Contains(ticked.set) || !subset(ticked.scope, now.scope) {
			t.Fatalf("%v is not within %v", ticked, now)
		}
		for _, e := range ticked.set.Entries() {
			one, _ := scopes.NewSet(e)
			if c.set.Contains(one) {
				continue
			}
			for _, r := range before.set.Entries() {
				if refused, _ := scopes.NewSet(r); !c.set.Contains(refused) && overlap(r, e) {
					t.Fatalf("%v is ticked, and %v was refused", e, r)
				}
			}
		}
	})
}
