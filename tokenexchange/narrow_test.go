package tokenexchange

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// A caller chooses what a token is narrowed to, by the path. However many such
// tokens it makes, what is remembered of other callers stays.
func TestNarrowedTokensHaveTheirOwnRoom(t *testing.T) {
	h := newHouse(t)
	if all := h.caches.verified.max + h.caches.exchanged.max + h.caches.narrowed.max; all*cacheShards != cacheWeight || h.caches.narrowed.max == 0 {
		t.Errorf("the caches have room for %d bytes, want %d", all*cacheShards, cacheWeight)
	}
	h.caches.narrowed = newCache[exchangedKey, *exchanged](cacheShards * 4096)
	other := h.adas()
	_, kept := h.forwarded(t, h.shop(t), bearer("GET", "/orders/7", other))
	greedy, g := h.adas(), h.shopWith(t, GuardOptions{NarrowToRule: true})
	h.forwarded(t, g, bearer("GET", "/orders/7", greedy))
	before, weight := h.caches.exchanged.totals()
	for i := range 200 {
		h.forwarded(t, g, bearer("GET", fmt.Sprint("/orders/", i), greedy))
	}
	if after, now := h.caches.exchanged.totals(); after != before || now != weight {
		t.Errorf("got %d entries of %d bytes after many narrowed tokens, before %d of %d", after, now, before, weight)
	}
	if n, now := h.caches.narrowed.totals(); n == 0 || n >= 200 || now > cacheShards*4096 {
		t.Errorf("got %d narrowed tokens of %d bytes, want some, within their bound", n, now)
	}
	if _, again := h.forwarded(t, h.shop(t), bearer("GET", "/orders/7", other)); again != kept {
		t.Error("another caller's token was signed again")
	}
}

// A signed token is used until shortly before its end, however short its life.
func TestForwardedTokenIsUsedToItsEnd(t *testing.T) {
	for name, c := range map[string]struct{ life, again, anew time.Duration }{
		"half an hour": {30 * time.Minute, 30*time.Minute - 6*time.Second, 30*time.Minute - 4*time.Second},
		"a minute":     {time.Minute, 54 * time.Second, 56 * time.Second},
		"five seconds": {5 * time.Second, 4 * time.Second, 4600 * time.Millisecond},
		"one second":   {time.Second, 800 * time.Millisecond, 950 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.client("web").AccessTokenValidity = Duration(time.Hour) }, func(cfg *Config) {
				cfg.client("batch").AccessTokenValidity = Duration(c.life)
			})
			g, ada := h.shopWith(t, GuardOptions{Client: "batch"}), h.adas()
			at := func(after time.Duration) string {
				h.clock = start.Add(after)
				_, raw := h.forwarded(t, g, bearer("GET", "/orders/7", ada))
				return raw
			}
			first := at(0)
			if at(c.again) != first {
				t.Errorf("after %s: signed again, want the same token", c.again)
			}
			if at(c.anew) == first {
				t.Errorf("after %s: got the token that dies on its way", c.anew)
			}
		})
	}
}

// What is too large for a token stays so: the caller is refused, and not asked
// to try again.
func TestTooLargeForTheUpstream(t *testing.T) {
	list := must(scopes.ParseRule("", "GET", "/orders", "orders.read", "orders/{query:ids}"))
	list.Each = &scopes.Each{Variable: "query:ids", Separator: ","}
	rules := must(scopes.NewPolicy("shop", []string{"orders.read", "orders.write"}, nil, nil, []scopes.Rule{list, must(scopes.ParseRule("", "authenticated", "GET", "/me"))}))
	many := strings.TrimSuffix(strings.Repeat("%040d,", 100), ",")
	ids := make([]any, 100)
	for i := range ids {
		ids[i] = i
	}
	scope := func(n int) func(*Config) {
		return func(c *Config) { c.client("nightly").Scope = []string{strings.Repeat("s", n)} }
	}
	room := mint.MaxIssued - len(newHouse(t, scope(1)).nightlys())
	wide := scope(room*3/4 - 8) // in base64url
	// What both sides hold in pieces has more pieces than a set may have.
	pieces := func(c *Config) {
		var own, permit []string
		for i := range 60 {
			own, permit = append(own, fmt.Sprint("shop/orders.read */a", i, "/**")), append(permit, fmt.Sprint("shop/orders.read b", i, "/**"))
		}
		c.client("nightly").Own, c.client("batch").Permit = lines(own...), lines(permit...)
	}
	for name, c := range map[string]struct {
		config         func(*Config)
		o              GuardOptions
		client, target string
		cause          string
	}{
		"a list that the token is narrowed to": {func(*Config) {}, GuardOptions{NarrowToRule: true}, "web", "/orders?ids=" + fmt.Sprintf(many, ids...), "narrow to_rule: the resource scope is too large"},
		"rights that meet in pieces":           {pieces, GuardOptions{Client: "batch"}, "nightly", "/me", "too large"},
		"a token that was just small enough":   {wide, GuardOptions{Client: "batch"}, "nightly", "/me", "bytes over"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.config)
			token := ""
			if c.client == "web" {
				token = h.adas()
			} else {
				token = h.nightlys()
			}
			v, a := h.pass(must(h.Guard("shop", rules, c.o)), bearer("GET", c.target, token))
			cause, _ := a.record["cause"].(string)
			if v.Reason != scopes.ReasonExchangeRefused || a.status != 403 || a.header.Get("Retry-After") != "" || !strings.Contains(cause, c.cause) {
				t.Errorf("got %s %d, Retry-After %q, cause %q, want exchange_refused with %q", v.Reason, a.status, a.header.Get("Retry-After"), cause, c.cause)
			}
		})
	}
}
