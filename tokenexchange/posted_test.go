package tokenexchange

import (
	"net/url"
	"strings"
	"testing"
)

// A request that another site posts is kept, and comes again with the cookies of
// the browser. What is wrong with it is told at once, and nothing is left out.
func TestPostedAuthorizationRequest(t *testing.T) {
	h := newHouse(t, requesters)
	post := func(kv ...string) got {
		r := form(pairs(append([]string{"client_id", "web"}, kv...)...))
		r.URL.Path = authorizePath
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://web.example.com")
		return h.do(r)
	}
	kept := func(g got) string {
		t.Helper()
		to, err := url.Parse(g.header.Get("Location"))
		q := to.Query()
		if g.status != 303 || err != nil || to.Path != authorizePath || to.Host != "" || len(q) != 2 || q.Get("client_id") != "web" || !strings.HasPrefix(q.Get("request_uri"), requestURN) {
			t.Fatalf("got %d to %s, %s", g.status, to, g.raw)
		}
		return q.Get("request_uri")
	}
	uri := kept(post(pushing()...))
	p, err := h.uses("web", uri)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := h.authorizationRequest(p); err != nil || show(q) != show(must(h.authorizationRequest(asking()))) {
		t.Errorf("got %+v, %v", q, err)
	}
	pushed := h.push("web").requestURI(t)
	if got := kept(post("request_uri", pushed)); got != pushed {
		t.Errorf("got %s, want what was pushed", got)
	}
	if _, err := h.uses("web", pushed); err != nil {
		t.Errorf("the post used it up: %v", err)
	}
	for name, c := range map[string]struct {
		kv     []string
		reason string // at the client, "" for a page
	}{
		"a request object":       {pushing("request", "x"), "request_not_supported"},
		"a request elsewhere":    {pushing("request_uri", "https://evil.example/"), "request_uri_not_supported"},
		"more scope":             {pushing("scope", "more"), "invalid_scope"},
		"an audience":            {pushing("audience", shopAud), invalidRequest},
		"another redirect_uri":   {pushing("redirect_uri", "https://evil.example/callback"), ""},
		"something beside a URI": {[]string{"request_uri", pushed, "scope", "openid"}, ""},
	} {
		g := post(c.kv...)
		to := g.header.Get("Location")
		if c.reason == "" {
			if g.status != 400 || to != "" {
				t.Errorf("%s: got %d to %q", name, g.status, to)
			}
			continue
		}
		if got := answerAt(t, to, callback); g.status != 303 || got.Get("error") != c.reason || got.Get("state") != "af0ifjsldkj" || got.Get("iss") != issuer {
			t.Errorf("%s: got %d to %s, want %s", name, g.status, to, c.reason)
		}
	}
}
