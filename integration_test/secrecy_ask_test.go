package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// params are the parameters of a request, or changes to them: name, value,
// name, value.
type params []string

// with replaces parameters, and adds those that are new. An empty value takes
// one out.
func (p params) with(changes ...string) params {
	out := slices.Clone(p)
	for i := 0; i < len(changes); i += 2 {
		at := 0
		for at < len(out) && out[at] != changes[i] {
			at += 2
		}
		if at < len(out) {
			out = slices.Delete(out, at, at+2)
		}
		if changes[i+1] != "" {
			out = append(out, changes[i], changes[i+1])
		}
	}
	return out
}

func (p params) form() string {
	form := url.Values{}
	for i := 0; i < len(p); i += 2 {
		form.Add(p[i], p[i+1])
	}
	return form.Encode()
}

func (p params) json() string {
	object := map[string]string{}
	for i := 0; i < len(p); i += 2 {
		object[p[i]] = p[i+1]
	}
	data, _ := json.Marshal(object) // Strings can be written.
	return string(data)
}

// tokens is the successful answer of a token endpoint, or the reason of a
// refusal.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Reason  string `json:"cspErrorCode"`
	Type    string `json:"token_type"`
}

// request makes a token request. A client with a secret sends it by Basic.
func (w *watched) request(site, client string, p params) *http.Request {
	w.t.Helper()
	path := "/oauth2/token"
	if client == "api" {
		path = "/csp/gateway/am/api/auth/api-tokens/authorize"
	}
	r := w.NewRequest(http.MethodPost, site, path, p.form(), "Content-Type: application/x-www-form-urlencoded")
	if secret := w.secrets["secret of "+client]; secret != "" {
		r.SetBasicAuth(client, secret)
	}
	return r
}

// send sends a request from an address of its own, because a walk of failures
// is not meant to be slowed down, and shows the answer: all of it, but the
// tokens that were asked for and what echo names.
func (w *watched) send(r *http.Request, echo ...string) tokens {
	w.t.Helper()
	w.peers++
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", w.peers/256, w.peers%256))
	return w.take(w.Do(r), echo...)
}

func (w *watched) take(answer Response, echo ...string) (got tokens) {
	body, place := answer.Body, "answers that refuse"
	var fields map[string]any
	if json.Unmarshal([]byte(body), &fields) == nil && json.Unmarshal([]byte(body), &got) == nil && answer.Status == http.StatusOK && got.Access != "" {
		for what, token := range map[string]string{"an access token": got.Access, "a refresh token": got.Refresh, "an id token": got.ID} {
			if token != "" {
				w.hide(what, token)
			}
		}
		for _, name := range append(echo, "access_token", "refresh_token", "id_token") {
			delete(fields, name)
		}
		body, place = fmt.Sprint(fields), "answers with tokens, without those"
	}
	if got.Reason == "" && answer.Status != http.StatusOK {
		got.Reason = fmt.Sprint(answer.Status)
		_, reason, _ := strings.Cut(body, `"reason":"`)
		if reason, _, found := strings.Cut(reason, `"`); found {
			got.Reason = reason
		}
	}
	if got.Reason != "" {
		w.refusals[got.Reason]++
	}
	w.show(place, fmt.Sprint(answer.Status, answer.Header, answer.Trailer, body))
	return got
}

// granted wants tokens.
func (w *watched) granted(client string, p params, echo ...string) tokens {
	w.t.Helper()
	got := w.send(w.request("auth", client, p), echo...)
	if got.Reason != "" {
		w.t.Fatalf("%s, %s: refused for %s, want tokens", client, p[1], got.Reason)
	}
	return got
}

// refused wants a refusal for this reason.
func (w *watched) refused(reason, client string, p params) {
	w.t.Helper()
	w.refusedRequest(reason, w.request("auth", client, p))
}

func (w *watched) refusedRequest(reason string, r *http.Request) {
	w.t.Helper()
	if got := w.send(r); got.Reason != reason {
		w.t.Errorf("got %q, want it refused for %s", got.Reason, reason)
	}
}

// code takes a code of a client that nobody used.
func (w *watched) code(client string) string {
	w.t.Helper()
	if len(w.codes[client]) == 0 {
		w.t.Fatalf("no code of %s is left", client)
	}
	code := w.codes[client][0]
	w.codes[client] = w.codes[client][1:]
	return code
}

// assertion signs one as the client robot, with changes to its claims.
func (w *watched) assertion(changes map[string]any) string {
	w.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": "robot", "sub": "robot", "aud": secrecyIssuerURL, "jti": randomText(), "iat": now, "exp": now + 60}
	return w.hide("an assertion", w.keys.robot.sign(w.t, `{"alg":"ES256","typ":"JWT"}`, text(w.t, with(claims, changes))))
}

// forge signs an access token with the issuer's own key, with changes to its
// claims and header.
func (w *watched) forge(claims, header map[string]any) string {
	w.t.Helper()
	now := time.Now().Unix()
	all := map[string]any{
		"iss": secrecyIssuerURL, "sub": "example.com:alice", "aud": []string{shopAudience, secrecyIssuerURL}, "client_id": "web", "azp": "web",
		"iat": now, "nbf": now, "exp": now + 300, "jti": randomText(), "grant_id": randomText(), "context_name": "acme",
		"allowed_resource_scope": holds("shop", "orders.read", "orders/**"),
	}
	return w.hide("a forged token", w.keys.es256.sign(w.t, text(w.t, w.keys.es256.header(header)), text(w.t, with(all, claims))))
}
