package tokenexchange

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCodeBecomesAFamily(t *testing.T) {
	h := newStateHouse(t)
	h.store.taken()
	code := h.issue("g")
	if got, want := h.store.taken(), [4]int32{0, 1, 0, 0}; got != want {
		t.Errorf("Issue: got %v round trips, want %v", got, want)
	}
	h.clock.pass(time.Minute - time.Millisecond)
	r := h.find(code)
	if r.Code != testCode("g") {
		t.Errorf("Find: got %+v, want %+v", r.Code, testCode("g"))
	}
	if err := r.Used(); err != nil {
		t.Errorf("Used: got %v, want no error", err)
	}
	if _, err := h.Families().Load(t.Context(), "g"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load of a code: got %v, want ErrNotFound", err)
	}
	h.store.taken()
	spentAt := h.now()
	fam, refresh := h.spend(code)
	if got, want := h.store.taken(), [4]int32{1, 0, 1, 0}; got != want {
		t.Errorf("a redemption: got %v round trips, want %v", got, want)
	}
	want := Family{Grant: testCode("g").Grant, Created: inMillis(spentAt), End: inMillis(spentAt.Add(time.Hour))}
	if fam != want {
		t.Errorf("Spend: got %+v, want %+v", fam, want)
	}
	if got, err := h.Families().Load(t.Context(), "g"); err != nil || got != want {
		t.Errorf("Load: got %+v, %v; want %+v", got, err, want)
	}
	if turn, err := h.Families().Present(t.Context(), refresh, "web"); err != nil || turn.Family != want {
		t.Errorf("Present of its refresh token: got %+v, %v; want the family", turn, err)
	}
	for _, c := range []struct {
		pass time.Duration
		want error
	}{{0, ErrSpent}, {5*time.Second - time.Millisecond, ErrSpent}, {time.Millisecond, ErrReused}, {time.Hour - 5*time.Second - time.Millisecond, ErrReused}} {
		h.clock.pass(c.pass)
		r := h.find(code)
		if err := r.Used(); !errors.Is(err, c.want) || r.Code != testCode("g") {
			t.Errorf("Used, %s later: got %v, want %v", h.now().Sub(spentAt), err, c.want)
		}
		if _, refresh, err := r.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour)); !errors.Is(err, c.want) || refresh != "" {
			t.Errorf("Spend, %s later: got %v, want %v", h.now().Sub(spentAt), err, c.want)
		}
	}
	h.clock.pass(time.Millisecond)
	h.noCode("a code whose family has ended", code, "web")
}

// TestForeignCodesCostNothing presents what is not a code of this client: the
// store is not asked.
func TestForeignCodesCostNothing(t *testing.T) {
	h := newStateHouse(t)
	code := h.issue("g")
	_, refresh := h.spend(h.issue("other"))
	h.store.taken()
	h.noCode("another client's code", code, "batch")
	h.noCode("a forged code", code[:len(code)-1]+string(code[len(code)-1]^1), "web")
	h.noCode("a refresh token", refresh, "web")
	for what, token := range map[string]string{"a code": code, "another client's": refresh + "x", "nothing": ""} {
		if turn, err := h.Families().Present(t.Context(), token, "web"); !errors.Is(err, ErrNotFound) || turn != nil {
			t.Errorf("Present of %s: got %v, want ErrNotFound", what, err)
		}
	}
	if turn, err := h.Families().Present(t.Context(), refresh, "batch"); !errors.Is(err, ErrNotFound) || turn != nil {
		t.Errorf("Present by another client: got %v, want ErrNotFound", err)
	}
	if got := h.store.taken(); got != [4]int32{} {
		t.Errorf("got %v round trips, want none", got)
	}
	h.clock.pass(time.Minute)
	h.noCode("an expired code", code, "web")
}

func TestIssueRefuses(t *testing.T) {
	h := newStateHouse(t)
	for name, change := range map[string]func(*Code){
		"no id":                 func(c *Code) { c.ID = "" },
		"an id that ends early": func(c *Code) { c.ID = "g.h" },
		"no client":             func(c *Code) { c.Client = "" },
		"no subject":            func(c *Code) { c.Subject = "" },
		"no redirect_uri":       func(c *Code) { c.RedirectURI = "" },
		"no method":             func(c *Code) { c.Method = "" },
		"no challenge":          func(c *Code) { c.Challenge = "" },
	} {
		code := testCode("g")
		change(&code)
		if text, err := h.Codes().Issue(t.Context(), testAttempt(t, h.State), code); err == nil || text != "" || errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("%s: got %q, %v; want a refusal", name, text, err)
		}
	}
	if text, err := h.Codes().Issue(t.Context(), Attempt{}, testCode("g")); err == nil || text != "" {
		t.Errorf("the zero attempt: got %q, %v; want a refusal", text, err)
	}
	code := h.issue("g")
	if text, err := h.Codes().Issue(t.Context(), testAttempt(t, h.State), testCode("g")); !errors.Is(err, ErrFamilyExists) || text != "" {
		t.Errorf("a taken id: got %q, %v; want ErrFamilyExists", text, err)
	}
	if refresh, err := h.Families().Begin(t.Context(), testAttempt(t, h.State), testFamilyOf("g", h.now())); !errors.Is(err, ErrFamilyExists) || refresh != "" {
		t.Errorf("a family with the id of a code: got %q, %v; want ErrFamilyExists", refresh, err)
	}
	for name, end := range map[string]time.Time{"no end": {}, "ended": h.now()} {
		if _, refresh, err := h.find(code).Spend(t.Context(), testAttempt(t, h.State), time.Time{}, end); err == nil || refresh != "" {
			t.Errorf("Spend, %s: got %q, %v; want an error", name, refresh, err)
		}
	}
	r := h.find(code)
	h.clock.pass(time.Minute)
	if _, refresh, err := r.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour)); !errors.Is(err, ErrNotFound) || refresh != "" {
		t.Errorf("Spend of a code that expired meanwhile: got %q, %v; want ErrNotFound", refresh, err)
	}
	if err := r.Miss(t.Context(), testAttempt(t, h.State)); err != nil {
		t.Errorf("Miss of a code that expired meanwhile: got %v, want no error", err)
	}
}

