package histories

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// site is a server as clients see it.
type site struct {
	t      *testing.T
	url    string
	client *http.Client
	mortal bool // it is killed now and then, and answers may be missing
}

// askTime is how long a client waits. A server answers within 5 s whatever its
// store does, unless it is frozen.
const askTime = 10 * time.Second

func newSite(t *testing.T, address string, mortal bool) *site {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &site{t: t, url: "http://" + address, client: &http.Client{Transport: transport, Timeout: askTime}, mortal: mortal}
}

// send makes a token request, once: net/http repeats a POST only if it wrote
// nothing of it.
func (s *site) send(k kind, token string) (answer, access, next string) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	if k != refresh {
		form = url.Values{"grant_type": {"authorization_code"}, "code": {token}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	}
	if k == miss {
		form.Set("code_verifier", wrong)
	}
	r, err := http.NewRequest(http.MethodPost, s.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Error(err)
		return "", "", ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, clientSecret)
	got, err := s.client.Do(r)
	if err != nil {
		return s.unanswered(err), "", ""
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		return s.unanswered(err), "", ""
	}
	var body struct {
		Error   string `json:"error"`
		Reason  string `json:"cspErrorCode"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	err = json.Unmarshal(data, &body)
	switch {
	case err == nil && got.StatusCode == http.StatusOK && body.Access != "" && body.Refresh != "":
		return granted, body.Access, body.Refresh
	case err == nil && got.StatusCode == http.StatusBadRequest && body.Error == "invalid_grant":
		return body.Reason, "", ""
	case err == nil && got.StatusCode == http.StatusServiceUnavailable && body.Error == "temporarily_unavailable" && got.Header.Get("Retry-After") != "":
		return postponed, "", ""
	}
	s.t.Errorf("%s: got %d %s, want tokens, invalid_grant, or temporarily_unavailable with Retry-After", k, got.StatusCode, data)
	return postponed, "", ""
}

// unanswered says what is known of a request that got no answer.
func (s *site) unanswered(err error) string {
	var failed *net.OpError
	var late net.Error
	switch {
	case errors.As(err, &failed) && failed.Op == "dial":
		return ""
	case errors.As(err, &late) && late.Timeout():
		return postponed
	case !s.mortal:
		s.t.Errorf("got no answer of a server that lives: %v", err)
	}
	return cut
}

// guarded asks the guard of the server with an access token.
func (s *site) guarded(access string) int {
	r, err := http.NewRequest(http.MethodGet, s.url+"/orders/7", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	got, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	_, _ = io.Copy(io.Discard, got.Body)
	return got.StatusCode
}
