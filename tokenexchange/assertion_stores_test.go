package tokenexchange_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// says signs an assertion of the robot that was made at a time.
func (k keys) says(id string, made time.Time) string {
	raw := must(jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer: "robot", Subject: "robot", Audience: jwt.ClaimStrings{storesIssuer}, ID: id,
		IssuedAt: jwt.NewNumericDate(made), ExpiresAt: jwt.NewNumericDate(made.Add(time.Minute)),
	}).SignedString(k.robot))
	return tokenexchange.SecretInTests("an assertion", raw)
}

// accepts holds an answer to an assertion: "" is a token, else the reason.
func (p *process) accepts(when, assertion, want string) {
	p.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	var body struct {
		Token  string `json:"access_token"`
		Reason string `json:"cspErrorCode"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		p.t.Fatal(err)
	}
	if body.Reason != want || (body.Token != "") != (want == "") {
		p.t.Errorf("%s: got %d %s, want %q", when, w.Code, body.Reason, want)
	}
	if body.Token != "" {
		tokenexchange.SecretInTests("an access token", body.Token)
	}
}

// TestAssertionsInEveryStore uses an assertion up in each store. A Redis that is
// flushed gives none of them back, before and after the process knows of it.
func TestAssertionsInEveryStore(t *testing.T) {
	server := redistest.Start(t)
	bolt := must(boltstore.Open(filepath.Join(t.TempDir(), "state.db"), boltstore.Options{}))
	t.Cleanup(func() { _ = bolt.Close() })
	made := time.Now().Add(-10 * time.Second)
	for name, store := range map[string]tokenexchange.Store{"memory": tokenexchange.NewMemoryStore(nil), "bolt": bolt, "redis": openRedis(t, server, enough)} {
		t.Run(name, func(t *testing.T) {
			k := newKeys()
			p := k.start(t, store)
			p.accepts("made before the store", k.says("early", made), "client_authentication")
			used := k.says("used", time.Now())
			p.accepts("new", used, "")
			p.accepts("used", used, "client_authentication")
			if name != "redis" {
				return
			}
			server.Do("FLUSHALL")
			p.accepts("used before the flush", used, "store_unavailable")
			p.accepts("new", k.says("new", time.Now()), "store_unavailable")
			p.stop()
			anew := k.start(t, store)
			anew.accepts("made long before", k.says("old", made), "client_authentication")
			anew.accepts("new", k.says("newer", time.Now()), "")
		})
	}
}
