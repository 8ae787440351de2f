package caddymodule

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

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
