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

// The pauses between two tries double from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// What a process that is not ready waits for.
var waitsForStore, waitsForStateKey = "store", "state_key"

// Start opens the store, loads or makes the keys and lets requests in. A fault
// of a local store is an error. One over a network may be away when a pod
// starts: then requests wait, and it is tried again in the background.
func (a *App) Start() error {
	for _, w := range a.realm.Warnings() {
		a.log.Warn(w)
	}
	if len(a.Clients) > 0 && !a.issuing {
		a.log.Warn("there are clients, but no site has oauth_server: nobody can get a token from this process")
	}
	signing, state, err := a.keys()
	if err != nil {
		return err
	}
	if err := a.acquire(); err != nil {
		return err
	}
	rt := tokenexchange.Runtime{SigningKeys: signing, StateKeys: state, Store: a.shared.store, Caches: a.shared.caches, Log: a.log}
	records, err := tokenexchange.NewState(rt.Store, a.realm.Issuer(), state, nil, nil)
	if err != nil {
		return err
	}
	epoch, err := a.readEpoch(a.ctx, records)
	if a.store.Remote() && errors.Is(err, tokenexchange.ErrStoreUnavailable) {
		return a.startWithout(records, rt, err)
	}
	if err != nil {
		return fmt.Errorf("reading the store's epoch: %w", err)
	}
	rt.Epoch = epoch
	return a.putToWork(rt)
}

// readEpoch reads the store's epoch and keeps it for the next configuration.
func (a *App) readEpoch(ctx context.Context, records *tokenexchange.State) (tokenexchange.Epoch, error) {
	timeout := startTimeout
	if a.store.Remote() {
		timeout = remoteTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	epoch, err := records.Epoch(ctx)
	if err == nil {
		a.shared.epoch.Store(&epoch)
	}
	return epoch, err
}

// startWithout starts while the store is away. After a reload it goes on with
// the epoch that was read before, until the store says otherwise.
func (a *App) startWithout(records *tokenexchange.State, rt tokenexchange.Runtime, cause error) error {
	a.log.Warn("the store is away; trying again in the background", "error", cause.Error())
	a.waitsFor.Store(&waitsForStore)
	if kept := a.shared.epoch.Load(); kept != nil {
		rt.Epoch = *kept
		if err := a.putToWork(rt); err != nil {
			return err
		}
	} else {
		// A mistake in the configuration does not wait until the store is back.
		rt.Epoch = tokenexchange.Epoch{ID: "unknown"}
		if _, _, err := a.assemble(rt); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(a.ctx)
	done := make(chan struct{})
	a.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		a.reach(ctx, records, rt)
	}()
	return nil
}

// reach tries to reach the store until it answers or ctx ends.
func (a *App) reach(ctx context.Context, records *tokenexchange.State, rt tokenexchange.Runtime) {
	said := ""
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		epoch, err := a.readEpoch(ctx, records)
		if err == nil {
			rt.Epoch = epoch
			err = a.putToWork(rt)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			a.log.Info("the store is back")
			return
		case errors.Is(err, tokenexchange.ErrStoreUnavailable):
			continue
		}
		// It answers, and it is not ours: nothing may go on with it.
		a.withdraw(&waitsForStateKey)
		if err.Error() != said {
			said = err.Error()
			a.log.Error("reading the store's epoch", "error", said)
		}
	}
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
		g.announce()
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
