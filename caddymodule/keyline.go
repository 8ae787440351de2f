package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
)

// keyLine is one line of generated keys in Caddy's storage: those of one
// algorithm, or those that seal state. All of them are one value, so a write
// changes everything or nothing, and whenever a process is killed there is a
// whole line. All who share the storage read the same.
type keyLine[K any] struct {
	storage certmagic.Storage
	terms   terms
	key     string // of the storage
	former  string // where versions before this one kept the only key
	fresh   func() ([]byte, error)
	parse   func([]byte) (key K, id string, err error)
	known   lineDocument // as it was read last: the storage may be away
}

// lineDocument is what the storage holds of a line.
type lineDocument struct {
	Version int         `json:"version"`
	Keys    []storedKey `json:"keys"`
}

const lineVersion = 1

// storedKey is a key and its place in the schedule.
type storedKey struct {
	ID   string     `json:"id"`
	From time.Time  `json:"from"`         // when it takes over
	Life int64      `json:"life_seconds"` // the longest life of what it signs or seals
	Key  storedText `json:"key"`
}

// storedText is a key as its file would hold it. It cannot be printed.
type storedText string

// Format keeps the key out of every print.
func (storedText) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

func (k storedKey) scheduled() scheduled {
	return scheduled{id: k.ID, from: k.From, life: time.Duration(k.Life) * time.Second}
}

// lineKey is a key of a line that was read.
type lineKey[K any] struct {
	scheduled
	key K
}

// lineState is a line as the storage has it, in the order of a ring.
type lineState[K any] struct {
	keys []lineKey[K]
	over int       // how many of them, the last ones, nothing needs any more
	look time.Time // when to look again
}

func (s lineState[K]) ring() []K {
	keys := make([]K, len(s.keys))
	for i, k := range s.keys {
		keys[i] = k.key
	}
	return keys
}

// errUnsettled says that a line could not be read or changed, and that the keys
// that are known of it go on.
var errUnsettled = errors.New("the generated keys stay as they are for now")

// ask says what a look at a line may do.
type ask struct {
	now   time.Time
	life  time.Duration // the longest that the configuration gives
	start bool          // make the line if it is absent, and write only what cannot wait
	drop  bool          // take keys away whose time is over
}

// settle does what the schedule wants, and returns what the storage then has. It
// writes under the storage's lock, and reads back: what storage holds wins. With
// errUnsettled it returns what is known.
func (l *keyLine[K]) settle(ctx context.Context, a ask) (lineState[K], error) {
	doc, err := l.load(ctx)
	absent := errors.Is(err, fs.ErrNotExist) && a.start
	if absent || err == nil && l.due(doc, a) {
		err = l.change(ctx, func(doc *lineDocument) error { return l.bring(ctx, doc, a) })
		now, readErr := l.load(ctx)
		if readErr == nil {
			doc = now
		}
		err = errors.Join(err, readErr)
	}
	if len(doc.Keys) > 0 {
		// A line that cannot be read as a whole is not taken up in part.
		if _, parseErr := l.read(doc, a); parseErr != nil {
			err = errors.Join(err, parseErr)
		} else {
			l.known = doc
		}
	}
	if len(l.known.Keys) == 0 {
		return lineState[K]{}, err
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errUnsettled, err)
	}
	state, parseErr := l.read(l.known, a)
	return state, errors.Join(err, parseErr)
}

// due reports whether there is something to write.
func (l *keyLine[K]) due(doc lineDocument, a ask) bool {
	p := l.terms.plan(doc.schedule(), a.now, a.life)
	return p.late || len(p.make) > 0 && !a.start || len(p.over) > 0 && a.drop
}

func (d lineDocument) schedule() []scheduled {
	keys := make([]scheduled, len(d.Keys))
	for i, k := range d.Keys {
		keys[i] = k.scheduled()
	}
	return keys
}

// bring changes a document as the schedule wants it.
func (l *keyLine[K]) bring(ctx context.Context, doc *lineDocument, a ask) error {
	if len(doc.Keys) == 0 {
		if err := l.takeOver(ctx, doc, a); err != nil {
			return err
		}
	}
	p := l.terms.plan(doc.schedule(), a.now, a.life)
	for _, k := range p.keep {
		at := slices.IndexFunc(doc.Keys, func(s storedKey) bool { return s.ID == k.id })
		doc.Keys[at].Life = seconds(k.life)
	}
	for _, from := range p.make {
		if err := l.add(doc, from, a.life); err != nil {
			return err
		}
	}
	if a.drop {
		for _, k := range p.over {
			doc.Keys = slices.DeleteFunc(doc.Keys, func(s storedKey) bool { return s.ID == k.id })
		}
	}
	return nil
}

