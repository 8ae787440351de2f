package tokenexchange_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest"
)

var memoryHarness = storetest.Harness{
	Open: func(_ *testing.T, now func() time.Time) (tokenexchange.Store, func()) {
		m := tokenexchange.NewMemoryStore(now)
		return m, func() { _ = m.Close() }
	},
	Break: func(t *testing.T, s tokenexchange.Store) {
		if err := s.(*tokenexchange.MemoryStore).Close(); err != nil {
			t.Fatal(err)
		}
	},
}

func TestMemoryStore(t *testing.T) { storetest.Run(t, memoryHarness) }

func TestMemoryState(t *testing.T) { storetest.RunState(t, memoryHarness) }

func TestMemoryServer(t *testing.T) { storetest.RunServer(t, memoryHarness) }

func TestMemoryFeed(t *testing.T) { storetest.RunFeed(t, memoryHarness) }

func TestMemoryFeedClosed(t *testing.T) {
	m := tokenexchange.NewMemoryStore(nil)
	ended := make(chan error)
	go func() { ended <- m.Follow(context.Background(), "", func(string, []byte) {}) }()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Follow: got %v, want ErrClosed", err)
	}
	if err := m.Publish(context.Background(), nil, time.Now().Add(time.Hour)); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Publish: got %v, want ErrClosed", err)
	}
}

func TestMemoryStoreDefaultClock(t *testing.T) {
	m := tokenexchange.NewMemoryStore(nil)
	ok, err := m.Add(context.Background(), "k", []byte("v"), time.Now().Add(time.Hour))
	if !ok || err != nil {
		t.Fatalf("Add: got %v, %v; want true", ok, err)
	}
}

func TestMemoryStoreClosed(t *testing.T) {
	m := tokenexchange.NewMemoryStore(nil)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatalf("Close: got %v, want no error", err)
		}
	}
	if _, err := m.Get(context.Background(), "k"); !errors.Is(err, tokenexchange.ErrClosed) {
		t.Errorf("Get: got %v, want ErrClosed", err)
	}
}

func BenchmarkMemoryStoreAdd(b *testing.B) {
	m := tokenexchange.NewMemoryStore(nil)
	exp := time.Now().Add(time.Hour)
	for i := 0; b.Loop(); i++ {
		if ok, err := m.Add(context.Background(), fmt.Sprint(i), []byte("v"), exp); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
