package caddymodule

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// smallProvider is an OpenID provider at which carla has just logged in.
type smallProvider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	asked  int    // requests of any kind
	nonce  string // of the next id token
	secret string // that was shown last
}

func newSmallProvider(t *testing.T) *smallProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &smallProvider{key: key}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *smallProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		body = map[string]string{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
		}
	case "/jwks":
		body = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "one"}}}
	case "/token":
		_, p.secret, _ = r.BasicAuth()
		body = map[string]string{"access_token": "a", "token_type": "Bearer", "id_token": p.idToken()}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (p *smallProvider) idToken() string {
	now := time.Now()
	payload, _ := json.Marshal(map[string]any{
		"iss": p.URL, "aud": "scopegate", "sub": "2481", "nonce": p.nonce, "groups": []string{"clerks"},
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "one"}}, nil)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// surfer is a browser that follows nothing by itself.
type surfer struct {
	t       *testing.T
	w       liveWorld
	cookies map[string]string
}

func (s *surfer) get(target string) (to, page string, status int) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.w.url(target), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range s.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := client.Transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		s.cookies[c.Name] = c.Value
	}
	return res.Header.Get("Location"), string(text), res.StatusCode
}

// TestUsersOIDC logs in at a provider that a Caddyfile names, which nobody asked
// anything before. A secret that was replaced is the one that is shown next.
func TestUsersOIDC(t *testing.T) {
	p := newSmallProvider(t)
	hide("the secret at the provider", "the-first-secret-there")
	hide("the other secret at the provider", "the-other-secret-there")
	w := newLive(t)
	w.write(t, "idp", "the-first-secret-there\n")
	w.start(t, live(`		store memory
		client page {
			public
			grant_types authorization_code
			redirect_uri http://127.0.0.1/done
			permit shop/* **
		}
		users oidc `+p.URL+` {
			client_id scopegate
			client_secret {file.DIR/idp}
			domain corp
			org acme
			map groups clerks shop/read orders/**
		}
`, ""))
	if p.asked != 0 {
		t.Errorf("the provider was asked %d times before anybody logged in", p.asked)
	}
	logIn := func() {
		t.Helper()
		s := &surfer{t, w, map[string]string{}}
		to, _, _ := s.get("/oauth2/authorize?" + url.Values{
			"response_type": {"code"}, "client_id": {"page"}, "redirect_uri": {"http://127.0.0.1/done"},
			"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
		}.Encode())
		_, page, status := s.get(to)
		if status != 200 {
			t.Fatalf("the login page: got %d %s", status, page)
		}
		link := regexp.MustCompile(`href="([^"]*provider=corp)"`).FindStringSubmatch(page)
		if link == nil {
			t.Fatalf("the login page has no link to the provider: %s", page)
		}
		to, page, status = s.get(html.UnescapeString(link[1]))
		u, err := url.Parse(to)
		if err != nil || status != http.StatusSeeOther || !strings.HasPrefix(to, p.URL+"/authorize?") || u.Query().Get("redirect_uri") != "http://localhost:8080/oauth2/callback/corp" {
			t.Fatalf("the link: got %d %s %s", status, to, page)
		}
		p.nonce = u.Query().Get("nonce")
		back := "/oauth2/callback/corp?" + url.Values{"state": {u.Query().Get("state")}, "code": {"a-code"}}.Encode()
		if to, page, status = s.get(back); status != http.StatusSeeOther {
			t.Fatalf("the callback: got %d %s", status, page)
		}
		if _, page, status = s.get(to); status != 200 || !strings.Contains(page, "orders/**") || !strings.Contains(page, "2481") {
			t.Errorf("the page after the login: got %d %s, want what carla may do", status, page)
		}
	}
	logIn()
	if p.secret != "the-first-secret-there" {
		t.Error("the provider was shown another secret than that of the file")
	}
	w.changes(t, func() { w.replace(t, "idp", "the-other-secret-there\n") })
	logIn()
	if p.secret != "the-other-secret-there" {
		t.Error("the provider was not shown the secret that is in the file now")
	}
}
