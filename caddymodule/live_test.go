package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/integration_test/outside"
)

const (
	liveSecret = "a-secret-of-the-tests-only"

	// liveApp is the inside of the global option.
	liveApp = `		issuer http://localhost:8080
		demo
		signing_key file DIR/es256.pem
		state_key file DIR/state.key
		service shop https://shop.example.com {
			permissions read write
		}
		client nightly {
			secret ` + liveSecret + `
			grant_types client_credentials
			own shop/read orders/**
		}
`
	liveGuard = `
		GET /orders/{id} read orders/{id}
		public GET /healthz
		authenticated GET /me
`
)

// live makes a Caddyfile with an issuer and a guard on one port. Words are
// added to the global option and the guard's block.
func live(app, guard string) string {
	return `{
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
` + liveApp + app + `
	}
}
http://localhost:PORT {
	bind 127.0.0.1
	oauth_server
	guard shop {` + liveGuard + guard + `
	}
	respond behind
}
`
}

// liveWorld has a port on loopback besides.
type liveWorld struct {
	world
	t    testing.TB
	port int
}

func newLive(t *testing.T) liveWorld {
	t.Helper()
	w := liveWorld{newWorld(t), t, outside.FreePort(t)}
	w.fill(t)
	return w
}

// at fills in the folder and the port.
func (w liveWorld) at(text string) string {
	return strings.NewReplacer("DIR", w.dir, "PORT", strconv.Itoa(w.port)).Replace(text)
}

// load makes a Caddyfile the running configuration.
func (w liveWorld) load(text string) error {
	data, err := adapt(w.at(text))
	if err != nil {
		return err
	}
	return w.run(data)
}

// run makes data the running configuration. What is asked after it meets the
// configuration in force, also if this one was refused.
func (w liveWorld) run(data []byte) error {
	err := caddy.Load(data, true)
	outside.OneListener(w.t, w.port)
	show(fmt.Sprint(err))
	return err
}

// start loads a Caddyfile and stops it with the test.
func (w liveWorld) start(t *testing.T, text string) *App {
	t.Helper()
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := w.load(text); err != nil {
		t.Fatal(err)
	}
	return running(t)
}

// startRemote starts with a store over a network, and waits until it was reached:
// on a slow machine not at the first try.
func (w liveWorld) startRemote(t *testing.T, text string) *App {
	t.Helper()
	app := w.start(t, text)
	w.becomesReady(t)
	return app
}

// running returns the app of the running configuration.
func running(t *testing.T) *App {
	t.Helper()
	app, err := caddy.ActiveContext().App("scopegate")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}

// client leaves no connection open: a kept one may end with a reload.
var client = &http.Client{Transport: watching{&http.Transport{DisableKeepAlives: true}}}

func (w liveWorld) url(path string) string { return fmt.Sprintf("http://localhost:%d%s", w.port, path) }

// tokenForm asks for a token of the client's own.
func tokenForm() string {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {"nightly"}, "client_secret": {liveSecret}}.Encode()
}

// token gets a token from the token endpoint.
func (w liveWorld) token(t *testing.T) string {
	t.Helper()
	res, err := client.Post(w.url("/oauth2/token"), "application/x-www-form-urlencoded", strings.NewReader(tokenForm()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != 200 || body.AccessToken == "" {
		t.Fatalf("token endpoint: got %d (%v), want 200 and a token", res.StatusCode, err)
	}
	return body.AccessToken
}

// request is a request as Caddy hands it to a handler.
func request(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
}

// next counts its calls, notes the token that it saw, and ends as it is told.
type next struct {
	calls int
	auth  string
	err   error
	panic bool
}

func (n *next) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	n.calls++
	n.auth = r.Header.Get("Authorization")
	if n.panic {
		panic(http.ErrAbortHandler)
	}
	return n.err
}

var errUpstream = caddyhttp.Error(http.StatusBadGateway, errors.New("the upstream is away"))
