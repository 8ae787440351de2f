package tokenexchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// FuzzAuthorizationRequest reads what anyone may send: what is told by redirect
// goes to a registered URI of that client, and what is taken can be kept.
func FuzzAuthorizationRequest(f *testing.F) {
	h := newHouse(f, requesters)
	for _, kv := range [][]string{
		nil,
		{"prompt", "none", "max_age", "0"},
		{"redirect_uri", callback + "?x"},
		{"client_id", "phone", "redirect_uri", native, "scope", ""},
		{"allowed_resource_scope", askSame, "orgId", "beta"},
		{"request_uri", requestURN + "x"},
		{"state", "\x00&#"},
		{"audience", "x"},
		{"client_id", "legacy", "code_challenge", "", "code_challenge_method", ""},
		{"ui_locales", "de", "login_hint", `"><b>`},
	} {
		var query []string
		for name, value := range asking(kv...) {
			query = append(query, name, value)
		}
		f.Add(pairs(query...))
	}
	f.Fuzz(func(t *testing.T, query string) {
		p, err := readForm([]byte(query))
		if err != nil {
			return
		}
		sent := parameters{}
		for name, value := range p {
			sent[name] = value
		}
		q, err := h.authorizationRequest(p)
		if !q.redirectable() {
			if err == nil || show(q) != show(authorizationRequest{}) {
				t.Errorf("%q: got %+v, %v", query, q, err)
			}
			return
		}
		c := h.realm.clients[q.Client]
		if c == nil || q.Client != sent["client_id"] || q.RedirectURI != sent["redirect_uri"] || !slices.Contains(c.grants, authorizationCode) ||
			!slices.Contains(c.redirectURIs, q.RedirectURI) && !portOnLoopback.MatchString(q.RedirectURI) {
			t.Fatalf("%q is answered to %s at %s", query, q.Client, q.RedirectURI)
		}
		if err != nil {
			if got := answerAt(t, q.refusal(issuer, asRefused(err)), q.RedirectURI); got.Get("state") != q.State || got.Get("iss") != issuer {
				t.Errorf("%q: got %v", query, got)
			}
			return
		}
		if got := answerAt(t, q.answer(issuer, "c0de"), q.RedirectURI); got.Get("state") != sent["state"] || got.Get("code") != "c0de" || got.Get("iss") != issuer {
			t.Errorf("%q: got %v", query, got)
		}
		ask, err := q.ask()
		if err != nil || (ask == nil) != (q.Ask == "") || ask != nil && ask.Canonical() != q.Ask {
			t.Errorf("%q: asks for %q, %v", query, q.Ask, err)
		}
		if (q.Challenge == "") != (q.Method == "") || q.Challenge == "" && !c.pkceOptional {
			t.Errorf("%q: got the challenge %q with %q", query, q.Challenge, q.Method)
		}
		for _, word := range q.Scope {
			if !slices.Contains(c.Scopes, word) {
				t.Errorf("%q: got the scope %q", query, q.Scope)
			}
		}
		var again authorizationRequest
		if err := json.Unmarshal([]byte(show(q)), &again); err != nil || fmt.Sprint(show(again)) != show(q) || len(show(q)) > 64<<10 {
			t.Errorf("%q: %d bytes, and back %s, %v", query, len(show(q)), show(again), err)
		}
	})
}
