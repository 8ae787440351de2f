package tokenexchange

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// A token without rights says who somebody is, and opens only what asks for no
// permission: wherever it comes from, it is written by leaving the claim out.
func TestIdentityOnlyTokens(t *testing.T) {
	h := newHouse(t, delegates, func(c *Config) {
		c.client("agent").Permit = lines("shop/orders.read reports/**", "crm/* **") // nothing that ada holds in the shop
		c.client("web").Allow = append(c.client("web").Allow, AllowConfig{Grant: "client_delegate", By: []string{"agent"}, To: []string{elsewhere}})
		c.client("agent").Allow = append(c.client("agent").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}, To: []string{shopAud}})
	})
	ada := h.adas()
	hollow := h.delegate("agent", ada, "audience", shopAud).granted(t)
	for name, c := range map[string]struct{ token, aud string }{
		"a user who holds nothing":           {h.token("web", "grant_type", "password", "username", "two", "password", password, "orgId", "acme").granted(t), issuer},
		"a client that holds nothing":        {h.token("batch", "grant_type", "client_credentials").granted(t), issuer},
		"delegated, and nothing in common":   {hollow, shopAud},
		"exchanged again":                    {h.exchange("batch", hollow, shopAud).granted(t), shopAud},
		"delegated to no service of ours":    {h.delegate("agent", ada, "audience", elsewhere).granted(t), elsewhere},
		"exchanged to where it has no right": {h.exchange("crmonly", ada, shopAud).granted(t), shopAud},
	} {
		claims := claimsOf(t, c.token)
		_, has := claims["allowed_resource_scope"]
		if has || claims["perms"] != nil || claims["aud"] != c.aud {
			t.Errorf("%s: got %s, perms %v for %v, want none for %s", name, setOf(t, c.token), claims["perms"], claims["aud"], c.aud)
		}
	}
	h.delegate("agent", hollow, "allowed_resource_scope", scopeOf("orders.read")).refused(t, 400, "invalid_scope", "resource_scope_exceeded")

	for options, g := range map[string]*Guard{
		"": h.shop(t), "client_delegate": h.shopWith(t, GuardOptions{Exchange: "client_delegate"}), "narrow to_rule": h.shopWith(t, GuardOptions{NarrowToRule: true}),
	} {
		for target, want := range map[string]scopes.Reason{
			"/me": scopes.ReasonAllowed, "/healthz": scopes.ReasonAllowed,
			"/orders/7": scopes.ReasonNoResourceScope, "/all": scopes.ReasonNoResourceScope, "/contacts": scopes.ReasonNoResourceScope, "/nothing": scopes.ReasonNoRule,
		} {
			v, _ := h.pass(g, bearer("GET", target, hollow))
			if v.Reason != want {
				t.Errorf("%s %s: got %s (%v), want %s", options, target, v.Reason, v.cause, want)
			}
		}
		claims, raw := h.forwarded(t, g, bearer("GET", "/me", hollow))
		_, has := claims["allowed_resource_scope"]
		if has || claims["perms"] != nil || claims["aud"] != "urn:scopegate:upstream:shop" || claims["sub"] != "example.com:ada" || claims["scopegate_mode"] != nil {
			t.Errorf("%s: forwarded with %s: %v", options, setOf(t, raw), claims)
		}
		for _, token := range []string{h.token("batch", "grant_type", "client_credentials").granted(t), h.delegate("agent", ada, "audience", elsewhere).granted(t)} {
			if v, _ := h.pass(g, bearer("GET", "/me", token)); v.Reason != scopes.ReasonTokenAudience {
				t.Errorf("%s: made for somebody else: got %s", options, v.Reason)
			}
		}
	}
}
