package caddymodule

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// A guard answers the metadata of its service before anything else, and hands
// nothing below the path on, whatever its rules and its options are.
func TestProtectedResource(t *testing.T) {
	const want = `{"resource":"https://shop.example.com","authorization_servers":["http://localhost:8080"],"scopes_supported":["shop/read","shop/write"],"bearer_methods_supported":["header"],"resource_name":"shop"}`
	for name, guard := range map[string]string{
		"": "", "every path public": "\tpublic GET /{_any...}\n", "hide_existence": "\thide_existence\n",
		"preflight pass": "\tpreflight pass\n", "csp-auth-token": "\taccept csp-auth-token\n", "audit": "\tmode audit until 2020-12-31 including no_rule\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newLive(t)
			app := w.start(t, live("", guard))
			token := w.token(t)
			for _, c := range []struct {
				method, path string
				status       int
			}{
				{"GET", tokenexchange.ResourcePath, 200},
				{"GET", "/.well-known/oauth-protected-resourc%65?x=1", 200},
				{"HEAD", tokenexchange.ResourcePath, 200},
				{"POST", tokenexchange.ResourcePath, 405},
				{"OPTIONS", tokenexchange.ResourcePath, 405},
				{"GET", tokenexchange.ResourcePath + "/", 404},
				{"GET", tokenexchange.ResourcePath + "/shop", 404},
				{"GET", tokenexchange.ResourcePath + "/%2e%2e/orders/1", 404},
			} {
				for _, token := range []string{"", token} {
					r, rec, after := request(c.method, "http://localhost"+c.path, token), httptest.NewRecorder(), new(next)
					if err := app.guards[0].ServeHTTP(rec, r, after); err != nil || after.calls != 0 {
						t.Fatalf("%s %s: got %v and %d calls of next, want an answer", c.method, c.path, err, after.calls)
					}
					if rec.Code != c.status || rec.Header().Get("Access-Control-Allow-Origin") != "*" {
						t.Errorf("%s %s: got %d %v, want %d", c.method, c.path, rec.Code, rec.Header(), c.status)
					}
					if r.Header.Get("Authorization") != "" {
						t.Errorf("%s %s: the caller's token is still in the request", c.method, c.path)
					}
					body := want
					if name == "hide_existence" {
						body = strings.Replace(want, `"scopes_supported":["shop/read","shop/write"],`, "", 1)
					}
					if c.status == 200 && rec.Body.String() != body {
						t.Errorf("%s %s: got %s, want %s", c.method, c.path, rec.Body, body)
					}
				}
			}
			// Another path is nobody's but the rules'.
			for _, path := range []string{tokenexchange.ResourcePath + "s", "/x" + tokenexchange.ResourcePath, strings.ToUpper(tokenexchange.ResourcePath)} {
				rec, after := httptest.NewRecorder(), new(next)
				if err := app.guards[0].ServeHTTP(rec, request("GET", "http://localhost"+path, ""), after); err != nil || rec.Code == 404 || (rec.Code == 401) != (after.calls == 0) {
					t.Errorf("%s: got %d, %v and %d calls of next", path, rec.Code, err, after.calls)
				}
			}
		})
	}
	// One that no app works with refuses this path as all others.
	rec, after := httptest.NewRecorder(), new(next)
	if err := new(Guard).ServeHTTP(rec, request("GET", "http://localhost"+tokenexchange.ResourcePath, ""), after); err != nil || rec.Code != 503 || after.calls != 0 {
		t.Errorf("not bound: got %d, %v and %d calls of next, want 503", rec.Code, err, after.calls)
	}
}

