package tokenexchange

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// longToken looks like a token; its end is what copies are found by.
var longToken = secret("a presented token", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.dGhlLWVuZC1vZi1hLXNpZ25hdHVyZS10aGF0LWlzLWxvbmc")

func TestTakeCredentials(t *testing.T) {
	other := longToken + "x"
	cases := []struct {
		name      string
		header    http.Header
		csp       bool
		token     string
		ambiguous bool
	}{
		{"none", http.Header{}, true, "", false},
		{"bearer", http.Header{"Authorization": {"Bearer " + longToken}}, false, longToken, false},
		{"scheme in other case", http.Header{"Authorization": {"bEARER " + longToken}}, false, longToken, false},
		{"several blanks", http.Header{"Authorization": {"Bearer   " + longToken}}, false, longToken, false},
		{"a blank at the end", http.Header{"Authorization": {"Bearer " + longToken + " "}}, false, longToken + " ", false},
		{"only the scheme", http.Header{"Authorization": {"Bearer"}}, false, "", false},
		{"tab", http.Header{"Authorization": {"Bearer\t" + longToken}}, false, "", false},
		{"another scheme", http.Header{"Authorization": {"Basic " + longToken}}, false, "", false},
		{"no scheme", http.Header{"Authorization": {longToken}}, false, "", false},
		{"two, equal", http.Header{"Authorization": {"Bearer " + longToken, "Bearer " + longToken}}, false, longToken, true},
		{"two, different", http.Header{"Authorization": {"Bearer " + longToken, "Bearer " + other}}, false, other, true},
		{"two schemes", http.Header{"Authorization": {"Basic x", "Bearer " + longToken}}, false, longToken, true},
		{"a list in one", http.Header{"Authorization": {"Bearer " + longToken + ", Bearer " + other}}, false, longToken + ", Bearer " + other, false},
		{"csp", http.Header{"Csp-Auth-Token": {longToken}}, true, longToken, false},
		{"csp, not accepted", http.Header{"Csp-Auth-Token": {longToken}}, false, "", false},
		{"csp twice", http.Header{"Csp-Auth-Token": {longToken, longToken}}, true, longToken, true},
		{"csp and bearer, equal", http.Header{"Authorization": {"Bearer " + longToken}, "Csp-Auth-Token": {longToken}}, true, longToken, false},
		{"csp and bearer, different", http.Header{"Authorization": {"Bearer " + longToken}, "Csp-Auth-Token": {other}}, true, other, true},
		{"csp and a bearer without a token", http.Header{"Authorization": {"Bearer"}, "Csp-Auth-Token": {longToken}}, true, longToken, true},
		{"csp without a token and a bearer", http.Header{"Authorization": {"Bearer " + longToken}, "Csp-Auth-Token": {""}}, true, "", true},
		{"csp not accepted beside bearer", http.Header{"Authorization": {"Bearer " + longToken}, "Csp-Auth-Token": {other}}, false, longToken, false},
		{"csp by an alias", http.Header{"Csp_auth_token": {longToken}}, true, "", false},
		{"csp cookie", http.Header{"Cookie": {"csp-auth-token=" + longToken}}, true, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = c.header.Clone()
			p := Take(r, c.csp)
			if p.token != c.token || p.ambiguous != c.ambiguous {
				t.Errorf("got %.20q..., ambiguous %v, want %.20q..., %v", p.token, p.ambiguous, c.token, c.ambiguous)
			}
			for name, values := range r.Header {
				if strings.Contains(strings.Join(values, " "), longToken) {
					t.Errorf("the token is still in %s", name)
				}
			}
			sent := c.header["Csp-Auth-Token"] != nil || c.header["Csp_auth_token"] != nil
			if p.ShownInLogs() != sent {
				t.Errorf("got ShownInLogs %v, want %v: Caddy's error log would show the header", p.ShownInLogs(), sent)
			}
			if text := fmt.Sprintf("%v %+v %#v %s", p, p, &p, p); strings.Contains(text, longToken[len(longToken)-32:]) {
				t.Error("what was presented can be printed")
			}
		})
	}
}

