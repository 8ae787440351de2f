package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest"
	"github.com/scopegate/scopegate/tokenexchange/storetest/faultproxy"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

func password(text string) func() (string, error) {
	return func() (string, error) { return text, nil }
}

// aclUser is the user of docs/stores.md, as it stands there.
// aclCluster is what it needs besides in a Cluster, and aclCheck for Check.
const (
	aclUser    = `user scopegate on >a-long-passphrase resetkeys ~scopegate:* resetchannels -@all +get +set +del +evalsha +eval +xadd +xdel +xrange +xrevrange +xread +wait +ping +select`
	aclCluster = `+cluster|slots +command +asking`
	aclCheck   = `+info +config|get`
)

// TestTLSAndACL goes over TLS with a client's certificate as a user who may do
// only what the docs say.
func TestTLSAndACL(t *testing.T) {
	t.Parallel()
	certs := redistest.NewCertificates(t)
	r := redistest.StartTLS(t, certs, "user default off", aclUser)
	good := Options{
		Addresses: []string{r.Addr()},
		Username:  "scopegate", Password: password("a-long-passphrase"),
		TLS:      &TLS{CA: certs.CA, Client: &certs.Client},
		Database: 3,
	}
	named := good
	named.TLS = &TLS{CA: certs.CA, Client: &certs.Client, ServerName: "redis.test"}
	for name, o := range map[string]Options{"by address": good, "by name": named} {
		s := openTest(t, o)
		mustAdd(t, s, name, "v")
		if ok, err := s.Swap(t.Context(), name, []byte("v"), []byte("w"), later()); !ok || err != nil {
			t.Errorf("%s, Swap: got %v, %v; want true", name, ok, err)
		}
		holds(t, s, name, "w")
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("%s, Delete: got %v, want no error", name, err)
		}
		if err := s.Publish(t.Context(), []byte(name), later()); err != nil {
			t.Errorf("%s, Publish: got %v, want no error", name, err)
		}
		followsTo(t, s, "", name)
		warnings, err := s.Check(t.Context())
		if err != nil || len(warnings) != 2 || !strings.Contains(strings.Join(warnings, " "), "does not tell its maxmemory-policy") {
			t.Errorf("%s, Check: got %q, %v; want two warnings of what is unknown", name, warnings, err)
		}
	}

	for name, c := range map[string]struct {
		change func(o *Options)
		want   string
	}{
		"no TLS":         {func(o *Options) { o.TLS = nil }, ""},
		"system roots":   {func(o *Options) { o.TLS = &TLS{Client: &certs.Client} }, "x509"},
		"other name":     {func(o *Options) { o.TLS = &TLS{CA: certs.CA, Client: &certs.Client, ServerName: "other.test"} }, "x509"},
		"other root":     {func(o *Options) { o.TLS = &TLS{CA: redistest.NewCertificates(t).CA, Client: &certs.Client} }, "x509"},
		"no certificate": {func(o *Options) { o.TLS = &TLS{CA: certs.CA} }, ""},
		"wrong password": {func(o *Options) { o.Password = password("another-passphrase") }, "no such user and password"},
		"other user":     {func(o *Options) { o.Username = "nobody" }, "no such user and password"},
		"no login":       {func(o *Options) { o.Username, o.Password = "", nil }, "wants a password"},
		"other prefix":   {func(o *Options) { o.KeyPrefix = "elsewhere" }, "may not do this"},
		"empty password": {func(o *Options) { o.Password = password("") }, "the password is empty"},
		"no password file": {func(o *Options) {
			o.Password = func() (string, error) { return "", errors.New("no such file") }
		}, "reading the password: no such file"},
	} {
		o := good
		c.change(&o)
		s := openTest(t, o)
		for verb, call := range everyCall(t.Context(), s) {
			err := call()
			if err == nil || errors.Is(err, tokenexchange.ErrNotFound) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: got %v, want a fault that says %q", name, verb, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "passphrase") {
				t.Errorf("%s, %s: the error shows the password: %v", name, verb, err)
			}
		}
	}
}

