package mint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// drawOpen draws a client whose tokens are meant for the issuer too.
func drawOpen(t *rapid.T, id string) *mint.Client {
	c := drawClient(t, id)
	c.IDAlg, c.MaxGroups = mint.ES256, rapid.IntRange(0, 5).Draw(t, "groups")
	return c
}

// pairs are the permissions of a set, without the resources.
func pairs(s scopes.Set) (out []string) {
	for _, e := range s.Entries() {
		out = append(out, e.Service+"/"+e.Permission)
	}
	return out
}

// ceilingOf is the most that a token through the client can hold.
func ceilingOf(c *mint.Client) scopes.Set {
	if c.Ceilings {
		return c.Permit
	}
	return c.Own
}

// checkWithin holds an issued token against everything that bounds it.
func checkWithin(t *rapid.T, issued mint.Issued, bounds ...scopes.Set) {
	for _, bound := range bounds {
		if !bound.Contains(issued.Rights) {
			t.Fatalf("got %s, which is not within %s", issued.Rights.Canonical(), bound.Canonical())
		}
	}
	checkView(t, texts(payload(t, issued.Raw)["perms"]), issued.Rights, false)
	if strings.Contains(" "+issued.Scope+" ", " openid ") {
		t.Fatalf("openid survived: %q", issued.Scope)
	}
}

// A switch changes where, never what, whatever the user holds there and
// whoever asks; and what is derived from it stays inside.
func TestSwitchNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		here, there := person(), person()
		here.Rights, there.Rights, there.Org = drawSet(t, "here"), drawSet(t, "there"), "beta"
		raw := must(w.Sign(drawNarrow(t, must(w.First(here, drawOpen(t, "web")))))).Raw
		before := payload(t, raw)
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "wait")) * time.Second)
		subject, err := w.admit(raw)
		if err != nil {
			return
		}
		from, c := mint.Facts(subject), drawOpen(t, "portal")
		draft, err := w.Switch(subject.(mint.UserToken), there, c)
		if before["narrowed"] == true || !slices.Contains(from.Audiences(), issuer) {
			if err == nil {
				t.Fatal("a token that was narrowed, or is not for the issuer, was switched")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		issued, err := w.Sign(drawNarrow(t, draft))
		if reason(t, err) == mint.TokenExpired {
			return
		}
		checkWithin(t, issued, there.Rights, ceilingOf(c))
		for _, pair := range pairs(issued.Rights) {
			if !slices.Contains(pairs(from.Rights()), pair) {
				t.Fatalf("the switch gave %s, the subject holds %s", pair, from.Rights().Canonical())
			}
		}
		claims := payload(t, issued.Raw)
		if claims["exp"].(float64) > before["exp"].(float64) || claims["root_jti"] != before["jti"] || claims["sid"] != before["sid"] {
			t.Fatalf("the switched token says %v, its subject %v", claims, before)
		}
		next, err := w.admit(issued.Raw)
		if err != nil || mint.Facts(next).First() {
			t.Fatalf("got %v, want a token that is no first one", err)
		}
		to, _ := w.Target("https://shop.example.com")
		if derived, err := w.Sign(must(w.Derive(next, drawOpen(t, "batch"), to))); err == nil {
			checkWithin(t, derived, issued.Rights)
		}
	})
}

// An operator gets no more than the customer holds, the block allows and the
// client may have, for 10 minutes, and nothing goes anywhere but upstream.
func TestImpersonationNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		customer, ceiling := person(), drawSet(t, "ceiling")
		customer.Rights = drawSet(t, "held")
		op := operator()
		op.Rights = drawSet(t, "operator's")
		raw := must(w.Sign(must(w.First(op, drawOpen(t, "desk"))))).Raw
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "wait")) * time.Second)
		actor, err := w.admit(raw)
		if err != nil {
			return
		}
		c := drawOpen(t, "support")
		issued, err := w.Sign(drawNarrow(t, must(w.Impersonate(actor.(mint.UserToken), customer, c, ceiling))))
		if reason(t, err) == mint.TokenExpired {
			return
		}
		checkWithin(t, issued, customer.Rights, ceiling, ceilingOf(c))
		claims, before := payload(t, issued.Raw), payload(t, raw)
		if issued.ExpiresIn > 600 || claims["exp"].(float64) > before["exp"].(float64) || claims["root_jti"] != before["jti"] || claims["sub"] != customer.Subject {
			t.Fatalf("the impersonated token says %v, its actor %v", claims, before)
		}
		subject := must(w.admit(issued.Raw))
		up, _ := w.Upstream("shop")
		guard := &mint.Client{ID: "guard:shop", GuardOf: "shop", Declared: []string{"orders.read"}, AccessValidity: time.Hour, AccessAlg: mint.ES256}
		draft := must(w.Delegate(subject, guard, up))
		if !issued.Rights.Contains(draft.Rights()) {
			t.Fatalf("upstream got %s of %s", draft.Rights().Canonical(), issued.Rights.Canonical())
		}
		side, _ := w.Target("https://shop.example.com")
		if _, err := w.Delegate(subject, c, side); err == nil {
			t.Fatal("an impersonated token was exchanged beside a guard")
		}
	})
}

