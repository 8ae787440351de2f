package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling{m}) }

// settling waits for goroutines that end by themselves: go-redis asks a server
// that is away once a second, and sees only then that its pool was closed.
// goleak alone waits for less than half a second.
type settling struct{ *testing.M }

func (m settling) Run() int {
	code := m.M.Run()
	for end := time.Now().Add(enough); goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}

const testIssuer = "https://issuer.example"

// openTest opens a store with the options, and closes it when the test ends. It
// is patient unless told otherwise.
func openTest(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Issuer == "" {
		o.Issuer = testIssuer
	}
	if o.Timeout == 0 {
		o.Timeout = patient
	}
	s, err := Open(o)
	if err != nil {
		t.Fatalf("Open: got %v, want no error", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	})
	return s
}

const (
	// enough is how long a test waits for what comes by itself. A slow machine
	// with pauses needs a part of it.
	enough = 2 * time.Minute

	// patient is the timeout of tests that are not about time: a slow machine must
	// not look like a server that is away, nor send a publication twice.
	patient = time.Minute

	// waiting is the timeout of stores that wait for replicas in vain, which takes
	// half of it. The other half is for a slow machine to answer.
	waiting = 4 * time.Second
)

// later is an expiry that no test reaches.
func later() time.Time { return time.Now().Add(time.Hour) }

// harness runs the suite over servers that start gives. It also gives what
// takes that one away, and what crashes it and lets it come back.
func harness(start func(t *testing.T) (addr string, away, crash func())) storetest.Harness {
	aways, crashes := map[tokenexchange.Store]func(){}, map[tokenexchange.Store]func(){}
	addrs := map[tokenexchange.Store]string{}
	h := storetest.Harness{
		Open: func(t *testing.T, now func() time.Time) (tokenexchange.Store, func()) {
			addr, away, crash := start(t)
			s := openTest(t, Options{Addresses: []string{addr}, Now: now})
			aways[s], crashes[s], addrs[s] = away, crash, addr
			return s, func() {}
		},
		Reopen: func(t *testing.T, crashed tokenexchange.Store, now func() time.Time) (tokenexchange.Store, func()) {
			crashes[crashed]()
			return openTest(t, Options{Addresses: []string{addrs[crashed]}, Now: now}), func() {}
		},
		Second: func(t *testing.T, first tokenexchange.Store, now func() time.Time) (tokenexchange.Store, func()) {
			return openTest(t, Options{Addresses: []string{addrs[first]}, Now: now}), func() {}
		},
		Break: func(_ *testing.T, s tokenexchange.Store) { aways[s]() },
	}
	return h
}

func miniHarness() storetest.Harness {
	h := harness(func(t *testing.T) (string, func(), func()) {
		m := miniredis.RunT(t)
		return m.Addr(), m.Close, nil
	})
	h.Reopen = nil
	return h
}

func realHarness() storetest.Harness {
	return harness(func(t *testing.T) (string, func(), func()) {
		r := redistest.Start(t)
		return r.Addr(), r.Kill, func() { r.Kill(); r.Restart() }
	})
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	storetest.Run(t, miniHarness())
}

func TestMiniredisFeed(t *testing.T) {
	t.Parallel()
	storetest.RunFeed(t, miniHarness())
}

func TestRedis(t *testing.T) {
	t.Parallel()
	storetest.Run(t, realHarness())
}

func TestRedisState(t *testing.T) {
	t.Parallel()
	storetest.RunState(t, realHarness())
}

func TestRedisServer(t *testing.T) {
	t.Parallel()
	storetest.RunServer(t, realHarness())
}

func TestRedisFeed(t *testing.T) {
	t.Parallel()
	storetest.RunFeed(t, realHarness())
}

func TestClosed(t *testing.T) {
	o := Options{Addresses: []string{miniredis.RunT(t).Addr()}}
	s := openTest(t, o)
	waits := make(chan error)
	begun := make(chan struct{})
	publish(t, openTest(t, o), "first")
	go func() { waits <- s.Follow(t.Context(), "", func(string, []byte) { begun <- struct{}{} }) }()
	<-begun
	time.Sleep(50 * time.Millisecond) // Now it waits for the next one.
	ended := make(chan error)
	go func() {
		ended <- s.Follow(t.Context(), "", func(string, []byte) {
			if err := s.Close(); err != nil {
				t.Errorf("Close: got %v, want no error", err)
			}
		})
	}()
	errs := map[string]error{"Follow": <-ended, "a Follow that waits": <-waits}
	_, errs["Get"] = s.Get(t.Context(), "k")
	_, errs["Add"] = s.Add(t.Context(), "k", nil, later())
	_, errs["Swap"] = s.Swap(t.Context(), "k", []byte("old"), nil, later())
	errs["Delete"] = s.Delete(t.Context(), "k")
	errs["Publish"] = s.Publish(t.Context(), nil, later())
	errs["Follow again"] = s.Follow(t.Context(), "", func(string, []byte) {})
	_, errs["Check"] = s.Check(t.Context())
	for verb, err := range errs {
		if !errors.Is(err, tokenexchange.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", verb, err)
		}
	}
}

func BenchmarkVerbs(b *testing.B) {
	s := openTest(b, Options{Addresses: []string{redistest.Start(b).Addr()}})
	val := bytes.Repeat([]byte("v"), 400)
	b.Run("Get", func(b *testing.B) {
		mustAdd(b, s, "k", "v")
		for b.Loop() {
			if _, err := s.Get(b.Context(), "k"); err != nil {
				b.Fatal(err)
			}
		}
	})
	next := 0
	b.Run("Add", func(b *testing.B) {
		for b.Loop() {
			next++
			if ok, err := s.Add(b.Context(), fmt.Sprintf("%043d", next), val, later()); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("Swap", func(b *testing.B) {
		before := []byte("0")
		mustAdd(b, s, "swapped", "0")
		for b.Loop() {
			next++
			after := fmt.Appendf(nil, "%0400d", next)
			if ok, err := s.Swap(b.Context(), "swapped", before, after, later()); !ok || err != nil {
				b.Fatal(ok, err)
			}
			before = after
		}
	})
}
