package clients

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// tokenPaths are the names of the token endpoint.
var tokenPaths = []string{"/oauth2/token", "/csp/gateway/am/api/auth/token", "/csp/gateway/am/api/auth/authorize"}

const apiTokenPath = "/csp/gateway/am/api/auth/api-tokens/authorize"

// walkTokens asks for all that a token endpoint says.
func (c *contract) walkTokens() {
	for _, path := range tokenPaths {
		c.walkLogins(path)
		c.walkExchanges(path)
		c.walkOperators(path)
		c.walkClients(path)
		c.walkForgeries(path)
		c.malformed(path, func(more ...string) question {
			return form(path, "web", append([]string{"grant_type", "client_credentials"}, more...)...)
		})
	}
}

// walkLogins goes through codes, refresh tokens and passwords.
func (c *contract) walkLogins(path string) {
	spent := redeem(path, c.code())
	c.granted(spent)
	c.refused(400, "code_used", spent)
	c.spent = append(c.spent, spent)
	first := c.granted(redeem(path, c.code(), "state", "the-state")).member("refresh_token")
	c.granted(form(path, "", "grant_type", "authorization_code", "client_id", "phone", "redirect_uri", appCallback, "code_verifier", verifier,
		"code", c.code(func(code *tokenexchange.Code) {
			code.Client, code.RedirectURI, code.Scope = "phone", appCallback, "openid"
		})))
	c.refused(400, "code_invalid", redeem(path, "no-code"))
	c.refused(400, "state_mismatch", redeem(path, c.code(), "state", "another"))
	c.refused(400, "user_gone", redeem(path, c.code(func(code *tokenexchange.Code) { code.Subject = "example.com:nobody" })))
	code := c.code()
	c.refused(400, "redirect_uri_mismatch", form(path, "web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback+"/", "code_verifier", verifier))
	c.refused(400, "code_verifier_wrong", form(path, "web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", strings.Repeat("x", 43)))

	refresh := func(token string) question {
		return form(path, "web", "grant_type", "refresh_token", "refresh_token", token)
	}
	second := c.granted(refresh(first)).member("refresh_token")
	for range 3 {
		c.granted(refresh(first))
	}
	c.refused(400, "refresh_token_used", refresh(first))
	c.granted(refresh(second))
	c.refused(400, "refresh_token_reused", refresh(first))
	c.refused(400, "refresh_token_invalid", refresh(second))

	c.granted(login(path, "web", "alice", "scope", "openid", "accessTokenValiditySeconds", "60", "subject_ip", "192.0.2.7"))
	c.granted(login(path, "legacy", "alice@example.com", "allowed_resource_scope", holding("orders.read", "orders/1")))
	c.refused(400, "credentials_wrong", form(path, "web", "grant_type", "password", "username", "alice", "password", "wrong"))
	c.refused(400, "org_not_allowed", login(path, "web", "alice", "orgId", "elsewhere"))
	c.refused(400, "scope_exceeded", login(path, "web", "alice", "scope", "more"))
	c.refused(400, "resource_scope_exceeded", login(path, "web", "alice", "allowed_resource_scope", holding("orders.write", "orders/1")))
}

// exchange is a request that exchanges a token as the client batch.
func exchange(path, client, token, kind string, more ...string) question {
	return form(path, client, append([]string{"grant_type", "audience_exchange", "subject_token", token, "subject_token_type", kind, "target_audience", shopAud}, more...)...)
}

func delegate(path, token string, more ...string) question {
	return form(path, "agent", append([]string{"grant_type", "client_delegate", "subject_token", token, "subject_token_type", accessType}, more...)...)
}

// walkExchanges makes tokens of tokens.
func (c *contract) walkExchanges(path string) {
	alice := c.granted(login(path, "web", "alice"))
	access, id := alice.member("access_token"), alice.member("id_token")
	c.granted(exchange(path, "batch", access, accessType))
	c.granted(exchange(path, "portal", access, accessType))
	c.granted(exchange(path, "batch", id, idType, "state", "the-state"))
	c.granted(form(path, "batch", "grant_type", rfcExchange, "subject_token", id, "subject_token_type", idType, "audience", shopAud))
	c.granted(form(path, "agent", "grant_type", rfcExchange, "subject_token", access, "subject_token_type", accessType, "resource", shopAud))
	c.granted(delegate(path, access))
	c.granted(delegate(path, access, "allowed_resource_scope", holding("orders.read", "orders/1")))
	c.granted(form(path, "console", "grant_type", "context_switch", "subject_token", access, "subject_token_type", accessType, "orgId", "globex"))

	c.refused(400, "grant_ambiguous", form(path, "both", "grant_type", rfcExchange, "subject_token", access, "subject_token_type", accessType, "audience", shopAud))
	c.refused(400, "target_not_allowed", delegate(path, access, "audience", "https://elsewhere.example.com"))
	c.refused(400, "exchange_refused", exchange(path, "batch", c.granted(login(path, "legacy", "alice")).member("access_token"), accessType))
	c.refused(400, "subject_kind", delegate(path, c.granted(form(path, "web", "grant_type", "client_credentials")).member("access_token")))
	c.refused(400, "token_not_first", form(path, "console", "grant_type", "context_switch", "orgId", "globex", "subject_token_type", accessType,
		"subject_token", c.granted(login(path, "web", "alice", "allowed_resource_scope", holding("orders.read", "orders/1"))).member("access_token")))
}

// walkOperators has olga act for alice.
func (c *contract) walkOperators(path string) {
	impersonate := func(account, actor string) question {
		return form(path, "console", "grant_type", "impersonate_user", "subject_token", account, "subject_token_type", acctType, "actor_token", actor, "actor_token_type", accessType)
	}
	olga := c.granted(login(path, "console", "olga")).member("access_token")
	c.granted(impersonate("alice@example.com", olga))
	c.refused(400, "impersonation_refused", impersonate("nobody@example.com", olga))
	c.refused(400, "actor_not_allowed", impersonate("alice@example.com", c.granted(login(path, "console", "alice")).member("access_token")))
	old := c.code(func(code *tokenexchange.Code) {
		code.Subject, code.Client, code.AuthTime = "example.com:olga", "console", time.Now().Add(-time.Hour)
	})
	long := c.granted(form(path, "console", "grant_type", "authorization_code", "code", old, "redirect_uri", callback, "code_verifier", verifier)).member("access_token")
	c.refused(400, "login_too_old", impersonate("alice@example.com", long))
}

// walkClients goes through the ways in which clients authenticate.
func (c *contract) walkClients(path string) {
	own := func(client string, more ...string) question {
		return form(path, client, append([]string{"grant_type", "client_credentials"}, more...)...)
	}
	assertion := c.assertion()
	robot := own("", "client_assertion_type", jwtBearer, "client_assertion", assertion)
	c.granted(robot)
	c.refused(401, "client_authentication", robot)
	c.granted(own("", "client_id", "web", "client_secret", clientSecret))
	c.granted(own("web", "client_id", "web", "state", "the-state"))
	c.granted(question{method: "POST", path: path, client: "web", sent: map[string]string{"Content-Type": "application/json"}, body: `{"grant_type":"client_credentials","accessTokenValiditySeconds":60}`})
	c.granted(question{method: "POST", path: path, client: "web", sent: map[string]string{"Content-Type": "application/json"}, body: `{"grant_type":"client_credentials","servicesPermissionsScopesDto":` + holding("orders.read", "orders/1") + `}`})
	c.refused(401, "client_authentication", own("", "client_id", "web", "client_secret", "wrong"))
	c.refused(400, "client_ambiguous", own("web", "client_id", "batch"))
	c.refused(400, "grant_unknown", form(path, "web", "grant_type", "client_exchange"))
	c.refused(400, "grant_not_allowed", own("batch"))
	c.refused(400, "token_too_large", own("large"))
	c.refused(400, "resource_scope_too_large", own("vast"))
}

// walkForgeries sends tokens that the issuer signed, and would not issue.
func (c *contract) walkForgeries(path string) {
	for reason, token := range c.forgeries() {
		c.refused(400, reason, exchange(path, "batch", token, accessType))
	}
}

// forgeries are tokens that nothing is done with, by why.
func (c *contract) forgeries() map[string]string {
	now := time.Now().Unix()
	return map[string]string{
		"token_malformed":     "no-token",
		"token_expired":       c.forged(map[string]any{"iat": now - 120, "nbf": now - 120, "exp": now - 60}, nil),
		"token_not_yet_valid": c.forged(map[string]any{"nbf": now + 120}, nil),
		"token_issuer":        c.forged(map[string]any{"iss": "https://elsewhere.example.com"}, nil),
		"token_audience":      c.forged(map[string]any{"aud": upstreamAud + "shop"}, nil),
		"token_type":          c.forged(nil, map[string]any{"typ": "JWT"}),
		"token_signature":     c.forged(nil, map[string]any{"kid": strings.Repeat("x", 43)}),
		"token_binding":       c.forged(map[string]any{"cnf": map[string]string{"jkt": "x"}}, nil),
		"token_revoked":       c.forged(map[string]any{"sub": "example.com:nobody"}, nil),
		"chain_too_long":      c.forged(map[string]any{"via": []string{"a1", "a2", "a3", "a4", "a5"}}, nil),
	}
}

// unreadable sends what cannot be read. ask adds parameters to a request that is
// right.
func (c *contract) unreadable(path string, ask func(more ...string) question) {
	good := ask()
	c.refused(400, "content_type", good.with("Content-Type", "text/plain"))
	c.refused(400, "body_too_large", ask("x", strings.Repeat("x", 64<<10)))
	broken := good
	broken.body += "&x=%zz"
	c.refused(400, "body_malformed", broken)
	inQuery := good
	inQuery.path += "?x=1"
	c.refused(400, "query_parameters", inQuery)
	c.refused(400, "parameter_repeated", ask("x", "1", "x", "2"))
	array := good.with("Content-Type", "application/json")
	array.body = `{"scope":["openid"]}`
	c.refused(400, "parameter_type", array)
}

// malformed makes the mistakes of all requests for a token.
func (c *contract) malformed(path string, ask func(more ...string) question) {
	good := ask()
	c.unreadable(path, ask)
	c.refused(400, "parameter_misspelt", ask("subjectToken", "x"))
	c.refused(400, "parameter_misplaced", ask("target_audience", shopAud))
	c.refused(400, "parameter_empty", ask("allowed_resource_scope", ""))
	c.refused(400, "parameter_conflict", ask("orgId", "acme", "org_id", "globex"))
	c.refused(400, "parameter_missing", form(path, good.client, "scope", "openid").with("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
	c.refused(400, "parameter_invalid", ask("subject_ip", "nowhere"))
	c.refused(400, "resource_scope_malformed", ask("allowed_resource_scope", "{}"))
}

// walkAPITokens asks for all that the endpoint for API tokens says.
func (c *contract) walkAPITokens() {
	ask := func(more ...string) question {
		return form(apiTokenPath, "", append([]string{"api_token", c.apiToken}, more...)...)
	}
	c.granted(ask("state", "the-state"))
	c.granted(form(apiTokenPath, "", "refresh_token", c.apiToken, "allowed_resource_scope", holding("orders.read", "orders/1")))
	c.malformed(apiTokenPath, ask)
	c.refused(400, "org_not_allowed", ask("orgId", "globex"))
	c.refused(400, "api_token_invalid", form(apiTokenPath, "", "api_token", "nobody.nothing"))
	c.refused(400, "scope_exceeded", ask("scope", "more"))
	c.refused(400, "resource_scope_exceeded", ask("allowed_resource_scope", holding("orders.write", "orders/1")))
	c.refused(400, "token_too_large", form(apiTokenPath, "", "api_token", c.largeToken))
	c.refused(400, "resource_scope_too_large", form(apiTokenPath, "", "api_token", c.vastToken))
}
