package caddymodule

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange"
)

// generatedKeys is a configuration whose keys are all generated.
func generatedKeys(store string) string {
	text := strings.NewReplacer("signing_key file DIR/es256.pem", "", "state_key file DIR/state.key", "").Replace(live(store, ""))
	return strings.Replace(text, "level WARN", "level INFO", 1)
}

// withTerms gives generated keys other times, for a test.
func withTerms(t *testing.T, other terms) {
	t.Helper()
	before := keyTerms
	keyTerms = other
	t.Cleanup(func() { keyTerms = before })
}

// published returns the keys that the issuer shows.
func (w liveWorld) published(t *testing.T) (set jose.JSONWebKeySet) {
	t.Helper()
	res, err := client.Get(w.url("/oauth2/jwks"))
	if err != nil {
		t.Error(err)
		return set
	}
	defer res.Body.Close()
	if data, err := io.ReadAll(res.Body); err != nil || json.Unmarshal(data, &set) != nil {
		t.Errorf("the published keys: %v", err)
	}
	return set
}

// kid names the key that signed a token.
func kid(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	var h struct{ Kid string }
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(data, &h) != nil {
		t.Fatalf("no token: %v", err)
	}
	return h.Kid
}

// stored names the keys of a line, and says which file it is in.
func (w liveWorld) stored(t *testing.T, line string) (ids []string) {
	t.Helper()
	data, err := os.ReadFile(w.path("storage/scopegate/localhost-8080/" + line + ".json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc lineDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, k := range doc.Keys {
		ids = append(ids, k.ID)
		hide("a generated key", strings.TrimSpace(string(k.Key)))
	}
	return ids
}

// published waits until the feed has so many entries. Each reading of it begins
// with one.
func published(t *testing.T, app *App, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	err := app.shared.store.(tokenexchange.Feed).Follow(ctx, "", func(string, []byte) {
		if n++; n == want {
			cancel()
		}
	})
	if n < want {
		t.Fatalf("got %d entries of the feed in a minute, want %d: %v", n, want, err)
	}
}

// TestGeneratedKeysTurn moves the clock over two turns of a running process, whose
// state is in a file.
func TestGeneratedKeysTurn(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour // The process itself does not look meanwhile.
	withTerms(t, terms)
	w := newLive(t)
	app := w.start(t, generatedKeys(boltAt("a.db")))
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	begin := time.Now()
	look := func(days float64) {
		t.Helper()
		k.look(t.Context(), begin.Add(time.Duration(days*24*float64(time.Hour))))
		if k.said != "" {
			t.Errorf("after %g days: %s", days, k.said)
		}
	}
	first := w.token(t)
	if got := len(w.published(t).Keys); got != 2 {
		t.Fatalf("got %d published keys, want one of each algorithm", got)
	}

	published(t, app, 1)
	look(89.5)
	// What sealed the marks of a reading is dropped only days later.
	published(t, app, 2)
	eventually(t, "the feed to be read with the new state key", func() bool { return app.shared.revocations.Age() == 0 })
	if set := w.published(t); len(set.Keys) != 4 || kid(t, w.token(t)) != kid(t, first) {
		t.Fatalf("got %d published keys, want the next ones too, which do not sign yet", len(set.Keys))
	}
	next := w.stored(t, "es256")[1]
	look(91)
	second := w.token(t)
	if kid(t, second) != next || len(w.published(t).Keys) != 4 {
		t.Error("the next key does not sign, or the one before is gone already")
	}
	w.guarded(t, "/orders/1", first, 200)
	w.guarded(t, "/orders/1", second, 200)

	look(93)
	for _, line := range []string{"es256", "rs256", "state"} {
		if got := w.stored(t, line); len(got) != 1 {
			t.Errorf("%s: got the keys %v, want the one that signs", line, got)
		}
	}
	w.guarded(t, "/orders/1", first, 401)
	w.guarded(t, "/orders/1", second, 200)

	// What is left opens the store for the next configuration. (Its clock is the
	// true one, and the one key that there is signs.)
	if err := w.load(generatedKeys(boltAt("a.db") + "\n")); err != nil {
		t.Fatal(err)
	}
	w.guarded(t, "/orders/1", second, 200)
	log, err := os.ReadFile(w.path("log"))
	if err != nil || !strings.Contains(string(log), "other generated keys are in force") || !strings.Contains(string(log), next) {
		t.Errorf("got %v and the log %s, want that it says which key signs", err, log)
	}
}

// startFar starts with generated keys and a store that may be away.
func (w liveWorld) startFar(t *testing.T) {
	t.Helper()
	data, err := adapt(w.at(generatedKeys("\t\tstore memory\n")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := w.run(bytes.Replace(data, []byte(`"store":{"module":"memory"}`), []byte(`"store":{"module":"far","name":"`+w.dir+`"}`), 1)); err != nil {
		t.Fatal(err)
	}
}

// TestGeneratedKeysWhileTheStoreIsAway turns meanwhile: the keys that sign do not
// wait, those that seal do, and no old one goes before the epoch was sealed anew.
func TestGeneratedKeysWhileTheStoreIsAway(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour
	withTerms(t, terms)
	w := newLive(t)
	w.startFar(t)
	w.becomesReady(t)
	app := running(t)
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	begin := time.Now()
	look := func(days float64) {
		k.look(t.Context(), begin.Add(time.Duration(days*24*float64(time.Hour))))
	}
	look(89.5)
	signs, seals := w.stored(t, "es256")[1], w.stored(t, "state")
	far.away.Store(true)
	defer far.away.Store(false)
	look(91)
	if got := kid(t, w.token(t)); got != signs {
		t.Error("the key that signs waits for the store")
	}
	if ring := app.work.stateKeys(); k.said == "" || mustID(t, ring[0]) != seals[0] {
		t.Errorf("got %q, want a fault, and the key that sealed before", k.said)
	}
	look(100)
	if got := w.stored(t, "state"); len(got) != 2 {
		t.Errorf("got the state keys %v, want that none went", got)
	}
	far.away.Store(false)
	look(100.1)
	if got := mustID(t, app.work.stateKeys()[0]); got != seals[1] {
		t.Errorf("got %s, want that the next key seals once the store is back: %s", got, k.said)
	}
	look(100.2)
	if got := w.stored(t, "state"); len(got) != 1 || got[0] != seals[1] {
		t.Errorf("got the state keys %v, want the new one alone: %s", got, k.said)
	}
}

func mustID(t *testing.T, key stateKey) string {
	t.Helper()
	id, err := key.ID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// edit changes a line in the storage, as another process does.
func (w liveWorld) edit(t *testing.T, line string, change func(*lineDocument)) {
	t.Helper()
	path := "storage/scopegate/localhost-8080/" + line + ".json"
	data, err := os.ReadFile(w.path(path))
	if err != nil {
		t.Fatal(err)
	}
	var doc lineDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	change(&doc)
	if data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	w.write(t, path, string(data))
	w.stored(t, line)
}

// another adds a state key that took over some days ago.
func another(t *testing.T, doc *lineDocument, days int) {
	t.Helper()
	text, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseStateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.Keys = append(doc.Keys, storedKey{ID: mustID(t, key), From: time.Now().AddDate(0, 0, -days), Life: 60, Key: storedText(text)})
}

// TestGeneratedKeysAfterAYear starts a process that slept through a turn, while the
// store is away. The epoch in it is still under the key from before.
func TestGeneratedKeysAfterAYear(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour
	withTerms(t, terms)
	w := newLive(t)
	w.startFar(t)
	w.becomesReady(t)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	w.edit(t, "state", func(doc *lineDocument) {
		doc.Keys[0].From = time.Now().AddDate(-1, 0, 0)
		another(t, doc, 100)
	})
	far.away.Store(true)
	defer far.away.Store(false)
	w.startFar(t)
	app := running(t)
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	k.look(t.Context(), time.Now())
	far.away.Store(false)
	w.becomesReady(t)
	k.look(t.Context(), time.Now())
	if got := w.stored(t, "state"); len(got) != 2 || k.said != "" {
		t.Errorf("got the state keys %v and %q, want the one that seals and the next one", got, k.said)
	}
}

// TestGeneratedKeyThatSealsElsewhere finds one that it never saw before: it opens
// at first, and seals at the next look.
func TestGeneratedKeyThatSealsElsewhere(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour
	withTerms(t, terms)
	w := newLive(t)
	app := w.start(t, generatedKeys(boltAt("a.db")))
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	w.edit(t, "state", func(doc *lineDocument) {
		doc.Keys[0].From = time.Now().AddDate(0, 0, -90)
		another(t, doc, 0)
	})
	before := w.stored(t, "state")
	for i, want := range []string{before[0], before[1]} {
		k.look(t.Context(), time.Now())
		if got := mustID(t, app.work.stateKeys()[0]); got != want || len(app.work.stateKeys()) != 2 || k.said != "" {
			t.Errorf("look %d: got that %s seals, want %s: %s", i+1, got, want, k.said)
		}
	}
}

// TestGeneratedKeysUnderLoad turns them about every two seconds, while clients get
// tokens and use them, and a verifier keeps the key set for a part of the lead.
func TestGeneratedKeysUnderLoad(t *testing.T) {
	// To make an RSA key takes a part of the lead, on a slow machine seconds.
	lasts := 13 * time.Second
	withTerms(t, terms{interval: 2 * time.Second, lead: 8 * time.Second, slack: time.Second, look: 50 * time.Millisecond})
	w := newLive(t)
	w.start(t, generatedKeys(boltAt("a.db")))
	var mu sync.Mutex
	var kept jose.JSONWebKeySet
	var keptAt time.Time
	verified := func(token string) bool {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(keptAt) > 300*time.Millisecond {
			keptAt = time.Now() // What comes may be as old.
			kept = w.published(t)
		}
		jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return false
		}
		keys := kept.Key(jws.Signatures[0].Header.KeyID)
		if len(keys) != 1 {
			return false
		}
		_, err = jws.Verify(keys[0])
		return err == nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // Machines can be slow.
	defer cancel()
	var kids []string
	var wg sync.WaitGroup
	requests, began := 0, time.Now()
	for range 4 {
		wg.Go(func() {
			// Each token is looked for in all that was shown, so there are not too many.
			for pause := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-pause.C {
				token := w.token(t)
				ok := verified(token)
				status := w.statusWith(t, "/orders/1", token)
				mu.Lock()
				requests++
				if id := kid(t, token); !slices.Contains(kids, id) {
					kids = append(kids, id)
				}
				if time.Since(began) > lasts && len(kids) >= 4 && requests >= 100 {
					cancel()
				}
				mu.Unlock()
				if !ok || status != http.StatusOK {
					t.Errorf("after %d requests: verified %t, and the guard says %d", requests, ok, status)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(kids) < 4 || requests < 100 {
		t.Errorf("got %d requests and %d keys that signed: this shows nothing", requests, len(kids))
	}
	t.Logf("%d requests, %d keys signed", requests, len(kids))
}