// Every owned header goes, under each name that some upstream reads as it.
func TestTakeAliases(t *testing.T) {
	for name := range owned {
		for _, form := range []string{
			http.CanonicalHeaderKey(name), name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."),
			http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", "_")), strings.ToUpper(strings.Replace(name, "-", "_", 1)),
		} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header[form] = []string{"v"}
			r.Header["X-Kept"] = []string{"v"}
			Take(r, false)
			if _, left := r.Header[form]; left || r.Header.Get("X-Kept") != "v" {
				t.Errorf("%s: still there %v, others kept %v", form, left, r.Header)
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	kept := []string{"Accept", "Cookie", "X-Request-Id", "X-Authorization-Hint", "Host-Id", "Scopegate", "Http2", "Content-Type", "Range"}
	for _, name := range kept {
		r.Header[name] = []string{"v"}
	}
	Take(r, true)
	if len(r.Header) != len(kept) {
		t.Errorf("got %v, want all of %q kept", r.Header, kept)
	}
}

func TestTakeCookies(t *testing.T) {
	for in, want := range map[string]string{
		"a=1":                                "a=1",
		"csp-auth-token=x":                   "",
		"a=1; csp-auth-token=x; b=2":         "a=1; b=2",
		"CSP-AUTH-TOKEN=x; a=1":              "a=1",
		"csp_auth_token=x; a=1":              "a=1",
		"Csp.Auth_Token=\"x\";a=1":           "a=1",
		" csp-auth-token = x ; a=1":          "a=1",
		"csp-auth-token; a=1":                "a=1",
		"csp-auth-token=x; csp-auth-token=y": "",
		"a=1, csp-auth-token=x; b=2":         "b=2",
		"not-csp-auth-token=1":               "not-csp-auth-token=1",
		"a=csp-auth-token":                   "a=csp-auth-token",
		"csp%2Dauth-token=x; a=1":            "a=1", // Rack and PHP decoded names, up to 2020
		"%63sp-auth-toke%6E=x; a=1":          "a=1",
		"csp-auth-token[0]=x; a=1":           "a=1",
		"a%3D1=csp-auth-token":               "a%3D1=csp-auth-token",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{in}
		Take(r, false)
		if got := strings.Join(r.Header["Cookie"], "|"); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = []string{"csp-auth-token=x", "a=1", "csp-auth-token=" + longToken + "; b=2"}
	p := Take(r, false)
	if got := strings.Join(r.Header["Cookie"], "|"); got != "a=1|b=2" || len(p.tails) != 1 {
		t.Errorf("got %q and %d tails, want a=1|b=2 and one", got, len(p.tails))
	}
}

func TestTakeConnection(t *testing.T) {
	type headers = map[string][]string
	for _, c := range []struct {
		name                string
		connection, upgrade []string
		want, wantUpgrade   string
	}{
		{"close", []string{"close"}, nil, "close", ""},
		{"keep-alive in other case", []string{"Keep-Alive"}, nil, "keep-alive", ""},
		{"names Authorization", []string{"close, Authorization"}, nil, "close", ""},
		{"names Authorization alone", []string{"authorization"}, nil, "", ""},
		{"in two lines", []string{"keep-alive", "Authorization, X-Forwarded-For"}, nil, "keep-alive", ""},
		{"websocket", []string{"Upgrade"}, []string{"websocket"}, "upgrade", "websocket"},
		{"websocket in other case", []string{"keep-alive, Upgrade"}, []string{"WebSocket"}, "keep-alive, upgrade", "WebSocket"},
		{"h2c", []string{"Upgrade, HTTP2-Settings"}, []string{"h2c"}, "", ""},
		{"websocket and h2c", []string{"Upgrade"}, []string{"websocket, h2c"}, "", ""},
		{"two upgrades", []string{"Upgrade"}, []string{"websocket", "h2c"}, "", ""},
		{"upgrade of nothing", []string{"Upgrade"}, nil, "", ""},
		{"empty", []string{""}, nil, "", ""},
		{"commas", []string{",, ,close,"}, nil, "close", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = headers{"Connection": c.connection, "Http2-Settings": {"x"}}
		if c.upgrade != nil {
			r.Header["Upgrade"] = c.upgrade
		}
		Take(r, false)
		if got := strings.Join(r.Header["Connection"], "|"); got != c.want {
			t.Errorf("%s: Connection: got %q, want %q", c.name, got, c.want)
		}
		if got := strings.Join(r.Header["Upgrade"], "|"); got != c.wantUpgrade || r.Header["Http2-Settings"] != nil {
			t.Errorf("%s: Upgrade: got %q, want %q, and no HTTP2-Settings", c.name, got, c.wantUpgrade)
		}
	}
}

func TestTakeQuery(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "a=1": false, "access_token=x": true, "access_token": true, "access_token=": true, "a=1&access_token=x": true,
		"ACCESS_TOKEN=x": true, "access%5Ftoken=x": true, "%61ccess_token=x": true, "a=1;access_token=x": true, "access%5ftoken": true,
		"xaccess_token=1": false, "a=access_token": false, "access_tokens=1": false, "access_token_type=x": false, "&&access_token=x": true, "access.token=x": true, "access+token=x": true,
		// As PHP, Rack and qs read names.
		"access_token[]=x": true, "access_token%5B0%5D=x": true, "[access_token]=x": true, "+access_token=x": true, "%20access_token=x": true,
		"access_token%00=x": true, ".access_token=x": true, "a[access_token]=x": false, "access_token2[]=x": false,
		// One character of any kind, as CGI folds names.
		"access-token=x": true, "access%C2%A0token=x": true, "access\x80token=x": true,
	} {
		r := &http.Request{URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		if p := Take(r, false); p.ambiguous != want {
			t.Errorf("%q: got ambiguous %v, want %v", query, p.ambiguous, want)
		}
	}
}

func TestLeaks(t *testing.T) {
	// Every byte is escaped: of a few, none may be in the end that is looked for.
	escaped := ""
	for _, c := range []byte(longToken) {
		escaped += fmt.Sprintf("%%%02X", c)
	}
	twice := strings.ReplaceAll(escaped, "%", "%25")
	tail := longToken[len(longToken)-32:]
	cases := []struct {
		name string
		do   func(*http.Request)
		want bool
	}{
		{"nothing", func(*http.Request) {}, false},
		{"header", func(r *http.Request) { r.Header.Set("X-Token", longToken) }, true},
		{"header, in the middle", func(r *http.Request) { r.Header.Set("X-Token", "a="+longToken+"; b") }, true},
		{"header, the end alone", func(r *http.Request) { r.Header.Set("X-Token", tail) }, true},
		{"header, the second line", func(r *http.Request) { r.Header["X-Token"] = []string{"a", longToken} }, true},
		{"header, escaped", func(r *http.Request) { r.Header.Set("Referer", "https://x/?t="+escaped) }, true},
		{"another cookie", func(r *http.Request) { r.Header.Set("Cookie", "session="+longToken) }, true},
		{"one byte less", func(r *http.Request) { r.Header.Set("X-Token", tail[1:]) }, false},
		{"query", func(r *http.Request) { r.URL.RawQuery = "t=" + longToken }, true},
		{"query, escaped", func(r *http.Request) { r.URL.RawQuery = "t=" + escaped }, true},
		{"query, escaped twice", func(r *http.Request) { r.URL.RawQuery = "t=" + twice }, true},
		{"query, escaped three times", func(r *http.Request) { r.URL.RawQuery = "t=" + strings.ReplaceAll(twice, "%", "%25") }, true},
		{"query, escaped beside a bad escape", func(r *http.Request) { r.URL.RawQuery = "a=%zz&t=" + escaped }, true},
		{"query, escaped before half an escape", func(r *http.Request) { r.URL.RawQuery = "t=" + escaped + "&a=%" }, true},
		{"query, bad escapes alone", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("%zz%", 40) }, false},
		{"path", func(r *http.Request) { r.URL.Path = "/a/" + longToken }, true},
		{"host", func(r *http.Request) { r.Host = tail + ".example.com" }, true},
	}
	for _, c := range cases {
		r := bearer("GET", "/", longToken)
		p := Take(r, false)
		c.do(r)
		if got := p.Leaks(r); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	r := bearer("GET", "/?t="+longToken, "")
	if p := Take(r, false); p.Leaks(r) {
		t.Error("what was not presented cannot leak")
	}
}

// A copy of the token in the path of a refused request is in neither the
// answer nor the record.
func TestRefusalDoesNotShowACopy(t *testing.T) {
	h := newHouse(t)
	g, ada := h.shop(t), h.adas()
	tail := ada[len(ada)-40:]
	for _, target := range []string{"/orders/" + ada, "/nothing/" + ada, "/reports/x/" + tail, "/orders/" + tail} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			r := bearer(method, target, ada)
			v, a := h.pass(g, r)
			if v.Allowed() || strings.Contains(a.raw, tail) || strings.Contains(fmt.Sprint(a.record), tail) {
				t.Errorf("%s %.20s...: got %s, %s, %v", method, target, v.Reason, a.raw, a.record)
			}
			if r.Header["Authorization"] != nil {
				t.Errorf("%s %.20s...: Authorization is set on a refused request", method, target)
			}
		}
	}
}

// What a rule reads of the query or a header may hold a copy too.
func TestMissingDoesNotShowACopy(t *testing.T) {
	h := newHouse(t)
	g, ada := h.ruled(t, GuardOptions{}), h.adas()
	tail := ada[strings.LastIndexByte(ada, '.')+1:]
	query := bearer("POST", "/copy/7?to="+tail, ada)
	writer := h.adas("allowed_resource_scope", scopeOf("orders.write"))
	header := bearer("GET", "/tenant", writer)
	header.Header.Set("X-Tenant", writer[strings.LastIndexByte(writer, '.')+1:])
	for name, r := range map[string]*http.Request{"query": query, "header": header} {
		v, a := h.pass(g, r)
		if v.Allowed() || a.body["required"] != nil || a.record["missing"] != nil || a.record["path"] == "" {
			t.Errorf("%s: got %s, %s, %v, want nothing of what is missing", name, v.Reason, a.raw, a.record)
		}
	}
	if v, a := h.pass(g, bearer("POST", "/copy/7?to=us", ada)); v.Allowed() || a.body["required"] == nil {
		t.Errorf("what is no copy: got %s, %s, want what is missing", v.Reason, a.raw)
	}
}
