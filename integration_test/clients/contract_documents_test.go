package clients

import "net/http"

// documents are what anybody may read.
var documents = []string{
	"/oauth2/jwks", "/csp/gateway/am/api/auth/keys",
	publicKeyPath, "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/csp/gateway/am/api/auth/.well-known/openid-configuration",
}

const (
	publicKeyPath = "/csp/gateway/am/api/auth/token-public-key"
	readyPath     = "/.well-known/scopegate/ready"
	resourcePath  = "/.well-known/oauth-protected-resource"
)

// walkDocuments reads all documents.
func (c *contract) walkDocuments() {
	for _, path := range documents {
		c.granted(question{method: http.MethodGet, path: path})
		c.granted(question{method: http.MethodHead, path: path})
	}
	for _, path := range []string{readyPath, resourcePath} {
		c.granted(question{method: http.MethodGet, path: path})
		c.granted(question{method: http.MethodHead, path: path})
	}
	// The audience of stock has a path.
	below := question{elsewhere: c.stock, method: http.MethodGet, path: resourcePath + "/api"}
	c.granted(below)
	below.method = http.MethodHead
	c.granted(below)
	for _, q := range []question{{method: http.MethodGet, path: resourcePath, elsewhere: c.stock}, {method: http.MethodGet, path: resourcePath + "/other"}} {
		if got := c.ask(q); got.Status != http.StatusNotFound {
			c.t.Errorf("metadata of another resource: got %d %s, want 404", got.Status, got.Answer)
		}
	}
	c.granted(question{method: http.MethodGet, path: publicKeyPath + "?format=jwks"})
	c.refused(400, "parameter_invalid", question{method: http.MethodGet, path: publicKeyPath + "?format=der"})
	c.refused(400, "parameter_repeated", question{method: http.MethodGet, path: publicKeyPath + "?format=pem&format=pem"})
}

// preflight is what a browser asks before a script of the client phone does.
func preflight(path, method string) question {
	return question{method: http.MethodOptions, path: path, sent: map[string]string{"Origin": appOrigin, "Access-Control-Request-Method": method}}
}

// walkMethods sends preflights, methods that a path does not have, and paths with
// two slashes.
func (c *contract) walkMethods() {
	guards := []question{
		{method: http.MethodGet, path: readyPath},
		{method: http.MethodGet, path: resourcePath},
		preflight(resourcePath, http.MethodGet),
		{method: http.MethodGet, path: resourcePath + "/other"},
		preflight(resourcePath+"/other", http.MethodGet),
	}
	for _, q := range c.everything() {
		once := c.ask(q)
		q.path = "/" + q.path
		if twice := c.ask(q); twice.Status != once.Status {
			c.t.Errorf("%s %s: got %d %s, want %d as with one slash", q.method, q.path, twice.Status, twice.Answer, once.Status)
		}
	}
	for _, q := range append(c.everything(), guards...) {
		if q.method == http.MethodOptions {
			if got := c.ask(q); got.Status != http.StatusNoContent {
				c.t.Errorf("preflight of %s: got %d %s", q.path, got.Status, got.Answer)
			}
			continue
		}
		for _, method := range []string{http.MethodDelete, http.MethodPut, http.MethodOptions} {
			if got := c.ask(question{method: method, path: q.path}); got.Status != http.StatusMethodNotAllowed {
				c.t.Errorf("%s %s: got %d %s, want 405", method, q.path, got.Status, got.Answer)
			}
		}
	}
}

// keyID is the id of the issuer's key for ES256.
func (c *contract) keyID() string {
	c.t.Helper()
	keys, _ := c.granted(question{method: http.MethodGet, path: documents[0]}).said["keys"].([]any)
	for _, key := range keys {
		if key, _ := key.(map[string]any); key["alg"] == "ES256" {
			return key["kid"].(string)
		}
	}
	c.t.Fatal("the issuer shows no key for ES256")
	return ""
}
