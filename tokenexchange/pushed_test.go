package tokenexchange

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// push pushes the request of asking, as a client with a secret.
func (h *house) push(client string, kv ...string) got {
	h.t.Helper()
	return h.at("/oauth2/par", client, pushing(kv...)...)
}

// pushing are the parameters of asking, without the client, in their order.
func pushing(kv ...string) []string {
	return replaced([]string{
		"redirect_uri", callback, "response_type", "code", "scope", "openid orders", "state", "af0ifjsldkj",
		"nonce", "n-0S6_WzA2Mj", "code_challenge", pkceChallenge, "code_challenge_method", "S256",
	}, kv...)
}

// requestURI holds the answer to a pushed request against its form.
func (g got) requestURI(t testing.TB) string {
	t.Helper()
	uri, _ := g.body["request_uri"].(string)
	id, ok := strings.CutPrefix(uri, "urn:ietf:params:oauth:request_uri:")
	if g.status != 201 || !ok || len(id) < 60 || g.body["expires_in"] != 60.0 || len(g.body) != 2 || g.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %s with %v, want 201 and a request_uri", g.status, g.raw, g.header)
	}
	return uri
}

// uses resolves a request_uri as the authorization endpoint does.
func (h *house) uses(client, uri string, more ...string) (parameters, error) {
	h.t.Helper()
	p := parameters{"client_id": client, "request_uri": uri}
	for ; len(more) > 0; more = more[2:] {
		p[more[0]] = more[1]
	}
	return h.requested(h.t.Context(), must(h.state.NewAttempt()), p)
}

func (h *house) usesNot(what string, want Reason, client, uri string, more ...string) {
	h.t.Helper()
	if p, err := h.uses(client, uri, more...); err == nil || asRefused(err).Reason != want || p != nil {
		h.t.Errorf("%s: got %v, %v, want %s", what, p, err, want)
	}
}

// Whoever the client is and however it authenticates, what was pushed is what is
// asked for, and nothing that proved the client is kept.
func TestPushedRequest(t *testing.T) {
	h := newHouse(t, requesters, keyed)
	want := must(h.authorizationRequest(asking()))
	asJSON := map[string]any{"max_age": 60, "servicesPermissionsScopesDto": json.RawMessage(askOne)}
	for _, kv := range [][]string{pushing("client_id", "web", "client_secret", secretOf("web"))} {
		for ; len(kv) > 0; kv = kv[2:] {
			asJSON[kv[0]] = kv[1]
		}
	}
	post := func(kind, body string) got {
		r := form(body)
		r.URL.Path = "/oauth2/par"
		r.Header.Set("Content-Type", kind)
		return h.do(r)
	}
	const urlencoded = "application/x-www-form-urlencoded"
	age := 60
	for name, c := range map[string]struct {
		g      got
		client string
		change func(*authorizationRequest)
	}{
		"Basic":           {h.push("web"), "web", nil},
		"Basic, and id":   {h.push("web", "client_id", "web"), "web", nil},
		"in the body":     {post(urlencoded, pairs(pushing("client_id", "web", "client_secret", secretOf("web"))...)), "web", nil},
		"an assertion":    {post(urlencoded, pairs(pushing("client_assertion_type", assertionType, "client_assertion", says(as("keyed")).robot(), "scope", "")...)), "keyed", func(q *authorizationRequest) { q.Client, q.Scope = "keyed", nil }},
		"a public client": {post(urlencoded, pairs(pushing("client_id", "phone", "redirect_uri", native, "scope", "openid")...)), "phone", func(q *authorizationRequest) { q.Client, q.RedirectURI, q.Scope = "phone", native, []string{"openid"} }},
		"JSON":            {post("application/json", string(must(json.Marshal(asJSON)))), "web", func(q *authorizationRequest) { q.Ask, q.MaxAge = askOne, &age }},
		"unknown names":   {h.push("web", "claims", "{}", "utm_source", "x", "code", "x", "username", "ada"), "web", nil},
	} {
		t.Run(name, func(t *testing.T) {
			uri := c.g.requestURI(t)
			if r := c.g.record; r["allowed"] != true || r["endpoint"] != "par" || r["client_id"] != c.client {
				t.Errorf("got the record %v", r)
			}
			p, err := h.uses(c.client, uri)
			if err != nil {
				t.Fatal(err)
			}
			for name := range p {
				if !slices.Contains(requestNames, name) && !slices.Contains(narrowing, name) {
					t.Errorf("%s was kept", name)
				}
			}
			wanted := want
			if c.change != nil {
				c.change(&wanted)
			}
			if got, err := h.authorizationRequest(p); err != nil || show(got) != show(wanted) {
				t.Errorf("got %s, %v, want %s", show(got), err, show(wanted))
			}
		})
	}
}

