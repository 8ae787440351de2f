package tokenexchange_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	storesIssuer = "https://auth.example.com"
	storesSecret = "a-secret-of-the-tests-only"
)

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// keys are what all processes of an issuer share, and the key of a client.
type keys struct {
	signing tokenexchange.SigningKey
	state   tokenexchange.StateKey
	robot   *ecdsa.PrivateKey
}

func newKeys() keys {
	line := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	return keys{
		must(tokenexchange.GenerateSigningKey("ES256")), must(tokenexchange.ParseStateKey([]byte(line))),
		must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
	}
}

// process is one process of an issuer: a token endpoint and a guard.
type process struct {
	t           *testing.T
	server      *tokenexchange.Server
	guard       *tokenexchange.Guard
	state       *tokenexchange.State
	revocations *tokenexchange.Revocations
	log         *syncBuffer
	stop        func()
}

// syncBuffer is a buffer for two goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start begins a process on a store, as caddymodule does.
func (k keys) start(t *testing.T, store tokenexchange.Store) *process {
	t.Helper()
	p := &process{t: t, revocations: tokenexchange.NewRevocations(nil), log: new(syncBuffer)}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(p.log, tokenexchange.ShownInTests), nil))
	p.state = must(tokenexchange.NewState(store, storesIssuer, []tokenexchange.StateKey{k.state}, nil, nil))
	epoch := must(p.state.Epoch(t.Context()))
	p.revocations.Attach(p.state, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.revocations.Follow(ctx, store.(tokenexchange.Feed)) }()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	ready, cancelReady := context.WithTimeout(t.Context(), enough)
	defer cancelReady()
	if err := p.revocations.ReadBack(ready); err != nil {
		t.Fatal(err)
	}
	own := []tokenexchange.PermissionLine{{Permission: "shop/read", Patterns: []string{"orders/**"}}}
	realm := must(tokenexchange.Compile(tokenexchange.Config{
		Issuer:   storesIssuer,
		Services: []tokenexchange.ServiceConfig{{ID: "shop", Audience: "https://shop.example.com", Permissions: []string{"read"}}},
		Clients: []tokenexchange.ClientConfig{{
			ID: "nightly", GrantTypes: []string{"client_credentials"}, Own: &own,
			Secrets: []tokenexchange.Secret{must(tokenexchange.NewSecret(storesSecret))},
		}, {
			ID: "robot", GrantTypes: []string{"client_credentials"}, Own: &own,
			JWKSFile: "robot.json", JWKS: must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.robot.Public()}}})),
		}},
	}, nil))
	p.server = must(tokenexchange.New(realm, tokenexchange.Runtime{
		SigningKeys: []tokenexchange.SigningKey{k.signing}, StateKeys: []tokenexchange.StateKey{k.state}, Store: store,
		Caches: tokenexchange.NewCaches(), Throttles: tokenexchange.NewThrottles(), Revocations: p.revocations, Epoch: epoch, Log: log,
	}))
	rule := must(scopes.ParseRule("test", "GET", "/orders/{id}", "read", "orders/{id}"))
	policy := must(scopes.NewPolicy("shop", []string{"read"}, realm.Declares, tokenexchange.ClaimNames(), []scopes.Rule{rule}))
	p.guard = must(p.server.Guard("shop", policy, tokenexchange.GuardOptions{}))
	return p
}

// token gets a token from the token endpoint, and its jti.
func (p *process) token() (token, jti string) {
	p.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("nightly", tokenexchange.SecretInTests("the secret of nightly", storesSecret))
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
		p.t.Fatalf("got %d, %v, want a token", w.Code, err)
	}
	var claims struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(strings.Split(body.Token, ".")[1])), &claims); err != nil {
		p.t.Fatal(err)
	}
	return tokenexchange.SecretInTests("an access token", body.Token), claims.ID
}

// asks takes a request with a token to the guard.
func (p *process) asks(token string) scopes.Reason {
	r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return p.guard.Decide(r, tokenexchange.Take(r, false)).Reason
}

func (p *process) wants(when, token string, want scopes.Reason) {
	p.t.Helper()
	if got := p.asks(token); got != want {
		p.t.Errorf("%s: got %s, want %s", when, got, want)
	}
}

func (p *process) revokes(jti string) {
	p.t.Helper()
	if err := p.revocations.Revoke(p.t.Context(), p.state, tokenexchange.RevokeToken(jti, time.Now().Add(time.Hour))); err != nil {
		p.t.Fatalf("Revoke: got %v", err)
	}
}

// enough is how long a test waits for what comes by itself. A slow machine with
// pauses needs a part of it.
const enough = 2 * time.Minute

// within waits until a token gets an answer, and returns how long that took.
func (p *process) within(what string, done func() bool) time.Duration {
	p.t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > enough {
			p.t.Fatalf("%s: not within %s", what, enough)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// TestRevocationReachesTheOther revokes in one of two processes that share a
// store, and then ends both and starts anew.
func TestRevocationReachesTheOther(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (first, second tokenexchange.Store, reopen func() tokenexchange.Store){
		"memory": func(*testing.T) (tokenexchange.Store, tokenexchange.Store, func() tokenexchange.Store) {
			s := tokenexchange.NewMemoryStore(nil)
			return s, s, func() tokenexchange.Store { return s }
		},
		"bolt": func(t *testing.T) (tokenexchange.Store, tokenexchange.Store, func() tokenexchange.Store) {
			path := filepath.Join(t.TempDir(), "state.db")
			s := must(boltstore.Open(path, boltstore.Options{}))
			return s, s, func() tokenexchange.Store {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				again := must(boltstore.Open(path, boltstore.Options{}))
				t.Cleanup(func() { _ = again.Close() })
				return again
			}
		},
		"redis": func(t *testing.T) (tokenexchange.Store, tokenexchange.Store, func() tokenexchange.Store) {
			server := redistest.Start(t)
			open := func() tokenexchange.Store { return openRedis(t, server, enough) }
			return open(), open(), open
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second, reopen := open(t)
			k := newKeys()
			one, two := k.start(t, first), k.start(t, second)
			fastest := time.Hour
			var dead []string
			for range 5 {
				token, jti := one.token()
				two.wants("before", token, scopes.ReasonAllowed)
				one.revokes(jti)
				one.wants("where it was revoked", token, scopes.ReasonTokenRevoked)
				took := two.within("the other refuses", func() bool { return two.asks(token) == scopes.ReasonTokenRevoked })
				fastest, dead = min(fastest, took), append(dead, token)
			}
			if t.Logf("the other refused %s later", fastest); fastest > time.Second {
				t.Errorf("the other refused %s later, want within a second", fastest)
			}
			alive, _ := two.token()
			one.wants("of the other", alive, scopes.ReasonAllowed)
			one.stop()
			two.stop()
			anew := k.start(t, reopen())
			for _, token := range dead {
				anew.wants("after a restart", token, scopes.ReasonTokenRevoked)
			}
			anew.wants("after a restart", alive, scopes.ReasonAllowed)
		})
	}
}
