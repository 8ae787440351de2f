package tokenexchange

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBodies sends what is no plain token request. The client authenticates in
// the header, so that the body is the only thing that differs.
func TestBodies(t *testing.T) {
	const wwwForm, jsonType = "application/x-www-form-urlencoded", "application/json"
	const cc = "grant_type=client_credentials"
	h := newHouse(t)
	jwtLike := secret("a token in the place of a name", "eyJhbGciOiJFUzI1NiJ9.c29tZS10b2tlbi1pbi1hLXdyb25nLXBsYWNl.c2ln")
	cases := []struct{ name, query, kind, body, want string }{
		{"form", "", wwwForm, cc, ""},
		{"form with a charset", "", wwwForm + "; charset=UTF-8", cc, ""},
		{"form in other case", "", "Application/X-WWW-Form-Urlencoded", cc, ""},
		{"JSON", "", jsonType, `{"grant_type":"client_credentials"}`, ""},
		{"JSON with a charset", "", jsonType + ";charset=utf-8", `{"grant_type":"client_credentials"}`, ""},
		{"JSON null is absent", "", jsonType, `{"grant_type":"client_credentials","orgId":null,"scope":null}`, ""},
		{"JSON unknown name of any type", "", jsonType, `{"grant_type":"client_credentials","x":[1,{"y":true}],"z":false}`, ""},
		{"JSON alias as an object", "", jsonType, `{"grant_type":"client_credentials","servicesPermissionsScopesDto":` + scopeOf("orders.read") + `}`, ""},
		{"no content type", "", "", cc, "content_type"},
		{"text", "", "text/plain", cc, "content_type"},
		{"multipart", "", "multipart/form-data; boundary=x", "--x--", "content_type"},
		{"JSON with a suffix", "", "application/vnd.api+json", `{}`, "content_type"},
		{"broken content type", "", wwwForm + "; charset", cc, "content_type"},
		{"query", "?x=1", wwwForm, cc, "query_parameters"},
		{"query with the parameters", "?" + cc, wwwForm, "", "query_parameters"},
		{"empty query", "?", wwwForm, cc, "query_parameters"},
		{"empty body", "", wwwForm, "", "parameter_missing"},
		{"exactly 64 KiB", "", wwwForm, cc + "&x=" + strings.Repeat("x", maxBody-len(cc)-3), ""},
		{"one byte more", "", wwwForm, cc + "&x=" + strings.Repeat("x", maxBody-len(cc)-2), "body_too_large"},
		{"far too large", "", wwwForm, strings.Repeat("x", 1<<20), "body_too_large"},
		{"bad escape", "", wwwForm, cc + "&x=%zz", "body_malformed"},
		{"semicolon", "", wwwForm, cc + ";x=1", "body_malformed"},
		{"not UTF-8", "", wwwForm, cc + "&x=%ff", "body_malformed"},
		{"name not UTF-8", "", wwwForm, cc + "&%ff=x", "body_malformed"},
		{"form under JSON", "", jsonType, cc, "body_malformed"},
		{"JSON under form", "", wwwForm, `{"grant_type":"client_credentials"}`, "parameter_missing"},
		{"JSON array", "", jsonType, `[{"grant_type":"client_credentials"}]`, "body_malformed"},
		{"JSON twice", "", jsonType, `{"grant_type":"client_credentials"}{}`, "body_malformed"},
		{"JSON name twice", "", jsonType, `{"grant_type":"client_credentials","grant_type":"client_credentials"}`, "body_malformed"},
		{"JSON name twice by an escape", "", jsonType, `{"grant_type":"client_credentials","gr\u0061nt_type":"password"}`, "body_malformed"},
		{"JSON name twice, deep", "", jsonType, `{"grant_type":"client_credentials","x":{"y":[{"z":1,"z":2}]}}`, "body_malformed"},
		{"JSON token as a name, twice", "", jsonType, `{"` + jwtLike + `":1,"` + jwtLike + `":2}`, "body_malformed"},
		{"JSON deep", "", jsonType, `{"grant_type":"client_credentials","x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, "body_malformed"},
		{"JSON comma at the end", "", jsonType, `{"grant_type":"client_credentials",}`, "body_malformed"},
		{"JSON not UTF-8", "", jsonType, "{\"grant_type\":\"client_credentials\",\"x\":\"\xff\"}", "body_malformed"},
		{"JSON empty", "", jsonType, ``, "body_malformed"},
		{"JSON grant_type an array", "", jsonType, `{"grant_type":["client_credentials"]}`, "parameter_type"},
		{"JSON scope an array", "", jsonType, `{"grant_type":"client_credentials","scope":["orders"]}`, "parameter_type"},
		{"JSON orgId true", "", jsonType, `{"grant_type":"client_credentials","orgId":true}`, "parameter_type"},
		{"JSON allowed_resource_scope an object", "", jsonType, `{"grant_type":"client_credentials","allowed_resource_scope":` + scopeOf("orders.read") + `}`, "parameter_type"},
		{"JSON allowed_resource_scope null", "", jsonType, `{"grant_type":"client_credentials","allowed_resource_scope":null}`, "parameter_empty"},
		{"JSON near miss", "", jsonType, `{"grant_type":"client_credentials","allowedResourceScope":"{}"}`, "parameter_misspelt"},
		{"JSON near miss an object", "", jsonType, `{"grant_type":"client_credentials","allowedResourceScope":{}}`, "parameter_type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/oauth2/token"+c.query, strings.NewReader(c.body))
			r.SetBasicAuth("nightly", secretOf("nightly"))
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			g := h.do(r)
			if c.want == "" {
				g.granted(t)
				return
			}
			g.refused(t, 400, "invalid_request", c.want)
		})
	}
	r := form(cc)
	r.Header.Add("Content-Type", wwwForm)
	h.do(r).refused(t, 400, "invalid_request", "content_type")
	r = httptest.NewRequest(http.MethodPost, "/oauth2/token", io.MultiReader(strings.NewReader(cc), brokenReader{}))
	r.Header.Set("Content-Type", wwwForm)
	h.do(r).refused(t, 400, "invalid_request", "body_malformed")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the client hung up") }

func TestMethodsAndPaths(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/oauth2/token", "POST", 405},
		{"HEAD", "/oauth2/token", "POST", 405},
		{"PUT", "/oauth2/token", "POST", 405},
		{"OPTIONS", "/csp/gateway/am/api/auth/authorize", "POST", 405},
		{"GET", "/oauth2/token?grant_type=client_credentials", "POST", 405},
		{"POST", "/oauth2/jwks", "GET, HEAD", 405},
		{"DELETE", "/.well-known/openid-configuration", "GET, HEAD", 405},
		{"GET", "/oauth2/jwks", "", 200},
		{"HEAD", "/oauth2/jwks", "", 200},
		{"GET", "//oauth2/jwks", "", 200},
		{"GET", "/csp/gateway/am/api/auth/keys", "", 200},
		{"GET", "//csp/gateway/am/api/auth/.well-known/openid-configuration", "", 200},
		{"GET", "/.well-known/oauth-authorization-server", "", 200},
		{"GET", "///oauth2/jwks", "", 404},
		{"GET", "/oauth2//jwks", "", 404},
		{"GET", "/oauth2/jwks/", "", 404},
		{"GET", "/OAUTH2/jwks", "", 404},
		{"GET", "/oauth2/jwks/../token", "", 404},
		{"GET", "/", "", 404},
	} {
		g := h.do(httptest.NewRequest(c.method, c.path, nil))
		if g.status != c.status || g.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", c.method, c.path, g.status, g.header.Get("Allow"), c.status, c.allow)
		}
		if owns := Owns(strings.SplitN(c.path, "?", 2)[0]); owns != (c.status != 404) {
			t.Errorf("Owns(%s): got %v", c.path, owns)
		}
	}
	for _, path := range []string{"/oauth2/token", "//oauth2/token", "/csp/gateway/am/api/auth/token", "//csp/gateway/am/api/auth/authorize"} {
		r := form("grant_type=client_credentials")
		r.URL.Path = path
		r.SetBasicAuth("nightly", secretOf("nightly"))
		h.do(r).granted(t)
	}
}

func TestTraceparent(t *testing.T) {
	h := newHouse(t)
	for parent, want := range map[string]any{
		"": nil, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "0af7651916cd43dd8448eb211c80319c",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": nil, "00-0af7651916cd43dd8448eb211c80319c": nil,
		"00-<script>alert(1)</script>xxxxxxx-b7ad6b7169203331-01": nil,
	} {
		r := form("grant_type=x")
		r.Header.Set("Traceparent", parent)
		if got := h.do(r).body["traceId"]; got != want {
			t.Errorf("%q: got %v, want %v", parent, got, want)
		}
	}
}

func TestServeNotReady(t *testing.T) {
	h := newHouse(t)
	w := httptest.NewRecorder()
	ServeNotReady(w, httptest.NewRequest("POST", "/oauth2/token", nil), nil, h.log)
	g := got{status: w.Code, header: w.Header(), raw: w.Body.String()}
	for into, text := range map[*map[string]any]string{&g.body: g.raw, &g.record: h.records.String()} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	g.refused(t, 503, "temporarily_unavailable", "not_ready")
}
