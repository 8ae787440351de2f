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

var patterns = []string{"**", "orders", "orders/1", "orders/1/lines", "orders/*", "orders/**", "orders/eu*", "*", "o*", "orders/*/lines", "reports/**", "a*/b*/**"}

func drawSet(t *rapid.T, label string) scopes.Set {
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"shop/orders.read", "shop/orders.write", "crm/contacts.read"}).Draw(t, "permission") +
			" " + rapid.SampledFrom(patterns).Draw(t, "pattern")
	}), 0, 8).Draw(t, label)
	return set(lines...)
}

func drawClient(t *rapid.T, id string) *mint.Client {
	return &mint.Client{
		ID: id, Permit: drawSet(t, "permit"), Own: drawSet(t, "own"), Ceilings: rapid.Bool().Draw(t, "ceilings"),
		Scopes:         []string{"openid", "profile", "email", "offline_access", "orders", "reports"},
		AccessValidity: time.Duration(rapid.IntRange(1, 7200).Draw(t, "validity")) * time.Second,
		AccessAlg:      mint.ES256,
	}
}

// drawAsk asks for some of what is held, so that it is often granted.
func drawAsk(t *rapid.T, held scopes.Set) *scopes.Ask {
	entries := held.Entries()
	if len(entries) == 0 || !rapid.Bool().Draw(t, "asks") {
		return nil
	}
	e := rapid.SampledFrom(entries).Draw(t, "asked")
	if rapid.Bool().Draw(t, "all") {
		return askFor(e.Service, e.Permission)
	}
	return ask(`{"servicesScopes":[{"serviceDefinitionId":"` + e.Service + `","permissions":[{"permissionId":"` +
		e.Permission + `","resources":["` + e.Resource.String() + `"]}]}]}`)
}

// narrow applies what a request can ask for, and returns the draft unchanged
// where that is refused.
func drawNarrow(t *rapid.T, d mint.Draft) mint.Draft {
	if n, err := d.Narrow(drawAsk(t, d.Rights())); err == nil {
		d = n
	}
	words := strings.Fields(d.Scope())
	if len(words) > 0 && rapid.Bool().Draw(t, "limits") {
		d = must(d.Limit([]string{rapid.SampledFrom(words).Draw(t, "word")}))
	}
	return d.Shorten(time.Duration(rapid.IntRange(-1, 9000).Draw(t, "shorten")) * time.Second)
}

// What a chain of derivations ends with was in every link of it, whatever was
// asked on the way: rights, lifetime, scope, hops and the view perms.
func TestChainNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		user := ada()
		user.Rights = drawSet(t, "held")
		raw := signOr(t, w, drawNarrow(t, must(w.First(user, drawClient(t, "web")))))
		ceilings, expiries := []scopes.Set{user.Rights}, []time.Time{start.Add(3 * time.Hour)}
		narrowed, wordsBefore, root := false, []string(nil), ""
		var parents []string    // the tokens between the first one and this one
		var via, acted []string // who exchanged, in order; who delegated, the latest first
		for hop := 0; raw != ""; hop++ {
			claims := payload(t, raw)
			subject, err := w.admit(raw)
			if err != nil {
				t.Fatalf("hop %d: our own token is refused: %v", hop, err)
			}
			facts := mint.Facts(subject)
			for i, c := range ceilings {
				if !c.Contains(facts.Rights()) {
					t.Fatalf("hop %d holds %s, which link %d, %s, did not", hop, facts.Rights().Canonical(), i, c.Canonical())
				}
				if facts.Expiry().After(expiries[i]) {
					t.Fatalf("hop %d ends at %s, after link %d at %s", hop, facts.Expiry(), i, expiries[i])
				}
			}
			ceilings, expiries = append(ceilings, facts.Rights()), append(expiries, facts.Expiry())
			checkView(t, texts(claims["perms"]), facts.Rights(), hop == 0 && claims["narrowed"] != true)
			words := strings.Fields(strings.Join(texts(claims["scope"]), " "))
			if hop > 0 {
				checkDerived(t, claims, hop, words, wordsBefore)
				if got := texts(claims["via"]); !slices.Equal(got, via) {
					t.Fatalf("hop %d: got via %q, want %q", hop, got, via)
				}
				if got := chainOf(claims["act"]); !slices.Equal(got, acted) {
					t.Fatalf("hop %d: got act %q, want %q", hop, got, acted)
				}
				if claims["root_iat"] != float64(start.Unix()) {
					t.Fatalf("hop %d: root_iat %v, want that of the first token", hop, claims["root_iat"])
				}
				if got := texts(claims["parent_jtis"]); !slices.Equal(got, parents) {
					t.Fatalf("hop %d: got parent_jtis %q, want %q", hop, got, parents)
				}
				parents = append(parents, facts.ID())
				if claims["root_jti"] != root || narrowed && claims["narrowed"] != true {
					t.Fatalf("hop %d: root_jti %v (want %s), narrowed %v (was %v)", hop, claims["root_jti"], root, claims["narrowed"], narrowed)
				}
			} else {
				root = facts.ID()
			}
			narrowed, wordsBefore = claims["narrowed"] == true, words

			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "wait")) * time.Second)
			if subject, err = w.admit(raw); err != nil {
				return // expired on the way
			}
			caller := drawClient(t, "hop"+string(rune('a'+hop)))
			target, _ := w.Target(rapid.SampledFrom([]string{"https://shop.example.com", "https://crm.example.com", "https://elsewhere.example"}).Draw(t, "target"))
			step := w.Derive
			if rapid.Bool().Draw(t, "delegates") {
				step, acted = w.Delegate, append([]string{caller.ID}, acted...)
			} else {
				via = append(via, caller.ID)
			}
			draft, err := step(subject, caller, target)
			if hop == mint.MaxHops {
				if reason(t, err) != mint.ChainTooLong {
					t.Fatalf("hop %d: got %v, want chain_too_long", hop, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("hop %d: %v", hop, err)
			}
			raw = signOr(t, w, drawNarrow(t, draft))
		}
	})
}

