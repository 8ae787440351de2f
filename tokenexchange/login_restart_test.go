package tokenexchange

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// process is a new one on a store: it remembers nothing that is not there.
func (h *house) process(store Store, change func(*Config), keys ...StateKey) *Server {
	h.t.Helper()
	now := func() time.Time { return h.clock }
	if len(keys) == 0 {
		keys = []StateKey{stateKey}
	}
	cfg := baseConfig()
	change(&cfg)
	revocations := NewRevocations(now)
	readBack(h.t, revocations, store, keys...)
	return must(New(must(Compile(cfg, []string{usersPath(h.t, baseUsers)})), Runtime{
		SigningKeys: []SigningKey{ecKey(), rsaKey()}, StateKeys: keys, Store: store, Caches: NewCaches(), Throttles: NewThrottles(),
		Revocations: revocations, Epoch: must(must(NewState(store, issuer, keys, now, nil)).Epoch(h.t.Context())),
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(&h.records, showing{}), nil)), Now: now,
	}))
}

// OverRestarts walks through a login, and has another process go on with each
// step. Open gives the store as the next process finds it.
func OverRestarts(t *testing.T, open func(now func() time.Time) Store) {
	h := newHouse(t, logins)
	now := func() time.Time { return h.clock }
	h.clock = start.Add(-time.Hour)
	h.Server = h.process(open(now), logins)
	h.clock = start
	restart := func() { h.Server = h.process(open(now), logins) }

	b := h.browser().open(authorizeURL()).sees("login")
	login := b.fill("login", "username", "ada", "password", password)
	restart()
	b.submit(login).sees("organization")
	organization := b.fill("organization", "organization", "acme")
	restart()
	b.open(b.at).sees("organization").submit(organization).sees("consent")
	at, consent := b.at, b.allowing(boxCRM)
	restart()
	b.once("POST", authorizePath, consent.values.Encode())
	restart()
	code := b.open(at).granted()
	restart()
	for _, form := range []filled{login, organization, consent} {
		b.tab().submit(form).turnedDown(400, "step_expired")
	}
	access, refresh := h.redeem("web", code).tokens(t)
	if strings.Contains(setOf(t, access), "crm") {
		t.Errorf("got the set %s", setOf(t, access))
	}
	restart()
	access, _ = h.redeem("web", b.open(authorizeURL("prompt", "none")).granted()).tokens(t)
	if strings.Contains(setOf(t, access), "crm") {
		t.Errorf("got the set %s", setOf(t, access))
	}
	restart()
	if b.open(accountPath).sees("account"); len(b.sessions()) != 1 || len(b.grants()) != 1 {
		t.Errorf("the account page lists %q and %q", b.sessions(), b.grants())
	}
	restart()
	b.press("revoke", "id", b.grants()[0]).sees("account")
	restart()
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_invalid")
	b.open(authorizeURL()).sees("consent")
	b.open(accountPath).press("logout").sees("logged out")
	restart()
	b.open(authorizeURL()).sees("login")
}

// TestLoginOverRestarts has another process go on with each step.
func TestLoginOverRestarts(t *testing.T) {
	var store *MemoryStore
	OverRestarts(t, func(now func() time.Time) Store {
		if store == nil {
			store = NewMemoryStore(now)
		}
		return store
	})
}