// keyed adds a client that signs assertions.
func keyed(c *Config) {
	c.Clients = append(c.Clients, ClientConfig{
		ID: "keyed", JWKSFile: "keyed.json", JWKS: []byte(`{"keys":[` + jwk(robotKey().Public(), "") + `]}`),
		GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{callback}, Permit: lines("shop/orders.read **"),
	})
}

// A request_uri works once, for its client, for a minute, and for no other name
// of it.
func TestPushedRequestWorksOnce(t *testing.T) {
	h := newHouse(t, requesters)
	uri := h.push("web").requestURI(t)
	h.usesNot("another client's use", "request_uri_invalid", "phone", uri)
	h.usesNot("an unknown client's use", "request_uri_invalid", "nobody", uri)
	h.usesNot("a use without a client", "parameter_missing", "", uri)
	for what, wrong := range map[string]string{
		"nothing of ours":     requestURN + "x",
		"a changed MAC":       uri[:len(uri)-2] + "xx",
		"a cut":               uri[:len(uri)-1],
		"a blank":             uri + " ",
		"an empty one":        requestURN,
		"a code in its place": requestURN + h.code(t),
	} {
		h.usesNot(what, "request_uri_invalid", "web", wrong)
	}
	for name := range asking("prompt", "x", "max_age", "1", "login_hint", "x", "ui_locales", "x", "id_token_hint", "x", "orgId", "x", "org_id", "x", "allowed_resource_scope", "{}", "response_mode", "x", "request", "x", "audience", "x", "resource", "x", "subject_token", "x") {
		if name != "client_id" {
			h.usesNot(name+" beside it", "parameter_misplaced", "web", uri, name, "x")
		}
	}
	h.usesNot("a misspelt name beside it", "parameter_misspelt", "web", uri, "allowedResourceScope", "x")
	// None of that used it up.
	if _, err := h.uses("web", uri, "utm_source", "x", "prompt", ""); err != nil {
		t.Fatal(err)
	}
	h.usesNot("a second use", "request_uri_invalid", "web", uri)

	uri = h.push("web").requestURI(t)
	h.clock = h.clock.Add(PushedLife - time.Millisecond)
	if _, err := h.uses("web", uri); err != nil {
		t.Errorf("in the last moment: %v", err)
	}
	uri = h.push("web").requestURI(t)
	h.clock = h.clock.Add(PushedLife)
	h.usesNot("a use after a minute", "request_uri_invalid", "web", uri)
	if first, second := h.push("web").requestURI(t), h.push("web").requestURI(t); first == second {
		t.Error("two requests have one name")
	}
	foreign := requestURN[:len(requestURN)-1] + "s:x"
	if p, err := h.uses("web", foreign); err != nil || p["request_uri"] != foreign {
		t.Errorf("what is not ours: got %v, %v", p, err)
	}
}

// togetherStore answers no Get before all have asked.
type togetherStore struct {
	Store
	asked *sync.WaitGroup
}

func (s togetherStore) Get(ctx context.Context, key string) ([]byte, error) {
	val, err := s.Store.Get(ctx, key)
	s.asked.Done()
	s.asked.Wait()
	return val, err
}