// A refreshed token stays inside what was granted, however often, and whatever
// came since.
func TestRenewNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, u := newWorld(), person()
		g := mint.Granted{ID: "G", Session: "S", Scope: "openid orders", Set: drawSet(t, "granted"), Narrowed: rapid.Bool().Draw(t, "narrowed")}
		for range 3 {
			u.Rights = drawSet(t, "held")
			c := drawOpen(t, "web")
			issued := must(w.Sign(drawNarrow(t, must(w.Renew(u, c, g)))))
			for _, bound := range []scopes.Set{u.Rights, g.Set, ceilingOf(c)} {
				if !bound.Contains(issued.Rights) {
					t.Fatalf("got %s, which is not within %s", issued.Rights.Canonical(), bound.Canonical())
				}
			}
			for _, word := range strings.Fields(issued.Scope) {
				if !slices.Contains(strings.Fields(g.Scope), word) {
					t.Fatalf("the scope grew by %s", word)
				}
			}
			if g.Narrowed && !issued.Narrowed {
				t.Fatal("what was narrowed is whole again")
			}
		}
	})
}

// What a chain of id tokens ends with was told in its first one, and it ends
// after four hops.
func TestIDChainNeverTellsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		first := must(w.First(person(), portal())).Shorten(time.Duration(rapid.IntRange(600, 1800).Draw(t, "life")) * time.Second)
		raw := must(w.SignID(must(first.Identity(mint.IDOptions{Nonce: "N", MaxGroups: rapid.IntRange(0, 5).Draw(t, "asked")})), "")).Raw
		root := payload(t, raw)
		for hop := 0; ; hop++ {
			before := payload(t, raw)
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "wait")) * time.Second)
			to, _ := w.Target(rapid.SampledFrom([]string{"https://shop.example.com", "batch", "https://elsewhere.example"}).Draw(t, "target"))
			c := drawOpen(t, "hop"+string(rune('a'+hop)))
			c.AccessValidity += 600 * time.Second
			draft, err := w.DeriveID(must(w.admitID(raw)), c, to)
			if hop == mint.MaxHops {
				if reason(t, err) != mint.ChainTooLong {
					t.Fatalf("hop %d: got %v, want chain_too_long", hop, err)
				}
				return
			}
			issued, err := w.SignID(draft.CapGroups(rapid.IntRange(-1, 4).Draw(t, "cap")), "")
			if err != nil {
				t.Fatal(err)
			}
			claims := payload(t, issued.Raw)
			raw = issued.Raw
			for _, list := range []string{"group_ids", "group_names"} {
				was, is := texts(before[list]), texts(claims[list])
				if len(is) > len(was) || !slices.Equal(is, was[:len(is)]) {
					t.Fatalf("hop %d: %s grew from %q to %q", hop, list, was, is)
				}
				if (len(is) < len(was) || before["groups_truncated"] == true) && claims["groups_truncated"] != true {
					t.Fatalf("hop %d: a cut of %s is not marked", hop, list)
				}
			}
			for _, told := range []string{"nonce", "at_hash", "name", "email", "email_verified", "given_name", "family_name", "preferred_username"} {
				if claims[told] != nil {
					t.Fatalf("hop %d: tells %s", hop, told)
				}
			}
			if claims["exp"].(float64) > before["exp"].(float64) || claims["root_jti"] != root["jti"] || claims["root_iat"] != root["iat"] || len(texts(claims["via"])) != hop+1 {
				t.Fatalf("hop %d: got %v after %v", hop, claims, before)
			}
		}
	})
}
