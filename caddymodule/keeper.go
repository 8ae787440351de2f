package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// keysTimeout bounds one look at the storage. The lock of a process that was
// killed is free again after ten seconds.
const keysTimeout = 30 * time.Second

// keeper keeps the generated keys of an app to their schedule.
type keeper struct {
	app   *App
	lines keyLines
	next  time.Time // when to look

	complaint
}

// startKeys returns the generated keys, which are made at first use. What can wait
// is left to the keeper.
func (a *App) startKeys() (generated, *keeper, error) {
	k := &keeper{app: a, lines: linesOf(a.ctx.Storage(), a.realm.Issuer(), a.SigningKeys, a.StateKeys)}
	ctx, cancel := context.WithTimeout(a.ctx, keysTimeout)
	defer cancel()
	g, next, err := k.settle(ctx, time.Now(), true)
	k.next = next
	if errors.Is(err, errUnsettled) {
		k.complain(err)
		err = nil
	}
	return g, k, err
}

// settle brings all lines up to date. With errUnsettled the keys can be used.
func (k *keeper) settle(ctx context.Context, now time.Time, start bool) (g generated, look time.Time, err error) {
	signed, sealed := k.app.realm.Lives()
	look = now.Add(keyTerms.look)
	var faults []error
	for _, line := range k.lines.signing {
		s, err := line.settle(ctx, ask{now: now, life: signed, start: start, drop: !start})
		if err != nil && !errors.Is(err, errUnsettled) {
			return g, look, fmt.Errorf("signing_key generated: %w", err)
		}
		g.signing, look, faults = append(g.signing, s.ring()...), earlier(look, s.look), append(faults, err)
	}
	if line := k.lines.state; line != nil {
		s, err := line.settle(ctx, ask{now: now, life: sealed, start: start})
		if s.over > 0 && err == nil && !start && k.sealedAnew(ctx, s.ring()[len(s.keys)-s.over:]) {
			s, err = line.settle(ctx, ask{now: now, life: sealed, drop: true})
		}
		if err != nil && !errors.Is(err, errUnsettled) {
			return g, look, fmt.Errorf("state_key generated: %w", err)
		}
		g.state, look, faults = s.ring(), earlier(look, s.look), append(faults, err)
	}
	return g, look, errors.Join(faults...)
}

// sealedAnew reports whether the store's epoch is under another key than those that
// are over. It has no end, so they may go only then, however long nobody was here.
func (k *keeper) sealedAnew(ctx context.Context, over stateRing) bool {
	if over.has(k.app.work.stateKeys()[0]) {
		return false // The next one was not put to work yet.
	}
	_, err := k.app.readEpoch(ctx)
	return err == nil
}

// keepKeys keeps the generated keys to their schedule until Stop.
func (a *App) keepKeys(k *keeper) {
	if len(k.lines.signing) == 0 && k.lines.state == nil {
		return
	}
	a.background(func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(max(time.Until(k.next), firstPause)):
			}
			k.next = k.look(ctx, time.Now())
		}
	})
}

// look brings the lines up to date, and puts what changed to work. It returns when
// to look again.
func (k *keeper) look(ctx context.Context, now time.Time) time.Time {
	bounded, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	g, look, err := k.settle(bounded, now, false)
	if err == nil || errors.Is(err, errUnsettled) {
		err = errors.Join(err, k.app.rekey(g))
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.complain(err)
	default:
		k.said = ""
	}
	return look
}

// rekey puts generated keys to work, if they are other ones or in another order.
// Keys that sign do not wait for those that seal, for which the store must answer:
// who signs for too long with a key that is retired signs what others cannot verify.
func (a *App) rekey(g generated) error {
	w := &a.work
	w.Lock()
	defer w.Unlock()
	if !slices.EqualFunc(g.signing, w.generated.signing, sameKey) {
		if err := a.change(w.reading, generated{signing: g.signing, state: w.generated.state}); err != nil {
			return err
		}
		a.log.Info("other generated keys are in force", "signing", ids(g.signing))
	}
	g.state = stepwise(w.generated.state, g.state)
	if stateRing(g.state).equal(w.generated.state) {
		return nil
	}
	if err := a.change(w.reading, g); err != nil {
		return err
	}
	a.log.Info("other generated state keys are in force", "keys", len(g.state))
	return nil
}

func ids(keys []tokenexchange.SigningKey) (list []string) {
	for _, k := range keys {
		list = append(list, k.ID())
	}
	return list
}

func sameKey(a, b tokenexchange.SigningKey) bool { return a.ID() == b.ID() }

// stepwise puts a key that this process has yet to learn of behind one that it
// has, for one look: a process that could not read the storage for longer than a
// lead finds a key that seals already. What was sealed here must still open.
func stepwise(now, next []stateKey) []stateKey {
	if len(next) == 0 || len(now) == 0 || stateRing(now).has(next[0]) {
		return next
	}
	at := slices.IndexFunc(next, func(k stateKey) bool { return k.digest == now[0].digest })
	if at < 0 {
		return next
	}
	return slices.Concat(next[at:at+1], next[:at], next[at+1:])
}

func (k *keeper) complain(err error) {
	k.say(err, func(cause string) {
		k.app.log.Error("generated keys: trying again in the background", "error", cause)
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
