package clients

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// consent answers as the authorization endpoint does when alice has agreed to
// all that was asked for: there is no login page yet.
func (h *house) consent(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	back, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil || asked.Get("response_type") != "code" {
		http.Error(w, "expected response_type=code and a redirect_uri", http.StatusBadRequest)
		return
	}
	attempt, err := h.state.NewAttempt()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	code, err := h.state.Codes().Issue(r.Context(), attempt, tokenexchange.Code{
		Grant: tokenexchange.Grant{
			ID: rand.Text(), Subject: "example.com:alice", Client: asked.Get("client_id"), Org: "acme",
			Session: rand.Text(), AuthTime: time.Now(), Scope: asked.Get("scope"),
			Set: `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["orders/**"]}],"serviceDefinitionId":"shop"}]}`,
		},
		RedirectURI: asked.Get("redirect_uri"), Challenge: asked.Get("code_challenge"), Method: asked.Get("code_challenge_method"),
		Nonce: asked.Get("nonce"), State: asked.Get("state"),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := url.Values{"code": {code}, "iss": {h.issuer}}
	if state := asked.Get("state"); state != "" {
		answer.Set("state", state)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

// openRedis opens the store of a server, and closes it with the test.
func openRedis(t *testing.T, server *redistest.Server, issuer string) tokenexchange.Store {
	t.Helper()
	store, err := redisstore.Open(redisstore.Options{Addresses: []string{server.Addr()}, Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// browse does what a browser does with the URL of an authorization request, and
// returns the query with which it comes back to the client.
func browse(t *testing.T, authorize string) url.Values {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(authorize)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return back.Query()
}
