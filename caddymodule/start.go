package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// startTimeout bounds what Start waits for, remoteTimeout one try to reach a
// store over a network.
const (
	startTimeout  = 10 * time.Second
	remoteTimeout = 2 * time.Second
)

// Start opens the store, loads or makes the keys and lets requests in. A fault
// of a local store is an error. One over a network may be away when a pod
// starts: then requests wait, and it is tried again in the background.
func (a *App) Start() error {
	for _, w := range a.realm.Warnings() {
		a.log.Warn(w)
	}
	for _, g := range a.guards {
		g.announce()
	}
	if len(a.Clients) > 0 && !a.issuing {
		a.log.Warn("there are clients, but no site has oauth_server: nobody can get a token from this process")
	}
	signing, state, err := a.keys()
	if err != nil {
		return err
	}
	rt := tokenexchange.Runtime{SigningKeys: signing, StateKeys: state, Log: a.log}
	if err := a.rehearse(rt); err != nil {
		return err
	}
	if err := a.checkRotation(); err != nil {
		return err
	}
	if err := a.acquire(); err != nil {
		return err
	}
	rt.Store, rt.Caches, rt.Throttles, rt.Revocations = a.shared.store, a.shared.caches, a.shared.throttles, a.shared.revocations
	records, err := tokenexchange.NewState(rt.Store, a.realm.Issuer(), state, nil, nil)
	if err != nil {
		return err
	}
	var away error
	rt.Epoch, err = a.readEpoch(a.ctx, records)
	switch {
	case err == nil:
		err = a.putToWork(rt)
	case a.store.Remote() && errors.Is(err, tokenexchange.ErrStoreUnavailable):
		away = err
		rt.Epoch, err = a.startWithout(rt, away)
	default:
		err = fmt.Errorf("reading the store's epoch: %w", err)
	}
	if err == nil && a.store.Remote() {
		a.follow(records, rt, away)
	}
	return err
}

// rehearse finds each mistake of the configuration before the store is touched,
// with another store in its place. To read the epoch is to seal it anew where the
// first state key is another one, and the configuration that runs, which stays
// when this one is refused, may not have that key.
func (a *App) rehearse(rt tokenexchange.Runtime) error {
	store := tokenexchange.NewMemoryStore(nil)
	rt.Store, rt.Epoch = store, tokenexchange.Epoch{ID: "rehearsed"}
	rt.Caches, rt.Throttles, rt.Revocations = tokenexchange.NewCaches(), tokenexchange.NewThrottles(), tokenexchange.NewRevocations(nil)
	_, _, err := a.assemble(rt)
	return errors.Join(err, store.Close())
}

// assemble makes the server and a guard for each guard handler.
func (a *App) assemble(rt tokenexchange.Runtime) (*tokenexchange.Server, []*tokenexchange.Guard, error) {
	server, err := tokenexchange.New(a.realm, rt)
	if err != nil {
		return nil, nil, err
	}
	cores := make([]*tokenexchange.Guard, len(a.guards))
	for i, g := range a.guards {
		if cores[i], err = server.Guard(g.Service, g.policy, g.opts); err != nil {
			return nil, nil, err
		}
	}
	return server, cores, nil
}

// putToWork lets requests in.
func (a *App) putToWork(rt tokenexchange.Runtime) error {
	server, cores, err := a.assemble(rt)
	if err != nil {
		return err
	}
	for i, g := range a.guards {
		g.current.Store(cores[i])
	}
	a.server.Store(server)
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
	return nil
}

// withdraw lets no request in any more.
func (a *App) withdraw(why *string) {
	a.waitsFor.Store(why)
	a.server.Store(nil)
	for _, g := range a.guards {
		g.current.Store(nil)
	}
}

// Stop ends what runs in the background. Requests that still run use the server
// that they began with, and Cleanup gives back what it needs.
func (a *App) Stop() error {
	a.ended.Store(true)
	if a.stop != nil {
		a.stop()
	}
	return nil
}

// Cleanup gives back the store and the caches. The last user closes them.
func (a *App) Cleanup() error { return errors.Join(a.Stop(), a.release()) }
