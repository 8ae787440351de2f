package mint_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// A renewed token holds what is held now, is allowed now and was granted then:
// each of the three alone can take away, and none can give.
func TestRenewMeetsNowAndThen(t *testing.T) {
	w := newWorld()
	all := set("shop/orders.read orders/**", "crm/contacts.read **")
	for name, c := range map[string]struct{ held, permit, granted, want scopes.Set }{
		"unchanged":        {all, all, all, all},
		"user lost some":   {set("crm/contacts.read **"), all, all, set("crm/contacts.read **")},
		"user lost all":    {scopes.Set{}, all, all, scopes.Set{}},
		"user gained":      {everything, everything, all, all},
		"client lost some": {all, set("shop/orders.read orders/7"), all, set("shop/orders.read orders/7")},
		"client lost all":  {all, scopes.Set{}, all, scopes.Set{}},
		"granted less":     {all, all, set("shop/orders.read orders/7"), set("shop/orders.read orders/7")},
		"granted nothing":  {all, all, scopes.Set{}, scopes.Set{}},
	} {
		u, client := ada(), web()
		u.Rights, client.Permit = c.held, c.permit
		issued := must(w.Sign(must(w.Renew(u, client, mint.Granted{ID: "G", Set: c.granted}))))
		if !issued.Rights.Equal(c.want) || issued.Narrowed {
			t.Errorf("%s: got %s, narrowed %v, want %s", name, issued.Rights.Canonical(), issued.Narrowed, c.want.Canonical())
		}
	}
}

func TestRenewSays(t *testing.T) {
	w := newWorld()
	u := person()
	u.AuthTime = start.Add(-time.Hour)
	c := portal()
	c.Scopes = []string{"orders", "email", "openid"}
	g := mint.Granted{ID: "G", Session: "S", Scope: "openid profile orders", Set: everything, Roles: []string{"csp:org_member", "csp:org_owner"}}
	draft := must(w.Renew(u, c, g))
	issued := must(w.Sign(draft))
	claims := payload(t, issued.Raw)
	for name, want := range map[string]any{
		"sub": "example.com:ada", "grant_id": "G", "context": "G", "sid": "S", "scope": "openid orders", "client_id": "web",
		"auth_time": float64(start.Add(-time.Hour).Unix()), "iat": float64(start.Unix()), "narrowed": nil,
		"root_jti": nil, "root_iat": nil, "act": nil, "via": nil, "context_name": "acme",
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	// A role counts that was held when it was granted and is held now.
	if got := texts(claims["perms"]); !slices.Contains(got, "csp:org_member") || slices.Contains(got, "csp:org_owner") {
		t.Errorf("perms: got %q, want the role that is held still", got)
	}
	g.Roles = nil
	if got := texts(payload(t, must(w.Sign(must(w.Renew(u, c, g)))).Raw)["perms"]); slices.Contains(got, "csp:org_member") {
		t.Errorf("perms: got %q with a role that was not granted", got)
	}
	if id := payload(t, must(w.SignID(must(draft.Identity(mint.IDOptions{})), issued.Raw)).Raw); id["grant_id"] != "G" || id["sid"] != "S" || id["auth_time"] != claims["auth_time"] || id["nonce"] != nil {
		t.Errorf("the id token: got %v", id)
	}
	if !mint.Facts(must(w.admit(issued.Raw))).First() {
		t.Error("a renewed token is no first one")
	}
	g.Narrowed = true
	narrowed := must(w.Renew(u, c, g))
	raw := must(w.Sign(narrowed)).Raw
	if claims := payload(t, raw); claims["narrowed"] != true || slices.Contains(texts(claims["perms"]), "csp:org_member") {
		t.Errorf("a narrowed grant: got narrowed %v, perms %v", claims["narrowed"], claims["perms"])
	}
	if !narrowed.Narrowed() || draft.Narrowed() || mint.Facts(must(w.admit(raw))).First() {
		t.Error("what was narrowed at the grant is whole again")
	}
	// Without a login there is neither a session nor a time of it.
	u.AuthTime, g.Session = time.Time{}, ""
	raw = must(w.Sign(must(w.Renew(u, c, g)))).Raw
	if claims := payload(t, raw); claims["auth_time"] != nil || claims["sid"] != nil || !mint.Facts(must(w.admit(raw))).AuthTime().IsZero() {
		t.Errorf("without a login: got auth_time %v, sid %v", claims["auth_time"], claims["sid"])
	}
	if _, err := w.Renew(u, c, mint.Granted{Set: everything}); reason(t, err) != mint.TokenSpent {
		t.Errorf("a grant without id: got %v, want token_spent", err)
	}
}

// What a token says of itself, for those who judge it further.
func TestFirstAndScope(t *testing.T) {
	w := newWorld()
	raw := forged(regular(map[string]string{"scope": `"openid orders.read"`, "auth_time": "1777636800"}))
	facts := mint.Facts(must(w.admit(raw)))
	for word, want := range map[string]bool{"openid": true, "orders.read": true, "orders": false, "open": false, "": false, "openid orders.read": false, "OpenID": false} {
		if facts.HasScope(word) != want {
			t.Errorf("HasScope(%q): got %v", word, !want)
		}
	}
	if !facts.First() || !facts.AuthTime().Equal(start) {
		t.Errorf("got First %v, AuthTime %s", facts.First(), facts.AuthTime())
	}
	draft := must(w.First(ada(), portal()))
	if !draft.HasScope("openid") || draft.HasScope("open") || draft.Narrowed() || !must(draft.Limit([]string{"openid"})).Narrowed() {
		t.Error("the draft says otherwise than the token")
	}
	for name, text := range map[string]string{"act": actors(1), "via": `["a"]`, "narrowed": `true`, "root_jti": `"R","root_iat":1`} {
		if mint.Facts(must(w.admit(forged(regular(map[string]string{name: text}))))).First() {
			t.Errorf("a token with %s is a first one", name)
		}
	}
}