// TestLoginOverKeyRotation goes on while the state key is replaced: what was begun
// before is there until the old key is dropped, and the lists after that as well.
func TestLoginOverKeyRotation(t *testing.T) {
	one, two := testStateKey(t, 1), testStateKey(t, 2)
	h := newHouse(t, logins)
	rotate := func(keys ...StateKey) { h.Server = h.process(h.store, logins, keys...) }
	subject := "example.com:ada"
	lists := func() holdings { return must(h.state.Holdings().load(t.Context(), subject)) }

	h.clock = start.Add(-time.Hour)
	h.store = NewMemoryStore(func() time.Time { return h.clock })
	rotate(one)
	h.clock = start
	early := h.browser().open(authorizeURL("client_id", "legacy")).logIn("ada").choose("acme").sees("consent").allow()
	early.granted()
	begun := h.browser().open(authorizeURL()).sees("login")

	rotate(one, two)
	begun.logIn("ada").sees("organization")
	rotate(two, one)
	begun.choose("acme").sees("consent")
	rotate(one, two) // A process that is a step behind.
	form, at := begun.allowing(), begun.at
	begun.once("POST", authorizePath, form.values.Encode())
	rotate(two, one)
	begun.open(at).granted()
	if l := lists(); len(l.Sessions) != 2 || len(l.Grants) != 2 || len(l.Allowed) != 2 {
		t.Errorf("got %+v, want all of before and after", l)
	}
	early.open(accountPath).sees("account")
	early.press("revoke", "id", "legacy acme").sees("account")
	rotate(one, two)
	if l := lists(); len(l.Sessions) != 2 || len(l.Grants) != 1 || len(l.Allowed) != 1 {
		t.Errorf("a process that is a step behind: got %+v, want what was revoked away", l)
	}
	rotate(two, one)
	early.open(accountPath).sees("account").press("revoke", "id", "nobody acme").sees("account")
	h.browser().open(authorizeURL()).logIn("ada") // Writes the lists, as each process does.
	rotate(two)
	if l := lists(); len(l.Sessions) != 3 || len(l.Grants) != 1 || len(l.Allowed) != 1 {
		t.Errorf("without the old key: got %+v, want the same", l)
	}
	late := h.browser().open(accountPath).logIn("ada").sees("account")
	if len(late.sessions()) != 4 || len(late.grants()) != 1 {
		t.Errorf("the page lists %q and %q", late.sessions(), late.grants())
	}
	for range 3 { // Those of the old key cannot be used any more; and they can be ended.
		late.press("end-session", "id", late.sessions()[1]).sees("account")
	}
	if len(late.sessions()) != 1 || len(lists().Sessions) != 1 {
		t.Errorf("got %q", late.sessions())
	}
}

// TestListsOfTwoProcesses are written by both, under two first keys: nothing is
// lost, and what was taken out stays out.
func TestListsOfTwoProcesses(t *testing.T) {
	h := newStateHouse(t)
	a, b := testState(t, h.store, stateIssuer, h.clock.now, nil, 1, 2), testState(t, h.store, stateIssuer, h.clock.now, nil, 2, 1)
	session := func(id string) heldSession {
		return heldSession{ID: id, SID: "sid " + id, Since: h.now(), End: h.now().Add(time.Hour)}
	}
	change := func(s *State, f func(*holdings)) {
		t.Helper()
		if err := s.Holdings().change(t.Context(), testAttempt(t, s), "ada", f); err != nil {
			t.Fatal(err)
		}
		h.clock.pass(time.Second)
	}
	ids := func(s *State) (ids string) {
		for _, l := range must(s.Holdings().load(t.Context(), "ada")).Sessions {
			ids += l.ID + " "
		}
		return ids
	}
	for i, s := range []*State{a, b, a, b} {
		change(s, func(h *holdings) { h.login(session(string(rune('a' + i)))) })
	}
	change(a, func(h *holdings) { h.without("b") })
	change(b, func(h *holdings) { h.without("c") })
	for i, s := range []*State{a, b, testState(t, h.store, stateIssuer, h.clock.now, nil, 2)} {
		if got := ids(s); got != "a d " {
			t.Errorf("process %d: got %q, want a and d", i, got)
		}
	}
	// One that knows one key alone writes under it: then the two differ, and both count.
	solo := testState(t, h.store, stateIssuer, h.clock.now, nil, 2)
	change(solo, func(h *holdings) { h.login(session("e")) })
	if got := ids(a); got != "a d e " {
		t.Errorf("after a write under one key alone: got %q", got)
	}
	change(b, func(h *holdings) { h.without("a") })
	if got := ids(a) + ids(b) + ids(solo); got != "d e d e d e " {
		t.Errorf("got %q, want all the same again", got)
	}
	h.clock.pass(time.Hour)
	if got := ids(a); got != "" {
		t.Errorf("after their end: got %q", got)
	}
	change(a, func(*holdings) {})
}
