package caddymodule

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
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

// TestDisabledUser disables a user in the file: his token is dead, and so is his
// login, also when he is back.
func TestDisabledUser(t *testing.T) {
	w := newWatched(t)
	w.start(t, watched(""))
	access, refresh := w.login(t)
	w.guarded(t, "/orders/1", access, 200)
	w.write(t, "users.json", strings.Replace(watchedUsers, `{"id":"bob"`, `{"disabled":true,"id":"bob"`, 1))
	eventually(t, "the guard to refuse the token", func() bool { return w.orders(t, access) == 401 })
	if status, _, _ := w.refresh(t, refresh); status != 400 {
		t.Errorf("his refresh token: got %d, want 400", status)
	}
	if status, _, _ := w.ask(t, watchedSecret, "grant_type", "password", "username", "bob", "password", bobsPassword); status != 400 {
		t.Errorf("his password: got %d, want 400", status)
	}
	w.changes(t, func() { w.replace(t, "users.json", watchedUsers) })
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // Logins have whole seconds.
	again, _ := w.login(t)
	w.guarded(t, "/orders/1", again, 200)
	w.guarded(t, "/orders/1", access, 401)
	if status, _, _ := w.refresh(t, refresh); status != 400 {
		t.Errorf("a refresh token from before: got %d, want 400", status)
	}
}

// TestPermissionTakenAway ends tokens, and the login goes on with what is left.
func TestPermissionTakenAway(t *testing.T) {
	w := newWatched(t)
	w.start(t, watched(""))
	access, refresh := w.login(t)
	if got := w.writes(t, access); got != 200 {
		t.Fatalf("before: got %d, want 200", got)
	}
	w.replace(t, "users.json", strings.Replace(watchedUsers, `,"shop/write orders/**"`, "", 1))
	eventually(t, "the guard to refuse the token", func() bool { return w.orders(t, access) == 401 })
	status, renewed, _ := w.refresh(t, refresh) // At once, as clients do.
	if status != 200 {
		t.Fatalf("the refresh token: got %d, want 200", status)
	}
	w.guarded(t, "/orders/1", renewed, 200)
	if got := w.writes(t, renewed); got != 403 {
		t.Errorf("what was taken away: got %d, want 403", got)
	}
}

