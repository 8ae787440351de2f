package clients

import (
	"net/http"
	"slices"
	"strings"
)

const parPath = "/oauth2/par"

// challenge is the code_challenge of verifier (RFC 7636 appendix B).
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// asking are the parameters of an authorization request of web, some of them
// changed or added.
func asking(changed ...string) []string {
	params := []string{
		"client_id", "web", "response_type", "code", "redirect_uri", callback, "scope", "openid orders", "state", "the-state",
		"nonce", "the-nonce", "code_challenge", challenge, "code_challenge_method", "S256",
	}
next:
	for i := 0; i < len(changed); i += 2 {
		for n := 0; n < len(params); n += 2 {
			if params[n] == changed[i] {
				params[n+1] = changed[i+1]
				continue next
			}
		}
		params = append(params, changed[i], changed[i+1])
	}
	return params
}

// push is a pushed request of web.
func push(changed ...string) question { return form(parPath, "web", asking(changed...)...) }

// pushed wants 201, and returns the request_uri.
func (c *contract) pushed(q question) string {
	c.t.Helper()
	got := c.ask(q)
	if got.Status != http.StatusCreated {
		c.t.Errorf("POST %s, %s: got %d %s, want 201", parPath, q.body, got.Status, got.Answer)
	}
	return got.member("request_uri")
}

// walkPushed pushes requests, and makes the mistakes of them.
func (c *contract) walkPushed() {
	id := c.granted(login(tokenPaths[0], "web", "alice")).member("id_token")
	c.pushed(push())
	c.pushed(push("prompt", "login consent", "max_age", "60", "login_hint", "alice", "ui_locales", "de en", "id_token_hint", id, "response_mode", "query",
		"orgId", "acme", "org_id", "acme", "allowed_resource_scope", holding("orders.read", "orders/1"), "servicesPermissionsScopesDto", holding("orders.read", "orders/1")))
	c.pushed(form(parPath, "", asking("client_id", "phone", "redirect_uri", appCallback, "scope", "openid")...))
	asJSON := push().with("Content-Type", "application/json")
	asJSON.body = `{"response_type":"code","redirect_uri":"` + callback + `","code_challenge":"` + challenge + `","code_challenge_method":"S256","max_age":60}`
	c.pushed(asJSON)

	c.unreadable(parPath, func(more ...string) question {
		q := push()
		if q.body += "&" + encode(more...); len(more) == 0 {
			q = push()
		}
		return q
	})
	c.refused(400, "parameter_misspelt", push("subjectToken", "x"))
	c.refused(400, "parameter_misplaced", push("audience", shopAud))
	c.refused(400, "parameter_misplaced", push("request_uri", "urn:ietf:params:oauth:request_uri:x"))
	c.refused(400, "parameter_empty", push("allowed_resource_scope", ""))
	c.refused(400, "parameter_conflict", push("orgId", "acme", "org_id", "globex"))
	c.refused(400, "parameter_missing", push("response_type", ""))
	c.refused(400, "parameter_missing", push("redirect_uri", ""))
	c.refused(400, "parameter_invalid", push("state", strings.Repeat("x", 1025)))
	c.refused(400, "resource_scope_malformed", push("allowed_resource_scope", "{}"))
	c.refused(400, "resource_scope_too_large", push("allowed_resource_scope", holding("orders.read", slices.Repeat([]string{"orders/1"}, 257)...)))
	c.refused(400, "client_ambiguous", push("client_id", "legacy"))
	c.refused(400, "redirect_uri_unregistered", push("redirect_uri", callback+"/"))
	c.refused(400, "org_not_allowed", push("orgId", "a/b"))
	c.refused(400, "id_token_hint_invalid", push("id_token_hint", "x"))
	c.refused(400, "scope_exceeded", push("scope", "more"))
	c.refused(400, "grant_not_allowed", form(parPath, "batch", asking("client_id", "batch")...))
	c.refused(400, "response_type_unsupported", push("response_type", "token"))
	c.refused(400, "request_not_supported", push("request", "x"))
	c.refused(400, "registration_not_supported", push("registration", "x"))
	c.refused(401, "client_authentication", form(parPath, "", asking("client_secret", "wrong")...))
}