// With several guards in handle blocks, each needs the path of its own audience.
func TestProtectedResourcesOfOneSite(t *testing.T) {
	const prelude = `{
	admin off
	persist_config off
	storage file_system DIR/storage
	log {
		output file DIR/log {
			roll_disabled
		}
		level WARN
	}
	scopegate {
		issuer http://localhost:8080
		service shop http://localhost:8081/shop {
			permissions read
		}
		service crm http://localhost:8081/crm {
			permissions read
		}
	}
}
http://localhost:8081 {
	handle SHOP {
		guard shop {
			GET /shop/{id} read orders/{id}
		}
	}
	handle CRM {
		guard crm {
			GET /crm/{id} read contacts/{id}
		}
	}
}
`
	const ready = readyPath
	const shop, crm = tokenexchange.ResourcePath + "/shop", tokenexchange.ResourcePath + "/crm"
	for name, c := range map[string]struct{ shop, crm, missing string }{
		"neither":            {"/shop*", "/crm*", ready + " " + shop + " " + crm},
		"all to one":         {"/shop*", "", shop},
		"all to the other":   {"", "/crm*", crm},
		"each its own":       {"@shop", "@crm", ready},
		"the other's":        {"@crm", "@shop", ready + " " + shop + " " + crm},
		"the well-known one": {"/.well-known/*", "/crm*", crm},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			text := strings.NewReplacer("SHOP", c.shop, "CRM", c.crm).Replace(prelude)
			text = strings.Replace(text, "http://localhost:8081 {\n", "http://localhost:8081 {\n\t@shop path /shop* "+shop+"\n\t@crm path /crm* "+crm+"\n", 1)
			cfg, err := w.config(text)
			if err == nil {
				err = caddy.Validate(cfg)
			}
			got, _ := strings.CutPrefix(w.outcome(err), "ok")
			var missing []string
			for line := range strings.SplitSeq(got, "\n") {
				if _, rest, found := strings.Cut(line, "no route brings "); found {
					missing = append(missing, strings.Fields(rest)[0])
				} else if line != "" {
					t.Errorf("got %s", line)
				}
			}
			if strings.Join(missing, " ") != c.missing {
				t.Errorf("got %s, want it for %s", got, c.missing)
			}
		})
	}
}

func TestRulesCannotNameTheMetadata(t *testing.T) {
	for path, want := range map[string]bool{
		tokenexchange.ResourcePath: true, tokenexchange.ResourcePath + "/shop": true, tokenexchange.ResourcePath + "/{_x}": true, readyPath: true,
		"/.well-known/{_x...}": false, tokenexchange.ResourcePath + "s": false,
	} {
		w := newLive(t)
		cfg, err := w.config(w.at(live("", "\tpublic GET "+path+"\n")))
		if err == nil {
			err = caddy.Validate(cfg)
		}
		if refused := err != nil && strings.Contains(err.Error(), "the guard answers this path itself"); refused != want || !want && err != nil {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// Scripts can read that a server is not ready, as far as anybody knows whose.
func TestNotReadyToScripts(t *testing.T) {
	w := newLive(t)
	app := w.start(t, live("\t\tclient spa {\n\t\t\tpublic\n\t\t\tgrant_types authorization_code\n\t\t\tredirect_uri https://app.example.com/cb\n\t\t\tpermit none\n\t\t}\n", ""))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	waiting := &App{ready: make(chan struct{}), ctx: app.ctx, realm: app.realm, log: app.log}
	for name, c := range map[string]struct {
		app  *App
		path string
		want string
	}{
		"not started, the token endpoint": {waiting, "/oauth2/token", "https://app.example.com"},
		"not started, keys":               {waiting, "/oauth2/jwks", "*"},
		"not bound, the token endpoint":   {nil, "/oauth2/token", ""},
	} {
		r, rec := request("POST", "http://localhost"+c.path, "").WithContext(gone), httptest.NewRecorder()
		r.Header.Set("Origin", "https://app.example.com")
		if err := (&OAuthServer{app: c.app, log: app.log}).ServeHTTP(rec, r, new(next)); err != nil || rec.Code != 503 || rec.Header().Get("Access-Control-Allow-Origin") != c.want {
			t.Errorf("%s: got %d %v, %v, want 503 for %q", name, rec.Code, rec.Header(), err, c.want)
		}
	}
}
