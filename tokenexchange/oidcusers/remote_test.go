package oidcusers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange"
)

const metadataPath = "/.well-known/openid-configuration"

// Metadata that is not the provider's own, or leads elsewhere, is none.
func TestMetadata(t *testing.T) {
	for _, tc := range []struct {
		name  string
		set   map[string]any
		serve func(http.ResponseWriter, *http.Request)
		want  string // in the error, "" for good ones
	}{
		{"more than is used", map[string]any{"frontchannel": []any{1, nil}}, nil, ""},
		{"algorithms", map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "RS256"}}, nil, ""},
		{"of another issuer", map[string]any{"issuer": "https://other.example.com"}, nil, "issuer"},
		{"without an issuer", map[string]any{"issuer": nil}, nil, "type"},
		{"no authorization_endpoint", map[string]any{"authorization_endpoint": ""}, nil, "authorization_endpoint"},
		{"a token_endpoint on http", map[string]any{"token_endpoint": "http://idp.example.com/token"}, nil, "token_endpoint"},
		{"a script", map[string]any{"authorization_endpoint": "javascript:alert(1)"}, nil, "authorization_endpoint"},
		{"keys of a user", map[string]any{"jwks_uri": "https://a:b@idp.example.com/"}, nil, "jwks_uri"},
		{"a fragment", map[string]any{"authorization_endpoint": "https://idp.example.com/#a"}, nil, "authorization_endpoint"},
		{"symmetric algorithms alone", map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "none"}}, nil, "id_token_signing_alg_values_supported"},
		{"a redirect", nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "redirect"},
		{"not found", nil, http.NotFound, "404"},
		{"a fault", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "503"},
		{"huge", nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"a":"` + strings.Repeat("a", maxBody) + `"}`))
		}, "512 KiB"},
		{"a name twice", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"issuer":"a","issuer":"b"}`)) }, "duplicate"},
		{"no JSON", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) }, "JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			for name, value := range tc.set {
				o.metadata[name] = value
			}
			o.serve[metadataPath] = tc.serve
			_, err := o.provider().Begin(context.Background(), tokenexchange.Departure{State: "s", Nonce: "n", Verifier: "v"})
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (!errors.Is(err, tokenexchange.ErrProviderUnavailable) || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want one about %s", err, tc.want)
			}
			if o.times("/elsewhere") != 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// Nothing is asked before the first login, little after it, and a provider that is
// away is not asked by everyone.
func TestWhatIsAsked(t *testing.T) {
	o := newOP(t)
	p := o.provider()
	begin := func(want error) {
		t.Helper()
		if _, err := p.Begin(context.Background(), tokenexchange.Departure{State: "s", Nonce: "n", Verifier: "v"}); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	asked := func(path string, want int) {
		t.Helper()
		if got := o.times(path); got != want {
			t.Errorf("%s was asked %d times, want %d", path, got, want)
		}
	}
	asked(metadataPath, 0)
	o.serve[metadataPath] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	begin(tokenexchange.ErrProviderUnavailable)
	begin(tokenexchange.ErrProviderUnavailable)
	asked(metadataPath, 1)
	o.clock = o.clock.Add(pause)
	delete(o.serve, metadataPath)
	begin(nil)
	begin(nil)
	asked(metadataPath, 2)
	// After a while it is looked at again. If it is away then, what is known does.
	o.clock = o.clock.Add(fresh)
	o.serve[metadataPath] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	begin(nil)
	begin(nil)
	asked(metadataPath, 3)
	o.clock = o.clock.Add(grace)
	begin(tokenexchange.ErrProviderUnavailable)
	delete(o.serve, metadataPath)
	o.clock = o.clock.Add(pause)
	begin(nil)
}

// A key that is new to us is looked for once, and not at every word of a stranger.
func TestKeysChange(t *testing.T) {
	o := newOP(t)
	p := o.provider()
	finish := func(want error) {
		t.Helper()
		if _, err := o.finish(p); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	finish(nil)
	finish(nil)
	if got := o.times("/jwks"); got != 1 {
		t.Errorf("the keys were asked for %d times, want once", got)
	}
	o.sign = func(p []byte) string { return signed(jose.RS256, thief(), "new", p, nil) }
	finish(tokenexchange.ErrProviderAnswer)
	if got := o.times("/jwks"); got != 1 {
		t.Errorf("the keys were asked for %d times within the pause, want once", got)
	}
	o.clock = o.clock.Add(pause)
	o.jwks = `{"keys":[` + string(must(jose.JSONWebKey{Key: thief().Public(), KeyID: "new"}.MarshalJSON())) + `]}`
	finish(nil)
	// The old key is not good any more.
	o.sign = nil
	o.clock = o.clock.Add(pause)
	finish(tokenexchange.ErrProviderAnswer)
	// While the keys cannot be read, nobody can tell whether a key is new.
	o.serve["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	o.clock = o.clock.Add(pause)
	finish(tokenexchange.ErrProviderUnavailable)
	o.sign = func(p []byte) string { return signed(jose.RS256, thief(), "new", p, nil) }
	finish(nil)
}

// Many ask at once, and one gives up: it is one request, which goes on.
func TestOneRequestForAll(t *testing.T) {
	o := newOP(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	o.serve[metadataPath] = func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		answer(w, o.metadata)
	}
	p := o.provider()
	impatient, giveUp := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() { _, err := p.Begin(impatient, tokenexchange.Departure{Verifier: "v"}); gone <- err }()
	<-arrived
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := p.Begin(context.Background(), tokenexchange.Departure{Verifier: "v"}); err != nil {
				t.Error(err)
			}
		})
	}
	giveUp()
	if err := <-gone; !errors.Is(err, tokenexchange.ErrProviderUnavailable) {
		t.Errorf("who gave up got %v", err)
	}
	close(release)
	all.Wait()
	if got := o.times(metadataPath); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
}

// Who is slow is away.
func TestSlowProvider(t *testing.T) {
	o := newOP(t)
	release := make(chan struct{})
	o.serve[metadataPath] = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	defer close(release)
	p := o.provider()
	p.client.Timeout = 50 * time.Millisecond
	if _, err := p.Begin(context.Background(), tokenexchange.Departure{Verifier: "v"}); !errors.Is(err, tokenexchange.ErrProviderUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}