// newCluster starts three masters that share the slots.
func newCluster(t *testing.T, lines ...string) []*redistest.Server {
	t.Helper()
	var nodes []*redistest.Server
	for i := range 3 {
		n := redistest.Start(t, append([]string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 15000",
			fmt.Sprint("cluster-port ", outside.FreePort(t)),
		}, lines...)...)
		first, last := i*16384/3, (i+1)*16384/3-1
		n.Do(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", first, last))
		n.Do(fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
		nodes = append(nodes, n)
	}
	for _, n := range nodes[1:] {
		n.Do(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %s", nodes[0].Port(), nodes[0].Setting("cluster-port")))
	}
	for _, n := range nodes {
		waitFor(t, "the Cluster", func() bool {
			info := n.Text("CLUSTER INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return nodes
}

// slotOf gives the slot of key, the master that had it first, and the next.
func slotOf(t *testing.T, nodes []*redistest.Server, key string) (from, to *redistest.Server, slot string) {
	t.Helper()
	slot = strings.TrimSpace(nodes[0].Text("CLUSTER KEYSLOT " + key))
	n, err := strconv.Atoi(slot)
	if err != nil {
		t.Fatal(err)
	}
	i := n * len(nodes) / 16384
	return nodes[i], nodes[(i+1)%len(nodes)], slot
}

func nodeID(s *redistest.Server) string { return strings.TrimSpace(s.Text("CLUSTER MYID")) }

// moveSlot gives the empty slot of key to the next master.
func moveSlot(t *testing.T, nodes []*redistest.Server, key string) {
	t.Helper()
	_, to, slot := slotOf(t, nodes, key)
	to.Do("CLUSTER BUMPEPOCH") // Else a message on its way could give the slot back.
	to.Do("CLUSTER SETSLOT " + slot + " NODE " + nodeID(to))
	for _, node := range nodes {
		node.Do("CLUSTER SETSLOT " + slot + " NODE " + nodeID(to))
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(enough); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come in %s", what, enough)
		}
	}
}

func addrs(servers ...*redistest.Server) (all []string) {
	for _, s := range servers {
		all = append(all, s.Addr())
	}
	return all
}

// TestCluster runs the suite on three masters, as the user of the docs. One
// Cluster serves all cases, each under an issuer's keys.
func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := newCluster(t, aclUser+" "+aclCluster+" "+aclCheck)
	cluster := func(t *testing.T, o Options, servers ...*redistest.Server) *Store {
		o.Addresses, o.Username, o.Password = addrs(servers...), "scopegate", password("a-long-passphrase")
		return openTest(t, o)
	}
	opened := 0
	h := storetest.Harness{
		Open: func(t *testing.T, now func() time.Time) (tokenexchange.Store, func()) {
			opened++
			return cluster(t, Options{Now: now, Issuer: fmt.Sprint("https://", opened)}, nodes...), func() {}
		},
		// All servers stay: this one goes to where there are none.
		Break: func(_ *testing.T, s tokenexchange.Store) {
			_ = s.(*Store).client.Close()
			s.(*Store).client = redis.NewUniversalClient(&redis.UniversalOptions{
				Addrs: []string{"127.0.0.1:1", "127.0.0.1:2"}, DialerRetries: 1,
			})
		},
	}
	storetest.Run(t, h)
	t.Run("feed", func(t *testing.T) {
		s := cluster(t, Options{}, nodes[0], nodes[1])
		if err := s.Publish(t.Context(), []byte("entry"), later()); err != nil {
			t.Fatalf("Publish: got %v, want no error", err)
		}
		followsTo(t, s, "", "entry")
		if warnings, err := s.Check(t.Context()); err != nil || len(warnings) != 0 {
			t.Errorf("Check: got %q, %v; want nothing", warnings, err)
		}
	})
	t.Run("moved", func(t *testing.T) { // A slot goes to another master while stores are open.
		plain, careful := cluster(t, Options{}, nodes...), cluster(t, Options{WaitReplicas: 1, Timeout: waiting}, nodes...)
		mustAdd(t, plain, "warm", "up")
		holds(t, careful, "warm", "up") // Now both have a map of the Cluster.
		moveSlot(t, nodes, plain.valueKey("moved"))
		mustAdd(t, plain, "moved", "v")
		moveSlot(t, nodes, plain.valueKey("moved_2"))
		waitFor(t, "the new master in the map of the waiting store", func() bool {
			ok, err := careful.Add(t.Context(), "moved_2", []byte("v"), later())
			return !ok && err != nil && strings.Contains(err.Error(), "too few replicas")
		})
		holds(t, plain, "moved_2", "v")
	})
	t.Run("ask", func(t *testing.T) { // A slot is on its way to another master.
		plain, careful := cluster(t, Options{}, nodes...), cluster(t, Options{WaitReplicas: 1, Timeout: waiting}, nodes...)
		mustAdd(t, plain, "warm ask", "up")
		begin := func(key string) {
			from, to, slot := slotOf(t, nodes, plain.valueKey(key))
			to.Do("CLUSTER SETSLOT " + slot + " IMPORTING " + nodeID(from))
			from.Do("CLUSTER SETSLOT " + slot + " MIGRATING " + nodeID(to))
		}
		begin("ask")
		mustAdd(t, plain, "ask", "v")
		begin("ask_2")
		var calls sync.WaitGroup
		for verb, call := range map[string]func() (bool, error){
			"Add":  func() (bool, error) { return careful.Add(t.Context(), "ask_2", []byte("v"), later()) },
			"Swap": func() (bool, error) { return careful.Swap(t.Context(), "ask", []byte("v"), []byte("w"), later()) },
		} {
			calls.Go(func() {
				if ok, err := call(); ok || err == nil || !strings.Contains(err.Error(), "too few replicas") {
					t.Errorf("%s that waits: got %v, %v; want it done by the new master, which has too few replicas", verb, ok, err)
				}
			})
		}
		calls.Wait()
		holds(t, plain, "ask", "w")
		holds(t, plain, "ask_2", "v")
	})
	t.Run("one address", func(t *testing.T) { // It is taken for a single server.
		s := cluster(t, Options{}, nodes[0])
		for i := range 10 { // Keys of every master, most likely.
			if _, err := s.Get(t.Context(), fmt.Sprint(i)); !errors.Is(err, tokenexchange.ErrNotFound) {
				wantFault(t, "Get", err, "give more than one of its addresses")
				return
			}
		}
		t.Error("Get: got an answer for every key, want a fault that names the mistake")
	})
	t.Run("wait", func(t *testing.T) { // No master has a replica.
		s := cluster(t, Options{WaitReplicas: 1, Timeout: waiting}, nodes...)
		var adds sync.WaitGroup
		for i := range 8 { // Keys of every master, most likely.
			adds.Go(func() {
				ok, err := s.Add(t.Context(), fmt.Sprint(i), []byte("v"), later())
				if ok || err == nil || !strings.Contains(err.Error(), "too few replicas") {
					t.Errorf("Add: got %v, %v; want too few replicas", ok, err)
				}
			})
		}
		adds.Wait()
	})
}

// TestClusterAttempts counts how often a write is sent when no answer comes.
func TestClusterAttempts(t *testing.T) {
	t.Parallel()
	node := redistest.Start(t, "cluster-enabled yes", "cluster-config-file nodes.conf", fmt.Sprint("cluster-port ", outside.FreePort(t)))
	node.Do("CLUSTER ADDSLOTSRANGE 0 16383")
	p := faultproxy.Start(t, node.Addr())
	_, port, _ := strings.Cut(p.Addr(), ":")
	node.Do("CONFIG SET cluster-announce-port " + port)
	waitFor(t, "the Cluster", func() bool { return strings.Contains(node.Text("CLUSTER INFO"), "cluster_state:ok") })
	for _, wait := range []int{0, 1} {
		s := openTest(t, Options{Addresses: []string{p.Addr(), p.Addr()}, WaitReplicas: wait})
		p.SetRule(faultproxy.Always(faultproxy.Pass))
		if _, err := s.Get(t.Context(), "absent"); !errors.Is(err, tokenexchange.ErrNotFound) {
			t.Fatal(err)
		}
		var sent atomic.Int32
		p.SetRule(func(request []byte) faultproxy.Fault {
			if !bytes.Contains(bytes.ToLower(request), []byte("$4\r\neval")) && !bytes.Contains(bytes.ToLower(request), []byte("$7\r\nevalsha")) {
				return faultproxy.Pass
			}
			sent.Add(1)
			return faultproxy.Lose
		})
		ok, err := s.Add(t.Context(), fmt.Sprint("k", wait), []byte("v"), later())
		if got := sent.Load(); ok || err == nil || got != attempts {
			t.Errorf("wait %d: got %v, %v, sent %d times; want a fault, sent %d times", wait, ok, err, got, attempts)
		}
	}
}

// soonAdd adds while a replica may still be catching up.
func soonAdd(t *testing.T, s *Store, key, val string) {
	t.Helper()
	if !answered(t, func() (bool, error) { return s.Add(t.Context(), key, []byte(val), later()) }) {
		t.Fatalf("Add(%q): got false, want true", key)
	}
}

// TestSentinel fails a master over: the store finds the new one by itself.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port()))
	waitFor(t, "the replica", func() bool { return strings.Contains(master.Text("INFO replication"), "state=online") })
	sentinel := redistest.StartSentinel(t, "main", master)
	waitFor(t, "the Sentinel", func() bool { return strings.Contains(sentinel.Text("SENTINEL REPLICAS main"), replica.Addr()) })

	through := Options{Addresses: []string{sentinel.Addr()}, MasterName: "main"}
	s := openTest(t, through)
	through.WaitReplicas = 1 // What comes before the failover must outlive it.
	careful := openTest(t, through)
	soonAdd(t, careful, "before", "v")
	publish(t, careful, "before")
	position := followsTo(t, s, "", "before")
	mustAdd(t, s, "warm", "v")

	begun := time.Now()
	master.Kill()
	if ok, err := s.Add(t.Context(), "during", []byte("v"), later()); ok || err == nil {
		t.Errorf("Add without a master: got %v, %v; want a fault", ok, err)
	}
	sentinel.Failover("main")
	if !answered(t, func() (bool, error) { return s.Add(t.Context(), "after", []byte("v"), later()) }) {
		t.Error("Add after the failover: got false, want true")
	}
	t.Logf("writes came back after %s", time.Since(begun).Round(time.Millisecond))
	if info := replica.Text("INFO replication"); !strings.Contains(info, "role:master") {
		t.Errorf("the replica was not promoted: %s", info)
	}
	holds(t, s, "before", "v")
	if ok, err := s.Add(t.Context(), "before", []byte("another"), later()); ok || err != nil {
		t.Errorf("Add of what was there before the failover: got %v, %v; want false", ok, err)
	}
	publish(t, s, "after")
	followsTo(t, s, position, "after")
}
