package tokenexchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func testFamily(end time.Time) Family {
	return Family{
		Grant: Grant{
			ID:      "5f1c-family",
			Subject: "example.com:alice",
			Client:  "web",
			Org:     "org-1",
			Set:     `{"shop":{"orders.read":["orders/**"]}}`,
			Scope:   "openid profile",
			Session: "session-1",
		},
		Created: end.Add(-time.Hour).UTC().Truncate(time.Millisecond),
		End:     end.UTC().Truncate(time.Millisecond),
	}
}

// testFamilyOf is testFamily with an ID, begun now, for an hour.
func testFamilyOf(id string, now time.Time) Family {
	fam := testFamily(now.Add(time.Hour))
	fam.ID, fam.Created = id, inMillis(now)
	return fam
}

func TestFamilies(t *testing.T) {
	clock := newStateClock()
	store := NewMemoryStore(clock.now)
	s := testState(t, store, stateIssuer, clock.now, nil, 1)
	want := testFamily(clock.now().Add(time.Hour))
	if _, err := s.Families().Load(t.Context(), want.ID); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Load before Begin: got %v, want ErrNotFound", err)
	}
	begun := want
	begun.Created = want.Created.In(time.FixedZone("X", 3600)).Add(999 * time.Microsecond)
	if _, err := s.Families().Begin(t.Context(), testAttempt(t, s), begun); err != nil {
		t.Fatalf("Begin: got %v, want no error", err)
	}
	if got, err := s.Families().Load(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("Load: got %+v, %v; want %+v", got, err, want)
	}
	for _, id := range []string{"", want.ID + "x", strings.ToUpper(want.ID)} {
		if _, err := s.Families().Load(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Load(%q): got %v, want ErrNotFound", id, err)
		}
	}
	if _, err := testState(t, store, "https://other.example", clock.now, nil, 1).Families().Load(t.Context(), want.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load for another issuer: got %v, want ErrNotFound", err)
	}
	if _, err := s.Families().Begin(t.Context(), testAttempt(t, s), want); !errors.Is(err, ErrFamilyExists) {
		t.Errorf("Begin again: got %v, want ErrFamilyExists", err)
	}
	clock.pass(time.Hour)
	if _, err := s.Families().Load(t.Context(), want.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load at its end: got %v, want ErrNotFound", err)
	}
}

func TestBeginRefuses(t *testing.T) {
	s := testState(t, NewMemoryStore(nil), stateIssuer, nil, nil, 1)
	good := testFamily(time.Now().Add(time.Minute))
	for name, change := range map[string]func(*Family){
		"no id":       func(f *Family) { f.ID = "" },
		"no client":   func(f *Family) { f.Client = "" },
		"no subject":  func(f *Family) { f.Subject = "" },
		"a counter":   func(f *Family) { f.Counter = 1 },
		"no end":      func(f *Family) { f.End = time.Time{} },
		"ended":       func(f *Family) { f.End = time.Now() },
		"ends before": func(f *Family) { f.Created = f.End },
	} {
		fam := good
		change(&fam)
		if _, err := s.Families().Begin(t.Context(), testAttempt(t, s), fam); err == nil || errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if _, err := s.Families().Begin(t.Context(), Attempt{}, good); err == nil {
		t.Error("the zero attempt: got no error, want a refusal")
	}
	if _, err := s.Families().Load(t.Context(), good.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load after refusals: got %v, want ErrNotFound", err)
	}
}

func TestBeginRace(t *testing.T) {
	s := testState(t, &stateStore{Store: NewMemoryStore(nil), repeat: true}, stateIssuer, nil, nil, 1)
	fam := testFamily(time.Now().Add(time.Hour))
	var begun atomic.Int32
	var requests sync.WaitGroup
	for range 64 {
		requests.Go(func() {
			switch _, err := s.Families().Begin(t.Context(), testAttempt(t, s), fam); {
			case err == nil:
				begun.Add(1)
			case !errors.Is(err, ErrFamilyExists):
				t.Errorf("Begin: got %v, want ErrFamilyExists", err)
			}
		})
	}
	requests.Wait()
	if got := begun.Load(); got != 1 {
		t.Errorf("got %d requests that began the family, want 1", got)
	}
}

// TestFamilyRotation loads a family under every ring that still has its key.
func TestFamilyRotation(t *testing.T) {
	store := NewMemoryStore(nil)
	want := testFamily(time.Now().Add(time.Hour))
	old := testState(t, store, stateIssuer, nil, nil, 1)
	if _, err := old.Families().Begin(t.Context(), testAttempt(t, old), want); err != nil {
		t.Fatal(err)
	}
	for _, fills := range [][]byte{{1}, {1, 2}, {2, 1}, {3, 2, 1}} {
		got, err := testState(t, store, stateIssuer, nil, nil, fills...).Families().Load(t.Context(), want.ID)
		if err != nil || got != want {
			t.Errorf("keys %v: got %+v, %v; want %+v", fills, got, err, want)
		}
	}
	if _, err := testState(t, store, stateIssuer, nil, nil, 2).Families().Load(t.Context(), want.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a dropped key: got %v, want ErrNotFound", err)
	}
}

// TestFamilyCorrupt puts bytes under a family's key that do not belong there:
// nobody may take them for "no such family".
func TestFamilyCorrupt(t *testing.T) {
	store := NewMemoryStore(nil)
	s := testState(t, store, stateIssuer, nil, nil, 1)
	exp := time.Now().Add(time.Hour)
	key := s.ring[0].keyFor(stateIssuer, kindFamily, "5f1c-family")
	seal := func(kind recordKind, key, payload string) []byte {
		raw, err := s.sealRecord(testAttempt(t, s), kind, key, json.RawMessage(payload), exp)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, raw := range map[string][]byte{
		"empty":           {},
		"noise":           []byte("noise"),
		"of another kind": seal(kindEpoch, key, `{"status":"active"}`),
		"of another key":  seal(kindFamily, key+"x", `{"status":"active"}`),
		"later status":    seal(kindFamily, key, `{"status":"frozen"}`),
		"no status":       seal(kindFamily, key, `{}`),
		"later field":     seal(kindFamily, key, `{"status":"active","later":1}`),
		"no object":       seal(kindFamily, key, `7`),
		"wrong type":      seal(kindFamily, key, `{"status":"active","counter":-1}`),
	} {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if ok, err := store.Add(t.Context(), key, raw, exp); !ok || err != nil {
			t.Fatal(ok, err)
		}
		got, err := s.Families().Load(t.Context(), "5f1c-family")
		if !errors.Is(err, ErrStateCorrupt) || errors.Is(err, ErrNotFound) || got != (Family{}) {
			t.Errorf("%s: got %+v, %v; want ErrStateCorrupt", name, got, err)
		}
	}
}

func BenchmarkFamilyBegin(b *testing.B) {
	s := testState(b, NewMemoryStore(nil), stateIssuer, nil, nil, 1)
	fam := testFamily(time.Now().Add(time.Hour))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		fam.ID = fmt.Sprint(i)
		if _, err := s.Families().Begin(context.Background(), testAttempt(b, s), fam); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFamilyLoad(b *testing.B) {
	s := testState(b, NewMemoryStore(nil), stateIssuer, nil, nil, 1)
	fam := testFamily(time.Now().Add(time.Hour))
	if _, err := s.Families().Begin(context.Background(), testAttempt(b, s), fam); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Families().Load(context.Background(), fam.ID); err != nil {
			b.Fatal(err)
		}
	}
}
