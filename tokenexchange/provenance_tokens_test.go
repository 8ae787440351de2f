package tokenexchange

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const mailTo = "ada@example.com"

// presentable is something that can be sent as a token, and what it is said to be.
type presentable struct {
	name, text, typ string
	client          string // that it was issued to
	claims          map[string]any
}

// sentAs is what is sent as a token type. Whom it was issued to, it says itself;
// web stands for those that do not.
func sentAs(t testing.TB, typ, name, text string) presentable {
	it := presentable{name: name, text: text, typ: typ, client: "web"}
	if strings.HasPrefix(text, "eyJ") {
		it.claims = claimsOf(t, text)
		if client, ok := it.claims["client_id"].(string); ok {
			it.client = client
		}
	}
	return it
}

// through logs a user in through a client, and returns the answer.
func (p *provenance) through(client, user string, kv ...string) got {
	p.t.Helper()
	return p.token(client, append([]string{"grant_type", "password", "username", user, "password", password}, kv...)...)
}

// access returns the access token of an answer.
func (p *provenance) access(g got) string {
	p.t.Helper()
	token, _ := g.body["access_token"].(string)
	if g.status != 200 || token == "" {
		p.t.Fatalf("got %d %s, want a token", g.status, g.raw)
	}
	return token
}

// login returns the access token of a login.
func (p *provenance) login(client, user string, kv ...string) string {
	p.t.Helper()
	return p.access(p.through(client, user, kv...))
}

// delegated is a token with which a client acts in the shop.
func (p *provenance) delegated(client, token string) string {
	p.t.Helper()
	return p.access(p.delegate(client, token, "audience", shopAud))
}

// exchanged is a token that maker exchanged.
func (p *provenance) exchanged(token, target string) string {
	p.t.Helper()
	return p.access(p.exchange("maker", token, target))
}

// upstream is a token as a guard forwards it that acts as a client.
func (p *provenance) upstream(token, client string) string {
	p.t.Helper()
	_, raw := p.forwarded(p.t, p.shopWith(p.t, GuardOptions{Client: client}), bearer("GET", "/me", token))
	return raw
}

