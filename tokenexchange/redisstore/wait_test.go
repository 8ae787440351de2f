package redisstore

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// TestWaitReplicas holds a replica: a write that it has not is no success, and
// neither is the repeat of one, on any connection.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port()))
	waitFor(t, "the replica", func() bool { return strings.Contains(master.Text("INFO replication"), "state=online") })
	fresh := func() *Store {
		return openTest(t, Options{Addresses: []string{master.Addr()}, WaitReplicas: 1, Timeout: waiting})
	}
	s := fresh()
	soonAdd(t, s, "swapped", "old")
	if warnings, err := s.Check(t.Context()); err != nil || len(warnings) != 0 {
		t.Errorf("Check: got %q, %v; want nothing", warnings, err)
	}
	add := func(s *Store) (bool, error) { return s.Add(t.Context(), "added", []byte("v"), later()) }
	swap := func(s *Store) (bool, error) {
		return s.Swap(t.Context(), "swapped", []byte("old"), []byte("new"), later())
	}
	replica.Stop()
	for _, stores := range [][]*Store{{s}, {fresh(), fresh()}} {
		var calls sync.WaitGroup
		for _, s := range stores {
			for verb, call := range map[string]func(*Store) (bool, error){
				"Add": add, "Swap": swap,
				"Publish": func(s *Store) (bool, error) { return false, s.Publish(t.Context(), nil, later()) },
			} {
				calls.Go(func() {
					if ok, err := call(s); ok || err == nil || !strings.Contains(err.Error(), "too few replicas") {
						t.Errorf("%s, replica frozen: got %v, %v; want too few replicas", verb, ok, err)
					}
				})
			}
		}
		calls.Wait()
	}
	replica.Cont()
	var again sync.WaitGroup
	for verb, call := range map[string]func(*Store) (bool, error){"Add": add, "Swap": swap} {
		again.Go(func() {
			if !answered(t, func() (bool, error) { return call(s) }) {
				t.Errorf("%s, replica back: got false, want true", verb)
			}
		})
	}
	again.Wait()
	replica.Kill()
	waitFor(t, "the end of the replica", func() bool { return strings.Contains(master.Text("INFO replication"), "connected_slaves:0") })
	if warnings, err := s.Check(t.Context()); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "all writes fail") {
		t.Errorf("Check, replica away: got %q, %v; want that all writes fail", warnings, err)
	}
}

// TestRepeatIsAWrite has the repeat of a write written again: WAIT promises
// something only about what its own connection wrote.
func TestRepeatIsAWrite(t *testing.T) {
	r := redistest.Start(t)
	changes := func() string {
		return parseInfo(r.Text("INFO persistence"))["rdb_changes_since_last_save"]
	}
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	mustAdd(t, s, "k", "v")
	before := changes()
	mustAdd(t, s, "k", "v")
	if after := changes(); after == before || before == "" {
		t.Errorf("changes before and after a repeat: got %s and %s, want one more", before, after)
	}
	before = changes()
	if ok, err := s.Add(t.Context(), "k", []byte("w"), later()); ok || err != nil {
		t.Fatal(ok, err)
	}
	if after := changes(); after != before {
		t.Errorf("changes before and after a losing Add: got %s and %s, want none", before, after)
	}
}
