package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// byHand is a watcher of a running configuration whose own one has ended: each
// look is made by the test.
func (w liveWorld) byHand(t *testing.T) (*App, *watcher) {
	t.Helper()
	app := w.start(t, strings.Replace(watched(""), "level WARN", "level INFO", 1))
	for _, stop := range app.stops {
		stop()
	}
	hand := &watcher{app: app, paths: slices.Sorted(maps.Keys(app.work.digests))}
	hand.look()
	hand.look()
	return app, hand
}

func disabled(users string) string {
	return strings.Replace(users, `{"id":"bob"`, `{"disabled":true,"id":"bob"`, 1)
}

// TestHalfWrittenFile writes a file in pieces, the first of which would be good by
// itself: what counts is what the file holds when nobody writes it.
func TestHalfWrittenFile(t *testing.T) {
	w := newWatched(t)
	app, hand := w.byHand(t)
	first := app.reading()
	one := `{"orgs":[{"id":"acme"}],"users":[]}`
	for i, text := range []string{one, watchedUsers[:100], watchedUsers[:200], disabled(watchedUsers)} {
		w.write(t, "users.json", text)
		hand.look()
		if app.reading() != first {
			t.Fatalf("piece %d was put to work", i)
		}
	}
	hand.look()
	if app.reading() == first {
		t.Error("the whole file is not in force")
	}
	if got := w.complaints(""); got != 0 {
		t.Errorf("the log has %d errors, want none", got)
	}
}

// TestFilesThatDoNotChange does what changes nothing.
func TestFilesThatDoNotChange(t *testing.T) {
	w := newWatched(t)
	app, hand := w.byHand(t)
	first := app.reading()
	users := w.path("users.json")
	for name, do := range map[string]func() error{
		"gone for a moment": func() error {
			err := os.Rename(users, users+".gone")
			hand.look()
			hand.seen = nil // Less than two looks.
			if err == nil {
				err = os.Rename(users+".gone", users)
			}
			return err
		},
		"written again": func() error { return os.WriteFile(users, []byte(watchedUsers), 0o600) },
		"touched":       func() error { return os.Chtimes(users, time.Now(), time.Now()) },
		"another file of the same content": func() error {
			if err := os.WriteFile(users+".new", []byte(watchedUsers), 0o600); err != nil {
				return err
			}
			return os.Rename(users+".new", users)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				hand.look()
			}
			if app.reading() != first || app.staleFor() != 0 || w.complaints("") != 0 {
				t.Error("something happened")
			}
		})
	}
}

// TestFilesThatCannotBeRead keeps what was read.
func TestFilesThatCannotBeRead(t *testing.T) {
	w := newWatched(t)
	app, hand := w.byHand(t)
	first := app.reading()
	users := w.path("users.json")
	for _, tc := range []struct {
		name string
		do   func() error
		want string
	}{
		{"gone", func() error { return nil }, "users: reading the file: open " + users + ": no such file or directory; expected a file that this process can read"},
		{"a folder", func() error { return os.Mkdir(users, 0o700) }, "no regular file; expected one that can be read again"},
		{"a loop", func() error { return os.Symlink(users, users) }, "too many levels of symbolic links"},
		{"a pipe", func() error { return syscall.Mkfifo(users, 0o600) }, "no regular file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.RemoveAll(users); err != nil {
				t.Fatal(err)
			}
			if err := tc.do(); err != nil {
				t.Fatal(err)
			}
			before, failed := w.complaints(tc.want), app.stale.Load()
			hand.look()
			hand.look()
			if got := w.complaints(tc.want); got != before+1 {
				t.Errorf("got %d errors with %q, want one more than %d", got, tc.want, before)
			}
			if app.reading() != first || app.staleFor() == 0 || failed != nil && failed != app.stale.Load() {
				t.Error("it is not told for how long the file is wrong")
			}
			for range 2 * watchContents {
				hand.look()
			}
			if got := w.complaints(tc.want); got != before+1 {
				t.Errorf("got %d errors after many looks, want it said once a minute", got)
			}
		})
	}
	if err := os.RemoveAll(users); err != nil {
		t.Fatal(err)
	}
	w.write(t, "users.json", watchedUsers)
	hand.look()
	hand.look()
	if app.staleFor() != 0 || w.said("the files hold again what is in force") != 1 {
		t.Error("the log does not say that it was mended")
	}
}

// TestFileThatLooksTheSame changes a file so that nothing shows it: it is found a
// while later.
func TestFileThatLooksTheSame(t *testing.T) {
	w := newWatched(t)
	app, hand := w.byHand(t)
	first := app.reading()
	info, err := os.Stat(w.path("web"))
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Replace(watchedSecret, "the", "tha", 1) + "\n")
	hide("web's third secret", string(other))
	if err := os.WriteFile(w.path("web"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(w.path("web"), time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	for range watchContents {
		hand.look()
	}
	if app.reading() == first {
		t.Error("the change is not in force")
	}
}

// TestFilesReread counts changes, and shows what the gauge does.
func TestFilesReread(t *testing.T) {
	w := newWatched(t)
	_, hand := w.byHand(t)
	counts := func() (inForce, refused float64) {
		for name, n := range map[string]*float64{"in_force": &inForce, "refused": &refused} {
			*n = counted(t, "scopegate_files_reread_total", name)
		}
		return inForce, refused
	}
	good, bad := counts()
	for i, tc := range []struct {
		text          string
		good, refused float64
		stale         bool
	}{
		{disabled(watchedUsers), 1, 0, false},
		{"x", 1, 1, true},
		{"y", 1, 1, true},
		{watchedUsers, 2, 1, false},
	} {
		w.write(t, "users.json", tc.text)
		hand.look()
		hand.look()
		gotGood, gotBad := counts()
		if gotGood-good != tc.good || gotBad-bad != tc.refused || counted(t, "scopegate_files_stale_seconds", "") > 0 != tc.stale {
			t.Errorf("change %d: got %v in force, %v refused, want %v, %v and stale %t", i, gotGood-good, gotBad-bad, tc.good, tc.refused, tc.stale)
		}
	}
}

// TestFilesAndEpochsTogether changes files while epochs come and go under
// requests: what is at work in the end is the newest of both.
func TestFilesAndEpochsTogether(t *testing.T) {
	w := newWatched(t)
	app, hand := w.byHand(t)
	app.ended.Store(false)
	var all sync.WaitGroup
	end := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				res, err := client.Post(w.url("/oauth2/token"), "application/x-www-form-urlencoded", strings.NewReader(tokenForm()))
				if err == nil {
					res.Body.Close()
				}
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("a request meanwhile: got %v, %v", res, err)
					return
				}
			}
		})
	}
	var last tokenexchange.Epoch
	all.Go(func() {
		defer close(end)
		for i := range 20 {
			w.write(t, "users.json", watchedUsers+strings.Repeat(" ", i))
			hand.look()
			hand.look()
		}
	})
	for i := range 20 {
		last = tokenexchange.Epoch{ID: fmt.Sprint("epoch ", i), Created: time.Now().Add(-time.Hour)}
		if _, err := app.begin(last); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	app.work.Lock()
	defer app.work.Unlock()
	digest := app.work.digests[w.path("users.json")]
	f := hand.read(hand.stamp())
	if app.work.epoch != last || len(app.work.differs(f)) != 0 {
		t.Errorf("got the epoch %s and the file %x, want the newest of both", app.work.epoch.ID, digest[:4])
	}
}