// TestChangedKeysAndSecrets changes the other kinds of files.
func TestChangedKeysAndSecrets(t *testing.T) {
	w := newWatched(t)
	w.start(t, watched(""))
	access, refresh := w.login(t)
	keys := func() string {
		// It is not searched for secrets: a certificate in it has the public half of
		// a key as the file has it, character by character.
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(w.url("/oauth2/jwks"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Run("secret", func(t *testing.T) {
		w.changes(t, func() { w.replace(t, "web", otherSecret+"\n") })
		if status, _, _ := w.ask(t, otherSecret, "grant_type", "password", "username", "bob", "password", bobsPassword); status != 200 {
			t.Errorf("the other secret: got %d, want 200", status)
		}
		if status, _, _ := w.ask(t, watchedSecret, "grant_type", "password", "username", "bob", "password", bobsPassword); status != 401 {
			t.Errorf("the secret from before: got %d, want 401", status)
		}
		w.guarded(t, "/orders/1", access, 200)
		w.changes(t, func() { w.replace(t, "web", watchedSecret) })
	})
	t.Run("signing key", func(t *testing.T) {
		before := keys()
		next, first := read(t, w.path("es256-next.pem")), read(t, w.path("es256.pem"))
		gone := func() int { return strings.Count(read(t, w.path("log")), "a signing key is gone") }
		if n := gone(); n != 0 {
			t.Errorf("got %d warnings of keys that are gone, want none yet", n)
		}
		w.replace(t, "es256-next.pem", freshPEM(t))
		eventually(t, "a new key in the key set", func() bool { return keys() != before })
		eventually(t, "a warning of the key that is gone", func() bool { return gone() == 1 })
		w.guarded(t, "/orders/1", access, 200)
		w.replace(t, "es256.pem", next)
		w.replace(t, "es256-next.pem", first)
		eventually(t, "the other key to sign", func() bool {
			fresh, _ := w.login(t)
			return strings.Split(fresh, ".")[0] != strings.Split(access, ".")[0] && w.orders(t, fresh) == 200
		})
		w.guarded(t, "/orders/1", access, 200)
	})
	t.Run("key set of a client", func(t *testing.T) {
		w.changes(t, func() { w.replace(t, "jwks.json", read(t, w.path("jwks.json"))+"\n") })
	})
	t.Run("state key", func(t *testing.T) {
		first, next := read(t, w.path("state.key")), read(t, w.path("state-next.key"))
		third := freshStateKey(t)
		// A key that sealed nothing makes place for another, with which another process
		// seals already.
		fourth := freshStateKey(t)
		w.changes(t, func() { w.replace(t, "state-third.key", fourth) })
		app := running(t)
		key, err := tokenexchange.ParseStateKey([]byte(fourth))
		if err != nil {
			t.Fatal(err)
		}
		records, err := tokenexchange.NewState(app.shared.store, app.realm.Issuer(), []tokenexchange.StateKey{key}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		known := app.shared.revocations.Len()
		until := time.Now().Add(time.Hour)
		if err := tokenexchange.NewRevocations(nil).Revoke(t.Context(), records, tokenexchange.RevokeToken("another", until)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a revocation of another process", func() bool { return app.shared.revocations.Len() > known })
		w.guarded(t, "/orders/1", access, 200)
		w.replace(t, "state.key", third)
		eventually(t, "an unknown key in front to be refused", func() bool {
			return w.complaints("state_key: the first one seals, and the running configuration does not have it yet") > 0
		})
		got, ready := w.readiness(t)
		if ready != 200 || !strings.HasPrefix(got.Details["files"], "a change is not in force for ") {
			t.Errorf("got readiness %d %+v, want 200", ready, got)
		}
		w.replace(t, "state-next.key", third)
		w.replace(t, "state.key", next)
		eventually(t, "the key that seals to be missed", func() bool {
			return w.complaints("state_key: the one that seals now is gone; expected another one as the first") > 0
		})
		var status int
		if status, access, refresh = w.refresh(t, refresh); status != 200 {
			t.Fatalf("meanwhile: got %d, want 200", status)
		}
		// The next one first, with the old one behind, in whatever order they are seen.
		w.replace(t, "state-next.key", first)
		w.replace(t, "state.key", next)
		eventually(t, "it to be in force", func() bool { return running(t).staleFor() == 0 })
		if status, access, refresh = w.refresh(t, refresh); status != 200 {
			t.Errorf("a refresh token from before: got %d, want 200", status)
		}
		w.replace(t, "state-next.key", third)
		eventually(t, "a refresh token of the key that is gone to end", func() bool {
			status, _, again := w.refresh(t, refresh)
			if status == 200 {
				refresh = again
			}
			return status == 400
		})
		w.becomesReady(t)
	})
}

// TestLastTokenIsRevokedToo has a request that was under way sign in a later second
// than that in which its right was taken away.
func TestLastTokenIsRevokedToo(t *testing.T) {
	w := newWatched(t)
	app, _ := w.byHand(t)
	before := app.reading()
	w.changes(t, func() {
		w.write(t, "users.json", strings.Replace(watchedUsers, `,"shop/write orders/**"`, "", 1))
		app.work.Lock()
		defer app.work.Unlock()
		next, err := app.find(files{})
		if err != nil {
			t.Fatal(err)
		}
		app.work.reading = next // It is not in force, as it is not for the request.
	})
	last := make(chan struct{})
	app.loses(before, app.reading(), last)
	late, _ := w.login(t) // In the next second, since it waits for that.
	w.guarded(t, "/orders/1", late, 200)
	held := app.shared.count()
	close(last)
	eventually(t, "the last token to be dead", func() bool { return w.orders(t, late) == 401 })
	eventually(t, "the store to be given back", func() bool { return app.shared.count() == held-1 })
}

// TestFilesWithAMistake changes several files, one of them wrongly: all stay as
// they were, and who looks learns which one it is.
func TestFilesWithAMistake(t *testing.T) {
	w := newWatched(t)
	w.start(t, strings.Replace(watched(""), "level WARN", "level INFO", 1))
	for _, tc := range []struct{ name, file, text, want string }{
		{"no JSON", "users.json", watchedUsers[:len(watchedUsers)-1], "users.json"},
		{"a permission that is none", "users.json", strings.Replace(watchedUsers, "shop/write", "shop/wriet", 1), `users[0].memberships[0].permissions[1]: "shop/wriet": service shop declares no such permission; expected one of read, write`},
		{"a secret that is too short", "web", "short\n", "client web: secret: a secret of 5 characters; expected at least 22"},
		{"an empty secret", "web", "", "is empty; expected a secret"},
		{"two secrets", "web", liveSecret + "\n" + liveSecret + "\n", "client web: secret: {file." + w.path("web") + "} holds more than one line; expected one secret"},
		{"no key", "es256.pem", "no key\n", "signing_key: file " + w.path("es256.pem") + ": expected a PEM private key"},
		{"the same state key twice", "state-next.key", read(t, w.path("state.key")), "the same key is given twice"},
		{"a private key of a client", "jwks.json", `{"keys":[{"kty":"EC","d":"x"}]}`, "client robot: jwks_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			access, _ := w.login(t)
			good := read(t, w.path(tc.file))
			w.write(t, tc.file, tc.text)
			if tc.file != "users.json" {
				w.replace(t, "users.json", strings.Replace(watchedUsers, `{"id":"bob"`, `{"disabled":true,"id":"bob"`, 1))
			}
			eventually(t, "the log to name the mistake", func() bool { return w.complaints(tc.want) == 1 })
			eventually(t, "the readiness answer to tell", func() bool {
				got, status := w.readiness(t)
				return status == 200 && strings.HasPrefix(got.Details["files"], "a change is not in force for ")
			})
			w.guarded(t, "/orders/1", access, 200)
			if running(t).staleFor() == 0 {
				t.Error("the gauge says that nothing is wrong")
			}
			w.replace(t, tc.file, good)
			w.replace(t, "users.json", watchedUsers)
			eventually(t, "it to be mended", func() bool { return running(t).staleFor() == 0 })
			if got, _ := w.readiness(t); got.Details["files"] != "" {
				t.Errorf("mended: got %q", got.Details["files"])
			}
			w.guarded(t, "/orders/1", access, 200)
		})
	}
	if got := w.said("the files hold again what is in force"); got == 0 {
		t.Error("the log does not say that it was mended")
	}
}

// complaints counts the errors of the log about files with a text.
func (w liveWorld) complaints(text string) (n int) {
	for _, entry := range w.logged() {
		cause, _ := entry["error"].(string)
		if entry["level"] == "error" && entry["files"] != nil && strings.Contains(cause, text) {
			n++
		}
	}
	return n
}

// said counts the lines of the log that begin with a text.
func (w liveWorld) said(text string) (n int) {
	for _, entry := range w.logged() {
		if msg, _ := entry["msg"].(string); strings.HasPrefix(msg, text) {
			n++
		}
	}
	return n
}

// TestFilesBehindALink turns the link that Kubernetes turns when it changes a
// volume.
func TestFilesBehindALink(t *testing.T) {
	w := newWatched(t)
	volume := w.path("volume")
	for name, users := range map[string]string{"one": watchedUsers, "two": strings.Replace(watchedUsers, `{"id":"bob"`, `{"disabled":true,"id":"bob"`, 1)} {
		if err := os.MkdirAll(filepath.Join(volume, name), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(t, "volume/"+name+"/users.json", users)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(volume, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(volume, "tmp"), filepath.Join(volume, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("one", "..data")
	link("..data/users.json", "users.json")
	w.start(t, strings.Replace(watched(""), "DIR/users.json", "DIR/volume/users.json", 1))
	access, _ := w.login(t)
	link("two", "..data")
	if err := os.RemoveAll(filepath.Join(volume, "one")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the guard to refuse the token", func() bool { return w.orders(t, access) == 401 })
}

// TestFilesWhileTheStoreIsAway disables a user while nobody can reach the store.
func TestFilesWhileTheStoreIsAway(t *testing.T) {
	w := newWatched(t)
	if err := w.loadFar(t, watchedApp, ""); err != nil {
		t.Fatal(err)
	}
	access, _ := w.login(t)
	far.away.Store(true)
	far.mute.Store(true)
	defer far.away.Store(false)
	defer far.mute.Store(false)
	w.replace(t, "users.json", strings.Replace(watchedUsers, `{"id":"bob"`, `{"disabled":true,"id":"bob"`, 1))
	eventually(t, "the guard to refuse the token", func() bool { return w.orders(t, access) == 401 })

	// One that starts now has what the files say when the store is back.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := w.loadFar(t, watchedApp, ""); err != nil {
		t.Fatal(err)
	}
	w.changes(t, func() { w.replace(t, "users.json", watchedUsers) })
	far.mute.Store(false)
	far.away.Store(false)
	w.becomesReady(t)
	w.login(t)
}

// TestReloadThatTakesAway takes a client out of the configuration: its tokens are
// dead, also when it is back.
func TestReloadThatTakesAway(t *testing.T) {
	w := newWatched(t)
	w.start(t, watched(""))
	token := w.token(t)
	access, refresh := w.login(t)
	less := strings.Replace(watched(""), "permit shop/* **", "permit shop/read **", 1)
	less = strings.ReplaceAll(less, "client nightly", "client daily")
	if err := w.load(less); err != nil {
		t.Fatal(err)
	}
	for what, token := range map[string]string{"a client that is gone": token, "a client that may do less": access} {
		if got := w.orders(t, token); got != 401 {
			t.Errorf("a token of %s: got %d, want 401", what, got)
		}
	}
	status, renewed, _ := w.refresh(t, refresh)
	if status != 200 || w.orders(t, renewed) != 200 || w.writes(t, renewed) != 403 {
		t.Errorf("the login through a client that may do less: got %d, want that it goes on with less", status)
	}
	if err := w.load(watched("")); err != nil {
		t.Fatal(err)
	}
	w.guarded(t, "/orders/1", token, 401)
	w.guarded(t, "/orders/1", renewed, 200)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	w.guarded(t, "/orders/1", w.token(t), 200)
}

// A configuration that is refused takes nothing away: neither what it lacks nor
// what it would have given more.
func TestRefusedReloadTakesNothingAway(t *testing.T) {
	w := newWatched(t)
	giving := func(permit string) string { return strings.Replace(watched(""), "permit shop/* **", permit, 1) }
	w.start(t, giving("permit shop/read **"))
	access, _ := w.login(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, permit := range []string{"permit none", "permit shop/* **"} {
		bad := giving(permit) + "http://" + taken.Addr().String() + " {\n\tbind 127.0.0.1\n}\n"
		for range 10 { // In one of them ours starts first, or it is one in a thousand.
			if err := w.load(bad); err == nil || !strings.Contains(err.Error(), "address already in use") {
				t.Fatalf("got %v, want a port that is taken", err)
			}
		}
		w.guarded(t, "/orders/1", access, 200)
	}
}
