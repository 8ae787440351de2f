package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// assert asks for a token with an assertion.
func (w liveWorld) assert(t *testing.T, assertion string) (status int, body string) {
	t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	res, err := client.Post(w.url("/oauth2/token"), "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A client with a key set signs what a common library makes of it. What it used
// once stays used over reloads, restarts and stores, and a key that was taken out of the
// file is gone with the next load.
func TestClientWithKeys(t *testing.T) {
	w := newLive(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(public any, kid string) {
		t.Helper()
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: kid, Use: "sig", Algorithm: "ES256"}}})
		if err == nil {
			err = os.WriteFile(w.path("robot.json"), set, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	say := func(id string) string {
		t.Helper()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
			Issuer: "robot", Subject: "robot", Audience: jwt.ClaimStrings{"http://localhost:8080"}, ID: id,
			IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		})
		token.Header["kid"] = "one"
		raw, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	want := func(assertion string, status int, word string) {
		t.Helper()
		if got, body := w.assert(t, assertion); got != status || !strings.Contains(body, word) {
			t.Errorf("got %d %s, want %d and %s", got, body, status, word)
		}
	}
	text := live(boltAt("a.db")+"\t\tclient robot {\n\t\t\tjwks_file DIR/robot.json\n\t\t\tgrant_types client_credentials\n\t\t\town shop/read orders/**\n\t\t}\n", "")
	keep(key.Public(), "one")
	older := strings.Replace(text, "a.db", "b.db", 1)
	w.start(t, older)
	if err := w.load(text); err != nil {
		t.Fatal(err)
	}
	first := say("first")
	want(first, 200, "access_token")
	want(first, 401, "client_authentication")
	if err := w.load(strings.Replace(text, "respond behind", "respond beyond", 1)); err != nil {
		t.Fatal(err)
	}
	want(first, 401, "client_authentication")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	w.start(t, text)
	want(first, 401, "client_authentication")
	want(say("second"), 200, "access_token")
	// Another store does not know that it was used, and has an older epoch.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	if err := w.load(older); err != nil {
		t.Fatal(err)
	}
	want(first, 401, "client_authentication")
	if _, body := w.assert(t, "x"); strings.Contains(body, "access_token\"") {
		t.Errorf("no assertion: got %s", body)
	}

	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keep(other.Public(), "one")
	if err := w.load(strings.Replace(text, "respond behind", "respond beyond", 1)); err != nil {
		t.Fatal(err)
	}
	want(say("third"), 401, "client_authentication")
	keep(other, "one")
	if err := w.load(text); err == nil || !strings.Contains(err.Error(), "client robot: jwks_file: file "+w.path("robot.json")+": keys[0]: d is part of a private") {
		t.Errorf("a private key: got %v", err)
	}
}
