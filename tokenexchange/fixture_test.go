package tokenexchange

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

const (
	issuer    = "https://auth.example.com"
	shopAud   = "https://shop.example.com"
	crmAud    = "https://crm.example.com"
	accessURN = "urn:ietf:params:oauth:token-type:access_token"
)

var (
	start    = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	password = secret("ada's password", "correct horse battery staple")
	// The secret of a client has characters that form encoding changes.
	secretOf = func(client string) string { return secret("the secret of "+client, client+"/+%secret%41+of~22 chars") }
	ecKey    = sync.OnceValue(func() SigningKey { return must(GenerateSigningKey(mint.ES256)) })
	ecOther  = sync.OnceValue(func() SigningKey { return must(GenerateSigningKey(mint.ES256)) })
	rsaKey   = sync.OnceValue(func() SigningKey { return must(GenerateSigningKey(mint.RS256)) })
	stateKey = must(ParseStateKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))))
	cheap    = string(must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)))
)

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func lines(text ...string) *[]PermissionLine {
	out := []PermissionLine{}
	for _, line := range text {
		f := strings.Fields(line)
		out = append(out, PermissionLine{Permission: f[0], Patterns: f[1:]})
	}
	return &out
}

func confidential(id string, grants ...string) ClientConfig {
	return ClientConfig{ID: id, GrantTypes: grants, Secrets: []Secret{must(NewSecret(secretOf(id)))}}
}

// baseConfig is the configuration that the tests vary.
func baseConfig() Config {
	web := confidential("web", "password")
	web.Scope, web.Permit = []string{"profile", "email", "orders"}, lines("shop/orders.read orders/**", "shop/orders.write orders/eu/**", "crm/* **")
	web.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batch", "crmonly"}}}
	nightly := confidential("nightly", "client_credentials")
	nightly.Scope, nightly.Own = []string{"orders", "reports"}, lines("shop/orders.read orders/**", "shop/orders.write orders/eu/**")
	nightly.Org, nightly.AllowedOrgs = "acme", []string{"beta"}
	nightly.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batch"}, To: []string{shopAud, "https://elsewhere.example"}}}
	batch := confidential("batch", "audience_exchange", "client_credentials")
	batch.Permit, batch.Own = lines("shop/* **"), lines()
	batch.TargetAudiences = []string{shopAud, crmAud, "https://elsewhere.example"}
	batch.AccessTokenValidity = Duration(time.Hour)
	batch.Allow = []AllowConfig{{Grant: "audience_exchange", By: []string{"batch"}, To: []string{shopAud}}}
	crmonly := confidential("crmonly", "audience_exchange")
	crmonly.Permit, crmonly.TargetAudiences = lines("crm/* **"), []string{shopAud, crmAud}
	mobile := ClientConfig{ID: "mobile", Public: true, GrantTypes: []string{"password"}, Permit: lines("shop/orders.read **")}
	return Config{
		Issuer: issuer,
		Services: []ServiceConfig{
			{ID: "shop", Audience: shopAud, Permissions: []string{"orders.read", "orders.write"}},
			{ID: "crm", Audience: crmAud, Permissions: []string{"contacts.read"}},
		},
		Clients: []ClientConfig{web, nightly, batch, crmonly, mobile},
	}
}

// client returns the client of a configuration, to be changed in place.
func (c *Config) client(id string) *ClientConfig {
	for i := range c.Clients {
		if c.Clients[i].ID == id {
			return &c.Clients[i]
		}
	}
	return nil
}

var baseUsers = `{"orgs":[{"id":"acme","name":"acme"},{"id":"beta"},{"id":"empty"}],"groups":[{"id":"g1","name":"G"}],"users":[
 {"id":"ada","username":"ada","domain":"example.com","email":"ada@example.com","email_verified":true,"password_hash":"` + cheap + `","default_org":"acme","memberships":[
  {"org":"acme","roles":["csp:org_member"],"groups":["g1"],"permissions":["shop/orders.read orders/** reports/{org}/*","shop/orders.write orders/eu/**","crm/contacts.read **"]},
  {"org":"beta","permissions":["shop/orders.read orders/beta/**"]},{"org":"empty"}]},
 {"id":"bob","username":"bob","domain":"example.com","password_hash":"` + cheap + `","disabled":true,"memberships":[{"org":"acme"}]},
 {"id":"eve","username":"eve","domain":"example.com","memberships":[{"org":"acme"}]},
 {"id":"kim","username":"kim","domain":"example.com","password_hash":"` + cheap + `","tokens_not_before":"2026-05-01T12:30:00Z","memberships":[{"org":"acme","permissions":["shop/orders.read **"]}]},
 {"id":"two","username":"two","domain":"example.com","password_hash":"` + cheap + `","memberships":[{"org":"acme"},{"org":"beta"}]},
 {"id":"sam1","username":"sam","domain":"a.example","password_hash":"` + cheap + `","memberships":[{"org":"acme"}]},
 {"id":"sam2","username":"sam","domain":"b.example","password_hash":"` + cheap + `","memberships":[{"org":"acme"}]}]}`

