package caddymodule

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestReloadWithAnotherWayToTheStore hands over to a configuration that reaches the
// same store in another way, as with another password: what is under way at the
// server before may sign no more what was taken away.
func TestReloadWithAnotherWayToTheStore(t *testing.T) {
	w := newLive(t)
	next := w.start(t, live("\t\tstore memory\n", ""))
	before := &App{ctx: next.ctx, log: next.log, realm: next.realm, number: next.number - 1}
	before.shared = &shared{
		key: next.shared.key, store: next.shared.store, caches: next.shared.caches,
		throttles: next.shared.throttles, revocations: next.shared.revocations,
	}
	before.work.prepared = next.work.prepared
	old, _, err := before.assemble(next.work.prepared, tokenexchange.Runtime{
		Store: before.shared.store, Epoch: next.work.epoch,
		Caches: before.shared.caches, Throttles: before.shared.throttles, Revocations: before.shared.revocations,
	})
	if err != nil {
		t.Fatal(err)
	}
	before.server.Store(old)
	before.giveWay()
	if old.GiveWay(old) == nil { // It changes nothing, and tells.
		t.Error("the server of the configuration before goes on to answer requests that are under way")
	}
}

// TestReloadTakesAwayWhatAFileGave hands over from a configuration that gave more
// than when it was loaded, as a file that changed meanwhile has it.
func TestReloadTakesAwayWhatAFileGave(t *testing.T) {
	w := newLive(t)
	next := w.start(t, live("\t\tstore memory\n", ""))
	token := w.token(t)
	before := &App{Config: next.Config, ctx: next.ctx, log: next.log, realm: next.realm, number: next.number - 1, shared: next.shared}
	before.Clients = slices.Clone(before.Clients)
	own := append(slices.Clone(*before.Clients[0].Own), tokenexchange.PermissionLine{Permission: "shop/write", Patterns: []string{"**"}})
	before.Clients[0].Own = &own
	more, err := before.find(files{})
	if err != nil {
		t.Fatal(err)
	}
	before.work.reading = more
	before.number = next.number + 1 // It was refused, and the one before stays.
	before.giveWay()
	w.guarded(t, "/orders/1", token, 200)
	before.number = next.number - 1
	before.giveWay()
	w.guarded(t, "/orders/1", token, 401)
}
