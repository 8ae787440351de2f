package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countingStore counts what reaches a store.
type countingStore struct {
	Store
	gets, adds, swaps, deletes atomic.Int32
}

func (s *countingStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.gets.Add(1)
	return s.Store.Get(ctx, key)
}

func (s *countingStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	s.adds.Add(1)
	return s.Store.Add(ctx, key, val, exp)
}

func (s *countingStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	s.swaps.Add(1)
	return s.Store.Swap(ctx, key, old, new, exp)
}

func (s *countingStore) Delete(ctx context.Context, key string) error {
	s.deletes.Add(1)
	return s.Store.Delete(ctx, key)
}

// taken gives what was counted since the last time, in the order Get, Add,
// Swap, Delete.
func (s *countingStore) taken() [4]int32 {
	return [4]int32{s.gets.Swap(0), s.adds.Swap(0), s.swaps.Swap(0), s.deletes.Swap(0)}
}

// stateHouse is a state on a memory store, its clock, and calls that must work.
type stateHouse struct {
	*testing.T
	*State
	clock *stateClock
	store *countingStore
}

func newStateHouse(t *testing.T) *stateHouse {
	clock := newStateClock()
	store := &countingStore{Store: NewMemoryStore(clock.now)}
	return &stateHouse{T: t, State: testState(t, store, stateIssuer, clock.now, nil, 1), clock: clock, store: store}
}

func (h *stateHouse) issue(id string) string {
	h.Helper()
	text, err := h.Codes().Issue(h.Context(), testAttempt(h, h.State), testCode(id))
	if err != nil {
		h.Fatalf("Issue: got %v, want no error", err)
	}
	return secret("a code", text)
}

func (h *stateHouse) find(code string) *Redemption {
	h.Helper()
	r, err := h.Codes().Find(h.Context(), code, "web")
	if err != nil {
		h.Fatalf("Find: got %v, want no error", err)
	}
	return r
}

// findAll lets n requests read a code before any of them goes on.
func (h *stateHouse) findAll(code string, n int) (all []*Redemption) {
	h.Helper()
	for range n {
		all = append(all, h.find(code))
	}
	return all
}

func (h *stateHouse) spend(code string) (Family, string) {
	h.Helper()
	fam, refresh, err := h.find(code).Spend(h.Context(), testAttempt(h, h.State), time.Time{}, h.now().Add(time.Hour))
	if err != nil {
		h.Fatalf("Spend: got %v, want no error", err)
	}
	return fam, secret("a refresh token", refresh)
}

func (h *stateHouse) miss(code string) {
	h.Helper()
	if err := h.find(code).Miss(h.Context(), testAttempt(h, h.State)); err != nil {
		h.Fatalf("Miss: got %v, want no error", err)
	}
}

func (h *stateHouse) noCode(what, code, client string) {
	h.Helper()
	r, err := h.Codes().Find(h.Context(), code, client)
	fmt.Fprintln(showing{}, err)
	if !errors.Is(err, ErrNotFound) || r != nil {
		h.Errorf("Find of %s: got %v, want ErrNotFound", what, err)
	}
}

func testCode(id string) Code {
	grant := testFamily(time.Now()).Grant
	grant.ID, grant.Narrowed = id, true
	grant.AuthTime = time.Date(2031, time.March, 4, 5, 0, 0, 0, time.UTC)
	return Code{
		Grant: grant, RedirectURI: "https://web.example.com/callback", Challenge: "challenge", Method: "S256",
		Nonce: "nonce", State: "state",
	}
}

func (h *stateHouse) begin(id string) string {
	h.Helper()
	refresh, err := h.Families().Begin(h.Context(), testAttempt(h, h.State), testFamilyOf(id, h.now()))
	if err != nil {
		h.Fatalf("Begin: got %v, want no error", err)
	}
	return secret("a refresh token", refresh)
}

// use presents a refresh token and, if that is no error, rotates with it.
func (h *stateHouse) use(refresh string) (string, error) {
	h.Helper()
	t, err := h.Families().Present(h.Context(), refresh, "web")
	if err != nil {
		fmt.Fprintln(showing{}, err)
		return "", err
	}
	successor, err := t.Rotate(h.Context(), testAttempt(h, h.State), time.Time{})
	if err != nil {
		fmt.Fprintln(showing{}, err)
		return successor, err
	}
	return secret("a refresh token", successor), nil
}

func (h *stateHouse) gives(what, refresh, want string) string {
	h.Helper()
	got, err := h.use(refresh)
	if err != nil || want != "" && got != want || got == refresh {
		h.Fatalf("%s: got %q, %v; want %q", what, got, err, want)
	}
	return got
}

func (h *stateHouse) refuses(what, refresh string, want error) {
	h.Helper()
	got, err := h.use(refresh)
	if got != "" || !errors.Is(err, want) {
		h.Errorf("%s: got %q, %v; want %v", what, got, err, want)
	}
}

// losingStore runs each swap and loses the answers that lose chooses.
type losingStore struct {
	Store
	lose func() bool
	late bool // a lost swap does not run at once, but with finish

	mu      sync.Mutex
	delayed []func()
}

var errLost = errors.New("connection reset by peer")

func (s *losingStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	if !s.lose() {
		return s.Store.Swap(ctx, key, old, new, exp)
	}
	run := func() { _, _ = s.Store.Swap(context.WithoutCancel(ctx), key, old, new, exp) }
	if s.late {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.delayed = append(s.delayed, run)
	} else {
		run()
	}
	return false, errLost
}

// finish runs the commands that are still on their way.
func (s *losingStore) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, run := range s.delayed {
		run()
	}
	s.delayed = nil
}
