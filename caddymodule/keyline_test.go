package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// hundred are terms that are counted easily.
var hundred = terms{interval: 100 * time.Hour, lead: 25 * time.Hour, slack: time.Hour, look: time.Hour}

// TestKeyLine follows a line through two turns.
func TestKeyLine(t *testing.T) {
	s, made := newShelf(), 0
	l := textLine(s, hundred, &made)
	if _, err := l.settle(t.Context(), at(0)); err == nil || len(l.known.Keys) > 0 {
		t.Errorf("a look made a line that was lost: got %v, want an error", err)
	}
	first := at(0)
	first.start = true
	for _, step := range []struct {
		ask  ask
		want string
	}{
		{first, "1"},
		{at(74), "1"},
		{ask{now: hours(80), life: 20 * time.Hour, start: true}, "1"}, // A start does not wait for what can wait.
		{at(75), "1 2"},
		{at(99), "1 2"},
		{at(100), "2 1"},
		{ask{now: hours(122), life: 20 * time.Hour}, "2 1"}, // Nothing may go yet.
		{ask{now: hours(122), life: 21 * time.Hour}, "2 1"}, // Nor when there is something to write.
		{at(122), "2"},
		{at(176), "2 3"}, // An hour late.
		{at(200), "2 3"}, // A little later, so that it is published for as long.
		{at(201), "3 2"},
		{at(223), "3"}, // The longer life counts.
	} {
		if got := settled(t, l, step.ask); got != step.want {
			t.Errorf("hour %v: got the ring %s, want %s", step.ask.now.Sub(hours(0)), got, step.want)
		}
	}
	// It was made, three keys were added, two went, and one life was prolonged.
	if s.stores != 6 {
		t.Errorf("got %d writes, want 6: a look where nothing is due writes nothing", s.stores)
	}
}

// TestKeyOfAFormerVersion takes over the only key that versions before this one
// had, and keeps its file as long as the key is needed.
func TestKeyOfAFormerVersion(t *testing.T) {
	s, made := newShelf(), 10
	s.values["line.key"] = []byte("key 1\n")
	l := textLine(s, hundred, &made)
	if got := settled(t, l, ask{now: hours(0), life: 20 * time.Hour, start: true}); got != "1" {
		t.Fatalf("got the ring %s, want the key that was there", got)
	}
	settled(t, l, at(80))
	settled(t, l, at(110))
	if s.values["line.key"] == nil {
		t.Error("the former file is gone while its key verifies")
	}
	if got := settled(t, l, at(130)); got != "11" || s.values["line.key"] != nil {
		t.Errorf("got the ring %s and %q, want the new key alone", got, s.values["line.key"])
	}

	s = newShelf()
	s.values["line.key"] = []byte("nothing\n")
	if _, err := textLine(s, hundred, &made).settle(t.Context(), ask{now: hours(0), start: true}); err == nil || len(s.values) != 1 {
		t.Errorf("a former file that is no key: got %v and %d values, want an error and no new key", err, len(s.values))
	}
}

// TestKeyLineWithoutStorage goes on with what it has, turns in time, and uses no
// key that is not stored.
func TestKeyLineWithoutStorage(t *testing.T) {
	s, made := newShelf(), 0
	l := textLine(s, hundred, &made)
	settled(t, l, ask{now: hours(0), life: 20 * time.Hour, start: true})
	away := errors.New("the disk is gone")
	unsettled := func(h float64, want string) {
		t.Helper()
		state, err := l.settle(t.Context(), at(h))
		if got := strings.Join(state.ring(), " "); !errors.Is(err, errUnsettled) || !errors.Is(err, away) || got != want {
			t.Errorf("hour %g: got %s, %v, want %s and that the storage is away", h, got, err, want)
		}
	}
	s.writes = away
	unsettled(75, "1")
	s.writes, s.underLock = nil, away // What cannot be read is not overwritten.
	unsettled(75, "1")
	s.underLock = nil
	settled(t, l, at(76))
	s.reads = away
	unsettled(90, fmt.Sprintf("1 %d", made))
	unsettled(102, fmt.Sprintf("%d 1", made)) // It was stored, and all others have it.
	s.reads = nil
	s.values["line.json"] = s.values["line.json"][:40]
	if state, err := l.settle(t.Context(), at(103)); !errors.Is(err, errUnsettled) || len(state.keys) != 2 {
		t.Errorf("damaged: got %v and %d keys, want both keys and an error", err, len(state.keys))
	} else if strings.Contains(err.Error(), "key 1") {
		t.Errorf("damaged: the error shows a key: %v", err)
	}
	delete(s.values, "line.json")
	if state, err := l.settle(t.Context(), at(104)); !errors.Is(err, errUnsettled) || len(state.keys) != 2 || len(s.values) != 0 {
		t.Errorf("deleted: got %v and %d keys, want both keys, an error, and nothing that is made", err, len(state.keys))
	}
	// A process that starts now has nothing to go on with.
	s.writes = away
	if _, err := textLine(s, hundred, &made).settle(t.Context(), ask{now: hours(104), start: true}); err == nil || errors.Is(err, errUnsettled) {
		t.Errorf("a start without storage: got %v, want an error", err)
	}
}

