package caddymodule

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// watchPause is the time between two looks at the files. What was changed is in
// force after two or three of them: within a second.
const watchPause = 200 * time.Millisecond

// watchContents is after how many looks the contents are read although nothing
// shows a change: a file can be written so that its size and times stay.
const watchContents = 50

// watcher looks at the files that a configuration names, for as long as it runs,
// and has what they say put to work when they change. It asks instead of waiting to
// be told: where files are mounted from elsewhere, or are behind a link that is
// turned, as in Kubernetes, nobody tells.
type watcher struct {
	app    *App
	paths  []string
	seen   stamps // at the last look
	judged stamps // when the contents were last compared
	looks  int

	complaint
}

// stamps are what tells that files changed without reading them. A file that
// cannot be seen is nil.
type stamps []os.FileInfo

func (s stamps) equal(other stamps) bool {
	return slices.EqualFunc(s, other, func(a, b os.FileInfo) bool {
		if a == nil || b == nil {
			return a == b
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
	})
}

// watch begins to look at the files, until Stop.
func (a *App) watch() {
	w := &watcher{app: a, paths: a.work.paths()}
	if len(w.paths) == 0 {
		return
	}
	for i, info := range w.stamp() {
		if info != nil && !info.Mode().IsRegular() {
			a.log.Warn("files are not watched, since one of them can be read only once; a reload reads them again", "file", w.paths[i])
			return
		}
	}
	a.background(func(ctx context.Context) {
		tick := time.NewTicker(watchPause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				a.stale.Store(nil)
				return
			case <-tick.C:
				w.look()
			}
		}
	})
}

func (w *watcher) stamp() stamps {
	s := make(stamps, len(w.paths))
	for i, path := range w.paths {
		// A link is followed. What is wrong is said by who reads the file.
		s[i], _ = os.Stat(path)
	}
	return s
}

// look has a change put to work when the files were the same at two looks: else
// one of them may be half written.
func (w *watcher) look() {
	w.looks++
	now := w.stamp()
	settled := now.equal(w.seen)
	w.seen = now
	if !settled || now.equal(w.judged) && w.looks%watchContents != 0 {
		return
	}
	f := w.read(now)
	if !w.stamp().equal(now) {
		return // They change again.
	}
	w.judged = now
	w.judge(f)
}

var errNotRegular = errors.New("no regular file; expected one that can be read again")

// read reads all files. Only a regular one is opened: another could be waited for.
func (w *watcher) read(now stamps) files {
	f := files{}
	for i, path := range w.paths {
		if now[i] != nil && !now[i].Mode().IsRegular() {
			f[path] = file{err: errNotRegular}
			continue
		}
		_, _ = f.read(path) // An error is kept, for who asks for the file.
	}
	return f
}

// judge puts contents to work that are others than those at work.
func (w *watcher) judge(f files) {
	a := w.app
	a.work.Lock()
	defer a.work.Unlock()
	changed := a.work.differs(f)
	if len(changed) == 0 {
		if a.stale.Swap(nil) != nil {
			a.log.Info("the files hold again what is in force")
		}
		w.said = ""
		return
	}
	signed := a.work.signing
	next, err := a.find(f)
	if err == nil {
		err = a.change(next, a.work.generated)
	}
	if err != nil {
		since := time.Now()
		if a.stale.CompareAndSwap(nil, &since) {
			filesRead.WithLabelValues("refused").Inc()
		}
		w.say(err, func(cause string) {
			a.log.Error("files changed and are not put to work: all of what was read before stays in force", "files", changed, "error", cause)
		})
		return
	}
	a.stale.Store(nil)
	w.said = ""
	filesRead.WithLabelValues("in_force").Inc()
	users, tokens, clients := next.realm.Counts()
	a.log.Info("files changed and are in force", "files", changed, "users", users, "api_tokens", tokens, "clients", clients)
	for _, key := range signed {
		if !slices.ContainsFunc(a.work.signing, func(k tokenexchange.SigningKey) bool { return k.ID() == key.ID() }) {
			a.log.Warn("a signing key is gone: tokens that it signed are refused, and cannot be revoked in case it comes back", "kid", key.ID())
		}
	}
}

// differs names the files that hold something else than what is at work, or cannot
// be read.
func (w *work) differs(f files) (changed []string) {
	for path, got := range f {
		if got.err != nil || sha256.Sum256(got.data) != w.digests[path] {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed
}

// complaint is what the log says of a fault that lasts: once, again when it
// changes, and seldom otherwise.
type complaint struct {
	said   string
	saidAt time.Time
}

func (c *complaint) say(err error, log func(cause string)) {
	if cause := err.Error(); cause != c.said || time.Since(c.saidAt) > sayAgain {
		c.said, c.saidAt = cause, time.Now()
		log(cause)
	}
}

// staleness is since when files of a running configuration hold what is not in
// force; nil for not.
type staleness = atomic.Pointer[time.Time]
