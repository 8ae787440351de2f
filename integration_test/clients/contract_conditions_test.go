package clients

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// starting starts the process with a store that does not answer, asks for
// everything, and lets the store go on.
func (c *contract) starting() {
	c.t.Helper()
	c.redis.Stop()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		defer c.redis.Cont()
		site, _ := url.Parse(c.issuer)
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if conn, err := net.Dial("tcp", site.Host); err == nil {
				conn.Close()
				break
			}
		}
		// Each waits a little for the server.
		var all sync.WaitGroup
		for _, q := range c.everything() {
			all.Go(func() { c.refused(http.StatusServiceUnavailable, "not_ready", q) })
		}
		all.Wait()
		if got := c.ask(question{method: http.MethodGet, path: readyPath}); got.Status != http.StatusServiceUnavailable {
			c.t.Errorf("readiness at the start: got %d %s, want 503", got.Status, got.Answer)
		}
	}()
	c.start(c.environment()...)
	<-asked
	c.kid = c.keyID()
}

// everything is a request for each method of each path.
func (c *contract) everything() (all []question) {
	for _, path := range tokenPaths {
		all = append(all, form(path, "web", "grant_type", "client_credentials"), preflight(path, http.MethodPost))
	}
	all = append(all, form(apiTokenPath, "", "api_token", c.apiToken), push(), preflight(parPath, http.MethodPost))
	all = append(all, visits()...)
	for _, path := range introspectPaths {
		all = append(all, form(path, "web", "token", "x"))
	}
	for _, path := range revokePaths {
		all = append(all, form(path, "web", "token", "x"), preflight(path, http.MethodPost))
	}
	for _, path := range logoutPaths {
		all = append(all, form(path, "", "id_token_hint", "x"))
	}
	all = append(all, question{method: http.MethodGet, path: logoutPaths[0]}, question{method: http.MethodPost, path: userinfoPaths[0]})
	for _, path := range userinfoPaths {
		all = append(all, question{method: http.MethodGet, path: path}, preflight(path, http.MethodGet))
	}
	all = append(all, question{method: http.MethodGet, path: orgPath + "acme"})
	for _, path := range documents {
		all = append(all, question{method: http.MethodGet, path: path}, preflight(path, http.MethodGet))
	}
	return all
}

// throttled guesses until it is slowed down.
func (c *contract) throttled() {
	c.t.Helper()
	const address = "10.255.255.1"
	guess := func(path string) question {
		return form(path, "", "grant_type", "client_credentials", "client_id", "web", "client_secret", "wrong").with("X-Forwarded-For", address)
	}
	about := func(path string) question {
		return form(path, "", "token", "x", "client_id", "web", "client_secret", "wrong").with("X-Forwarded-For", address)
	}
	guessToken := form(apiTokenPath, "", "api_token", "nobody.nothing").with("X-Forwarded-For", address)
	for _, path := range tokenPaths {
		c.slowed(40, func() exchanged { return c.ask(guess(path)) })
	}
	c.slowed(40, func() exchanged { return c.ask(guessToken) })
	pushed := form(parPath, "", asking("client_secret", "wrong")...).with("X-Forwarded-For", address)
	c.slowed(40, func() exchanged { return c.ask(pushed) })
	for _, path := range slices.Concat(introspectPaths, revokePaths) {
		c.slowed(40, func() exchanged { return c.ask(about(path)) })
	}
}

// slowed asks until it was asked too often, and at most so many times. A limit
// that was reached lets one more through after a while, which a slow machine may
// need from one path to the next: so each path reaches it again.
func (c *contract) slowed(atMost int, ask func() exchanged) {
	c.t.Helper()
	got := ask()
	for n := 1; n < atMost && got.Status != http.StatusTooManyRequests; n++ {
		got = ask()
	}
	// A page has no code.
	if code, ok := got.said["cspErrorCode"]; got.Status != http.StatusTooManyRequests || ok && code != "too_many_attempts" {
		c.t.Errorf("%s %s, the last of %d: got %d %s, want 429", got.Method, got.Path, atMost, got.Status, got.Answer)
	}
}

// storeAway asks for what needs the store while there is none.
func (c *contract) storeAway() {
	c.t.Helper()
	alice := c.granted(login(tokenPaths[0], "web", "alice"))
	b := c.browser()
	b.logIn(authorize(authorizePath))
	code := c.code() // Which lives for a minute.
	c.redis.Kill()
	b.visited(http.StatusServiceUnavailable, c.ask)
	for _, path := range tokenPaths {
		c.refused(http.StatusServiceUnavailable, "store_unavailable", redeem(path, code))
	}
	c.refused(http.StatusServiceUnavailable, "store_unavailable", form(apiTokenPath, "", "api_token", c.apiToken))
	c.refused(http.StatusServiceUnavailable, "store_unavailable", push())
	for _, path := range introspectPaths {
		c.refused(http.StatusServiceUnavailable, "store_unavailable", form(path, "web", "token", alice.member("refresh_token")))
	}
	for _, path := range revokePaths {
		c.refused(http.StatusServiceUnavailable, "revocation_unpublished", form(path, "web", "token", alice.member("access_token")))
		c.refused(http.StatusServiceUnavailable, "store_unavailable", form(path, "", "token", "x", "client_assertion_type", jwtBearer, "client_assertion", c.assertion()))
	}
	for _, path := range logoutPaths {
		c.refused(http.StatusServiceUnavailable, "revocation_unpublished", form(path, "", "id_token_hint", alice.member("id_token")).with("Origin", ""))
	}
	c.redis.Restart()
	for end := time.Now().Add(patience); c.ask(redeem(tokenPaths[0], code)).Status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("the server does not go on when the store is back")
		}
	}
}

