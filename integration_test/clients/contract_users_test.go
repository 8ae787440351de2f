package clients

import (
	"net/http"
	"strings"
	"time"
)

var userinfoPaths = []string{"/oauth2/userinfo", "/csp/gateway/am/api/userinfo"}

const orgPath = "/csp/gateway/am/api/orgs/"

// bearing is a request with an access token.
func bearing(method, path, token string) question {
	return question{method: method, path: path, sent: map[string]string{"Authorization": "Bearer " + token}}
}

// walkUsers asks who users are, and what organizations are called.
func (c *contract) walkUsers() {
	token := tokenPaths[0]
	access := c.granted(login(token, "web", "alice")).member("access_token")
	plain := c.granted(login(token, "web", "alice", "scope", "orders")).member("access_token")
	robot := c.forged(map[string]any{"sub": "web", "aud": c.issuer, "allowed_resource_scope": nil}, nil)
	exchanged := c.forged(map[string]any{"scope": "openid", "aud": c.issuer, "root_jti": "x", "root_iat": time.Now().Unix(), "via": []string{"batch"}, "allowed_resource_scope": nil}, nil)
	for _, path := range userinfoPaths {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if method == http.MethodPost && path != userinfoPaths[0] {
				continue
			}
			c.granted(bearing(method, path, access))
			if method != http.MethodHead {
				c.bearers(method, path)
				c.refused(403, "subject_kind", bearing(method, path, robot))
				c.refused(403, "token_not_first", bearing(method, path, exchanged))
				c.refused(403, "openid_missing", bearing(method, path, plain))
			}
		}
	}
	withBody := func(more ...string) question {
		return form(userinfoPaths[0], "", append([]string{"y", "1"}, more...)...).with("Authorization", "Bearer "+access)
	}
	c.unreadable(userinfoPaths[0], withBody)
	c.refused(400, "token_ambiguous", withBody("access_token", access))
	c.refused(400, "parameter_misspelt", withBody("subjectToken", "x"))
	c.refused(400, "parameter_empty", withBody("allowed_resource_scope", ""))
	c.refused(400, "parameter_invalid", withBody("state", strings.Repeat("x", 1025)))

	c.granted(bearing(http.MethodGet, orgPath+"acme", access))
	c.granted(bearing(http.MethodHead, orgPath+"acme", access))
	c.bearers(http.MethodGet, orgPath+"acme")
	c.refused(403, "subject_kind", bearing(http.MethodGet, orgPath+"acme", robot))
	c.refused(403, "openid_missing", bearing(http.MethodGet, orgPath+"acme", plain))
	c.refused(404, "org_unknown", bearing(http.MethodGet, orgPath+"nowhere", access))
}

// bearers makes the mistakes of requests with a token.
func (c *contract) bearers(method, path string) {
	c.refused(401, "no_token", question{method: method, path: path})
	c.refused(400, "token_ambiguous", bearing(method, path+"?access_token=x", c.forged(nil, nil)))
	for reason, token := range c.forgeries() {
		c.refused(401, reason, bearing(method, path, token))
	}
}
