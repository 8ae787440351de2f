package storetest

import (
	"context"
	"encoding/json"
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

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

// What the clients of these servers send.
const (
	serverSecret   = "a-secret-of-enough-characters"
	serverCallback = "https://web.example.com/callback"
	serverVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	serverProof    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // its S256
)

var serverKey = sync.OnceValues(func() (tokenexchange.SigningKey, error) { return tokenexchange.GenerateSigningKey("ES256") })

// serverFixture is two servers on the same data, each with caches and
// revocations of its own, as two processes have them.
type serverFixture struct {
	*stateFixture
	servers [2]*served
	gate    *gate
	shown   *shown
}

// served is one server and a guard beside it.
type served struct {
	*tokenexchange.Server
	guard *tokenexchange.Guard
}

// openServers puts two servers to work on a new store, which they see as wrap
// gives it, and which draw from random. Both may be nil.
func openServers(t *testing.T, h Harness, random io.Reader, wrap func(tokenexchange.Store) tokenexchange.Store) *serverFixture {
	t.Helper()
	f := &serverFixture{gate: &gate{}, shown: &shown{secrets: []string{serverSecret}}}
	var stores []tokenexchange.Store
	f.stateFixture = openStates(t, h, random, func(s tokenexchange.Store) tokenexchange.Store {
		inner := s
		if wrap != nil {
			inner = wrap(s)
		}
		gated := gatedStore{inner, s.(tokenexchange.Feed), f.gate}
		stores = append(stores, gated)
		return gated
	})
	t.Cleanup(func() { f.shown.check(t) })
	for i, store := range stores {
		f.servers[i] = f.serve(store, f.states[i], random)
	}
	return f
}

func (f *serverFixture) serve(store tokenexchange.Store, state *tokenexchange.State, random io.Reader) *served {
	f.Helper()
	log := slog.New(slog.NewJSONHandler(f.shown, &slog.HandlerOptions{Level: slog.LevelDebug}))
	revocations := tokenexchange.NewRevocations(f.now)
	revocations.Attach(state, log)
	ctx, cancel := context.WithCancel(f.Context())
	ended := make(chan struct{})
	f.Cleanup(func() { cancel(); <-ended })
	go func() { defer close(ended); revocations.Follow(ctx, store.(tokenexchange.Feed)) }()
	if err := revocations.ReadBack(ctx); err != nil {
		f.Fatal(err)
	}
	epoch, err := state.Epoch(ctx)
	if err != nil {
		f.Fatal(err)
	}
	key, err := serverKey()
	if err != nil {
		f.Fatal(err)
	}
	realm, err := tokenexchange.Compile(serverConfig(f.T), []string{serverUsers(f.T)})
	if err != nil {
		f.Fatal(err)
	}
	server, err := tokenexchange.New(realm, tokenexchange.Runtime{
		SigningKeys: []tokenexchange.SigningKey{key}, StateKeys: []tokenexchange.StateKey{f.stateKey()},
		Store: store, Caches: tokenexchange.NewCaches(), Throttles: tokenexchange.NewThrottles(), Revocations: revocations, Epoch: epoch,
		Log: log, Now: f.now, Random: random,
	})
	if err != nil {
		f.Fatal(err)
	}
	rule, err := scopes.ParseRule("test", "GET", "/orders/{id}", "orders.read", "orders/{id}")
	if err != nil {
		f.Fatal(err)
	}
	policy, err := scopes.NewPolicy("shop", []string{"orders.read"}, realm.Declares, tokenexchange.ClaimNames(), []scopes.Rule{rule})
	if err != nil {
		f.Fatal(err)
	}
	guard, err := server.Guard("shop", policy, tokenexchange.GuardOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return &served{server, guard}
}

func serverConfig(t *testing.T) tokenexchange.Config {
	t.Helper()
	secret, err := tokenexchange.NewSecret(serverSecret)
	if err != nil {
		t.Fatal(err)
	}
	return tokenexchange.Config{
		Issuer:   stateIssuer,
		Services: []tokenexchange.ServiceConfig{{ID: "shop", Audience: "https://shop.example.com", Permissions: []string{"orders.read"}}},
		Clients: []tokenexchange.ClientConfig{{
			ID: stateClient, Secrets: []tokenexchange.Secret{secret}, GrantTypes: []string{"authorization_code", "refresh_token"},
			RedirectURIs: []string{serverCallback}, Scope: []string{"orders"},
			Permit: &[]tokenexchange.PermissionLine{{Permission: "shop/orders.read", Patterns: []string{"**"}}},
		}},
	}
}

func serverUsers(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	const text = `{"orgs":[{"id":"acme"}],"users":[{"id":"alice","username":"alice","domain":"example.com",
		"memberships":[{"org":"acme","permissions":["shop/orders.read orders/**"]}]}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// code makes a code as the authorization endpoint does after a consent.
func (f *serverFixture) code(id string) string {
	f.Helper()
	code, err := f.states[0].Codes().Issue(f.Context(), f.attempt(f.states[0]), tokenexchange.Code{
		Grant: tokenexchange.Grant{
			ID: id, Subject: "example.com:alice", Client: stateClient, Org: "acme", Session: "s-" + id, Scope: "orders", AuthTime: f.now(),
			Set: `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`,
		},
		RedirectURI: serverCallback, Challenge: serverProof, Method: "S256",
	})
	if err != nil {
		f.Fatalf("Issue: got %v, want no error", err)
	}
	f.shown.hide(code)
	return code
}

// tokenAnswer is what the token endpoint said.
type tokenAnswer struct {
	status                  int
	reason, access, refresh string
}

// ask sends a token request. It may be called by any goroutine.
func (f *serverFixture) ask(s *served, params ...string) tokenAnswer {
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(stateClient, serverSecret)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var body struct {
		Error   string `json:"error"`
		Reason  string `json:"cspErrorCode"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		f.Errorf("got %d and no JSON: %v", w.Code, err)
	}
	switch {
	case w.Code == http.StatusOK && body.Access != "" && body.Refresh != "":
		f.shown.hide(body.Access, body.Refresh)
	case w.Code == http.StatusBadRequest && body.Error == "invalid_grant",
		w.Code == http.StatusServiceUnavailable && body.Error == "temporarily_unavailable" && w.Header().Get("Retry-After") != "":
		_, _ = f.shown.Write(w.Body.Bytes())
	default:
		f.Errorf("got %d %s, want tokens, invalid_grant, or temporarily_unavailable with Retry-After", w.Code, w.Body)
	}
	return tokenAnswer{w.Code, body.Reason, body.Access, body.Refresh}
}

func (f *serverFixture) redeem(s *served, code string) tokenAnswer {
	return f.ask(s, "grant_type", "authorization_code", "code", code, "redirect_uri", serverCallback, "code_verifier", serverVerifier)
}

func (f *serverFixture) refresh(s *served, token string) tokenAnswer {
	return f.ask(s, "grant_type", "refresh_token", "refresh_token", token)
}

// guarded asks the guard beside a server with an access token.
func (s *served) guarded(access string) scopes.Reason {
	r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	return s.guard.Decide(r, tokenexchange.Take(r, false)).Reason
}
