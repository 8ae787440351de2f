package caddymodule

import (
	"os"
	"testing"
	"time"
)

// TestKeysTurnWithoutStorage has the next key take over while the storage cannot be
// read: it is known and published already.
func TestKeysTurnWithoutStorage(t *testing.T) {
	terms := keyTerms
	terms.look = time.Hour // The process itself does not look meanwhile.
	withTerms(t, terms)
	w := newLive(t)
	app := w.start(t, generatedKeys("\t\tstore memory\n"))
	k := &keeper{app: app, lines: linesOf(app.ctx.Storage(), app.realm.Issuer(), nil, nil)}
	begin, day := time.Now(), 24*time.Hour
	k.look(t.Context(), begin.Add(89*day+12*time.Hour))
	next := w.stored(t, "es256")[1]
	for _, line := range []string{"rs256", "state"} {
		w.stored(t, line)
	}
	if err := os.Rename(w.path("storage"), w.path("away")); err != nil {
		t.Fatal(err)
	}
	k.look(t.Context(), begin.Add(91*day))
	if got := kid(t, w.token(t)); got != next || k.said == "" {
		t.Errorf("the key %s signs, want the next one, %s; the log says %q, want the fault", got, next, k.said)
	}
}