// add makes a key.
func (l *keyLine[K]) add(doc *lineDocument, from time.Time, life time.Duration) error {
	text, err := l.fresh()
	if err != nil {
		return err
	}
	return l.enter(doc, text, from, life)
}

func (l *keyLine[K]) enter(doc *lineDocument, text []byte, from time.Time, life time.Duration) error {
	_, id, err := l.parse(text)
	if err != nil {
		return err
	}
	doc.Keys = append(doc.Keys, storedKey{ID: id, From: from.UTC().Truncate(time.Millisecond), Life: seconds(life), Key: storedText(text)})
	return nil
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// takeOver begins a line with the only key of a version before this one.
func (l *keyLine[K]) takeOver(ctx context.Context, doc *lineDocument, a ask) error {
	text, err := l.storage.Load(ctx, l.former)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", l.former, err)
	}
	if err := l.enter(doc, text, a.now, a.life); err != nil {
		return fmt.Errorf("the key in storage: %s: %w", l.former, err)
	}
	return nil
}

// load reads the document. A line that is absent is fs.ErrNotExist; one that is
// there has a key.
func (l *keyLine[K]) load(ctx context.Context) (doc lineDocument, err error) {
	data, err := l.storage.Load(ctx, l.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doc, fmt.Errorf("%s is not in Caddy's storage: %w", l.key, err)
	case err != nil:
		return doc, fmt.Errorf("reading %s from Caddy's storage: %w", l.key, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields() // Writing it back would lose what is not known.
	if err := dec.Decode(&doc); err != nil || dec.More() {
		// The text of err may quote the value.
		return lineDocument{}, fmt.Errorf("the keys in storage: %s is damaged, or of a later version", l.key)
	}
	if doc.Version != lineVersion || len(doc.Keys) == 0 {
		return lineDocument{}, fmt.Errorf("the keys in storage: %s has version %d and %d keys; expected version %d and a key", l.key, doc.Version, len(doc.Keys), lineVersion)
	}
	for i, k := range doc.Keys {
		if k.Life < 0 || slices.ContainsFunc(doc.Keys[:i], func(other storedKey) bool { return other.ID == k.ID }) {
			return lineDocument{}, fmt.Errorf("the keys in storage: %s: %s is there twice, or has no life", l.key, k.ID)
		}
	}
	return doc, nil
}

// change changes the document under the storage's lock.
func (l *keyLine[K]) change(ctx context.Context, edit func(*lineDocument) error) (err error) {
	if err := l.storage.Lock(ctx, l.key); err != nil {
		return fmt.Errorf("locking %s in Caddy's storage: %w", l.key, err)
	}
	defer func() {
		// The lock must go even when ctx is done, or the next start waits for it.
		if unlockErr := l.storage.Unlock(context.WithoutCancel(ctx), l.key); err == nil && unlockErr != nil {
			err = fmt.Errorf("unlocking %s: %w", l.key, unlockErr)
		}
	}()
	doc, err := l.load(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	doc.Version = lineVersion
	had := len(doc.Keys)
	if err := edit(&doc); err != nil {
		return err
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := l.storage.Store(ctx, l.key, data); err != nil {
		return fmt.Errorf("writing %s to Caddy's storage: %w", l.key, err)
	}
	if had > 0 {
		return l.forget(ctx, doc)
	}
	return nil
}

// forget deletes the key of a version before this one once it is in the line no
// more. Until then such a version finds it, while processes are updated.
func (l *keyLine[K]) forget(ctx context.Context, doc lineDocument) error {
	text, err := l.storage.Load(ctx, l.former)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if _, id, _ := l.parse(text); slices.ContainsFunc(doc.Keys, func(k storedKey) bool { return k.ID == id }) {
			return nil
		}
		err = l.storage.Delete(ctx, l.former)
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", l.former, err)
	}
	return nil
}

// read reads the keys of a document, in the order of a ring.
func (l *keyLine[K]) read(doc lineDocument, a ask) (lineState[K], error) {
	p := l.terms.plan(doc.schedule(), a.now, a.life)
	out := lineState[K]{look: p.look, over: len(p.over)}
	for _, s := range append(p.keep, p.over...) {
		at := slices.IndexFunc(doc.Keys, func(k storedKey) bool { return k.ID == s.id })
		key, id, err := l.parse([]byte(doc.Keys[at].Key))
		if err == nil && id != s.id {
			err = errors.New("it has another id")
		}
		if err != nil {
			return lineState[K]{}, fmt.Errorf("the keys in storage: %s: %s: %w", l.key, s.id, err)
		}
		out.keys = append(out.keys, lineKey[K]{s, key})
	}
	return out, nil
}
