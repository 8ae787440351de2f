package tokenexchange

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// Whatever enters a derived token must be in the key under which it is
// remembered: each row changes one thing and must see another key.
func TestExchangeKeyIsComplete(t *testing.T) {
	entries := func(pattern string) scopes.Set {
		return must(scopes.NewSet(scopes.Entry{Service: "shop", Permission: "orders.read", Resource: must(scopes.ParsePattern(pattern))}))
	}
	ringOf := func(keys ...SigningKey) *mint.Ring { return must(newRing(keys)) }
	services := []mint.Service{{ID: "shop", Audience: shopAud, Upstream: "urn:up:shop"}, {ID: "crm", Audience: crmAud, Upstream: "urn:up:crm"}}
	m := must(mint.New(issuer, services, ringOf(ecKey()), time.Now))
	shop, _ := m.Upstream("shop")
	crm, _ := m.Upstream("crm")
	swapped := must(mint.New(issuer, []mint.Service{{ID: "shop", Audience: shopAud, Upstream: "urn:up:crm"}, {ID: "crm", Audience: crmAud, Upstream: "urn:up:shop"}}, ringOf(ecKey()), time.Now))
	shopAtCRM, _ := swapped.Upstream("shop")
	crmAtShop, _ := swapped.Upstream("crm")
	type inputs struct {
		issuer string
		grant  string
		marked bool
		client mint.Client
		target mint.Target
		ring   *mint.Ring
	}
	base := func() inputs {
		return inputs{issuer, "audience_exchange", false, mint.Client{
			ID: "guard:shop", Permit: entries("a"), Own: entries("b"), Ceilings: true, AccessValidity: time.Minute, AccessAlg: mint.ES256,
		}, shop, ringOf(ecKey(), rsaKey())}
	}
	digest := func(in inputs) [sha256.Size]byte {
		return exchangeDigest(in.issuer, in.grant, in.marked, &in.client, in.target, in.ring)
	}
	want := digest(base())
	if again := digest(base()); again != want {
		t.Error("nothing changed, and the digest did: a reload would empty the cache")
	}
	seen := map[[sha256.Size]byte]string{want: "base"}
	for name, change := range map[string]func(*inputs){
		"issuer":           func(in *inputs) { in.issuer += "x" },
		"grant":            func(in *inputs) { in.grant = "client_delegate" },
		"mode audit":       func(in *inputs) { in.marked = true },
		"guard's service":  func(in *inputs) { in.client.GuardOf = "shop" },
		"declared":         func(in *inputs) { in.client.Declared = []string{"orders.read"} },
		"client":           func(in *inputs) { in.client.ID = "guard:crm" },
		"ceiling":          func(in *inputs) { in.client.Permit = entries("c") },
		"own":              func(in *inputs) { in.client.Own = entries("c") },
		"which is ceiling": func(in *inputs) { in.client.Ceilings = false },
		"lifetime":         func(in *inputs) { in.client.AccessValidity++ },
		"algorithm":        func(in *inputs) { in.client.AccessAlg = mint.RS256 },
		"audience":         func(in *inputs) { in.target = shopAtCRM },
		"target's service": func(in *inputs) { in.target = crmAtShop },
		"target":           func(in *inputs) { in.target = crm },
		"a key gone":       func(in *inputs) { in.ring = ringOf(ecKey()) },
		"a key more":       func(in *inputs) { in.ring = ringOf(ecKey(), rsaKey(), ecOther()) },
		"another signs":    func(in *inputs) { in.ring = ringOf(ecOther(), ecKey(), rsaKey()) },
		"ceiling and own":  func(in *inputs) { in.client.Permit, in.client.Own = in.client.Own, in.client.Permit },
	} {
		in := base()
		change(&in)
		d := digest(in)
		if other, dup := seen[d]; dup {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
	a, b, c := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b")), sha256.Sum256([]byte("c"))
	key := exchangedKey{token: a, guard: b, set: c}
	for name, other := range map[string]exchangedKey{
		"token": {token: c, guard: b, set: c}, "guard": {token: a, guard: a, set: c}, "set": {token: a, guard: b, set: a},
	} {
		if other == key {
			t.Errorf("%s is not in the key", name)
		}
	}
}

// The verify cache holds a token under its own bytes and the keys it was
// verified with.
func TestVerifyKey(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	want := func(n int) {
		t.Helper()
		if got, _ := h.caches.verified.totals(); got != n {
			t.Errorf("got %d entries, want %d", got, n)
		}
	}
	_, _, err := h.verify(ada)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = h.verify(ada)
	want(1)
	for _, other := range []string{ada + " ", ada[:len(ada)-1], "x", ""} {
		if _, _, err := h.verify(other); err == nil {
			t.Errorf("%.10s... is accepted", other)
		}
	}
	want(1) // What does not verify is not remembered.
	_, _, _ = h.verify(h.adas())
	want(2)
	rotated := h.serve(h.realm, h.caches, ecOther(), rsaKey(), ecKey())
	if _, _, err := rotated.verify(ada); err != nil {
		t.Fatal(err)
	}
	want(3)
	gone := h.serve(h.realm, h.caches, ecOther(), rsaKey())
	if _, _, err := gone.verify(ada); mint.ReasonOf(err) != mint.TokenSignature {
		t.Errorf("the key is gone, but the cache said yes: %v", err)
	}
}

// A reload that changes what a forwarded token would say must not find it.
func TestReloadSeesItsOwnCeilings(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	token := func() string {
		r := bearer("GET", "/orders/7", ada)
		if v, _ := h.pass(h.shop(t), r); !v.Allowed() {
			t.Fatal(v.Reason, v.cause)
		}
		return r.Header.Get("Authorization")
	}
	first := token()
	h.Server = h.reload(h.caches)
	if token() != first {
		t.Error("an unchanged reload lost the cache")
	}
	h.Server = h.reload(h.caches, func(c *Config) { c.Services[0].UpstreamAudience = "urn:moved" })
	if got := claimsOf(t, token()[len("Bearer "):])["aud"]; got != "urn:moved" {
		t.Errorf("got a token for %v from the cache, want urn:moved", got)
	}
}

// Two services that change places keep their clients and audiences, and what
// was exchanged for one of them is still not for the other.
func TestSwappedUpstreamsFindNothing(t *testing.T) {
	upstreams := func(shop, crm string) func(*Config) {
		return func(c *Config) {
			c.Services[0].UpstreamAudience, c.Services[1].UpstreamAudience = shop, crm
			c.client("batch").Permit = lines("shop/* **", "crm/* **")
		}
	}
	h := newHouse(t, upstreams("urn:one", "urn:two"))
	ada := h.adas()
	crm := must(h.Guard("crm", must(scopes.NewPolicy("crm", []string{"contacts.read"}, nil, nil, []scopes.Rule{must(scopes.ParseRule("", "authenticated", "GET", "/me"))})), GuardOptions{Client: "batch"}))
	if claims, raw := h.forwarded(t, crm, bearer("GET", "/me", ada)); claims["aud"] != "urn:two" || !strings.Contains(setOf(t, raw), "contacts.read") {
		t.Fatalf("got %v with %s", claims["aud"], setOf(t, raw))
	}
	h.Server = h.reload(h.caches, upstreams("urn:two", "urn:one"))
	if claims, raw := h.forwarded(t, h.shopWith(t, GuardOptions{Client: "batch"}), bearer("GET", "/me", ada)); claims["aud"] != "urn:two" || strings.Contains(setOf(t, raw), "contacts.read") {
		t.Errorf("the shop's upstream got %v with %s", claims["aud"], setOf(t, raw))
	}
}
