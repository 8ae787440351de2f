package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// keysOf runs `caddy token keys --json`.
func (w liveWorld) keysOf(t *testing.T, text string, args ...string) (keys issuerKeys, err error) {
	t.Helper()
	w.write(t, "Caddyfile", w.at(text))
	out, err := runPublic("", append([]string{"keys", "--config", w.path("Caddyfile"), "--json"}, args...)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &keys)
	}
	return keys, err
}

// does are the words of keys, in their order.
func does(keys []shownKey) string {
	var words []string
	for _, k := range keys {
		words = append(words, strings.TrimSpace(k.Alg+" "+k.Does))
	}
	return strings.Join(words, ", ")
}

// TestKeysCommand shows a line in each of its phases, and then a key that is dropped.
func TestKeysCommand(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour
	withTerms(t, terms)
	w := newLive(t)
	text := generatedKeys(boltAt("a.db"))
	keys, err := w.keysOf(t, text)
	if err != nil || len(keys.Signing)+len(keys.State) != 0 || keys.Issuer != "http://localhost:8080" || !strings.Contains(keys.Storage, w.path("storage")) {
		t.Errorf("before the first start: got %+v, %v, want no keys", keys, err)
	}
	if _, err := os.Stat(w.path("storage/scopegate")); err == nil {
		t.Error("the command made keys")
	}
	app := w.start(t, text)
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	before := w.token(t)
	for _, line := range []string{"es256", "rs256", "state"} {
		w.edit(t, line, func(doc *lineDocument) { doc.Keys[0].From = time.Now().AddDate(0, 0, -89) })
	}
	k.look(t.Context(), time.Now())
	keys, err = w.keysOf(t, text)
	if got := does(keys.Signing) + "; " + does(keys.State); err != nil || got != "ES256 signs, ES256 next, RS256 signs, RS256 next; seals, next" {
		t.Fatalf("got %s, %v", got, err)
	}
	if next := keys.Signing[1]; keys.Signing[0].ID != kid(t, before) || next.From == nil || next.From.Before(time.Now().Add(23*time.Hour)) {
		t.Errorf("got %+v, want the key that signs, and the next one a day ahead", keys.Signing)
	}
	table, err := runPublic("", "keys", "--config", w.path("Caddyfile"))
	if err != nil || !strings.Contains(table, kid(t, before)+"  ES256  signs since ") || !strings.Contains(table, "next, from ") {
		t.Errorf("got the table %s, %v", table, err)
	}

	// The key that signs was stolen.
	stolen, next := keys.Signing[0].ID, keys.Signing[1].ID
	dropped := time.Now().Truncate(time.Millisecond)
	_, notes, err := runCommand("", "keys", "--config", w.path("Caddyfile"), "--drop", stolen)
	if want := "dropped " + stolen + "; running servers follow within a minute, reload them for at once\n"; err != nil || notes != want {
		t.Errorf("got the note %q, %v, want %q", notes, err, want)
	}
	keys, err = w.keysOf(t, text)
	if since := keys.Signing[0].Since; since == nil || since.Before(dropped) {
		t.Errorf("the next key signs since %v, want not before the drop at %v", since, dropped)
	}
	if got := does(keys.Signing[:2]); err != nil || got != "ES256 signs, RS256 signs" || keys.Signing[0].ID != next {
		t.Errorf("dropped: got %s, %v, want the next one in its place", got, err)
	}
	k.look(t.Context(), time.Now())
	w.guarded(t, "/orders/1", before, 401)
	after := w.token(t)
	if w.guarded(t, "/orders/1", after, 200); kid(t, after) != next {
		t.Error("another key signs than that which was next")
	}
	// And the next one too: nobody has another.
	w.edit(t, "es256", func(doc *lineDocument) { doc.Keys = doc.Keys[:1] })
	dropped = time.Now().Truncate(time.Millisecond)
	keys, err = w.keysOf(t, text, "--drop", next)
	if err != nil || keys.Signing[0].Since.Before(dropped) || keys.Signing[0].Does != "signs" || keys.Signing[0].ID == next {
		t.Errorf("the last one dropped: got %+v, %v, want a new one", keys.Signing, err)
	}
	k.look(t.Context(), time.Now())
	w.guarded(t, "/orders/1", after, 401)
	w.guarded(t, "/orders/1", w.token(t), 200)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestKeysCommandWithoutACaddyfile(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := runPublic("", "keys"); err == nil || !strings.Contains(err.Error(), "there is no Caddyfile in this folder; expected --config") {
		t.Errorf("got %v, want an error that names --config", err)
	}
}

func TestKeysCommandWithFiles(t *testing.T) {
	w := newLive(t)
	w.start(t, live("\t\tsigning_key generated\n\t\tstate_key generated\n\t\tstore memory\n", ""))
	keys, err := w.keysOf(t, live("\t\tsigning_key generated\n\t\tstate_key generated\n", ""))
	if got := does(keys.Signing) + "; " + does(keys.State); err != nil || got != "ES256 signs, ES256 verifies, RS256 signs; seals, opens" {
		t.Errorf("got %s, %v, want that of each algorithm the first signs", got, err)
	}
	for name, c := range map[string]struct{ kid, want string }{
		"a file":      {keys.Signing[0].ID, "es256.pem; expected a generated one"},
		"none":        {"x", "no signing key of this configuration has this kid"},
		"a state key": {keys.State[1].ID, "For a state key see docs/keys.md"},
	} {
		if _, err := w.keysOf(t, live("\t\tsigning_key generated\n\t\tstate_key generated\n", ""), "--drop", c.kid); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("dropping %s: got %v, want an error with %s", name, err, c.want)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"no option": {"{\n\tadmin off\n}\n", "no scopegate option"},
		"no file":   {strings.Replace(live("", ""), "DIR/es256.pem", "DIR/absent.pem", 1), "signing_key: reading the file"},
		"no key":    {strings.Replace(live("", ""), "DIR/es256.pem", "DIR/state.key", 1), "signing_key: expected a PEM private key"},
	} {
		if _, err := w.keysOf(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %s", name, err, c.want)
		}
	}
	if os.Geteuid() != 0 {
		return // Only root can give a file away.
	}
	path := filepath.Join(w.path("storage"), "scopegate", "localhost-8080", "es256.json")
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keysOf(t, live("\t\tsigning_key generated\n\t\tstate_key generated\n", ""), "--drop", keys.Signing[1].ID); err == nil || !strings.Contains(err.Error(), "belongs to the user 12345") {
		t.Errorf("the server's file belongs to somebody else: got %v, want an error", err)
	}
}