// TestStoredLineIsReadStrictly starts with values that no version of this writes.
func TestStoredLineIsReadStrictly(t *testing.T) {
	const key = `{"id":"1","from":"2026-01-01T00:00:00Z","life_seconds":60,"key":"key 1\n"}`
	for name, value := range map[string]string{
		"empty":             ``,
		"no keys":           `{"version":1,"keys":[]}`,
		"a later version":   `{"version":2,"keys":[` + key + `]}`,
		"an unknown member": `{"version":1,"keys":[` + key + `],"more":1}`,
		"two values":        `{"version":1,"keys":[` + key + `]}{}`,
		"a key twice":       `{"version":1,"keys":[` + key + `,` + key + `]}`,
		"a negative life":   `{"version":1,"keys":[` + strings.Replace(key, "60", "-60", 1) + `]}`,
		"another id":        `{"version":1,"keys":[` + strings.Replace(key, `"id":"1"`, `"id":"2"`, 1) + `]}`,
		"no key":            `{"version":1,"keys":[` + strings.Replace(key, "key 1", "kex 1", 1) + `]}`,
	} {
		s, made := newShelf(), 0
		s.values["line.json"] = []byte(value)
		_, err := textLine(s, hundred, &made).settle(t.Context(), ask{now: hours(0), life: time.Minute, start: true})
		if err == nil || errors.Is(err, errUnsettled) || string(s.values["line.json"]) != value {
			t.Errorf("%s: got %v, want an error, and that the value stays", name, err)
		}
	}
	s, made := newShelf(), 0
	s.values["line.json"] = []byte(`{"version":1,"keys":[` + key + `]}`)
	if got := settled(t, textLine(s, hundred, &made), ask{now: hours(0), life: time.Minute, start: true}); got != "1" {
		t.Errorf("a good value: got %s", got)
	}
	if got := fmt.Sprintf("%v %+v %#v %s", storedKey{Key: "key 1"}, &storedKey{Key: "key 1"}, storedKey{Key: "key 1"}, storedText("key 1")); strings.Contains(got, "key 1") {
		t.Errorf("a stored key is printed: %s", got)
	}
}

// TestKilledAtEveryStep kills a process at each of its steps in the storage, in
// each phase of a line. What it leaves can be used, and the next one goes on.
func TestKilledAtEveryStep(t *testing.T) {
	kills := 0
	for _, phase := range []struct {
		name   string
		before []float64
		ask    ask
		former bool
		signs  string // in the end, "" for any
	}{
		{"the very first", nil, ask{now: hours(0), life: 20 * time.Hour, start: true}, false, ""},
		{"the key of a former version", nil, ask{now: hours(0), life: 20 * time.Hour, start: true}, true, "0"},
		{"the next one is made", []float64{0}, at(75), false, "1"},
		{"one goes", []float64{0, 75}, at(130), true, "1"},
		{"a life is prolonged", []float64{0}, ask{now: hours(1), life: 200 * time.Hour, start: true}, false, "1"},
	} {
		for step := 1; ; step++ {
			s, made := newShelf(), 0
			if phase.former {
				s.values["line.key"] = []byte("key 0\n")
			}
			for _, h := range phase.before {
				a := at(h)
				a.start = h == 0
				settled(t, textLine(s, hundred, &made), a)
			}
			s.ops, s.killAt = 0, step
			if s.survives(func() { _, _ = textLine(s, hundred, &made).settle(context.Background(), phase.ask) }) {
				break
			}
			kills++
			s.killAt = 0
			again := phase.ask
			again.start, again.drop = true, false
			first := settled(t, textLine(s, hundred, &made), again)
			if second := settled(t, textLine(s, hundred, &made), again); first == "" || first != second || !strings.HasPrefix(first, phase.signs) {
				t.Errorf("%s, killed at %d: got the ring %q, then %q", phase.name, step, first, second)
			}
		}
	}
	if kills < 25 {
		t.Errorf("got %d kills, want at least 25", kills)
	}
}

// TestKeyLineInFiles lets many processes begin at once in a folder, as Caddy's own
// storage is: they have the same key, which nobody else can read.
func TestKeyLineInFiles(t *testing.T) {
	dir := t.TempDir()
	rings := make([]string, 3)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			lines := linesOf(&certmagic.FileStorage{Path: dir}, "https://auth.example.com", []KeySource{{Source: "file"}}, nil)
			if len(lines.signing) != 0 {
				t.Error("got lines of signing keys, want none beside files")
			}
			s, err := lines.state.settle(context.Background(), ask{now: time.Now(), life: time.Hour, start: true})
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = s.keys[0].id
		})
	}
	wg.Wait()
	for _, ring := range rings {
		if ring != rings[0] || ring == "" {
			t.Errorf("got the keys %q, want one", rings)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "scopegate/auth.example.com/state.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
}

// TestDiscardedKey takes a key out in each phase. Whoever signs then, it is never one
// that is retired.
func TestDiscardedKey(t *testing.T) {
	for gone, want := range map[string]string{"1": "2 3", "2": "3 1", "3": "2 1"} {
		s, made := newShelf(), 0
		l := textLine(s, hundred, &made)
		first := at(0)
		first.start = true
		settled(t, l, first)
		settled(t, l, at(75))
		a := at(175)
		a.life = 200 * time.Hour
		settled(t, l, at(100))
		s.values["line.json"] = []byte(strings.ReplaceAll(string(s.values["line.json"]), "72000", "720000"))
		if got := settled(t, l, a); got != "2 1 3" {
			t.Fatalf("got the ring %s", got)
		}
		if err := l.discard(t.Context(), gone, hours(175)); err != nil {
			t.Fatal(err)
		}
		if got := settled(t, l, ask{now: hours(175), life: 20 * time.Hour, start: true}); got != want {
			t.Errorf("without %s: got the ring %s, want %s", gone, got, want)
		}
		if err := l.discard(t.Context(), gone, hours(175)); err == nil {
			t.Errorf("%s again: got no error", gone)
		}
	}
}