// byAPIToken returns the access token of an API token.
func (p *provenance) byAPIToken(token string) string {
	p.t.Helper()
	r := httptest.NewRequest("POST", "/csp/gateway/am/api/auth/api-tokens/authorize", strings.NewReader(pairs("api_token", token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.access(p.do(r))
}

// resigned is a token with another key's signature under our key's id.
func resigned(raw string) string {
	at := strings.LastIndexByte(raw, '.')
	sig := must(jwt.SigningMethodES256.Sign(raw[:at], ecOther().private))
	return secret("a resigned token", raw[:at+1]+base64.RawURLEncoding.EncodeToString(sig))
}

// begin makes what must be old at the walk: tokens that have expired by then,
// and the login of an operator that is too long ago.
func (p *provenance) begin() (adas, olgas, long string) {
	p.t.Helper()
	return p.login("web", "ada", "accessTokenValiditySeconds", "60"), p.login("web", "olga", "accessTokenValiditySeconds", "60"), p.login("web", "olga")
}

// narrowing words of a request, and changes of a code.
const partOf = `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/7","orders/eu/**"]}]}]}`

func consented(c *Code)     { c.Narrowed = true }
func withoutOpenID(c *Code) { c.Scope = "orders" }

// revokes ends tokens by a claim.
func (p *provenance) revokes(what ...Revocation) {
	p.t.Helper()
	if err := p.revoke(p.t.Context(), what...); err != nil {
		p.t.Fatal(err)
	}
}

// customers makes all that is presented as a subject, now.
func (p *provenance) customers(expired, apiToken, operator string) []presentable {
	p.t.Helper()
	login := p.through("web", "ada")
	first, refresh := login.tokens(p.t)
	id, claims, end := login.body["id_token"].(string), claimsOf(p.t, first), p.clock.Add(time.Hour)
	p.clock = p.clock.Add(time.Second) // What comes of the login is younger.
	_, narrow := p.redeem("web", p.code(p.t, consented)).tokens(p.t)
	refreshed, kept := p.refresh("web", refresh).tokens(p.t)
	delegated, impersonated := p.delegated("maker", first), p.access(p.impersonate("web", operator, mailTo))
	revoked, root := p.login("web", "ada"), p.login("web", "ada")
	made := p.exchanged(root, shopAud)
	p.revokes(RevokeGrant(text(p.t, revoked, "grant_id"), end), RevokeToken(text(p.t, root, "jti"), end))
	seconds := int(p.clock.Sub(start).Seconds())
	assertion := says(statement{"exp": at(seconds + 240), "iat": at(seconds)}).robot()
	p.keeps = map[string]string{"refresh": kept, "code": p.code(p.t), "assertion": assertion}

	access := func(name, text string) presentable { return sentAs(p.t, accessURN, name, text) }
	is := func(typ, name, text string) presentable { return sentAs(p.t, typ, name, text) }
	forged := func(name, claim string, value any) presentable {
		return access(name, forge("at+jwt", claims, map[string]any{claim: value}))
	}
	exchangedID := is(idURN, "exchanged id token", p.access(p.token("maker", "grant_type", "audience_exchange", "subject_token", id, "subject_token_type", idURN, "target_audience", shopAud)))
	exchangedID.client = "maker"
	return []presentable{
		access("first", first),
		access("first, refreshed", refreshed),
		access("first, without openid", p.access(p.redeem("web", p.code(p.t, withoutOpenID)))),
		access("narrowed by request", p.login("web", "ada", "allowed_resource_scope", partOf)),
		access("narrowed scope", p.login("web", "ada", "scope", "openid orders")),
		access("narrowed by consent, refreshed", p.access(p.refresh("web", narrow))),
		access("of an API token", p.byAPIToken(apiToken)),
		access("switched", p.access(p.switchTo("web", first, "beta"))),
		access("client's own", p.token("web", "grant_type", "client_credentials").granted(p.t)),
		access("client's own, holds nothing", p.token("maker", "grant_type", "client_credentials").granted(p.t)),
		is(idURN, "id token", id),
		access("id token, called access", id),
		is(idURN, "first, called id token", first),
		exchangedID,
		access("delegated", delegated),
		access("exchanged", p.exchanged(first, shopAud)),
		access("delegated, then exchanged", p.exchanged(delegated, shopAud)),
		access("delegated four times", p.delegated("maker", p.delegated("maker", p.delegated("maker", delegated)))),
		access("exchanged to another service", p.exchanged(first, crmAud)),
		access("exchanged to a stranger", p.exchanged(first, elsewhere)),
		access("switched, holds nothing", p.access(p.switchTo("web", first, "empty"))),
		access("impersonated", impersonated),
		access("impersonated, holds nothing", p.access(p.impersonate("web", operator, "nia@example.com"))),
		access("forwarded by a guard", p.upstream(first, "")),
		access("forwarded by a client's guard", p.upstream(first, "maker")),
		access("forwarded, impersonated", p.upstream(impersonated, "")),
		access("expired", expired),
		forged("not yet valid", "nbf", p.clock.Unix()+120),
		access("revoked", revoked),
		access("made of a revoked one", made),
		access("impersonated by a disabled operator", p.access(p.impersonate("web", p.login("web", "dora"), mailTo))),
		access("of a disabled user", p.login("web", "dora")),
		forged("older than the store", "iat", p.epoch.Created.Unix()-1),
		access("issued to a client that is gone", p.login("gone", "ada")),
		access("passed through a client that is gone", p.delegated("maker", p.delegated("gone", first))),
		access("issued to a client that lost its permit", p.login("lost", "ada")),
		access("issued to a client without allow", p.login("other", "ada")),
		forged("of another issuer", "iss", "https://other.example.com"),
		access("signed by another key", resigned(first)),
		forged("bound to a key", "cnf", map[string]any{"jkt": "x"}),
		forged("may_act names another", "may_act", map[string]any{"sub": "someone"}),
		forged("may_act names the allowed", "may_act", map[string]any{"sub": "allowed"}),
		forged("marked by mode audit", "scopegate_mode", "audit"),
		access("client assertion", assertion),
		access("refresh token", kept),
		access("code", p.keeps["code"]),
		access("API token", apiToken),
		access("nothing", ""),
		is(acctURN, "customer's e-mail", mailTo),
		is(acctURN, "unknown e-mail", "nobody@example.com"),
		is(acctURN, "operator's own e-mail", "olga@example.com"),
		is(acctURN, "owner's e-mail", "chief@example.com"),
		is(acctURN, "disabled user's e-mail", "dan@example.com"),
		is(acctURN, "another organization's e-mail", "out@example.com"),
		is(acctURN, "unverified e-mail", "uma@example.com"),
		is(acctURN, "first, called an account", first),
	}
}

// operators makes all that is presented as an actor, now.
func (p *provenance) operators(expired, long, apiToken string) []presentable {
	p.t.Helper()
	login := p.through("web", "olga")
	first, refresh := login.tokens(p.t)
	id, revoked, claims := login.body["id_token"].(string), p.login("web", "olga"), claimsOf(p.t, first)
	p.revokes(RevokeGrant(text(p.t, revoked, "grant_id"), p.clock.Add(time.Hour)))
	olgas := func(c *Code) { c.Subject = "example.com:olga" }
	refreshed, kept := p.refresh("web", refresh).tokens(p.t)

	access := func(name, text string) presentable { return sentAs(p.t, accessURN, name, text) }
	// In the column of the client that an actor token was issued to, a client's
	// own would be the caller's own: web brings it.
	another := func(name, client string) presentable {
		it := access(name, p.token(client, "grant_type", "client_credentials").granted(p.t))
		it.client = "web"
		return it
	}
	return []presentable{
		{name: "none", client: "web"},
		{name: "caller's own", typ: accessURN, client: "web"}, // which it is, the caller says
		another("another client's", "no-grant"),
		another("another client's, for a service", "nightly"),
		access("allowed's own, issued to another", forge("at+jwt", claimsOf(p.t, p.token("allowed", "grant_type", "client_credentials").granted(p.t)), map[string]any{"client_id": "maker"})),
		access("customer's first", p.login("web", "ada")),
		access("operator's first", first),
		access("operator's, refreshed", refreshed),
		access("operator's, narrowed", p.login("web", "olga", "allowed_resource_scope", partOf)),
		access("operator's, without openid", p.access(p.redeem("web", p.code(p.t, withoutOpenID, olgas)))),
		access("operator's, of an API token", p.byAPIToken(apiToken)),
		sentAs(p.t, idURN, "operator's id token", id),
		access("operator's id token, called access", id),
		access("operator's, delegated", p.delegated("maker", first)),
		access("operator's, exchanged", p.exchanged(first, shopAud)),
		access("operator's, switched", p.access(p.switchTo("web", first, "beta"))),
		access("operator's, switched, holds nothing", p.access(p.switchTo("web", first, "empty"))),
		access("operator's, impersonating", p.access(p.impersonate("web", first, mailTo))),
		access("operator's, impersonating, holds nothing", p.access(p.impersonate("web", first, "nia@example.com"))),
		access("operator's, forwarded", p.upstream(first, "")),
		access("operator's, expired", expired),
		access("operator's, revoked", revoked),
		access("operator's, logged in long ago", long),
		access("of a disabled operator", p.login("web", "dora")),
		access("of a user without the role", p.login("web", "oleg")),
		access("of a user who lost the role", p.login("web", "rolf")),
		access("operator's, through another client", p.login("other", "olga")),
		access("operator's, through a client that is gone", p.login("gone", "olga")),
		access("operator's, of another issuer", forge("at+jwt", claims, map[string]any{"iss": "https://other.example.com"})),
		access("operator's, signed by another key", resigned(first)),
		access("client assertion", p.keeps["assertion"]),
		access("refresh token", kept),
	}
}
