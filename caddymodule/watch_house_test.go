package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

const (
	watchedSecret = "the-secret-of-web-in-a-file"
	otherSecret   = "another-secret-of-web-in-a-file"
	bobsPassword  = "bob likes coffee"
	// bcrypt of bobsPassword with the least cost.
	bobsHash = "$2a$04$nALWJc2Ujd9SjN.gvVyv3uQksiWHgWS3XSpOXBgJ4nqAiZ1VQGLgq"
)

// watchedUsers are the users of a watched configuration.
const watchedUsers = `{"orgs":[{"id":"acme"}],"users":[
 {"id":"bob","username":"bob","domain":"example.com","password_hash":"` + bobsHash + `","memberships":[{"org":"acme","permissions":["shop/read orders/**","shop/write orders/**"]}]},
 {"id":"eve","username":"eve","domain":"example.com","memberships":[{"org":"acme"}]}]}`

// watched names a file of each kind.
func watched(more string) string {
	return live("\t\tstore memory\n"+watchedApp+more, "\t\tPOST /orders/{id} write orders/{id}")
}

const watchedApp = `		signing_key file DIR/es256-next.pem
		signing_key file DIR/rs256.pem
		state_key file DIR/state-next.key
		state_key file DIR/state-third.key
		users file DIR/users.json
		client web {
			secret {file.DIR/web}
			grant_types password refresh_token
			permit shop/* **
			refresh_token_validity 2h
		}
		client robot {
			jwks_file DIR/jwks.json
			grant_types client_credentials
			own shop/read orders/**
		}
`

func newWatched(t *testing.T) liveWorld {
	t.Helper()
	hide("web's secret", watchedSecret)
	hide("web's other secret", otherSecret)
	w := newLive(t)
	w.write(t, "web", watchedSecret+"\n")
	w.write(t, "users.json", watchedUsers)
	w.write(t, "es256-next.pem", freshPEM(t))
	w.write(t, "state-next.key", freshStateKey(t))
	w.write(t, "state-third.key", freshStateKey(t))
	return w
}

// replace puts a file in the place of another, as careful programs do.
func (w liveWorld) replace(t *testing.T, name, text string) {
	t.Helper()
	w.write(t, name+".new", text)
	if err := os.Rename(w.path(name+".new"), w.path(name)); err != nil {
		t.Fatal(err)
	}
}

// ask asks for a token as the client web.
func (w liveWorld) ask(t *testing.T, secret string, kv ...string) (status int, access, refresh string) {
	t.Helper()
	form := url.Values{"client_id": {"web"}, "client_secret": {secret}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	res, err := client.Post(w.url("/oauth2/token"), "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.Access, body.Refresh
}

func (w liveWorld) login(t *testing.T) (access, refresh string) {
	t.Helper()
	status, access, refresh := w.ask(t, watchedSecret, "grant_type", "password", "username", "bob", "password", bobsPassword)
	if status != 200 || access == "" || refresh == "" {
		t.Fatalf("bob's login: got %d, want tokens", status)
	}
	return access, refresh
}

func (w liveWorld) refresh(t *testing.T, token string) (status int, access, refresh string) {
	t.Helper()
	return w.ask(t, watchedSecret, "grant_type", "refresh_token", "refresh_token", token)
}

// writes asks the guard for what needs another permission.
func (w liveWorld) writes(t *testing.T, token string) int {
	t.Helper()
	r, err := http.NewRequest("POST", w.url("/orders/1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// changes waits until a change is in force.
func (w liveWorld) changes(t *testing.T, change func()) {
	t.Helper()
	before := running(t).reading()
	change()
	eventually(t, "the change to be in force", func() bool { return running(t).reading() != before })
}