func usersPath(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// house is a server in memory with a clock that is moved by hand.
type house struct {
	*Server
	t           testing.TB
	clock       time.Time
	store       *MemoryStore
	revocations *Revocations
	epoch       Epoch
	slow        *Throttles
	providers   map[string]*fakeProvider // by the domain of their users
	peers       int                      // how many requests came from addresses of their own
	records     bytes.Buffer
}

func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, clock: start.Add(-time.Hour), slow: NewThrottles(), providers: map[string]*fakeProvider{}}
	now := func() time.Time { return h.clock }
	h.store = NewMemoryStore(now)
	h.epoch = must(must(NewState(h.store, issuer, []StateKey{stateKey}, now, nil)).Epoch(t.Context()))
	h.clock = start
	h.revocations = NewRevocations(now)
	readBack(t, h.revocations, h.store, stateKey)
	h.Server = h.reload(NewCaches(), change...)
	return h
}

// readBack reads a feed back once and follows it no longer: the clock of a
// fixture is for one goroutine.
func readBack(t testing.TB, v *Revocations, store Store, keys ...StateKey) {
	t.Helper()
	state := must(NewState(store, issuer, keys, v.now, nil))
	v.Attach(state, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	done := make(chan struct{})
	go func() { v.Follow(ctx, store.(Feed)); close(done) }()
	err := v.ReadBack(ctx)
	cancel()
	if <-done; err != nil {
		t.Fatal(err)
	}
}

// reload puts another configuration to work on the same store and clock.
func (h *house) reload(caches *Caches, change ...func(*Config)) *Server {
	h.t.Helper()
	cfg := baseConfig()
	for _, f := range change {
		f(&cfg)
	}
	realm, err := Compile(cfg, []string{usersPath(h.t, baseUsers)})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.serve(realm, caches, ecKey(), rsaKey())
}

func (h *house) serve(realm *Realm, caches *Caches, keys ...SigningKey) *Server {
	h.t.Helper()
	s, err := New(realm, Runtime{
		SigningKeys: keys, StateKeys: []StateKey{stateKey}, Store: h.store, Caches: caches, Throttles: h.slow, Revocations: h.revocations, Epoch: h.epoch, LoginProviders: h.loginProviders(realm),
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(&h.records, showing{}), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return h.clock },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// got is an answer and the audit record of it.
type got struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
	record map[string]any
}

// defaultPeer is the address that httptest gives to every request.
const defaultPeer = "192.0.2.1:1234"

// do sends a request and collects the answer and the one record of it. Requests
// come from addresses of their own, unless the test says from where: a table of
// failures is not meant to be slowed down.
func (h *house) do(r *http.Request) got {
	h.t.Helper()
	if r.RemoteAddr == defaultPeer {
		h.peers++
		r.RemoteAddr = fmt.Sprintf("198.18.%d.%d:1234", h.peers/256, h.peers%256)
	}
	h.records.Reset()
	sending(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	g := got{status: w.Code, header: w.Header(), raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &g.body)
	if _, granted := g.body["access_token"]; granted && g.status == http.StatusOK {
		issuing(g.body)
	} else if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") { // A page gives back what it was sent.
		_, _ = showing{}.Write(w.Body.Bytes())
	}
	if h.records.Len() > 0 {
		if err := json.Unmarshal(h.records.Bytes(), &g.record); err != nil {
			h.t.Fatalf("the log is not one record: %v\n%s", err, h.records.String())
		}
	}
	return g
}

// form is a token request with the given body.
func form(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// at asks another endpoint than the token endpoint, as a client with a secret.
func (h *house) at(path, client string, kv ...string) got {
	h.t.Helper()
	r := form(pairs(kv...))
	r.URL.Path = path
	r.SetBasicAuth(client, secretOf(client))
	return h.do(r)
}

// pairs encodes name, value, name, value, ... in their order.
func pairs(kv ...string) string {
	var out []string
	for i := 0; i < len(kv); i += 2 {
		out = append(out, url.QueryEscape(kv[i])+"="+url.QueryEscape(kv[i+1]))
	}
	return strings.Join(out, "&")
}

// token asks for a token as a client with a secret.
func (h *house) token(client string, kv ...string) got {
	h.t.Helper()
	r := form(pairs(kv...))
	r.SetBasicAuth(client, secretOf(client))
	return h.do(r)
}

// exchange asks for an exchange of a token by the CSP name.
func (h *house) exchange(client, subject, target string, kv ...string) got {
	h.t.Helper()
	return h.token(client, append([]string{"grant_type", "audience_exchange", "subject_token", subject, "subject_token_type", accessURN, "target_audience", target}, kv...)...)
}

// adas returns a first token of ada, got through the client web.
func (h *house) adas(kv ...string) string {
	h.t.Helper()
	return h.token("web", append([]string{"grant_type", "password", "username", "ada", "password", password}, kv...)...).granted(h.t)
}

// nightlys returns a client's own token.
func (h *house) nightlys(kv ...string) string {
	h.t.Helper()
	return h.token("nightly", append([]string{"grant_type", "client_credentials"}, kv...)...).granted(h.t)
}
