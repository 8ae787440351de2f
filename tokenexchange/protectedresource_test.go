package tokenexchange

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// Where the metadata of an audience is: RFC 9728 section 3.1.
func TestResourceMetadataURL(t *testing.T) {
	for audience, want := range map[string]struct{ path, url string }{
		"https://shop.example.com":            {ResourcePath, "https://shop.example.com" + ResourcePath},
		"https://shop.example.com/":           {ResourcePath, "https://shop.example.com" + ResourcePath},
		"https://example.com/shop":            {ResourcePath + "/shop", "https://example.com" + ResourcePath + "/shop"},
		"https://example.com/shop/":           {ResourcePath + "/shop/", "https://example.com" + ResourcePath + "/shop/"},
		"https://example.com/a/b?tenant=1":    {ResourcePath + "/a/b", "https://example.com" + ResourcePath + "/a/b?tenant=1"},
		"https://example.com/a%20b":           {ResourcePath + "/a b", "https://example.com" + ResourcePath + "/a%20b"},
		"https://example.com/a%2Fb":           {ResourcePath + "/a/b", "https://example.com" + ResourcePath + "/a%2Fb"},
		"http://localhost:8081":               {ResourcePath, "http://localhost:8081" + ResourcePath},
		"https://[2001:db8::1]:8443/x":        {ResourcePath + "/x", "https://[2001:db8::1]:8443" + ResourcePath + "/x"},
		"urn:scopegate:shop":                  {ResourcePath, ""},
		"api://shop":                          {ResourcePath, ""},
		"https:shop":                          {ResourcePath, ""},
		"https://user:secret@example.com":     {ResourcePath, ""},
		`https://ex"ample.com`:                {ResourcePath, ""},
		`https://example.com/", error="x`:     {ResourcePath, ""},
		`https://example.com/\`:               {ResourcePath, ""},
		"https://example.com/x\r\nSet-Cookie": {ResourcePath, ""},
	} {
		if path, url := resourcePathOf(audience), resourceMetadataURL(audience); path != want.path || url != want.url {
			t.Errorf("%s: got %s and %s, want %s and %s", audience, path, url, want.path, want.url)
		}
	}
	for path, want := range map[string]bool{
		ResourcePath: true, ResourcePath + "/": true, ResourcePath + "/shop": true, ResourcePath + "/a/../b": true,
		ResourcePath + "s": false, "/" + ResourcePath: false, "/x" + ResourcePath: false, strings.ToUpper(ResourcePath): false,
		"/.well-known/oauth-authorization-server": false, "": false, "/": false,
	} {
		if OwnsResourcePath(path) != want {
			t.Errorf("OwnsResourcePath(%s): got %v", path, !want)
		}
	}
}

func TestProtectedResource(t *testing.T) {
	cfg := baseConfig()
	cfg.Services = append(cfg.Services, ServiceConfig{ID: "blog", Audience: "https://example.com/blog", Permissions: []string{"read"}}, ServiceConfig{ID: "bus", Audience: "urn:bus"})
	realm := must(Compile(cfg, nil))
	for _, c := range []struct {
		service    string
		hidden     bool
		path, want string
	}{
		{"shop", false, ResourcePath, `{"resource":"https://shop.example.com","authorization_servers":["https://auth.example.com"],"scopes_supported":["shop/orders.read","shop/orders.write"],"bearer_methods_supported":["header"],"resource_name":"shop"}`},
		{"shop", true, ResourcePath, `{"resource":"https://shop.example.com","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"],"resource_name":"shop"}`},
		{"blog", false, ResourcePath + "/blog", `{"resource":"https://example.com/blog","authorization_servers":["https://auth.example.com"],"scopes_supported":["blog/read"],"bearer_methods_supported":["header"],"resource_name":"blog"}`},
		{"bus", false, ResourcePath, `{"resource":"urn:bus","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"],"resource_name":"bus"}`},
	} {
		about := must(realm.ProtectedResource(c.service, c.hidden))
		if about.Path() != c.path {
			t.Errorf("%s: got the path %s, want %s", c.service, about.Path(), c.path)
		}
		ask := func(method, path string, header ...string) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			about.ServeHTTP(w, r)
			checkOrigin(t, method+" "+path, w.Header(), "*", false)
			return w
		}
		if w := ask("GET", c.path); w.Code != 200 || w.Body.String() != c.want || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: got %d %s %v\nwant %s", c.service, w.Code, w.Body, w.Header(), c.want)
		}
		if w := ask("HEAD", c.path); w.Code != 200 {
			t.Errorf("HEAD: got %d", w.Code)
		}
		for _, other := range []string{ResourcePath + "/", ResourcePath + "/other", c.path + "/x"} {
			if w := ask("GET", other); w.Code != 404 || strings.Contains(w.Body.String(), "resource") {
				t.Errorf("%s %s: got %d %s, want 404", c.service, other, w.Code, w.Body)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if w := ask(method, c.path); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: got %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
			}
		}
		if w := ask("OPTIONS", c.path, "Origin", "https://x.example", "Access-Control-Request-Method", "GET"); w.Code != 204 || w.Header().Get("Access-Control-Allow-Methods") != "GET, HEAD" {
			t.Errorf("preflight: got %d %v", w.Code, w.Header())
		}
	}
	if about, err := realm.ProtectedResource("nothing", false); err == nil {
		t.Errorf("a service that does not exist: got %v", about)
	}
}

// The challenge says where to learn of whom to get a token, where another token
// would help, and never with a name that the request brought.
func TestChallengesNameTheMetadata(t *testing.T) {
	h := newHouse(t)
	g := h.shop(t)
	metadata := fmt.Sprintf(`resource_metadata="%s%s"`, shopAud, ResourcePath)
	ada := h.adas("allowed_resource_scope", scopeOf("orders.read", "orders/7"))
	for name, c := range map[string]struct {
		method, target, token string
		reason                scopes.Reason
		want                  string
	}{
		"no token":              {"GET", "/orders/7", "", scopes.ReasonNoToken, "Bearer " + metadata},
		"no token, no rule":     {"GET", "/nowhere", "", scopes.ReasonNoToken, "Bearer " + metadata},
		"a bad one":             {"GET", "/orders/7", "x", scopes.ReasonTokenMalformed, `Bearer error="invalid_token", ` + metadata},
		"too little":            {"GET", "/orders/8", ada, scopes.ReasonResourceMissing, `Bearer error="insufficient_scope", scope="shop/orders.read", ` + metadata},
		"no other token helps":  {"GET", "/nowhere", ada, scopes.ReasonNoRule, "Bearer"},
		"the request was wrong": {"GET", "/orders//7", ada, scopes.ReasonPathAmbiguous, `Bearer error="invalid_request"`},
	} {
		r := bearer(c.method, c.target, c.token)
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		if v, a := h.pass(g, r); v.Reason != c.reason || a.header.Get("WWW-Authenticate") != c.want {
			t.Errorf("%s: got %s and %s, want %s and %s", name, v.Reason, a.header.Get("WWW-Authenticate"), c.reason, c.want)
		}
	}
	hiding := h.shopWith(t, GuardOptions{HideExistence: true})
	if _, a := h.pass(hiding, bearer("GET", "/nowhere", ada)); a.status != 404 || a.header["Www-Authenticate"] != nil {
		t.Errorf("hidden: got %d %v, want a bare 404", a.status, a.header)
	}
	urn := newHouse(t, func(c *Config) { c.Services[1].Audience = "urn:crm" })
	crm := must(urn.Guard("crm", must(scopes.NewPolicy("crm", []string{"contacts.read"}, nil, ClaimNames(), []scopes.Rule{must(scopes.ParseRule("test", "authenticated", "GET", "/me"))})), GuardOptions{}))
	if _, a := urn.pass(crm, bearer("GET", "/me", "")); a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("an audience that is no URL: got %q", a.header.Get("WWW-Authenticate"))
	}
	for _, nobodys := range []*Verdict{{}, {Reason: scopes.ReasonNoToken}} { // No guard decided.
		w := httptest.NewRecorder()
		nobodys.WriteRefusal(w)
		if w.Code < http.StatusBadRequest || strings.Contains(w.Header().Get("WWW-Authenticate"), "resource_metadata") {
			t.Errorf("a verdict of nobody: got %d %v", w.Code, w.Header())
		}
	}
}
