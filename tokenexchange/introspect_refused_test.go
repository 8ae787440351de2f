package tokenexchange

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAboutATokenByAssertion authenticates by an assertion: it is used up, and who
// guesses is slowed down as everywhere.
func TestAboutATokenByAssertion(t *testing.T) {
	h := everyGrant(t)
	ask := func(path, assertion, token string) got {
		r := form(pairs("token", token, "client_assertion_type", assertionType, "client_assertion", assertion))
		r.URL.Path = path
		return h.do(r)
	}
	used := h.value("assertion_used")
	own := h.assert(says(as("signer")).robot()).granted(t)
	ask("/oauth2/introspect", used, own).refusedAssertion(t)
	ask("/oauth2/introspect", says(as("signer")).robot(), own).told(t)
	ask("/oauth2/revoke", used, own).refusedAssertion(t)
	ask("/oauth2/revoke", says(as("signer")).robot(), own).done(t, true)
	ask("/oauth2/introspect", says(as("signer")).robot(), own).inactive(t, "token_revoked")

	var last got
	for i := range 31 { // Two endpoints, and one count.
		r := form(pairs("token", own))
		r.URL.Path, r.RemoteAddr = []string{"/oauth2/introspect", "/oauth2/revoke"}[i%2], "203.0.113.7:1"
		r.SetBasicAuth("web", "not the secret of the client")
		last = h.do(r)
	}
	last.refused(t, 429, "temporarily_unavailable", "too_many_attempts")
}

// TestIntrospectionIsRefused asks what no client may ask, what is no question,
// and what nobody can tell.
func TestIntrospectionIsRefused(t *testing.T) {
	h := newHouse(t, logins)
	access, refresh := h.login().tokens(t)
	post := func(body string, change ...func(*house)) func() got {
		return func() got {
			r := form(body)
			r.URL.Path = "/csp/gateway/am/api/auth/introspect"
			return h.do(r)
		}
	}
	postJSON := func(body string) func() got {
		return func() got {
			r := httptest.NewRequest("POST", "/oauth2/introspect", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.SetBasicAuth("web", secretOf("web"))
			return h.do(r)
		}
	}
	as := func(client string, kv ...string) func() got {
		return func() got { return h.at("/oauth2/introspect", client, kv...) }
	}
	for name, c := range map[string]struct {
		ask                  func() got
		status               int
		code, reason, naming string
	}{
		"a public client":         {post(pairs("token", access, "client_id", "phone")), 401, "invalid_client", "client_public", ""},
		"a public one, own token": {post(pairs("token", "x", "client_id", "mobile")), 401, "invalid_client", "client_public", ""},
		"an array for the token":  {postJSON(`{"token":["x"]}`), 400, "invalid_request", "parameter_type", "token"},
		"a number for the token":  {postJSON(`{"token":5}`), 400, "invalid_request", "parameter_type", "token"},
		"nobody":                  {post(pairs("token", access)), 401, "invalid_client", "client_authentication", ""},
		"a wrong secret":          {post(pairs("token", access, "client_id", "web", "client_secret", "not the secret of the client")), 401, "invalid_client", "client_authentication", ""},
		"an unknown client":       {as("unknown", "token", access), 401, "invalid_client", "client_authentication", ""},
		"no token":                {as("web"), 400, "invalid_request", "parameter_missing", "token"},
		"an empty token":          {as("web", "token", ""), 400, "invalid_request", "parameter_missing", "token"},
		"two tokens":              {as("web", "token", access, "token", access), 400, "invalid_request", "parameter_repeated", "token"},
		"what would narrow":       {as("web", "token", access, "audience", shopAud), 400, "invalid_request", "parameter_misplaced", "audience"},
		"a body of another kind": {func() got {
			r := httptest.NewRequest("POST", "/oauth2/introspect", strings.NewReader("token=x"))
			r.Header.Set("Content-Type", "text/plain")
			return h.do(r)
		}, 400, "invalid_request", "content_type", ""},
		"in the query": {func() got {
			r := form(pairs("token", access))
			r.URL.Path, r.URL.RawQuery = "/oauth2/introspect", "token=x"
			return h.do(r)
		}, 400, "invalid_request", "query_parameters", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.ask()
			g.refused(t, c.status, c.code, c.reason)
			if text, _ := g.body["error_description"].(string); c.naming != "" && !strings.HasSuffix(text, "("+c.naming+")") {
				t.Errorf("got %q, want it to name %s", text, c.naming)
			}
		})
	}
	if g := h.do(httptest.NewRequest("GET", "/oauth2/introspect", nil)); g.status != 405 || g.header.Get("Allow") != "POST" {
		t.Errorf("GET: got %d and Allow %q", g.status, g.header.Get("Allow"))
	}
	// A JSON body, as everywhere.
	r := form(string(must(json.Marshal(map[string]any{"token": access, "client_id": "web", "client_secret": secretOf("web"), "more": []int{1}}))))
	r.URL.Path = "//oauth2/introspect"
	r.Header.Set("Content-Type", "application/json")
	h.do(r).told(t)

	h.revocations.reading.unread.Store(always)
	for _, token := range []string{access, refresh} {
		h.introspectAs("web", token).refused(t, 503, "temporarily_unavailable", "revocations_stale")
	}
	h.introspectAs("web", "no.token.atall").inactive(t, "token_") // That can be told.
	h.revocations.reading.unread.Store(0)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	h.introspectAs("web", access).told(t)
	h.introspectAs("web", refresh).refused(t, 503, "temporarily_unavailable", "store_unavailable")
}

// TestIntrospectedCorruption has a record that cannot be read: nobody can tell.
func TestIntrospectedCorruption(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login().tokens(t)
	o, _ := h.state.readOpaque(opaqueRefresh, refresh, "web")
	key := o.key.keyFor(issuer, kindFamily, o.grant)
	raw := must(h.store.Get(t.Context(), key))
	torn := slices.Clone(raw)
	torn[len(torn)-1] ^= 1
	if ok := must(h.store.Swap(t.Context(), key, raw, torn, start.Add(time.Hour))); !ok {
		t.Fatal("the record was not changed")
	}
	h.introspectAs("web", refresh).refused(t, 500, "server_error", "server_error")
}

// TestEveryReasonIsJudged takes what is about a token for a judgement, and
// what is about the server not.
func TestEveryReasonIsJudged(t *testing.T) {
	for reason, a := range answers {
		if _, dead := inactive(refused(reason, "")); dead != (a.status == 400) {
			t.Errorf("%s: got inactive %v for status %d", reason, dead, a.status)
		}
	}
	for _, err := range []error{errors.New("x"), ErrStoreUnavailable, ErrStateCorrupt, errRevocationsUnread, storeFault(ErrNotFound), storeFault(ErrSpent)} {
		if _, dead := inactive(err); dead {
			t.Errorf("%v: got inactive", err)
		}
	}
}
