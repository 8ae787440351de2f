package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// TestTrap24FailoverThatLosesAWrite shows the limit: a replica that has not
// received a consume lets it happen again when it is promoted. With
// WaitReplicas the first consume is not answered as done.
func TestTrap24FailoverThatLosesAWrite(t *testing.T) {
	t.Parallel()
	for _, wait := range []int{0, 1} {
		t.Run(fmt.Sprint("wait ", wait), func(t *testing.T) {
			master := redistest.Start(t)
			replica := redistest.Start(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port()))
			waitFor(t, "the replica", func() bool { return strings.Contains(master.Text("INFO replication"), "state=online") })
			s := openTest(t, Options{Addresses: []string{master.Addr()}, WaitReplicas: wait, Timeout: 2 * time.Second})
			careful := openTest(t, Options{Addresses: []string{master.Addr()}, WaitReplicas: 1, Timeout: 2 * time.Second})
			soonAdd(t, careful, "code", "issued")

			replica.Do("REPLICAOF 127.0.0.1 1") // The line between them is cut.
			ok, err := s.Swap(t.Context(), "code", []byte("issued"), []byte("first"), later())
			if wait == 0 && (!ok || err != nil) {
				t.Fatalf("Swap: got %v, %v; want true", ok, err)
			}
			if wait == 1 && (ok || err == nil) {
				t.Errorf("Swap, waiting: got %v, %v; want a fault", ok, err)
			}
			master.Kill()
			replica.Do("REPLICAOF NO ONE")
			promoted := openTest(t, Options{Addresses: []string{replica.Addr()}})
			ok, err = promoted.Swap(t.Context(), "code", []byte("issued"), []byte("second"), later())
			if !ok || err != nil {
				t.Errorf("Swap after the failover: got %v, %v; want true: the lost write is the limit that docs/stores.md tells", ok, err)
			}
		})
	}
}

// TestTrap25SwapDecides lets all requests read the code before any of them
// consumes it: the Swap decides, not what they read.
func TestTrap25SwapDecides(t *testing.T) {
	s := openTest(t, Options{Addresses: []string{redistest.Start(t).Addr()}})
	mustAdd(t, s, "code", "issued")
	const requests = 64
	var read, done sync.WaitGroup
	var minted atomic.Int32
	read.Add(requests)
	for i := range requests {
		done.Go(func() {
			found, err := s.Get(t.Context(), "code")
			read.Done()
			read.Wait()
			if err != nil || string(found) != "issued" {
				t.Errorf("Get: got %q, %v; want issued", found, err)
			}
			if ok, err := s.Swap(t.Context(), "code", found, fmt.Append(nil, "redeemed by ", i), later()); err != nil {
				t.Errorf("Swap: got %v, want no error", err)
			} else if ok {
				minted.Add(1)
			}
		})
	}
	done.Wait()
	if minted.Load() != 1 {
		t.Errorf("%d requests may mint, want 1", minted.Load())
	}
}

// TestTrap26LostStoreHasAnotherEpoch flushes the server: whoever asks again
// learns that what was refused before is forgotten.
func TestTrap26LostStoreHasAnotherEpoch(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	state := testState(t, s)
	before, err := state.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Kill()
	r.Restart()
	same, err := state.Epoch(t.Context())
	if err != nil || same != before {
		t.Errorf("Epoch after a crash: got %v, %v; want %v", same, err, before)
	}
	r.Do("FLUSHALL")
	after, err := state.Epoch(t.Context())
	if err != nil || after.ID == before.ID || after.Created.Before(before.Created) {
		t.Errorf("Epoch after a loss: got %v, %v; want another than %v", after, err, before)
	}
	if _, err := state.Families().Load(t.Context(), "family"); !errors.Is(err, tokenexchange.ErrNotFound) {
		t.Errorf("Load after a loss: got %v, want ErrNotFound", err)
	}
}

// TestServersClock moves the server's idea of time against ours by writing with
// a clock that is a day off: nothing is dropped before its time, and what is
// stored leaves Redis a minute after it.
func TestServersClock(t *testing.T) {
	r := redistest.Start(t)
	for name, off := range map[string]time.Duration{"behind": -24 * time.Hour, "ahead": 24 * time.Hour} {
		clock := func() time.Time { return time.Now().Add(off) }
		s := openTest(t, Options{Addresses: []string{r.Addr()}, Now: clock})
		if ok, err := s.Add(t.Context(), name, []byte("v"), clock().Add(time.Minute)); !ok || err != nil {
			t.Fatalf("%s, Add: got %v, %v; want true", name, ok, err)
		}
		holds(t, s, name, "v")
		life, err := s.client.PTTL(t.Context(), s.valueKey(name)).Result()
		if want := time.Minute + tokenexchange.CollectAfter; err != nil || life > want || life < want-30*time.Second {
			t.Errorf("%s: got %s to live in Redis, %v; want %s", name, life, err, want)
		}
		if ok, err := s.Swap(t.Context(), name, []byte("v"), []byte("w"), clock().Add(time.Hour)); !ok || err != nil {
			t.Fatalf("%s, Swap: got %v, %v; want true", name, ok, err)
		}
		life, err = s.client.PTTL(t.Context(), s.valueKey(name)).Result()
		if want := time.Hour + tokenexchange.CollectAfter; err != nil || life > want || life < want-30*time.Second {
			t.Errorf("%s, after Swap: got %s to live in Redis, %v; want %s", name, life, err, want)
		}
		if ok, err := s.Swap(t.Context(), name, []byte("x"), []byte("w"), clock().Add(2*time.Hour)); !ok || err != nil {
			t.Fatalf("%s, repeat: got %v, %v; want true", name, ok, err)
		}
		if again, err := s.client.PTTL(t.Context(), s.valueKey(name)).Result(); err != nil || again > life || again < life-30*time.Second {
			t.Errorf("%s, after a repeat: got %s to live in Redis, %v; want %s as before", name, again, err, life)
		}
	}
}
