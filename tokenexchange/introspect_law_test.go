package tokenexchange

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// judgements are the reasons that are about a token, whoever brings it where.
var judgements = []mint.Reason{
	mint.TokenMalformed, mint.TokenExpired, mint.TokenNotYetValid, mint.TokenIssuer, mint.TokenAudience, mint.TokenType,
	mint.TokenSignature, mint.TokenBinding, mint.TokenRevoked,
}

// TestActiveIsAccepted introspects everything that the matrix of provenance
// presents, as every client of it. What is active for one is refused neither by
// the token endpoint, where that client brings it, nor by the guard that it is
// for; and what that client is given a token for is active. A token whose own
// client has lost its lines for the service is refused by the guard, and exchanged
// by the word of an allow line: that is active for its own client alone.
func TestActiveIsAccepted(t *testing.T) {
	p := newProvenance(t)
	guard := p.guards["guard, audience_exchange built-in"]
	active, asked := 0, 0
	for _, it := range slices.Concat(p.subjects, p.actors) {
		if it.text == "" {
			continue
		}
		for _, c := range p.realm.clients {
			if c.public || c.ID == "robot" { // It signs assertions.
				continue
			}
			asked++
			g := p.introspectAs(c.ID, it.text)
			isActive := g.status == 200 && g.body["active"] == true
			if !isActive && (g.status != 200 || strings.TrimSpace(g.raw) != `{"active":false}`) {
				t.Errorf("%s for %s: got %d %s", it.name, c.ID, g.status, g.raw)
			}
			refresh := it.claims == nil
			exchange := p.token(c.ID, "grant_type", "audience_exchange", "subject_token", it.text, "subject_token_type", accessURN, "target_audience", shopAud)
			reason, _ := exchange.body["cspErrorCode"].(string)
			switch {
			case !isActive && exchange.status == 200:
				if it.client != "lost" || c.ID == "lost" {
					t.Errorf("%s for %s: inactive (%v), and exchanged", it.name, c.ID, g.record["cause"])
				}
				continue
			case !isActive:
				continue
			case refresh:
				if g.body["client_id"] != c.ID || g.body["token_type"] != nil {
					t.Errorf("%s for %s: got %s", it.name, c.ID, g.raw)
				}
				continue
			case slices.Contains(judgements, mint.Reason(reason)):
				t.Errorf("%s for %s: active, and refused by the token endpoint with %s", it.name, c.ID, reason)
			}
			active++
			if g.body["jti"] != it.claims["jti"] || g.body["sub"] != it.claims["sub"] {
				t.Errorf("%s for %s: the answer is about another token: %s", it.name, c.ID, g.raw)
			}
			aud, _ := it.claims["aud"].([]any)
			if it.claims["aud"] != shopAud && !slices.Contains(aud, any(shopAud)) {
				continue
			}
			v, _ := p.pass(guard, bearer("GET", "/me", it.text))
			refused := v.Reason == scopes.ReasonExchangeRefused && it.claims["may_act"] == nil && !(it.client == "lost" && c.ID == "lost")
			if refused || slices.Contains(judgements, mint.Reason(v.Reason.String())) {
				t.Errorf("%s for %s: active, and refused by the guard with %s", it.name, c.ID, v.Reason)
			}
		}
	}
	if active < 50 || asked < 500 {
		t.Errorf("got %d active of %d, which shows little", active, asked)
	}
	t.Logf("%d tokens and clients, of which %d are active", asked, active)
	p.unused(t)
}
