package clients

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange"
)

// floods ends more logins of one user than one client may, at a server in this
// process. Nobody has so many: their id tokens are signed here, with its key.
func (c *contract) floods() {
	c.t.Helper()
	id := c.granted(login(tokenPaths[0], "web", "alice", "scope", "openid")).member("id_token")
	another, server := c.idTokens(id), c.within(nil)
	leave := func(path string) question {
		return form(path, "", "id_token_hint", another()).with("Origin", "")
	}
	const more = 5000 // than the limit of docs/endpoints.md
	for n := 0; ; n++ {
		w := httptest.NewRecorder()
		if server.ServeHTTP(w, c.request("", leave(logoutPaths[0]))); w.Code == http.StatusTooManyRequests {
			break
		}
		if w.Code != http.StatusOK || n == more {
			c.t.Fatalf("logout %d: got %d %s", n, w.Code, w.Body)
		}
	}
	for _, path := range logoutPaths {
		c.slowed(10, func() exchanged { return c.askWithin(server, leave(path)) })
	}
}

// idTokens returns id tokens that are like one, each of another login.
func (c *contract) idTokens(like string) func() string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, "es256.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := tokenexchange.ParseSigningKey(text)
	if err != nil {
		c.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	part := base64.RawURLEncoding
	payload, err := part.DecodeString(strings.Split(like, ".")[1])
	if err != nil {
		c.t.Fatal(err)
	}
	claims, n := map[string]json.RawMessage{}, 0
	if err := json.Unmarshal(payload, &claims); err != nil {
		c.t.Fatal(err)
	}
	return func() string {
		n++
		claims["sid"] = json.RawMessage(fmt.Sprintf(`"another-%d"`, n))
		input := part.EncodeToString([]byte(`{"alg":"ES256","kid":"`+key.ID()+`","typ":"JWT"}`)) + "." + part.EncodeToString([]byte(jsonOf(c.t, claims)))
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, private.(*ecdsa.PrivateKey), sum[:])
		if err != nil {
			c.t.Fatal(err)
		}
		return input + "." + part.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
}
