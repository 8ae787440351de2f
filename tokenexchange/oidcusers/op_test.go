package oidcusers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange"
)

var (
	start  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	thief  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// op is a small OpenID provider that does what it is told, also what none may do.
type op struct {
	*httptest.Server
	t     testing.TB
	clock time.Time

	mu       sync.Mutex
	asked    map[string]int // by path
	metadata map[string]any
	jwks     string                                              // in the place of its keys
	claims   map[string]any                                      // of the next id token
	payload  func(claims map[string]any) []byte                  // nil writes the claims as they are
	sign     func(payload []byte) string                         // nil signs with RS256
	serve    map[string]func(http.ResponseWriter, *http.Request) // in the place of an endpoint
	form     url.Values                                          // of the last token request
	user     string                                              // that authenticated for it
}

func newOP(t testing.TB) *op {
	// Its keys are made before anybody asks for them: that can take a slow machine
	// longer than a client waits.
	_, _, _ = rsaKey(), ecKey(), thief()
	o := &op{t: t, clock: start, asked: map[string]int{}, serve: map[string]func(http.ResponseWriter, *http.Request){}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	o.reset()
	return o
}

func (o *op) reset() {
	o.metadata = map[string]any{
		"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/jwks",
	}
	o.claims = map[string]any{
		"iss": o.URL, "sub": "2481", "aud": "scopegate", "nonce": "the nonce", "groups": []string{"clerks"},
		"iat": start.Unix(), "exp": start.Add(time.Minute).Unix(), "auth_time": start.Add(-time.Minute).Unix(),
	}
}

func (o *op) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[r.URL.Path]++
	if serve := o.serve[r.URL.Path]; serve != nil {
		serve(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer(w, o.metadata)
	case "/jwks":
		if o.jwks != "" {
			_, _ = w.Write([]byte(o.jwks))
			return
		}
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: rsaKey().Public(), KeyID: "rsa", Algorithm: "RS256", Use: "sig"},
			{Key: ecKey().Public(), KeyID: "ec", Use: "sig"},
			{Key: thief().Public(), KeyID: "enc", Algorithm: "RSA-OAEP", Use: "enc"},
		}})
	case "/token":
		_ = r.ParseForm()
		o.form = r.PostForm
		o.user, _, _ = r.BasicAuth()
		answer(w, map[string]any{"access_token": "an access token", "token_type": "Bearer", "id_token": o.idToken()})
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (o *op) idToken() string {
	payload := must(json.Marshal(o.claims))
	if o.payload != nil {
		payload = o.payload(o.claims)
	}
	if o.sign != nil {
		return o.sign(payload)
	}
	return signed(jose.RS256, rsaKey(), "rsa", payload, nil)
}

// signed makes a token as it would be if its header were good.
func signed(alg jose.SignatureAlgorithm, key any, kid string, payload []byte, header map[jose.HeaderKey]any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	for name, value := range header {
		options = options.WithHeader(name, value)
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options))
	return must(must(signer.Sign(payload)).CompactSerialize())
}

// provider is the client of an op.
func (o *op) provider() *Provider {
	return New(o.settings(), o.time)
}

func (o *op) time() time.Time { return o.clock }

func (o *op) settings() tokenexchange.ProviderSettings {
	return tokenexchange.ProviderSettings{
		Issuer: o.URL, ClientID: "scopegate", ClientSecret: tokenexchange.NewCredential("the secret"),
		Scope: []string{"profile"}, RedirectURI: "https://auth.example.com/oauth2/callback/corp",
	}
}

var arrival = tokenexchange.Arrival{Nonce: "the nonce", Verifier: strings.Repeat("v", 43), Code: "c0de"}

func (o *op) finish(p *Provider, change ...func(*tokenexchange.Arrival)) (tokenexchange.Identity, error) {
	a := arrival
	for _, f := range change {
		f(&a)
	}
	return p.Finish(context.Background(), a)
}

// times is how often a path was asked.
func (o *op) times(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[path]
}

func atHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