// halfWritten breaks a file that the server watches, asks whether it is ready, and
// mends the file.
func (c *contract) halfWritten() {
	c.t.Helper()
	path := filepath.Join(c.Dir, "users.json")
	users, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	write(users[:len(users)/2])
	defer write(users)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		got := c.granted(question{method: http.MethodGet, path: readyPath})
		if details, _ := got.said["details"].(map[string]any); details["files"] != nil {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("a broken file is not told: %s", got.Answer)
		}
	}
}

// late sends used codes again when that is no retry any more.
func (c *contract) late() {
	c.t.Helper()
	for _, q := range c.spent {
		got := c.ask(q)
		for end := time.Now().Add(patience); got.said["cspErrorCode"] == "code_used" && time.Now().Before(end); got = c.ask(q) {
			time.Sleep(200 * time.Millisecond)
		}
		c.wants(http.StatusBadRequest, "code_reused", q, got)
	}
}

// faults asks servers in this process that have what a process cannot be given:
// no random numbers, and revocations that were never read.
func (c *contract) faults() {
	c.t.Helper()
	token := c.granted(login(tokenPaths[0], "web", "alice", "scope", "openid")).member("access_token")
	broken, unread := c.within(failing{}), c.within(nil)
	fault := func(q question) {
		c.wants(http.StatusInternalServerError, "server_error", q, c.askWithin(broken, q))
	}
	stale := func(q question) {
		c.wants(http.StatusServiceUnavailable, "revocations_stale", q, c.askWithin(unread, q))
	}
	for _, path := range tokenPaths {
		fault(form(path, "web", "grant_type", "client_credentials"))
		stale(exchange(path, "batch", token, accessType))
	}
	fault(form(apiTokenPath, "", "api_token", c.apiToken))
	fault(push())
	c.faultyVisits(broken)
	stale(form(apiTokenPath, "", "api_token", c.apiToken))
	for _, path := range introspectPaths {
		fault(form(path, "web", "token", token))
		stale(form(path, "web", "token", token))
	}
	for _, path := range revokePaths {
		fault(form(path, "web", "token", token))
	}
	for _, path := range userinfoPaths {
		stale(bearing(http.MethodGet, path, token))
	}
	stale(bearing(http.MethodPost, userinfoPaths[0], token))
	stale(bearing(http.MethodGet, orgPath+"acme", token))
}

// within is a server in this process for the same issuer, with the same users
// and keys, and clients for what faults asks.
func (c *contract) within(random io.Reader) *tokenexchange.Server {
	c.t.Helper()
	secret, err := tokenexchange.NewSecret(clientSecret)
	if err != nil {
		c.t.Fatal(err)
	}
	permit := &[]tokenexchange.PermissionLine{{Permission: "shop/*", Patterns: []string{"**"}}}
	client := tokenexchange.ClientConfig{
		Secrets: []tokenexchange.Secret{secret}, Permit: permit, Own: permit, APITokens: true,
		GrantTypes: []string{"password", "client_credentials", "audience_exchange"}, TargetAudiences: []string{shopAud}, Scope: []string{"openid"},
		Allow: []tokenexchange.AllowConfig{{Grant: "audience_exchange", By: []string{"batch"}}},
	}
	web, batch, large, vast := client, client, client, client
	web.ID, batch.ID, large.ID, vast.ID = "web", "batch", "large", "vast"
	phone := tokenexchange.ClientConfig{ID: "phone", Public: true, GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{appCallback}, Permit: permit}
	realm, err := tokenexchange.Compile(tokenexchange.Config{
		Issuer: c.issuer, Clients: []tokenexchange.ClientConfig{web, batch, large, vast, phone},
		Services: []tokenexchange.ServiceConfig{{ID: "shop", Audience: shopAud, Permissions: []string{"orders.read", "orders.write"}}},
	}, []string{filepath.Join(c.Dir, "users.json")})
	if err != nil {
		c.t.Fatal(err)
	}
	var keys []tokenexchange.SigningKey
	for _, name := range []string{"es256.pem", "rs256.pem"} {
		text, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil {
			c.t.Fatal(err)
		}
		key, err := tokenexchange.ParseSigningKey(text)
		if err != nil {
			c.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	server, err := tokenexchange.New(realm, tokenexchange.Runtime{
		SigningKeys: keys, StateKeys: []tokenexchange.StateKey{c.stateKey}, Store: tokenexchange.NewMemoryStore(nil), Caches: tokenexchange.NewCaches(),
		Throttles: tokenexchange.NewThrottles(), Revocations: tokenexchange.NewRevocations(nil), Epoch: tokenexchange.Epoch{ID: "epoch"},
		Log: slog.New(slog.DiscardHandler), Random: random,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return server
}

// failing is a source of random numbers that has none.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no random numbers") }
