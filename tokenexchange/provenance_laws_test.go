package tokenexchange

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

// rightsOfClaims returns the set that claims hold.
func rightsOfClaims(claims map[string]any) scopes.Set {
	claim, has := claims["allowed_resource_scope"]
	if !has {
		return scopes.Set{}
	}
	return must(scopes.ParseSet(must(json.Marshal(claim))))
}

// kept keeps the entries of a set for which a test holds.
func kept(set scopes.Set, test func(scopes.Entry) bool) scopes.Set {
	return must(scopes.NewSet(slices.DeleteFunc(set.Entries(), func(e scopes.Entry) bool { return !test(e) })...))
}

// permitted reports whether a caller may have an entry at all.
func permitted(client string, e scopes.Entry) bool {
	switch client {
	case "web", "maker":
		return true
	case "lost":
		return false
	case "no-permit": // It has an own line alone, which is its ceiling.
		return e.Service == "shop" && e.Permission == "orders.read"
	}
	return e.Service == "shop"
}

// laws holds what an allowed cell gave against what every exchange keeps.
func (p *provenance) laws(t *testing.T, c cell, a asked) {
	t.Helper()
	fail := func(law string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, actor %s, subject %s, caller %s: %s: got (+), want (-)\n%s", c.grant, c.actor, c.subject, c.caller, law, diff)
		}
	}
	access, id := p.kinds(a, fail)
	if access != "" {
		fail("typ", typOf(access), "at+jwt")
		from, to := a.subject.claims, claimsOf(t, access)
		switch {
		case a.grant.issued:
			p.impersonates(a, to, fail)
			from = a.actor.claims
		case a.grant.name == "context_switch":
			p.switches(a, to, fail)
		default:
			p.exchanges(a, to, fail)
		}
		fail("client_id and cid", []any{to["client_id"], to["cid"]}, []any{a.client, a.client})
		for _, word := range strings.Fields(fmt.Sprint(to["perms"])) {
			if strings.Contains(word, "csp:") {
				fail("roles", word, "")
			}
		}
		p.descends(a, from, to, fail)
	}
	if id != "" {
		fail("typ of the id token", typOf(id), "JWT")
		to := claimsOf(t, id)
		p.descends(a, a.subject.claims, to, fail)
		fail("aud of the id token", to["aud"], any(shopAud))
		fail("via of the id token", to["via"], any(append(listOf(a.subject.claims["via"]), a.client)))
		for _, name := range []string{"client_id", "cid", "scope", "allowed_resource_scope", "perms", "act", "email", "name", "nonce", "at_hash"} {
			if name != "at_hash" || access == "" {
				fail("an id token has no "+name, to[name], nil)
			}
		}
	}
}

// kinds returns the tokens of an answer, which are of the kind that went in.
func (p *provenance) kinds(a asked, fail func(string, any, any)) (access, id string) {
	if a.forwarded != "" {
		return a.forwarded, ""
	}
	from, b := a.subject.claims, a.answer.body
	login := from["root_jti"] == nil && from["act"] == nil && from["via"] == nil && from["narrowed"] == nil && from["auth_time"] != nil
	both := a.grant.name == "audience_exchange" && login && slices.Contains(strings.Fields(fmt.Sprint(from["scope"])), "openid") && a.client != "public"
	main, kind := b["access_token"].(string), "Bearer"
	issued, other := any(accessURN), any(nil)
	switch {
	case a.grant.name == "context_switch" || a.grant.issued:
		access, issued = main, nil
	case a.subject.typ == idURN || strings.HasSuffix(a.grant.name, "an id token"):
		id, kind, issued = main, "N_A", idURN
		if !strings.HasPrefix(a.grant.name, "RFC") {
			other = main
		}
	default:
		access = main
		if both {
			id, _ = b["id_token"].(string)
			other = id
		}
	}
	fail("token_type", b["token_type"], any(kind))
	fail("issued_token_type", b["issued_token_type"], issued)
	fail("id_token", b["id_token"], other)
	fail("refresh_token", b["refresh_token"], nil)
	fail("expires_in", b["expires_in"], any(claimsOf(p.t, main)["exp"].(float64)-claimsOf(p.t, main)["iat"].(float64)))
	return access, id
}

