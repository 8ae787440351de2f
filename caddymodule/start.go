package caddymodule

import (
	"context"
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
	a.warn(nil)
	for _, g := range a.guards {
		g.announce()
	}
	if len(a.Clients) > 0 && !a.issuing {
		a.log.Warn("there are clients, but no site has oauth_server: nobody can get a token from this process")
	}
	g, keeper, err := a.startKeys()
	if err != nil {
		return err
	}
	p, err := a.prepare(a.work.reading, g)
	if err != nil {
		return err
	}
	if err := a.checkRotation(p.ring); err != nil {
		return err
	}
	if err := a.acquire(); err != nil {
		return err
	}
	a.comesFromAnotherStore()
	if err := a.first(p); err != nil {
		return err
	}
	var away error
	epoch, err := a.readEpoch(a.ctx)
	switch {
	case err == nil:
		_, err = a.begin(epoch)
	case a.store.Remote() && errors.Is(err, tokenexchange.ErrStoreUnavailable):
		away = err
		err = a.startWithout(away)
	default:
		err = fmt.Errorf("reading the store's epoch: %w", err)
	}
	if err != nil {
		return err
	}
	if a.store.Remote() {
		a.follow(away)
	}
	a.keepKeys(keeper)
	a.watch()
	return nil
}

// rehearse finds each mistake of the configuration before the store is touched,
// with another store in its place. To read the epoch is to seal it anew where the
// first state key is another one, and the configuration that runs, which stays
// when this one is refused, may not have that key.
func (a *App) rehearse(p prepared) error {
	store := tokenexchange.NewMemoryStore(nil)
	_, _, err := a.assemble(p, tokenexchange.Runtime{
		Store: store, Epoch: tokenexchange.Epoch{ID: "rehearsed"},
		Caches: tokenexchange.NewCaches(), Throttles: tokenexchange.NewThrottles(), Revocations: tokenexchange.NewRevocations(nil),
	})
	return errors.Join(err, store.Close())
}

// assemble makes the server and a guard for each guard handler.
func (a *App) assemble(p prepared, rt tokenexchange.Runtime) (*tokenexchange.Server, []*tokenexchange.Guard, error) {
	rt.SigningKeys, rt.StateKeys, rt.Log = p.signing, p.ring.keys(), a.log
	rt.LoginProviders = providers(p.realm)
	server, err := tokenexchange.New(p.realm, rt)
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

// putToWork lets requests in. The channel is closed when the server before has
// signed its last token, nil if there was none. The lock of work must be held.
func (a *App) putToWork(p prepared, epoch tokenexchange.Epoch) (last <-chan struct{}, err error) {
	server, cores, err := a.assemble(p, tokenexchange.Runtime{
		Store: a.shared.store, Epoch: epoch,
		Caches: a.shared.caches, Throttles: a.shared.throttles, Revocations: a.shared.revocations,
	})
	if err != nil {
		return nil, err
	}
	for i, g := range a.guards {
		g.current.Store(cores[i])
	}
	if old := a.server.Swap(server); old != nil {
		last = old.GiveWay(server)
	}
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
	return last, nil
}

// background runs something until Stop, which waits for its end.
func (a *App) background(run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(a.ctx)
	done := make(chan struct{})
	a.stops = append(a.stops, func() { cancel(); <-done })
	go func() {
		defer close(done)
		run(ctx)
	}()
}

// Stop ends what runs in the background. Requests that still run use the server
// that they began with, and Cleanup gives back what it needs.
func (a *App) Stop() error {
	a.ended.Store(true)
	for _, stop := range a.stops {
		stop()
	}
	a.gaveWay.Do(a.giveWay)
	return nil
}

// Cleanup gives back the store and the caches. The last user closes them.
func (a *App) Cleanup() error { return errors.Join(a.Stop(), a.release()) }