func TestMisses(t *testing.T) {
	h := newStateHouse(t)
	patient := h.issue("patient")
	for range 4 {
		h.miss(patient)
	}
	if r := h.find(patient); r.Used() != nil || r.Code != testCode("patient") {
		t.Errorf("after four misses: got %+v, %v; want the code", r.Code, r.Used())
	}
	burnt := h.issue("burnt")
	held := h.find(burnt)
	for range 5 {
		h.miss(burnt)
	}
	h.noCode("a burnt code", burnt, "web")
	if err := h.Families().Revoke(t.Context(), testAttempt(t, h.State), "burnt"); err != nil {
		t.Errorf("Revoke of a burnt code: got %v, want no error", err)
	}
	for range 2 { // The second one reads nothing any more.
		if _, refresh, err := held.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour)); !errors.Is(err, ErrNotFound) || refresh != "" {
			t.Errorf("Spend of a code that was burnt meanwhile: got %q, %v; want ErrNotFound", refresh, err)
		}
		if err := held.Miss(t.Context(), testAttempt(t, h.State)); err != nil {
			t.Errorf("Miss of a burnt code: got %v, want no error", err)
		}
	}

	late := h.find(patient)
	_, refresh := h.spend(patient)
	for range 10 {
		h.miss(patient)
		if err := late.Miss(t.Context(), testAttempt(t, h.State)); err != nil {
			t.Errorf("Miss of a code that was used meanwhile: got %v, want no error", err)
		}
	}
	if _, err := h.Families().Present(t.Context(), refresh, "web"); err != nil {
		t.Errorf("Present after misses on the used code: got %v, want no error", err)
	}
	if err := h.find(patient).Used(); !errors.Is(err, ErrSpent) {
		t.Errorf("Used after misses: got %v, want ErrSpent", err)
	}
}

// TestMissRace lets wrong tries and a right one meet. All have read the code
// before any of them writes.
func TestMissRace(t *testing.T) {
	for misses := range 10 {
		for round := range 4 {
			h := newStateHouse(t)
			id := fmt.Sprintf("g%d-%d", misses, round)
			code := h.issue(id)
			right := h.find(code)
			var spent atomic.Value
			var requests sync.WaitGroup
			for _, wrong := range h.findAll(code, misses) {
				requests.Go(func() {
					if err := wrong.Miss(t.Context(), testAttempt(t, h.State)); err != nil {
						t.Errorf("Miss: got %v, want no error", err)
					}
				})
			}
			requests.Go(func() {
				if _, refresh, err := right.Spend(t.Context(), testAttempt(t, h.State), time.Time{}, h.now().Add(time.Hour)); err == nil {
					spent.Store(refresh)
				} else if !errors.Is(err, ErrNotFound) {
					t.Errorf("Spend: got %v, want ErrNotFound", err)
				}
			})
			requests.Wait()
			refresh, won := spent.Load().(string)
			switch {
			case !won && misses < 5:
				t.Errorf("%d misses: the right try was refused, want it to win", misses)
			case won:
				if _, err := h.Families().Present(t.Context(), refresh, "web"); err != nil {
					t.Errorf("%d misses, Present after Spend: got %v, want no error", misses, err)
				}
			default:
				h.noCode("a burnt code", code, "web")
			}
		}
	}
}

// TestMissesNeverUnburn counts more misses than there are, all begun before the
// code was burnt.
func TestMissesNeverUnburn(t *testing.T) {
	h := newStateHouse(t)
	code := h.issue("g")
	var requests sync.WaitGroup
	for _, wrong := range h.findAll(code, 64) {
		requests.Go(func() {
			if err := wrong.Miss(t.Context(), testAttempt(t, h.State)); err != nil {
				t.Errorf("Miss: got %v, want no error", err)
			}
		})
	}
	requests.Wait()
	h.noCode("a burnt code", code, "web")
	if got := h.store.taken()[2]; got > 64*6 {
		t.Errorf("got %d swaps, want a bounded number", got)
	}
}
