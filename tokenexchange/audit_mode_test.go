package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// mode audit lets pass what holds too little, says so, and ends by itself.
func TestAuditMode(t *testing.T) {
	until := start.Add(time.Hour)
	h := newHouse(t, delegates)
	soft, all := h.shopWith(t, GuardOptions{AuditUntil: until}), h.shopWith(t, GuardOptions{AuditUntil: until, AuditNoRule: true})
	ada, nightly := h.adas(), h.nightlys()
	writer := h.adas("allowed_resource_scope", scopeOf("orders.write"))
	hollow := func(issued string) string {
		return forge("at+jwt", claimsOf(t, ada), map[string]any{"allowed_resource_scope": nil, "client_id": issued})
	}
	const denied = "denied"
	for name, c := range map[string]struct {
		method, target, token string
		want                  scopes.Reason // when it is enforced
		soft, all             string        // would_deny, "" for a regular pass, or denied
	}{
		"held":                       {"GET", "/orders/7", ada, scopes.ReasonAllowed, "", ""},
		"authenticated":              {"GET", "/me", ada, scopes.ReasonAllowed, "", ""},
		"permission":                 {"GET", "/orders/7", writer, scopes.ReasonPermissionMissing, "permission_missing", "permission_missing"},
		"resource":                   {"POST", "/orders/7", ada, scopes.ReasonResourceMissing, "resource_missing", "resource_missing"},
		"service":                    {"GET", "/contacts", nightly, scopes.ReasonServiceMissing, "service_missing", "service_missing"},
		"identity-only":              {"GET", "/orders/7", hollow("web"), scopes.ReasonNoResourceScope, "no_resource_scope", "no_resource_scope"},
		"no rule":                    {"GET", "/nothing", ada, scopes.ReasonNoRule, denied, "no_rule"},
		"method":                     {"DELETE", "/orders/7", ada, scopes.ReasonMethodNotAllowed, denied, "method_not_allowed"},
		"TRACE":                      {"TRACE", "/orders/7", ada, scopes.ReasonMethodNotAllowed, denied, denied},
		"CONNECT":                    {"CONNECT", "/orders/7", ada, scopes.ReasonMethodNotAllowed, denied, denied},
		"trace":                      {"trace", "/nothing", ada, scopes.ReasonMethodNotAllowed, denied, denied},
		"TRACE without a token":      {"TRACE", "/healthz", "", scopes.ReasonMethodNotAllowed, denied, denied},
		"variable":                   {"GET", "/orders/*", ada, scopes.ReasonVariableRejected, denied, denied},
		"no token":                   {"GET", "/nothing", "", scopes.ReasonNoToken, denied, denied},
		"not a token":                {"GET", "/orders/7", "x", scopes.ReasonTokenMalformed, denied, denied},
		"path":                       {"GET", "/orders/1%2F2", ada, scopes.ReasonPathAmbiguous, denied, denied},
		"too little, and no consent": {"GET", "/orders/7", hollow("crmonly"), scopes.ReasonNoResourceScope, denied, denied},
		"no consent":                 {"GET", "/me", hollow("crmonly"), scopes.ReasonExchangeRefused, denied, denied},
		"copy in the query":          {"GET", "/orders/7?again=" + ada, ada, scopes.ReasonTokenLeak, denied, denied},
		"copy in the method":         {ada, "/nothing", ada, scopes.ReasonNoRule, denied, denied},
		"copy, and softened":         {"POST", "/orders/7?again=" + ada, ada, scopes.ReasonResourceMissing, denied, denied},
	} {
		t.Run(name, func(t *testing.T) {
			h.clock = start
			for g, want := range map[*Guard]string{soft: c.soft, all: c.all} {
				r := bearer(c.method, c.target, c.token)
				v, a := h.pass(g, r)
				if v.Allowed() == (want == denied) {
					t.Fatalf("got %s (%v), want would_deny %q", v.Reason, v.cause, want)
				}
				if want == denied {
					if slices.Contains([]scopes.Reason{scopes.ReasonTokenLeak, scopes.ReasonExchangeRefused}, v.Reason) && (a.body["required"] != nil || a.record["missing"] != nil) {
						t.Errorf("got %s and the record %v, want nothing of what is missing", a.raw, a.record)
					}
					if v.WouldDeny != "" || a.record["would_deny"] != nil {
						t.Errorf("a refusal would deny %q, the record is %v", v.WouldDeny, a.record)
					}
					continue
				}
				level, recorded := "DEBUG", any(nil)
				mode := any(nil)
				if want != "" {
					level, recorded, mode = "WARN", want, "audit"
				}
				if v.WouldDeny != want || a.record["would_deny"] != recorded || a.record["level"] != level || a.record["allowed"] != true || a.record["reason"] != "allowed" {
					t.Errorf("got would_deny %q and the record %v, want %q at %s", v.WouldDeny, a.record, want, level)
				}
				if lacks := strings.HasSuffix(want, "_missing") || want == "no_resource_scope"; (a.record["missing"] != nil) != lacks {
					t.Errorf("got the record %v, want what is missing: %v", a.record, lacks)
				}
				claims := claimsOf(t, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				if claims["scopegate_mode"] != mode || claims["aud"] != "urn:scopegate:upstream:shop" {
					t.Errorf("got scopegate_mode %v, aud %v, want %v", claims["scopegate_mode"], claims["aud"], mode)
				}
			}
			// At the date, and on the same guards, it is enforced.
			for _, at := range []time.Time{until, until.Add(time.Minute)} {
				h.clock = at
				later := c.token
				if c.token != "" && c.token != "x" {
					later = forge("at+jwt", claimsOf(t, c.token), map[string]any{"exp": at.Unix() + 600})
				}
				if v, _ := h.pass(all, bearer(c.method, strings.ReplaceAll(c.target, "="+c.token, "="+later), later)); v.Reason != c.want {
					t.Errorf("at %s: got %s, want %s", at, v.Reason, c.want)
				}
			}
		})
	}
}
