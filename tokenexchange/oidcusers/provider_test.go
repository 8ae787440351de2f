package oidcusers

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

func TestBegin(t *testing.T) {
	minute, none := time.Minute, time.Duration(0)
	for _, tc := range []struct {
		name string
		d    tokenexchange.Departure
		want map[string]string // "" for a parameter that must not be there
	}{
		{"plain", tokenexchange.Departure{}, map[string]string{
			"response_type": "code", "client_id": "scopegate", "redirect_uri": "https://auth.example.com/oauth2/callback/corp", "scope": "openid profile",
			"state": "the state", "nonce": "the nonce", "code_challenge_method": "S256", "code_challenge": challenge(arrival.Verifier),
			"prompt": "", "max_age": "", "login_hint": "", "ui_locales": "", "code_verifier": "", "client_secret": "",
		}},
		{"a new login", tokenexchange.Departure{Fresh: true}, map[string]string{"prompt": "login", "max_age": "0"}},
		{"a new login and max_age", tokenexchange.Departure{Fresh: true, MaxAge: &minute}, map[string]string{"prompt": "login", "max_age": "0"}},
		{"max_age", tokenexchange.Departure{MaxAge: &minute}, map[string]string{"prompt": "", "max_age": "60"}},
		{"max_age=0", tokenexchange.Departure{MaxAge: &none}, map[string]string{"max_age": "0"}},
		{"hints", tokenexchange.Departure{LoginHint: "carla&prompt=none", Locales: "de en"}, map[string]string{"login_hint": "carla&prompt=none", "ui_locales": "de en", "prompt": ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			d := tc.d
			d.State, d.Nonce, d.Verifier = "the state", "the nonce", arrival.Verifier
			text, err := o.provider().Begin(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			u := must(url.Parse(text))
			if !strings.HasPrefix(text, o.URL+"/authorize?") {
				t.Errorf("got %s", text)
			}
			for name, want := range tc.want {
				if got := u.Query()[name]; (want == "") != (len(got) == 0) || want != "" && (len(got) != 1 || got[0] != want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestFinish(t *testing.T) {
	o := newOP(t)
	id, err := o.finish(o.provider())
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "2481" || !id.AuthTime.Equal(start.Add(-time.Minute)) || !id.IssuedAt.Equal(start) || !strings.Contains(string(id.Claims), "clerks") {
		t.Errorf("got %+v", id)
	}
	if o.user != "scopegate" || o.form.Get("code") != "c0de" || o.form.Get("code_verifier") != arrival.Verifier || o.form.Get("redirect_uri") == "" || o.form.Has("client_secret") {
		t.Errorf("the provider was asked by %q with %v", o.user, o.form)
	}
}

// A provider whose certificate is of a CA of its own.
func TestFinishOverTLS(t *testing.T) {
	o := newOP(t)
	plain := o.Server
	o.Server = httptest.NewUnstartedServer(o)
	o.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.StartTLS()
	defer o.Close()
	plain.Close()
	o.reset()
	settings := o.settings()
	settings.Roots = x509.NewCertPool()
	settings.Roots.AddCert(o.Certificate())
	if _, err := o.finish(New(settings, func() time.Time { return start })); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	if _, err := o.finish(o.provider()); !errors.Is(err, tokenexchange.ErrProviderUnavailable) {
		t.Errorf("without its CA: got %v, want unavailable", err)
	}
}

// The ways to authenticate: never both, and never tried out.
func TestClientAuthentication(t *testing.T) {
	for _, tc := range []struct {
		name string
		ways any
		post bool
		good bool
	}{
		{"by default", nil, false, true},
		{"basic", []string{"client_secret_post", "client_secret_basic"}, false, true},
		{"post", []string{"client_secret_post", "private_key_jwt"}, true, true},
		{"neither", []string{"private_key_jwt"}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			if tc.ways != nil {
				o.metadata["token_endpoint_auth_methods_supported"] = tc.ways
			}
			_, err := o.finish(o.provider())
			if !tc.good {
				if !errors.Is(err, tokenexchange.ErrProviderUnavailable) {
					t.Errorf("got %v, want unavailable", err)
				}
				return
			}
			if err != nil || o.times("/token") != 1 || (o.form.Get("client_secret") == "the secret") != tc.post || (o.user == "scopegate") == tc.post {
				t.Errorf("got %v after %d requests by %q with %v", err, o.times("/token"), o.user, o.form)
			}
		})
	}
}

// The parameter iss (RFC 9207), and what comes in the place of a code.
func TestAnswersOfTheBrowser(t *testing.T) {
	other := "https://other.example.com"
	for _, tc := range []struct {
		name   string
		sends  bool // the metadata says that iss is sent
		change func(*tokenexchange.Arrival)
		want   error
		denied string
	}{
		{"no iss", false, func(*tokenexchange.Arrival) {}, nil, ""},
		{"no iss where it is sent", true, func(*tokenexchange.Arrival) {}, tokenexchange.ErrProviderAnswer, ""},
		{"another iss", false, func(a *tokenexchange.Arrival) { a.Issuer = &other }, tokenexchange.ErrProviderAnswer, ""},
		{"an empty iss", false, func(a *tokenexchange.Arrival) { a.Issuer = new(string) }, tokenexchange.ErrProviderAnswer, ""},
		{"a denial", false, func(a *tokenexchange.Arrival) { a.Error, a.Code = "access_denied", "" }, nil, "access_denied"},
		{"a denial with a code", false, func(a *tokenexchange.Arrival) { a.Error = "login_required" }, nil, "login_required"},
		{"an error of its own", false, func(a *tokenexchange.Arrival) { a.Error = "<script>" }, nil, "of its own"},
		{"the denial of another provider", false, func(a *tokenexchange.Arrival) { a.Issuer, a.Error = &other, "access_denied" }, tokenexchange.ErrProviderAnswer, ""},
		{"a denial without iss where it is sent", true, func(a *tokenexchange.Arrival) { a.Error = "access_denied" }, tokenexchange.ErrProviderAnswer, ""},
		{"it is busy", false, func(a *tokenexchange.Arrival) { a.Error = "temporarily_unavailable" }, tokenexchange.ErrProviderUnavailable, ""},
		{"no code", false, func(a *tokenexchange.Arrival) { a.Code = "" }, tokenexchange.ErrProviderAnswer, ""},
		{"no nonce", false, func(a *tokenexchange.Arrival) { a.Nonce = "" }, tokenexchange.ErrProviderAnswer, ""},
		{"another nonce", false, func(a *tokenexchange.Arrival) { a.Nonce = "of another login" }, tokenexchange.ErrProviderAnswer, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.metadata["authorization_response_iss_parameter_supported"] = tc.sends
			_, err := o.finish(o.provider(), tc.change)
			var denied *tokenexchange.LoginDenied
			switch {
			case tc.denied != "":
				if !errors.As(err, &denied) || denied.Code != tc.denied {
					t.Errorf("got %v, want the denial %s", err, tc.denied)
				}
			case !errors.Is(err, tc.want):
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if tc.name != "another nonce" && err != nil && o.times("/token") > 0 {
				t.Error("the code was exchanged all the same")
			}
		})
	}
	o := newOP(t)
	o.metadata["authorization_response_iss_parameter_supported"] = true
	if _, err := o.finish(o.provider(), func(a *tokenexchange.Arrival) { a.Issuer = &o.URL }); err != nil {
		t.Errorf("with its iss: %v", err)
	}
}

// What the token endpoint can say in the place of tokens. No error tells what it
// was: that may be a token.
func TestTokenEndpoint(t *testing.T) {
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, tc := range []struct {
		name  string
		serve func(http.ResponseWriter, *http.Request)
		want  error
	}{
		{"the code is not good", status(400, `{"error":"invalid_grant","error_description":"s3cret"}`), tokenexchange.ErrProviderAnswer},
		{"our secret is not", status(401, `{"error":"invalid_client","error_description":"s3cret"}`), tokenexchange.ErrProviderUnavailable},
		{"a fault", status(500, `s3cret`), tokenexchange.ErrProviderUnavailable},
		{"an error with 200", status(200, `{"error":"s3cret"}`), tokenexchange.ErrProviderUnavailable},
		{"no id token", status(200, `{"access_token":"s3cret","token_type":"Bearer"}`), tokenexchange.ErrProviderAnswer},
		{"no access token", status(200, `{"id_token":"s3cret"}`), tokenexchange.ErrProviderUnavailable},
		{"an id token that is a number", status(200, `{"access_token":"s3cret","token_type":"Bearer","id_token":1}`), tokenexchange.ErrProviderAnswer},
		{"an id token twice", status(200, `{"access_token":"s3cret","token_type":"Bearer","id_token":"a","id_token":"b"}`), tokenexchange.ErrProviderUnavailable},
		{"no JSON", status(200, `<html>s3cret`), tokenexchange.ErrProviderUnavailable},
		{"more than it may say", status(200, `{"a":"`+strings.Repeat("s3cret", 100_000)+`"}`), tokenexchange.ErrProviderUnavailable},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere?s3cret", http.StatusTemporaryRedirect)
		}, tokenexchange.ErrProviderUnavailable},
		{"it hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, tokenexchange.ErrProviderUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.serve["/token"] = tc.serve
			_, err := o.finish(o.provider())
			if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "c0de") {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if o.times("/token") != 1 || o.times("/elsewhere") != 0 {
				t.Errorf("asked %d times, and %d times elsewhere", o.times("/token"), o.times("/elsewhere"))
			}
		})
	}
}

// What a provider names is asked where nobody listens in, and not on this machine
// unless the provider itself is there.
func TestWhereAProviderMayPoint(t *testing.T) {
	for url, want := range map[string][2]bool{ // for an issuer with https, and one on loopback
		"https://idp.example.com/token":       {true, true},
		"https://other.example.net/token?a=b": {true, true},
		"http://127.0.0.1:2019/config/":       {false, true},
		"http://[::1]/":                       {false, true},
		"http://localhost/":                   {false, true},
		"http://idp.example.com/token":        {false, false},
		"http://127.0.0.1.example.com/":       {false, false},
		"https://user@idp.example.com/":       {false, false},
		"https://idp.example.com/#x":          {false, false},
		"https:///token":                      {false, false},
		"file:///etc/passwd":                  {false, false},
		"javascript:alert(1)//x":              {false, false},
		"//idp.example.com/token":             {false, false},
		"/token":                              {false, false},
		"":                                    {false, false},
	} {
		for i, issuer := range []string{"https://idp.example.com", "http://127.0.0.1:3000"} {
			p := New(tokenexchange.ProviderSettings{Issuer: issuer}, nil)
			if got := p.mayAsk(url); got != want[i] {
				t.Errorf("%s, for the issuer %s: got %v, want %v", url, issuer, got, want[i])
			}
		}
	}
}
