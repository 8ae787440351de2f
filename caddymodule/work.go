package caddymodule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/scopegate/scopegate/tokenexchange"
)

// work is what an app works with: its files, its keys and the store's epoch, and
// the server that was made of them. Whoever has news of one of them makes a whole
// server of all, under the lock: the follower of the store has epochs, the watcher
// files, and the keeper generated keys.
type work struct {
	sync.Mutex
	prepared
	epoch   tokenexchange.Epoch  // zero: no server is at work
	records *tokenexchange.State // that the state keys open
	detach  func()               // takes the state keys back from the revocations; nil before the epoch was read
}

// prepared is what a server is made of, besides a store: all of it fits together.
type prepared struct {
	reading
	generated generated
	signing   []tokenexchange.SigningKey
	ring      stateRing
}

// prepare puts the keys into their order, and finds each mistake that shows
// without the store.
func (a *App) prepare(f reading, g generated) (prepared, error) {
	p := prepared{
		reading: f, generated: g,
		signing: inOrder(a.SigningKeys, f.signing, g.signing), ring: inOrder(a.StateKeys, f.state, g.state),
	}
	return p, a.rehearse(p)
}

// paths names the files that are at work, in order.
func (w *work) paths() []string {
	w.Lock()
	defer w.Unlock()
	return slices.Sorted(maps.Keys(w.digests))
}

// stateKeys returns the state keys at work.
func (w *work) stateKeys() stateRing {
	w.Lock()
	defer w.Unlock()
	return w.ring
}

// first takes what the app starts with, before there is an epoch.
func (a *App) first(p prepared) (err error) {
	a.work.Lock()
	defer a.work.Unlock()
	a.work.prepared = p
	a.work.records, err = tokenexchange.NewState(a.shared.store, a.realm.Issuer(), p.ring.keys(), nil, nil)
	return err
}

// change puts other files and keys to work, all or none, and revokes what they took
// away. The lock must be held.
func (a *App) change(f reading, g generated) error {
	w, before := &a.work, a.work.prepared
	p, err := a.prepare(f, g)
	if err != nil {
		return err
	}
	records, sameKeys := w.records, p.ring.equal(before.ring)
	if !sameKeys {
		if records, err = a.otherKeys(before.ring, p.ring); err != nil {
			return err
		}
	}
	var last <-chan struct{}
	if w.epoch.ID != "" { // Else it waits for one.
		if last, err = a.putToWork(p, w.epoch); err != nil {
			return err
		}
	}
	if w.detach != nil && !sameKeys {
		detach := w.detach
		w.detach = a.shared.revocations.Attach(records, a.log)
		detach()
	}
	w.prepared, w.records = p, records
	a.warn(before.realm)
	a.loses(before.realm, p.realm, last)
	return nil
}

// otherKeys returns the records that another ring of state keys opens. The epoch is
// read with them before they count, and so sealed with the first one: whoever drops
// the key that sealed it before could not go on.
func (a *App) otherKeys(now, next stateRing) (*tokenexchange.State, error) {
	records, err := tokenexchange.NewState(a.shared.store, a.realm.Issuer(), next.keys(), nil, nil)
	if err != nil || a.work.epoch.ID == "" {
		return records, err
	}
	if err := a.checkChange(now, next); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(a.ctx, remoteTimeout)
	defer cancel()
	if _, err = records.Epoch(ctx); err != nil {
		return nil, a.at("state_key", 0, fmt.Errorf("reading the store's epoch with them: %w", err))
	}
	return records, nil
}

// warn logs what deserves a look, and was not said of the realm before.
func (a *App) warn(before *tokenexchange.Realm) {
	for _, text := range a.work.realm.Warnings() {
		if before == nil || !slices.Contains(before.Warnings(), text) {
			a.log.Warn(text)
		}
	}
}

// begin puts an epoch to work, unless it is. It returns the one that was.
func (a *App) begin(epoch tokenexchange.Epoch) (before tokenexchange.Epoch, err error) {
	w := &a.work
	w.Lock()
	defer w.Unlock()
	before = w.epoch
	if epoch.ID == before.ID {
		return before, nil
	}
	if _, err := a.putToWork(w.prepared, epoch); err != nil {
		return before, err
	}
	w.epoch = epoch
	return before, nil
}

// readRecords reads the store's epoch with the state keys that the app works
// with. It holds no lock meanwhile: a store that is away stops no other news. If
// the keys changed in between, it reads again.
func (a *App) readRecords(ctx context.Context) (tokenexchange.Epoch, error) {
	w := &a.work
	for {
		w.Lock()
		records := w.records
		w.Unlock()
		epoch, err := records.Epoch(ctx)
		w.Lock()
		if w.records != records {
			w.Unlock()
			continue
		}
		// The state keys fit: the epoch was sealed with one of them.
		if err == nil && w.detach == nil {
			w.detach = a.shared.revocations.Attach(records, a.log)
		}
		w.Unlock()
		return epoch, err
	}
}

// withdraw lets no request in any more, until there is another epoch.
func (a *App) withdraw(why *string) {
	a.work.Lock()
	defer a.work.Unlock()
	a.work.epoch = tokenexchange.Epoch{}
	a.waitsFor.Store(why)
	a.server.Store(nil)
	for _, g := range a.guards {
		g.current.Store(nil)
	}
}