// descends is what a token keeps of the one that it was made from.
func (p *provenance) descends(a asked, from, to map[string]any, fail func(string, any, any)) {
	for _, name := range []string{"sid", "grant_id", "context"} {
		fail(name, to[name], from[name])
	}
	root := []any{from["root_jti"], from["root_iat"]}
	if root[0] == nil {
		root = []any{from["jti"], from["iat"]}
	}
	fail("root", []any{to["root_jti"], to["root_iat"]}, root)
	if !a.grant.issued {
		for _, name := range []string{"sub", "acct", "username", "domain", "auth_time"} {
			fail(name, to[name], from[name])
		}
	}
	fail("iss, azp and iat", []any{to["iss"], to["azp"], to["iat"]}, []any{issuer, a.client, float64(p.clock.Unix())})
	if exp := to["exp"].(float64); exp > from["exp"].(float64) {
		fail("exp", exp, from["exp"])
	}
	held, _ := from["scope"].(string)
	has, _ := to["scope"].(string)
	for _, word := range strings.Fields(has) {
		if !slices.Contains(strings.Fields(held), word) || slices.Contains([]string{"openid", "profile", "email", "offline_access"}, word) {
			fail("scope", has, held)
		}
	}
	fail("jti", to["jti"] == from["jti"], false)
}

// exchanges is what a token says that was made for one audience.
func (p *provenance) exchanges(a asked, to map[string]any, fail func(string, any, any)) {
	from, target := a.subject.claims, shopAud
	if a.forwarded != "" {
		target = "urn:scopegate:upstream:shop"
	}
	fail("aud", to["aud"], any(target))
	act, via := from["act"], listOf(from["via"])
	user := strings.Contains(from["sub"].(string), ":")
	if strings.Contains(a.grant.name, "client_delegate") && user {
		link := map[string]any{"sub": a.client}
		if act != nil {
			link["act"] = act
		}
		act = link
	} else {
		via = append(via, a.client)
	}
	fail("act", to["act"], act)
	fail("via", listOf(to["via"]), via)
	rights, held := rightsOfClaims(to), rightsOfClaims(from)
	if !held.Contains(rights) {
		fail("rights", rights.Canonical(), held.Canonical())
	}
	fail("the same rights in the shop", rights.Canonical(), kept(held, func(e scopes.Entry) bool {
		return e.Service == "shop" && permitted(a.client, e)
	}).Canonical())
	fail("narrowed", to["narrowed"] == true, from["narrowed"] == true || !rights.Equal(held))
	fail("org", to["context_name"], from["context_name"])
}

// switches is what a token says that was taken to another organization.
func (p *provenance) switches(a asked, to map[string]any, fail func(string, any, any)) {
	rights, held := rightsOfClaims(to), rightsOfClaims(a.subject.claims)
	there, _ := p.realm.users.user("example.com:ada").in("beta")
	fail("rights", rights.Canonical(), kept(there.rights, func(e scopes.Entry) bool {
		pair := kept(held, func(h scopes.Entry) bool { return h.Service == e.Service && h.Permission == e.Permission })
		return !pair.Empty() && permitted(a.client, e)
	}).Canonical())
	fail("act", to["act"], nil)
	fail("via", listOf(to["via"]), []any{a.client})
	fail("org", to["context_name"], any("beta"))
	fail("aud", audienceIn(to), audienceOf(rights))
}

// impersonates is what a token says with which an operator acts for a customer.
func (p *provenance) impersonates(a asked, to map[string]any, fail func(string, any, any)) {
	rights := rightsOfClaims(to)
	want := must(scopes.ParseSet([]byte(`{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"},{"permissions":[{"permissionId":"contacts.read","resources":["contacts/**"]}],"serviceDefinitionId":"crm"}]}`)))
	fail("rights", rights.Canonical(), kept(want, func(e scopes.Entry) bool { return permitted(a.client, e) }).Canonical())
	fail("sub and org", []any{to["sub"], to["context_name"]}, []any{"example.com:ada", "acme"})
	fail("act", to["act"], any(map[string]any{"sub": "example.com:olga"}))
	fail("via", to["via"], nil)
	fail("narrowed", to["narrowed"], any(true))
	fail("aud", audienceIn(to), audienceOf(rights))
	if life := to["exp"].(float64) - to["iat"].(float64); life > 600 {
		fail("life", life, 600)
	}
}

// audienceOf is the audience of a token that was made for no single one.
func audienceOf(rights scopes.Set) (aud []any) {
	for _, service := range rights.Services() {
		aud = append(aud, "https://"+service+".example.com")
	}
	if aud == nil {
		return []any{issuer}
	}
	return aud
}

func audienceIn(claims map[string]any) []any {
	if one, ok := claims["aud"].(string); ok {
		return []any{one}
	}
	return listOf(claims["aud"])
}

func listOf(claim any) []any {
	list, _ := claim.([]any)
	return slices.Clone(list)
}

// typOf returns the member typ of a token's header.
func typOf(raw string) string {
	head, _, _ := strings.Cut(raw, ".")
	var header struct{ Typ string }
	_ = json.Unmarshal(must(base64.RawURLEncoding.DecodeString(head)), &header)
	return header.Typ
}