// Of all who find it unused one gets it.
func TestPushedRequestIsRaced(t *testing.T) {
	h := newHouse(t, requesters)
	uri := h.push("web").requestURI(t)
	var asked sync.WaitGroup
	asked.Add(32)
	h.state.store = togetherStore{h.store, &asked}
	var mu sync.Mutex
	var all sync.WaitGroup
	got := 0
	for range 32 {
		all.Go(func() {
			a, err := h.state.NewAttempt()
			if err != nil {
				t.Error(err)
				return
			}
			p, err := h.requested(t.Context(), a, parameters{"client_id": "web", "request_uri": uri})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && p["redirect_uri"] == callback:
				got++
			case asRefused(err).Reason != "request_uri_invalid":
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
	if all.Wait(); got != 1 {
		t.Errorf("%d of 32 got it, want one", got)
	}
}

// What is wrong with a request the client learns when it pushes it, and nothing
// is kept of it.
func TestPushedRequestIsRefused(t *testing.T) {
	h := newHouse(t, requesters)
	for name, c := range map[string]struct {
		client       string
		kv           []string
		code, reason string
	}{
		"a request_uri":           {"web", []string{"request_uri", requestURN + "x"}, invalidRequest, "parameter_misplaced"},
		"a request_uri elsewhere": {"web", []string{"request_uri", "https://web.example.com/r"}, invalidRequest, "parameter_misplaced"},
		"another client":          {"web", []string{"client_id", "legacy"}, invalidRequest, "client_ambiguous"},
		"a client without codes":  {"batch", nil, "unauthorized_client", "grant_not_allowed"},
		"a redirect_uri":          {"web", []string{"redirect_uri", callback + "/"}, invalidRequest, "redirect_uri_unregistered"},
		"a response_type":         {"web", []string{"response_type", "token"}, "unsupported_response_type", "response_type_unsupported"},
		"a request object":        {"web", []string{"request", "x"}, "request_not_supported", "request_not_supported"},
		"a misspelt name":         {"web", []string{"allowedResourceScope", "x"}, invalidRequest, "parameter_misspelt"},
		"more scope":              {"web", []string{"scope", "more"}, invalidScope, "scope_exceeded"},
		"an organization":         {"here", []string{"redirect_uri", callback + "?to=here", "scope", "", "orgId", "beta"}, invalidRequest, "org_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.push(c.client, c.kv...)
			g.refused(t, 400, c.code, c.reason)
			if g.body["request_uri"] != nil || g.header.Get("Location") != "" {
				t.Errorf("got %s", g.raw)
			}
		})
	}
	r := form(pairs(pushing("client_id", "web", "client_secret", "wrong")...))
	r.URL.Path = "/oauth2/par"
	h.do(r).refused(t, 401, "invalid_client", "client_authentication")
	r = form(pairs(pushing("client_id", "web")...))
	r.URL.Path = "/oauth2/par"
	h.do(r).refused(t, 401, "invalid_client", "client_authentication")
	r = form("")
	r.URL.Path, r.URL.RawQuery = "/oauth2/par", pairs(pushing("client_id", "phone")...)
	h.do(r).refused(t, 400, invalidRequest, "query_parameters")
	if g := h.do(httptest.NewRequest("GET", "/oauth2/par", nil)); g.status != 405 || g.header.Get("Allow") != "POST" {
		t.Errorf("GET: got %d and Allow %q", g.status, g.header.Get("Allow"))
	}
	h.at("/oauth2/par", "web", pushing("max_age", "x")...).refused(t, 400, invalidRequest, "parameter_invalid")
	r = form(`{"client_id":"phone","max_age":[0]}`)
	r.URL.Path = "/oauth2/par"
	r.Header.Set("Content-Type", "application/json")
	h.do(r).refused(t, 400, invalidRequest, "parameter_type")
}

// Anybody can be a public client, so an address can push so much and no more. A
// client with a secret answers for itself.
func TestPushedRequestsAreCounted(t *testing.T) {
	h := newHouse(t, requesters)
	public := func(from string) got {
		r := form(pairs(pushing("client_id", "phone", "redirect_uri", native, "scope", "openid")...))
		r.URL.Path, r.RemoteAddr = "/oauth2/par", from
		return h.do(r)
	}
	for range 300 {
		public("192.0.2.7:1").requestURI(t)
	}
	g := public("192.0.2.7:2")
	g.refused(t, 429, "temporarily_unavailable", "too_many_attempts")
	if g.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	public("192.0.2.8:1").requestURI(t)
	r := form(pairs(pushing()...))
	r.URL.Path, r.RemoteAddr = "/oauth2/par", "192.0.2.7:3"
	r.SetBasicAuth("web", secretOf("web"))
	h.do(r).requestURI(t)
	h.clock = h.clock.Add(time.Minute)
	public("192.0.2.7:4").requestURI(t)
}
