package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// The pauses between two looks at a remote store double from the first to the
// last. While all is well they have the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// sayAgain is how often the log repeats that the store is away.
const sayAgain = time.Minute

// What a process that is not ready waits for.
var waitsForStore, waitsForStateKey = "store", "state_key"

// readEpoch reads the store's epoch and keeps it for the next configuration.
// Before that the revocations are read back, once.
func (a *App) readEpoch(ctx context.Context) (tokenexchange.Epoch, error) {
	timeout := startTimeout
	if a.store.Remote() {
		timeout = remoteTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	epoch, err := a.readRecords(ctx)
	if err != nil {
		return epoch, err
	}
	a.shared.follow()
	if err := a.shared.revocations.ReadBack(ctx); err != nil {
		return tokenexchange.Epoch{}, err
	}
	epoch = a.shared.begins(epoch)
	a.shared.epoch.Store(&epoch)
	return epoch, nil
}

// comesFromAnotherStore counts a store as lost to which a reload brings what was
// issued beside another one, however old its own epoch is.
func (a *App) comesFromAnotherStore() {
	if running := a.sibling(); running != nil && running.shared.key != a.shared.key {
		now := time.Now()
		a.shared.since.Store(&now)
		a.log.Warn("another store than that of the running configuration: tokens from before are refused", "since", now)
	}
}

// begins moves the beginning of an epoch to when this process came here.
func (s *shared) begins(e tokenexchange.Epoch) tokenexchange.Epoch {
	if since := s.since.Load(); since != nil && e.Created.Before(*since) {
		e.Created = *since
	}
	return e
}

// startWithout starts while the store is away. It goes on with an epoch only after
// a reload: with that which was read before, until the store says otherwise.
func (a *App) startWithout(cause error) error {
	a.waitsFor.Store(&waitsForStore)
	if kept := a.shared.epoch.Load(); kept != nil {
		_, err := a.begin(a.shared.begins(*kept))
		return err
	}
	// What serves is not given up for a store that nobody has seen: its address
	// may be mistyped.
	if running := active(); running != nil && running.server.Load() != nil {
		return fmt.Errorf("reading the store's epoch: %w; the running configuration stays: a reload to another store needs one that answers", cause)
	}
	return nil
}

// follower looks at a remote store for as long as its configuration runs.
type follower struct {
	app     *App
	away    bool
	checked bool // how the store keeps things, since it was last away

	complaint
}

// follow begins to look at the store, until Stop. away says why it did not
// answer at the start, if so.
func (a *App) follow(away error) {
	f := &follower{app: a}
	if away != nil {
		f.lost(away)
	}
	a.background(func(ctx context.Context) {
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			if f.look(ctx) {
				pause = lastPause
			}
		}
	})
}

// look reads the epoch, and puts another one than that at work to work: the
// store was lost, and no longer knows what the tokens from before are refused
// for. It reports whether the store was there.
func (f *follower) look(ctx context.Context) bool {
	epoch, err := f.app.readEpoch(ctx)
	if err == nil {
		err = f.begin(epoch)
	}
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, tokenexchange.ErrStoreUnavailable):
		f.lost(err)
		return false
	case err != nil:
		// It answers, and it is not ours: nothing may go on with it.
		f.app.withdraw(&waitsForStateKey)
		f.say("reading the store's epoch", err, f.app.log.Error)
		return false
	}
	if f.away {
		f.app.log.Info("the store is back")
	}
	f.away, f.said = false, ""
	f.check(ctx)
	return true
}

func (f *follower) lost(why error) {
	f.away, f.checked = true, false
	f.say("the store is away; trying again in the background", why, f.app.log.Warn)
}

// begin puts an epoch to work.
func (f *follower) begin(epoch tokenexchange.Epoch) error {
	before, err := f.app.begin(epoch)
	if err != nil || before.ID == epoch.ID {
		return err
	}
	if before.ID != "" {
		f.app.log.Warn("the store has a new epoch: it was lost or replaced, and tokens from before are refused", "since", epoch.Created)
	}
	f.checked = false
	return nil
}

// check asks a store that can tell how it keeps what it is given, each time
// that it was reached anew.
func (f *follower) check(ctx context.Context) {
	store, ok := f.app.shared.store.(interface {
		Check(context.Context) ([]string, error)
	})
	if !ok || f.checked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	warnings, err := store.Check(ctx)
	if err != nil {
		return // It is asked again at the next look, which logs what is wrong.
	}
	f.checked = true
	for _, w := range warnings {
		f.app.log.Warn(w)
	}
}

// say logs what is wrong, and repeats it seldom.
func (f *follower) say(text string, err error, log func(string, ...any)) {
	f.complaint.say(err, func(cause string) { log(text, "error", cause) })
}
