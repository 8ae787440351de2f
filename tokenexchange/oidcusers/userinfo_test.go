package oidcusers

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

// What an id token lacks is asked for at the userinfo endpoint, and what it says
// counts. Nobody else's answer does.
func TestUserinfo(t *testing.T) {
	says := func(kind, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			if r.Header.Get("Authorization") != "Bearer an access token" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = w.Write([]byte(body))
		}
	}
	good := says("application/json", `{"sub":"2481","groups":["admins"],"tenant":"acme","iss":"https://other.example.com"}`)
	for _, tc := range []struct {
		name   string
		claims []string
		serve  func(http.ResponseWriter, *http.Request)
		want   map[string]any // the claims groups and tenant, nil for an error
		fails  error
		asked  int
	}{
		{"nothing is missing", []string{"groups"}, good, map[string]any{"groups": []any{"clerks"}}, nil, 0},
		{"nothing is looked for", nil, good, map[string]any{"groups": []any{"clerks"}}, nil, 0},
		{"one is missing", []string{"groups", "tenant"}, good, map[string]any{"groups": []any{"clerks"}, "tenant": "acme"}, nil, 1},
		{"it does not know either", []string{"region"}, good, map[string]any{"groups": []any{"clerks"}, "tenant": "acme"}, nil, 1},
		{"of another user", []string{"tenant"}, says("application/json", `{"sub":"2482","tenant":"acme"}`), nil, tokenexchange.ErrProviderAnswer, 1},
		{"of nobody", []string{"tenant"}, says("application/json", `{"tenant":"acme"}`), nil, tokenexchange.ErrProviderAnswer, 1},
		{"a name twice", []string{"tenant"}, says("application/json", `{"sub":"2481","tenant":"a","tenant":"b"}`), nil, tokenexchange.ErrProviderUnavailable, 1},
		{"a JWT", []string{"tenant"}, says("application/jwt", `{"sub":"2481","tenant":"acme"}`), nil, tokenexchange.ErrProviderUnavailable, 1},
		{"a fault that looks like an answer", []string{"tenant"}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"sub":"2481","tenant":"acme"}`))
		}, nil, tokenexchange.ErrProviderUnavailable, 1},
		{"a fault", []string{"tenant"}, http.NotFound, nil, tokenexchange.ErrProviderUnavailable, 1},
		{"a redirect", []string{"tenant"}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, nil, tokenexchange.ErrProviderUnavailable, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.metadata["userinfo_endpoint"] = o.URL + "/userinfo"
			o.serve["/userinfo"] = tc.serve
			settings := o.settings()
			settings.Claims = tc.claims
			id, err := o.finish(New(settings, o.provider().now))
			if !errors.Is(err, tc.fails) || o.times("/userinfo") != tc.asked || o.times("/elsewhere") != 0 {
				t.Fatalf("got %v after %d requests, want %v after %d", err, o.times("/userinfo"), tc.fails, tc.asked)
			}
			if err != nil {
				if strings.Contains(err.Error(), "access token") {
					t.Errorf("the error shows the token: %v", err)
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(id.Claims, &got); err != nil || got["iss"] != o.URL {
				t.Fatalf("got %s, %v", id.Claims, err)
			}
			for _, name := range []string{"groups", "tenant"} {
				if !reflect.DeepEqual(got[name], tc.want[name]) {
					t.Errorf("%s is %v, want %v", name, got[name], tc.want[name])
				}
			}
		})
	}
}

// A userinfo endpoint elsewhere on http would be shown a token.
func TestUserinfoEndpointIsHTTPS(t *testing.T) {
	o := newOP(t)
	o.metadata["userinfo_endpoint"] = "http://idp.example.com/userinfo"
	if _, err := o.finish(o.provider()); !errors.Is(err, tokenexchange.ErrProviderUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

// An address is verified by the document that it stands in: what the other one says
// may be of another address.
func TestAddressIsVerifiedWhereItStands(t *testing.T) {
	for _, tc := range []struct {
		name       string
		idToken    map[string]any
		userinfo   string
		email      any
		isVerified any
	}{
		{"all in the userinfo", nil, `{"sub":"2481","email":"b@x.example","email_verified":true}`, "b@x.example", true},
		{"all in the id token", map[string]any{"email": "a@x.example", "email_verified": true}, `{"sub":"2481","email":"b@x.example","email_verified":false}`, "a@x.example", true},
		{"the id token says of none", map[string]any{"email": "a@x.example"}, `{"sub":"2481","email":"b@x.example","email_verified":true}`, "a@x.example", nil},
		{"the id token has no address", map[string]any{"email_verified": true}, `{"sub":"2481","email":"b@x.example"}`, "b@x.example", nil},
		{"it has another word on it", map[string]any{"email_verified": true}, `{"sub":"2481","email":"b@x.example","email_verified":false}`, "b@x.example", false},
		{"nobody has an address", map[string]any{"email_verified": true}, `{"sub":"2481"}`, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.metadata["userinfo_endpoint"] = o.URL + "/userinfo"
			o.serve["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(tc.userinfo))
			}
			for name, value := range tc.idToken {
				o.claims[name] = value
			}
			settings := o.settings()
			settings.Claims = []string{"email", "tenant"}
			id, err := o.finish(New(settings, o.provider().now))
			var got map[string]any
			if err != nil || json.Unmarshal(id.Claims, &got) != nil {
				t.Fatalf("got %s, %v", id.Claims, err)
			}
			if got["email"] != tc.email || got["email_verified"] != tc.isVerified {
				t.Errorf("got %v, verified: %v; want %v, %v", got["email"], got["email_verified"], tc.email, tc.isVerified)
			}
		})
	}
}
