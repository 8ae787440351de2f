package clients

import (
	"net/http"
	"strings"
)

var (
	introspectPaths = []string{"/oauth2/introspect", "/csp/gateway/am/api/auth/introspect"}
	revokePaths     = []string{"/oauth2/revoke", "/csp/gateway/am/api/auth/revoke"}
	logoutPaths     = []string{"/oauth2/logout", "/csp/gateway/am/api/auth/logout"}
)

const goodbye = "https://web.example.com/goodbye"

// walkAbout asks about tokens, and ends some.
func (c *contract) walkAbout() {
	token := tokenPaths[0]
	alice := c.granted(login(token, "web", "alice", "scope", "openid profile orders"))
	delegated := c.granted(delegate(token, alice.member("access_token"))).member("access_token")
	twice := c.granted(exchange(token, "batch", delegated, accessType)).member("access_token")
	olga := c.granted(login(token, "console", "olga")).member("access_token")
	for _, path := range introspectPaths {
		c.granted(form(path, "web", "token", alice.member("access_token"), "token_type_hint", "refresh_token"))
		c.granted(form(path, "web", "token", alice.member("refresh_token")))
		c.granted(form(path, "batch", "token", twice))
		c.granted(form(path, "console", "token", olga))
		c.granted(form(path, "web", "token", "no-token"))
		c.about(path)
		c.refused(401, "client_public", form(path, "", "token", delegated, "client_id", "phone"))
	}
	for _, path := range revokePaths {
		c.granted(form(path, "web", "token", "no-token"))
		c.granted(form(path, "web", "token", c.granted(login(token, "web", "alice")).member("refresh_token")))
		c.refused(400, "token_kind", form(path, "web", "token", alice.member("id_token")))
		c.about(path)
	}
}

// about makes the mistakes of requests about a token.
func (c *contract) about(path string) {
	ask := func(more ...string) question {
		return form(path, "web", append([]string{"token", "no-token"}, more...)...)
	}
	c.unreadable(path, ask)
	c.refused(400, "parameter_misspelt", ask("subjectToken", "x"))
	c.refused(400, "parameter_misplaced", ask("audience", shopAud))
	c.refused(400, "parameter_empty", ask("allowed_resource_scope", ""))
	c.refused(400, "parameter_missing", form(path, "web", "token_type_hint", "access_token"))
	c.refused(400, "parameter_invalid", ask("state", strings.Repeat("x", 1025)))
	c.refused(400, "client_ambiguous", ask("client_id", "batch"))
	c.refused(401, "client_authentication", form(path, "", "token", "x", "client_id", "web", "client_secret", "wrong"))
	c.refused(401, "client_authentication", form(path, "", "token", "x", "client_id", "web", "client_secret", "wrong"))
}

// walkLogouts ends logins.
func (c *contract) walkLogouts() {
	alice := func() string { return c.granted(login(tokenPaths[0], "web", "alice")).member("id_token") }
	id := alice()
	for _, path := range logoutPaths {
		ask := func(more ...string) question {
			return form(path, "", append([]string{"id_token_hint", id}, more...)...).with("Origin", "")
		}
		c.granted(ask().with("Sec-Fetch-Site", "cross-site"))
		c.unreadable(path, ask)
		c.leaving(func(more ...string) question { return ask(more...) }, form(path, ""))
		c.granted(form(path, "", "id_token_hint", alice(), "state", "x").with("Origin", ""))
		if got := c.ask(form(path, "", "id_token_hint", alice(), "post_logout_redirect_uri", goodbye, "state", "x").with("Origin", "")); got.Status != http.StatusSeeOther {
			c.t.Errorf("POST %s: got %d %s, want 303", path, got.Status, got.Answer)
		}
		c.granted(question{method: http.MethodPost, path: path, sent: map[string]string{"Content-Type": "application/json", "Origin": ""}, body: `{"idToken":"` + alice() + `"}`})
	}
	get := func(more ...string) question {
		return question{method: http.MethodGet, path: logoutPaths[0] + "?" + encode(append([]string{"id_token_hint", id}, more...)...)}
	}
	c.granted(get("post_logout_redirect_uri", goodbye, "state", "x"))
	head := get()
	head.method = http.MethodHead
	c.granted(head)
	broken := get()
	broken.path += "&x=%zz"
	c.refused(400, "body_malformed", broken)
	c.refused(400, "parameter_repeated", get("x", "1", "x", "2"))
	c.leaving(get, question{method: http.MethodGet, path: logoutPaths[0]})
}

// leaving makes the mistakes of logouts.
func (c *contract) leaving(ask func(more ...string) question, nothing question) {
	c.refused(400, "parameter_misspelt", ask("subjectToken", "x"))
	c.refused(400, "parameter_empty", ask("allowed_resource_scope", ""))
	c.refused(400, "parameter_conflict", ask("idToken", "x"))
	c.refused(400, "parameter_missing", nothing)
	c.refused(400, "parameter_invalid", ask("client_id", "batch"))
	c.refused(400, "post_logout_redirect_uri_mismatch", ask("post_logout_redirect_uri", goodbye+"/"))
	wrong := nothing
	if wrong.method == http.MethodGet {
		wrong.path += "?id_token_hint=x"
	} else {
		wrong.body = "id_token_hint=x"
	}
	c.refused(400, "id_token_hint_invalid", wrong)
}
