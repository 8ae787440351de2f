package tokenexchange

import (
	"errors"
	"testing"
	"time"
)

// TestAccountOverKeyRotation: a login prolongs an account, which must not end with
// the state key under which it began, nor forget whose it is.
func TestAccountOverKeyRotation(t *testing.T) {
	h := newStateHouse(t)
	state := func(keys ...byte) *State { return testState(t, h.store, stateIssuer, h.clock.now, nil, keys...) }
	const sub, life = "corp:2481", time.Hour
	keep := func(s *State, issuer string) error {
		return s.Accounts().Keep(t.Context(), testAttempt(t, s), sub, Account{Issuer: issuer, Subject: "2481", LoginAt: h.now()}, h.now().Add(life))
	}
	for n, keys := range [][]byte{{1}, {1, 2}, {2, 1}, {1, 2}, {2, 1}} { // The fourth is a process that is a step behind.
		h.clock.pass(time.Minute)
		if err := keep(state(keys...), "https://idp.example.com"); err != nil {
			t.Fatalf("login %d: %v", n, err)
		}
		for _, keys := range [][]byte{{1, 2}, {2, 1}} {
			if got, err := state(keys...).Accounts().Find(t.Context(), sub); err != nil || !got.LoginAt.Equal(h.now()) {
				t.Errorf("login %d: got %+v %v, want the latest", n, got, err)
			}
		}
	}
	last := h.now()
	if got, err := state(2).Accounts().Find(t.Context(), sub); err != nil || !got.LoginAt.Equal(last) {
		t.Errorf("without the old key: got %+v %v, want the same", got, err)
	}
	if err := keep(state(2), "https://other.example.com"); !errors.Is(err, errAccountTaken) {
		t.Errorf("another issuer got %v, want that the account is taken", err)
	}
	h.clock.pass(life)
	if _, err := state(2).Accounts().Find(t.Context(), sub); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its life: got %v", err)
	}
}
