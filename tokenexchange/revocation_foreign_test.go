package tokenexchange

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bubbleStart is what a clock shows when a bubble begins.
var bubbleStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// TestForeignEntries publishes what a writer of the store could: such an entry
// may be a revocation that was spoilt, or one under a state key that this
// process lacks, so nothing that was issued before it is let pass. What is over
// is not even looked at.
func TestForeignEntries(t *testing.T) {
	until := bubbleStart.Add(time.Hour)
	store := NewMemoryStore(nil)
	state := testState(t, store, stateIssuer, nil, nil, 1)
	entry := feedEntry{Revoked: []Revocation{RevokeGrant("dead", until)}}
	good := must(state.sealEntry(entry, until))
	changed := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	over := bubbleStart.Add(-CollectAfter)
	record := must(state.ring[0].sealValue(state.random, sealBound(stateIssuer, kindFamily, string(good[:entryHeaderLen])), sealedPlain{exp: until, payload: []byte(`{"marker":"x"}`)}))
	raw := func(payload string) []byte {
		sealed := must(state.ring[0].sealValue(state.random, state.entryBound(good[:entryHeaderLen]), sealedPlain{exp: until, payload: []byte(payload)}))
		return append(bytes.Clone(good[:entryHeaderLen]), sealed...)
	}
	for name, c := range map[string]struct {
		entry []byte
		want  string // of every token from before; "" if the entry has no effect
	}{
		"empty":                     {nil, unopened},
		"short":                     {good[:entryHeaderLen-1], unopened},
		"without a value":           {good[:entryHeaderLen], unopened},
		"noise":                     {bytes.Repeat([]byte{0x5a}, 100), unopened},
		"cut":                       {good[:len(good)-1], unopened},
		"prolonged":                 {changed(5), unopened},
		"other version":             {changed(entryHeaderLen), unopened},
		"other key id":              {changed(entryHeaderLen + 1), unopened},
		"other nonce":               {changed(entryHeaderLen + 5), unopened},
		"other text":                {changed(len(good) - 1), unopened},
		"another issuer's":          {must(testState(t, store, "https://other.example", nil, nil, 1).sealEntry(entry, until)), unopened},
		"under another state key":   {must(testState(t, store, stateIssuer, nil, nil, 9).sealEntry(entry, until)), unopened},
		"a record of another kind":  {append(bytes.Clone(good[:entryHeaderLen]), record...), unopened},
		"of a version to come":      {raw(`{"revoked":[{"kind":"aud","value":"x","until":"2031-01-01T00:00:00Z"}]}`), unopened},
		"with a name to come":       {raw(`{"revoked":[{"kind":"jti","value":"x","until":"2031-01-01T00:00:00Z","audience":"y"}]}`), unopened},
		"sealed and empty":          {raw(`{}`), unopened},
		"sealed and no JSON":        {raw(`x`), unopened},
		"over, under a dropped key": {must(testState(t, store, stateIssuer, nil, nil, 9).sealEntry(entry, over)), ""},
		"over by what it says":      {append(make([]byte, entryHeaderLen), "noise"...), ""},
		"another's mark":            {must(state.sealEntry(feedEntry{Marker: "x"}, until)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := NewMemoryStore(nil)
				r := newReplica(t, store, 1)
				time.Sleep(time.Second)
				if err := store.Publish(t.Context(), c.entry, until); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.wants("published", c.want, c.want, "")
				if got := strings.Count(r.logged(), "level=ERROR"); (got == 1) != (c.want != "") {
					t.Errorf("got the log %s, want one error if the entry has an effect", r.logged())
				}
				newReplica(t, store, 1).wants("after a restart", c.want, c.want, "")
				if r.Unread() {
					t.Error("it waits for something")
				}
			})
		})
	}
}

// TestStateKeyIsRotated gives one process the new state key before another: what
// the second cannot open it does not let pass, and once it has the key, it knows.
func TestStateKeyIsRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		late, early := newReplica(t, store, 1), newReplica(t, store, 2, 1)
		late.wants("the other's mark", unopened, unopened, "")
		early.wants("has both keys", "", "", "")
		time.Sleep(time.Minute)
		late.wants("a minute later", "", "", "")
		early.revokes("dead")
		late.wants("under the key to come", unopened, unopened, "")
		detach := late.Attach(testState(t, store, stateIssuer, nil, nil, 1, 2), slog.New(slog.DiscardHandler))
		time.Sleep(time.Second)
		synctest.Wait()
		late.wants("with the key", byGrant, "", "")

		// A configuration that was refused takes its key along.
		detach()
		early.revokes("other")
		late.wants("without the key", byGrant, unopened, "")
	})
}