// signOr returns "" where the subject has no time left.
func signOr(t *rapid.T, w *world, d mint.Draft) string {
	issued, err := w.Sign(d)
	if err != nil && mint.ReasonOf(err) != mint.TokenExpired {
		t.Fatal(err)
	}
	return issued.Raw
}

func checkDerived(t *rapid.T, claims map[string]any, hop int, words, before []string) {
	if aud := texts(claims["aud"]); len(aud) != 1 {
		t.Fatalf("hop %d: got aud %q, want exactly one", hop, aud)
	}
	if claims["client_id"] != "hop"+string(rune('a'+hop-1)) || claims["azp"] != claims["client_id"] {
		t.Fatalf("hop %d: got client_id %v, azp %v, want the caller", hop, claims["client_id"], claims["azp"])
	}
	for _, word := range words {
		if slices.Contains([]string{"openid", "profile", "email", "offline_access"}, word) {
			t.Fatalf("hop %d: %s survived the derivation", hop, word)
		}
		if !slices.Contains(before, word) {
			t.Fatalf("hop %d: the scope grew by %s", hop, word)
		}
	}
}

// checkView holds perms against the set: it may say less, never more.
func checkView(t *rapid.T, perms []string, held scopes.Set, roles bool) {
	for _, perm := range perms {
		if strings.HasPrefix(perm, "csp:") {
			if !roles {
				t.Fatalf("the role %s is in a narrowed or derived token", perm)
			}
			continue
		}
		parts := strings.Split(perm, "/")
		pattern := "**"
		if len(parts) == 4 {
			pattern = parts[2]
		}
		if len(parts) < 3 || strings.Contains(perm, "*") || !held.Contains(set(parts[1]+"/"+parts[len(parts)-1]+" "+pattern)) {
			t.Fatalf("perms says %s, the set is %s", perm, held.Canonical())
		}
	}
}

func TestDeriveMeetsCallerAndTarget(t *testing.T) {
	w := newWorld()
	subject := must(w.admit(must(w.Sign(must(w.First(ada(), web())))).Raw))
	caller := web()
	caller.ID, caller.AccessValidity = "batch", time.Hour
	caller.Permit = set("shop/orders.read orders/eu/**", "crm/contacts.read **")
	for audience, want := range map[string]string{
		"https://shop.example.com": set("shop/orders.read orders/eu/**").Canonical(),
		"https://crm.example.com":  set("crm/contacts.read **").Canonical(),
		"https://elsewhere":        "",
	} {
		target, ok := w.Target(audience)
		if !ok || target.Audience() != audience {
			t.Fatalf("no target %s", audience)
		}
		issued := must(w.Sign(must(w.Derive(subject, caller, target))))
		claims := payload(t, issued.Raw)
		if issued.Rights.Canonical() != want || claims["aud"] != audience {
			t.Errorf("%s: got %s for %v, want %s", audience, issued.Rights.Canonical(), claims["aud"], want)
		}
		if claims["sub"] != "example.com:ada" || claims["azp"] != "batch" || claims["scope"] != "orders reports" {
			t.Errorf("%s: got sub, azp, scope %v, %v, %v", audience, claims["sub"], claims["azp"], claims["scope"])
		}
		if issued.ExpiresIn != 1800 {
			t.Errorf("%s: lives %d s, longer than its subject", audience, issued.ExpiresIn)
		}
	}
}

func TestTargets(t *testing.T) {
	w := newWorld()
	for _, audience := range []string{"", issuer, "urn:up:shop", "urn:up:crm"} {
		if target, ok := w.Target(audience); ok || target != (mint.Target{}) {
			t.Errorf("%q is a target of the token endpoint", audience)
		}
	}
	if _, ok := w.Upstream("nowhere"); ok {
		t.Error("an unknown service has an upstream")
	}
	subject := must(w.admit(must(w.Sign(must(w.First(ada(), web())))).Raw))
	up, _ := w.Upstream("shop")
	side, _ := w.Target("https://shop.example.com")
	if _, err := w.Sign(must(w.Derive(subject, web(), up))); reason(t, err) != mint.TargetNotUpstream {
		t.Errorf("Sign of an upstream draft: got %v, want target_not_upstream", err)
	}
	if _, err := w.SignUpstream(must(w.Derive(subject, web(), side))); reason(t, err) != mint.TargetNotUpstream {
		t.Errorf("SignUpstream of a side draft: got %v, want target_not_upstream", err)
	}
	if _, err := w.SignUpstream(must(w.First(ada(), web()))); reason(t, err) != mint.TargetNotUpstream {
		t.Errorf("SignUpstream of a first draft: got %v, want target_not_upstream", err)
	}
}
