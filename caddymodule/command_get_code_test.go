package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// stranger is an issuer that answers as it is told.
type stranger struct {
	*httptest.Server
	asked, redeemed url.Values
	mu              sync.Mutex
}

func newStranger(t *testing.T) *stranger {
	s := &stranger{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path == "/token" {
			if r.ParseForm() == nil {
				s.redeemed = r.PostForm
			}
			_, _ = io.WriteString(w, `{"access_token":"the-token-of-a-login"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": s.URL, "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys", "authorization_endpoint": s.URL + "/authorize",
		})
	}))
	t.Cleanup(s.Close)
	return s
}

var addressToOpen = regexp.MustCompile(`(http://127\.0\.0\.1:\d+/authorize\?\S+)`)

// getCode runs the command as somebody at a terminal does, who opens the address
// that it prints. Visit is what the browser does with what was asked.
func (s *stranger) getCode(t *testing.T, visit func(asked url.Values), args ...string) (out string, err error) {
	t.Helper()
	read, write := io.Pipe()
	root, cmd := &cobra.Command{Use: "caddy"}, &cobra.Command{Use: tokenCommand.Name}
	root.AddCommand(cmd)
	tokenCommand.CobraFunc(cmd)
	var stdout strings.Builder
	root.SetOut(&stdout)
	root.SetErr(write)
	root.SetArgs(append([]string{"token", "get", "--issuer", s.URL, "--client", "app", "--grant", "authorization_code"}, args...))
	var all sync.WaitGroup
	all.Go(func() {
		var said strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := read.Read(buf)
			said.Write(buf[:n])
			if address := addressToOpen.FindString(said.String()); address != "" && visit != nil {
				u, _ := url.Parse(address)
				s.mu.Lock()
				s.asked = u.Query()
				s.mu.Unlock()
				browser := visit
				all.Go(func() { browser(u.Query()) })
				visit = nil
			}
			if err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = root.ExecuteContext(ctx)
	write.Close()
	all.Wait()
	return stdout.String(), err
}

// back brings an answer to the command, as the browser does, and returns what the
// browser shows then.
func back(t *testing.T, asked url.Values, path string, answer url.Values, change ...func(*http.Request)) (status int, page string) {
	r, err := http.NewRequest(http.MethodGet, asked.Get("redirect_uri")+path+"?"+answer.Encode(), nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	for _, f := range change {
		f(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(text)
}

func TestGetWithABrowser(t *testing.T) {
	s := newStranger(t)
	out, err := s.getCode(t, func(asked url.Values) {
		good := url.Values{"code": {"a-code"}, "state": {asked.Get("state")}, "iss": {s.URL}}
		// What does not belong to the request is not taken for its answer.
		for name, c := range map[string]struct {
			path   string
			answer url.Values
			change func(*http.Request)
		}{
			"another path":  {"/more", good, func(*http.Request) {}},
			"no state":      {"", url.Values{"code": {"other"}, "iss": {s.URL}}, func(*http.Request) {}},
			"another state": {"", url.Values{"code": {"other"}, "state": {"x"}, "iss": {s.URL}}, func(*http.Request) {}},
			"another host":  {"", good, func(r *http.Request) { r.Host = "rebound.example.com" }},
			"a POST":        {"", good, func(r *http.Request) { r.Method = http.MethodPost }},
		} {
			if got, _ := back(t, asked, c.path, c.answer, c.change); got != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", name, got)
			}
		}
		if got, page := back(t, asked, "", good); got != http.StatusOK || !strings.HasPrefix(page, "You can close this window") {
			t.Errorf("got %d %q, want 200 and that the window can be closed", got, page)
		}
	}, "--scope", "openid", "--org", "acme")
	if err != nil || out != "the-token-of-a-login\n" {
		t.Fatalf("got %q, %v", out, err)
	}
	hash := sha256.Sum256([]byte(s.redeemed.Get("code_verifier")))
	for name, c := range map[string][2]string{
		"response_type":         {s.asked.Get("response_type"), "code"},
		"client_id":             {s.asked.Get("client_id"), "app"},
		"scope":                 {s.asked.Get("scope"), "openid"},
		"orgId":                 {s.asked.Get("orgId"), "acme"},
		"code_challenge_method": {s.asked.Get("code_challenge_method"), "S256"},
		"code_challenge":        {s.asked.Get("code_challenge"), base64.RawURLEncoding.EncodeToString(hash[:])},
		"redirect_uri":          {s.redeemed.Get("redirect_uri"), s.asked.Get("redirect_uri")},
		"code":                  {s.redeemed.Get("code"), "a-code"},
		"grant_type":            {s.redeemed.Get("grant_type"), "authorization_code"},
		"scope is asked once":   {s.redeemed.Get("scope"), ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got %q, want %q", name, c[0], c[1])
		}
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/callback$`).MatchString(s.asked.Get("redirect_uri")) {
		t.Errorf("redirect_uri: got %q", s.asked.Get("redirect_uri"))
	}
}

func TestGetWithABrowserRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer url.Values
		args   []string
		want   string
	}{
		"denied":               {url.Values{"error": {"access_denied"}, "error_description": {"the user did not allow it\x1b[31m"}}, nil, "access_denied: the user did not allow it?[31m"},
		"another issuer":       {url.Values{"code": {"x"}, "iss": {"https://elsewhere.example.com"}}, nil, "another issuer"},
		"no issuer":            {url.Values{"code": {"x"}, "iss": {""}}, nil, "another issuer"},
		"a host far away":      {nil, []string{"--redirect-uri", "http://app.example.com/callback"}, "--redirect-uri: expected"},
		"a name of this host":  {nil, []string{"--redirect-uri", "http://localhost/callback"}, "--redirect-uri: expected"},
		"https":                {nil, []string{"--redirect-uri", "https://127.0.0.1/callback"}, "--redirect-uri: expected"},
		"a query":              {nil, []string{"--redirect-uri", "http://127.0.0.1/callback?x=1"}, "--redirect-uri: expected"},
		"a password":           {nil, []string{"--password-env", "X"}, "means nothing with --grant authorization_code"},
		"a token endpoint too": {nil, []string{"--token-endpoint", "https://auth.example.com/token"}, "expected one of --issuer and --token-endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStranger(t)
			out, err := s.getCode(t, func(asked url.Values) {
				answer := url.Values{"state": {asked.Get("state")}, "iss": {s.URL}}
				for k, v := range c.answer {
					answer[k] = v
				}
				if _, page := back(t, asked, "", answer); !strings.HasPrefix(page, "No access was given") {
					t.Errorf("the browser shows %q, want that no access was given", page)
				}
			}, c.args...)
			if err == nil || out != "" || !strings.Contains(err.Error(), c.want) || s.redeemed != nil {
				t.Errorf("got %q, %v, redeemed %v, want an error with %q", out, err, s.redeemed != nil, c.want)
			}
		})
	}
}
