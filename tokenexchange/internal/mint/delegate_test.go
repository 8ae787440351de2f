package mint_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// chainOf returns the sub of each link of act, outermost first.
func chainOf(act any) (subs []string) {
	for link, _ := act.(map[string]any); link != nil; link, _ = link["act"].(map[string]any) {
		subs = append(subs, link["sub"].(string))
	}
	return subs
}

func caller(id string) *mint.Client {
	c := web()
	c.ID = id
	return c
}

func target(t tb, w *world, audience string) mint.Target {
	t.Helper()
	to, ok := w.Target(audience)
	if !ok {
		t.Fatalf("no target %s", audience)
	}
	return to
}

// adas is a first token of a user, as a subject.
func adas(w *world) mint.Subject {
	return must(w.admit(must(w.Sign(must(w.First(ada(), web())))).Raw))
}

func TestDelegateSays(t *testing.T) {
	w := newWorld()
	shop := target(t, w, "https://shop.example.com")
	batch := caller("batch")
	batch.Permit = set("shop/orders.read orders/eu/**", "crm/contacts.read **")
	raw := must(w.Sign(must(w.First(ada(), web())))).Raw
	subject, first := must(w.admit(raw)), payload(t, raw)
	issued := must(w.Sign(must(w.Delegate(subject, batch, shop))))
	claims := payload(t, issued.Raw)
	for name, want := range map[string]any{
		"sub": "example.com:ada", "azp": "batch", "client_id": "batch", "cid": "batch", "aud": "https://shop.example.com",
		"scope": "orders reports", "via": nil, "narrowed": true, "root_jti": first["jti"], "root_iat": first["iat"],
		"exp": first["exp"], "sid": first["sid"], "grant_id": first["grant_id"],
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if got, want := string(must(json.Marshal(claims["act"]))), `{"sub":"batch"}`; got != want {
		t.Errorf("act: got %s, want %s", got, want)
	}
	if got, want := issued.Rights.Canonical(), set("shop/orders.read orders/eu/**").Canonical(); got != want {
		t.Errorf("set: got %s, want %s", got, want)
	}
	delegated := must(w.admit(issued.Raw))
	if _, ok := delegated.(mint.DelegatedToken); !ok || mint.Facts(delegated).Actor() != "batch" {
		t.Errorf("got the kind %T and the actor %s", delegated, mint.Facts(delegated).Actor())
	}
	// What an earlier link of act says is kept as it is.
	raw = forged(regular(map[string]string{"act": `{"sub":"c1","iss":"https://x.example","act":{"sub":"c0"}}`}))
	again := payload(t, must(w.Sign(must(w.Delegate(must(w.admit(raw)), batch, shop)))).Raw)
	if got, want := string(must(json.Marshal(again["act"]))), `{"act":{"act":{"sub":"c0"},"iss":"https://x.example","sub":"c1"},"sub":"batch"}`; got != want {
		t.Errorf("act: got %s, want %s", got, want)
	}
}

// Every mix of delegations and exchanges has room for four hops, and for no fifth.
func TestFourHopsOfAnyKind(t *testing.T) {
	w := newWorld()
	shop := target(t, w, "https://shop.example.com")
	for mix := range 1 << (mint.MaxHops + 1) {
		subject, act, via := adas(w), []string(nil), []string(nil)
		for hop := range mint.MaxHops + 1 {
			id := "hop" + string(rune('a'+hop))
			step := w.Derive
			if mix>>hop&1 == 1 {
				step, act = w.Delegate, append([]string{id}, act...)
			} else {
				via = append(via, id)
			}
			draft, err := step(subject, caller(id), shop)
			if hop == mint.MaxHops {
				if reason(t, err) != mint.ChainTooLong {
					t.Errorf("mix %05b: the fifth hop: got %v, want chain_too_long", mix, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("mix %05b: hop %d: %v", mix, hop, err)
			}
			raw := must(w.Sign(draft)).Raw
			claims := payload(t, raw)
			if got := chainOf(claims["act"]); !slices.Equal(got, act) {
				t.Fatalf("mix %05b: hop %d: got act %q, want the latest outermost: %q", mix, hop, got, act)
			}
			if got := texts(claims["via"]); !slices.Equal(got, via) {
				t.Fatalf("mix %05b: hop %d: got via %q, want %q", mix, hop, got, via)
			}
			subject = must(w.admit(raw))
			seen := 0
			if !mint.Facts(subject).Hops(func(string) bool { seen++; return true }) || seen != hop+1 {
				t.Fatalf("mix %05b: hop %d: %d hops are shown", mix, hop, seen)
			}
			for i := range seen {
				at := -1
				if mint.Facts(subject).Hops(func(string) bool { at++; return at != i }) {
					t.Fatalf("mix %05b: a test that fails for hop %d is not heard", mix, i)
				}
			}
		}
	}
}

func TestWhoseTokensAreDelegated(t *testing.T) {
	w := newWorld()
	shop := target(t, w, "https://shop.example.com")
	client := web()
	client.Own = everything
	own := must(w.admit(must(w.Sign(must(w.OwnClient(client, "acme")))).Raw))
	acted := must(w.admit(forged(regular(map[string]string{"sub": `"web"`, "act": actors(1)}))))
	for name, subject := range map[string]mint.Subject{"a client's own": own, "a client's own, with act": acted, "an id token": mint.IDToken{}, "none": nil} {
		if _, err := w.Delegate(subject, caller("batch"), shop); reason(t, err) != mint.SubjectKind {
			t.Errorf("%s: got %v, want subject_kind", name, err)
		}
	}
	if _, err := w.Delegate(adas(w), caller("batch"), mint.Target{}); reason(t, err) != mint.TokenAudience {
		t.Errorf("to nowhere: got %v, want token_audience", err)
	}
}

// Tokens of ours have no may_act. One that has it is for the party that it
// names, in every derivation.
func TestMayAct(t *testing.T) {
	w := newWorld()
	shop := target(t, w, "https://shop.example.com")
	for text, want := range map[string]mint.Reason{
		`{"sub":"batch"}`:                              "",
		`{"sub":"batch","iss":"` + issuer + `"}`:       "",
		`{"sub":"other"}`:                              mint.ExchangeRefused,
		`{"sub":"Batch"}`:                              mint.ExchangeRefused,
		`{"sub":"batch","iss":"https://evil.example"}`: mint.ExchangeRefused,
		`{"sub":"batch","email":"b@example.com"}`:      mint.ExchangeRefused,
		`{"iss":"` + issuer + `"}`:                     mint.ExchangeRefused,
		`{"sub":""}`:                                   mint.ExchangeRefused,
		`{}`:                                           mint.ExchangeRefused,
	} {
		subject := must(w.admit(forged(regular(map[string]string{"may_act": text}))))
		for name, step := range map[string]func(mint.Subject, *mint.Client, mint.Target) (mint.Draft, error){"Derive": w.Derive, "Delegate": w.Delegate} {
			draft, err := step(subject, caller("batch"), shop)
			if reason(t, err) != want {
				t.Errorf("%s of %s: got %v, want %q", name, text, err, want)
			}
			if err == nil && payload(t, must(w.Sign(draft)).Raw)["may_act"] != nil {
				t.Errorf("%s of %s copies may_act", name, text)
			}
		}
	}
}

// A token that is marked by audit mode is for one upstream, and nothing comes
// of it.
func TestAuditedTokens(t *testing.T) {
	w := newWorld()
	up, _ := w.Upstream("shop")
	guard := caller("guard:shop")
	header := map[string][]string{}
	must(w.SignUpstream(must(w.Derive(adas(w), guard, up)).Audited())).Authorize(header)
	raw := strings.TrimPrefix(header["Authorization"][0], "Bearer ")
	if claims := payload(t, raw); claims["scopegate_mode"] != "audit" || claims["aud"] != "urn:up:shop" {
		t.Errorf("got scopegate_mode %v, aud %v", claims["scopegate_mode"], claims["aud"])
	}
	for name, step := range map[string]func(mint.Subject, *mint.Client, mint.Target) (mint.Draft, error){"Derive": w.Derive, "Delegate": w.Delegate} {
		for _, to := range []mint.Target{up, target(t, w, "https://shop.example.com")} {
			if _, err := step(must(w.admit(raw)), guard, to); reason(t, err) != mint.ExchangeRefused {
				t.Errorf("%s of a marked token to %s: got %v, want exchange_refused", name, to.Audience(), err)
			}
		}
	}
	for name, draft := range map[string]mint.Draft{
		"a first token": must(w.First(ada(), web())), "an exchange": must(w.Derive(adas(w), web(), target(t, w, "https://shop.example.com"))),
	} {
		if _, err := w.Sign(draft.Audited()); err == nil {
			t.Errorf("%s is signed with scopegate_mode", name)
		}
	}
	if claims := payload(t, must(w.Sign(must(w.First(ada(), web())))).Raw); claims["scopegate_mode"] != nil {
		t.Error("a regular token has scopegate_mode")
	}
}

func TestWithin(t *testing.T) {
	w := newWorld()
	user := ada()
	user.Rights = set("shop/orders.read orders/**")
	draft := must(w.First(user, web()))
	for name, c := range map[string]struct{ set, want scopes.Set }{
		"a part":  {set("shop/orders.read orders/7"), set("shop/orders.read orders/7")},
		"more":    {set("shop/orders.read **", "crm/contacts.read **"), user.Rights},
		"another": {set("shop/orders.read reports/**"), scopes.Set{}},
		"nothing": {scopes.Set{}, scopes.Set{}},
	} {
		got := must(draft.Within(c.set))
		if issued := must(w.Sign(got)); issued.Narrowed == c.want.Equal(user.Rights) {
			t.Errorf("%s: narrowed is %v", name, issued.Narrowed)
		}
		if !got.Rights().Equal(c.want) || !draft.Rights().Contains(got.Rights()) {
			t.Errorf("%s: got %s, want %s", name, got.Rights().Canonical(), c.want.Canonical())
		}
	}
}

// What rules may read of a token is who it is about, and nothing else.
func TestClaim(t *testing.T) {
	raw := forged(regular(map[string]string{
		"acct": `"a@x"`, "username": `"ada"`, "domain": `"example.com"`, "context_name": `"acme"`, "sid": `"S"`, "azp": `"web"`,
		"act": actors(1), "perms": `["p"]`, "scope": `"orders"`, "allowed_resource_scope": goodSet, "custom": `"c"`, "root_jti": `"R"`, "root_iat": "1777636800", "scopegate_mode": `"audit"`,
	}))
	w := newWorld()
	facts := mint.Facts(must(w.admit(raw)))
	for name, want := range map[string]string{
		"sub": "example.com:ada", "client_id": "web", "azp": "web", "acct": "a@x", "username": "ada", "domain": "example.com", "context_name": "acme", "sid": "S",
		"context": "", "iss": "", "jti": "", "act": "", "perms": "", "scope": "", "allowed_resource_scope": "", "custom": "", "root_jti": "", "scopegate_mode": "", "exp": "", "SUB": "", "": "",
	} {
		if got, ok := facts.Claim(name); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, want)
		}
	}
}
