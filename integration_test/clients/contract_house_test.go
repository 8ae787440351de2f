package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	appOrigin   = "https://app.example.com" // of the public client phone
	appCallback = appOrigin + "/callback"
	password    = "correct horse battery staple"
	shopAud     = "https://shop.example.com"
	accessType  = "urn:ietf:params:oauth:token-type:access_token"
	idType      = "urn:ietf:params:oauth:token-type:id_token"
	acctType    = "urn:vmware:params:oauth:token-type:acct"
	jwtBearer   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	rfcExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// contract is a server of contract.Caddyfile, and all that it answered.
type contract struct {
	state *tokenexchange.State // of the same store, to make codes
	*house
	stock                 string // the site with the guard of the service stock
	client                *http.Client
	redis                 *redistest.Server
	key                   *ecdsa.PrivateKey // that the issuer signs with
	kid                   string
	spent                 []question // with codes that were used, to be sent again
	peers                 atomic.Int32
	mu                    sync.Mutex
	kept                  []exchanged // guarded by mu
	stateKey              tokenexchange.StateKey
	largeToken, vastToken string // API tokens of max, who may too much for one token
}

func newContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{
		house: &house{t: t, Server: outside.Server{Dir: t.TempDir()}}, redis: redistest.Start(t, redistest.NoSync),
		client: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	c.issuer = fmt.Sprint("http://127.0.0.1:", outside.FreePort(t))
	c.shop = c.issuer // Where it says whether it is ready.
	c.stock = fmt.Sprint("http://127.0.0.1:", outside.FreePort(t))
	c.files()
	return c
}

// files writes what contract.Caddyfile names.
func (c *contract) files() {
	c.t.Helper()
	state := outside.StateKey()
	key, err := tokenexchange.ParseStateKey([]byte(state))
	if err != nil {
		c.t.Fatal(err)
	}
	c.stateKey = key
	if c.state, err = tokenexchange.NewState(openRedis(c.t, c.redis, c.issuer), c.issuer, []tokenexchange.StateKey{key}, nil, nil); err != nil {
		c.t.Fatal(err)
	}
	signing := signingKey(c.t, "ES256")
	block, _ := pem.Decode([]byte(signing))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	c.key = parsed.(*ecdsa.PrivateKey)
	caddyfile, err := os.ReadFile("contract.Caddyfile")
	if err != nil {
		c.t.Fatal(err)
	}
	var robots string
	c.robotKey, robots = signer(c.t)
	for name, content := range map[string]string{
		"Caddyfile": string(caddyfile), "state.key": state, "robot.jwks": robots,
		"es256.pem": signing, "rs256.pem": signingKey(c.t, "RS256"), "users.json": c.users(),
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// users are alice, who may be in two organizations, and olga of the support.
func (c *contract) users() string {
	c.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		c.t.Fatal(err)
	}
	literals, wide, _ := manyResources()
	var entries []string
	for i, entry := range []tokenexchange.APIToken{
		{User: "example.com:alice", Client: "web", Permissions: []string{"shop/orders.read orders/**"}},
		{User: "example.com:max", Client: "large", Permissions: []string{"shop/orders.read " + literals}},
		{User: "example.com:max", Client: "vast", Permissions: []string{"shop/orders.write " + wide}},
	} {
		entry.Org, entry.Expires = "acme", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		token, entry, err := tokenexchange.NewAPIToken(entry, time.Now())
		if err != nil {
			c.t.Fatal(err)
		}
		*[]*string{&c.apiToken, &c.largeToken, &c.vastToken}[i] = token
		entries = append(entries, jsonOf(c.t, entry))
	}
	return fmt.Sprintf(`{"orgs":[{"id":"acme","name":"Acme","display_name":"Acme Inc."},{"id":"globex"}],"groups":[{"id":"g1","name":"readers"},{"id":"g2","name":"writers"}],"users":[
		{"id":"alice","username":"alice","domain":"example.com","email":"alice@example.com","email_verified":true,"given_name":"Alice","family_name":"Archer",
		 "password_hash":%[1]q,"default_org":"acme","memberships":[{"org":"acme","groups":["g1","g2"],"permissions":["shop/orders.read orders/**"]},{"org":"globex","permissions":["shop/orders.read orders/globex/**"]}]},
		{"id":"max","username":"max","domain":"example.com","memberships":[{"org":"acme","permissions":["shop/orders.read %[3]s","shop/orders.write %[4]s"]}]},
		{"id":"olga","username":"olga","domain":"example.com","password_hash":%[1]q,"memberships":[{"org":"acme","roles":["csp:support"]}]}],
		"api_tokens":[%[2]s]}`, hash, strings.Join(entries, ","), literals, wide)
}

func (c *contract) environment() []string {
	literals, wide, areas := manyResources()
	return []string{
		"ISSUER=" + c.issuer, "STOCK=" + c.stock, "REDIS=" + c.redis.Addr(), "CLIENT_SECRET=" + clientSecret,
		"LITERALS=" + literals, "WIDE=" + wide, "AREAS=" + areas,
	}
}

// manyResources are literals for which a token has room, but not for the views of
// them in perms; and two lists of patterns that meet in more than it has room for.
func manyResources() (literals, wide, areas string) {
	for i := range 45 {
		literals += fmt.Sprintf(" %s%02d", strings.Repeat("literal", 7), i)
		wide += fmt.Sprintf(" */%02d", i)
		areas += fmt.Sprintf(" area-%02d/*", i)
	}
	return strings.TrimSpace(literals), strings.TrimSpace(wide), strings.TrimSpace(areas)
}

// encode writes a form: name, value, name, value.
func encode(params ...string) string {
	var out []string
	for i := 0; i < len(params); i += 2 {
		out = append(out, url.QueryEscape(params[i])+"="+url.QueryEscape(params[i+1]))
	}
	return strings.Join(out, "&")
}

// holding is an allowed_resource_scope.
func holding(permission string, resources ...string) string {
	quoted, _ := json.Marshal(resources) // Strings can be written.
	return fmt.Sprintf(`{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":%q,"resources":%s}]}]}`, permission, quoted)
}

// code makes an authorization code of alice for the client web.
func (c *contract) code(change ...func(*tokenexchange.Code)) string {
	c.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	code := tokenexchange.Code{
		Grant: tokenexchange.Grant{
			ID: rand.Text(), Subject: "example.com:alice", Client: "web", Org: "acme", Session: rand.Text(),
			AuthTime: time.Now(), Scope: "openid profile email orders", Set: holding("orders.read", "orders/**"),
		},
		RedirectURI: callback, Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Method: "S256", Nonce: rand.Text(), State: "the-state",
	}
	for _, f := range change {
		f(&code)
	}
	attempt, err := c.state.NewAttempt()
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := c.state.Codes().Issue(context.WithoutCancel(c.t.Context()), attempt, code)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// redeem is a request that redeems a code of web. Parameters are added.
func redeem(path, code string, more ...string) question {
	return form(path, "web", append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier}, more...)...)
}

// login is a request with a password.
func login(path, client, user string, more ...string) question {
	return form(path, client, append([]string{"grant_type", "password", "username", user, "password", password}, more...)...)
}

// member returns a member of an answer that is a text.
func (e exchanged) member(name string) string {
	text, _ := e.said[name].(string)
	return text
}
