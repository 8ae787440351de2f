package tokenexchange

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// A token is as old as the first one of its chain: a derivation does not save
// it from what ends that.
func TestDerivedTokensAreAsOldAsTheirRoot(t *testing.T) {
	change := func(c *Config) {
		delegates(c)
		c.client("agent").Allow = append(c.client("agent").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}})
	}
	h := newHouse(t, change)
	first := h.adas()
	h.clock = start.Add(10 * time.Minute)
	second := h.exchange("batch", first, shopAud).granted(t)
	h.clock = start.Add(20 * time.Minute)
	tokens := map[string]string{
		"first": first, "exchanged": second, "exchanged twice": h.exchange("batch", second, shopAud).granted(t),
		"delegated": h.delegate("agent", first, "audience", shopAud).granted(t),
	}
	later, nightly := h.adas(), h.nightlys() // after what happens at 12:15
	logout := strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:15:00Z","id":"ada"`, 1)
	for name, c := range map[string]struct {
		users string
		epoch time.Time
		want  scopes.Reason
	}{
		"nothing happened": {baseUsers, h.epoch.Created, scopes.ReasonAllowed},
		"logged out":       {logout, h.epoch.Created, scopes.ReasonTokenRevoked},
		"lost store":       {baseUsers, start.Add(15 * time.Minute), scopes.ReasonTokenRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			h.epoch.Created = c.epoch
			cfg := baseConfig()
			change(&cfg)
			h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, c.users)})), h.caches, ecKey(), rsaKey())
			for kind, token := range tokens {
				if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != c.want {
					t.Errorf("%s: the guard: got %s, want %s", kind, v.Reason, c.want)
				}
				if g := h.exchange("batch", token, shopAud); (g.status == 200) != (c.want == scopes.ReasonAllowed) {
					t.Errorf("%s: the exchange: got %s", kind, g.raw)
				}
			}
			for kind, token := range map[string]string{"a later one": later, "a client's own": nightly} {
				if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); !v.Allowed() {
					t.Errorf("%s: got %s", kind, v.Reason)
				}
			}
		})
	}
}
