package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

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
			// The mistake goes last: without it the file that disables bob counts.
			if tc.file != "users.json" {
				w.replace(t, "users.json", watchedUsers)
			}
			w.replace(t, tc.file, good)
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
	w.becomesReady(t)
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
