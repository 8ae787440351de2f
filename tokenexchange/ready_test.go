package tokenexchange

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// The clock of the test does not go on while the machine pauses.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.epoch = must(h.state.Epoch(t.Context()))
		h.Server = h.reload(h.caches)
		ready := func(want string) {
			t.Helper()
			if got := string(must(json.Marshal(h.Ready(t.Context())))); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		ready(`{"ready":true,"waiting_for":[],"details":{"revocations":"ok","store":"ok"}}`)

		// The store was lost, and has no epoch or a new one.
		if err := h.store.Delete(t.Context(), epochKey); err != nil {
			t.Fatal(err)
		}
		lost := `{"ready":false,"waiting_for":["epoch"],"details":{"revocations":"ok","store":"ok"}}`
		ready(lost)
		h.epoch = must(h.state.Epoch(t.Context()))
		ready(lost)
		h.Server = h.reload(h.caches)
		ready(`{"ready":true,"waiting_for":[],"details":{"revocations":"ok","store":"ok"}}`)

		// Somebody else's store is no epoch either.
		if err := h.store.Delete(t.Context(), epochKey); err != nil {
			t.Fatal(err)
		}
		if ok, err := h.store.Add(t.Context(), epochKey, []byte("x"), epochEnd); !ok || err != nil {
			t.Fatal(ok, err)
		}
		ready(lost)

		// Guards go on without a store, so one that is away is told, and is no reason.
		ada := h.adas()
		if err := h.store.Close(); err != nil {
			t.Fatal(err)
		}
		ready(`{"ready":true,"waiting_for":[],"details":{"revocations":"ok","store":"away"}}`)
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", ada)); v.Reason != scopes.ReasonAllowed {
			t.Errorf("got %s without a store", v.Reason)
		}
		h.Server = nil
		ready(`{"ready":false,"waiting_for":["start"],"details":{}}`)
	})
}

// A store that does not answer at all keeps nobody waiting for long.
func TestReadyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		slow := &hanging{Store: h.state.store}
		h.state.store = slow
		if r := h.Ready(t.Context()); !r.Ready || r.Details["store"] != "away" {
			t.Errorf("got %+v, want a store that is away", r)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if h.Ready(gone); slow.err != nil {
			t.Errorf("who goes away spoils the look of others: %v", slow.err)
		}
		if slow.patience <= 0 || slow.patience > 500*time.Millisecond {
			t.Errorf("the store has %s to answer, want at most 500ms", slow.patience)
		}
	})
}

// hanging is a store that would answer after its caller has gone.
type hanging struct {
	Store
	patience time.Duration
	err      error
}

func (s *hanging) Get(ctx context.Context, _ string) ([]byte, error) {
	if end, ok := ctx.Deadline(); ok {
		s.patience = time.Until(end)
	}
	s.err = ctx.Err()
	return nil, context.DeadlineExceeded
}
