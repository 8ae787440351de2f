package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

func wantFault(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || errors.Is(err, tokenexchange.ErrNotFound) || errors.Is(err, tokenexchange.ErrFeedGap) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want a fault that says %q", what, err, want)
	}
}

// TestServerRefuses has the errors of a server that is there and cannot serve.
func TestServerRefuses(t *testing.T) {
	m := miniredis.RunT(t)
	s := openTest(t, Options{Addresses: []string{m.Addr()}})
	mustAdd(t, s, "warm", "up")
	for text, want := range map[string]string{
		"OOM command not allowed when used memory > 'maxmemory'.":     "memory is full",
		"READONLY You can't write against a read only replica.":       "is a replica",
		"LOADING Redis is loading the dataset in memory":              "still loading",
		"MASTERDOWN Link with MASTER is down":                         "without its master",
		"CLUSTERDOWN Hash slot not served":                            "no server for this key",
		"NOAUTH Authentication required.":                             "wants a password",
		"NOPERM this user has no permissions":                         "may not do this",
		"MISCONF Redis is configured to save RDB snapshots":           "cannot write to its disk",
		"NOREPLICAS Not enough good replicas to write.":               "too few replicas",
		"ERR something new":                                           "ERR something new",
		"TRYAGAIN Multiple keys request during rehashing of slot":     "TRYAGAIN",
		"BUSY Redis is busy running a script":                         "BUSY",
		"UNKILLABLE Sorry the script already executed write commands": "UNKILLABLE",
		"NOSCRIPT No matching script. Please use EVAL.":               "",
		"nil": "nil",
		"EXECABORT Transaction discarded because of previous errors.":   "EXECABORT",
		"WRONGTYPE Operation against a key holding the wrong kind":      "WRONGTYPE",
		"ERR max number of clients reached":                             "max number of clients",
		"NOTBUSY No scripts in execution right now.":                    "NOTBUSY",
		"UNBLOCKED client unblocked via CLIENT UNBLOCK":                 "UNBLOCKED",
		"ERR unknown command 'EVALSHA', with args beginning with: 'x'":  "unknown command",
		"NOPROTO unsupported protocol version":                          "NOPROTO",
		"ERR invalid password":                                          "invalid password",
		"WRONGPASS invalid username-password pair or user is disabled.": "no such user and password",
	} {
		m.SetError(text)
		for verb, call := range everyCall(t.Context(), s) {
			wantFault(t, verb+", "+text, call(), want)
		}
		m.SetError("")
	}
	holds(t, s, "warm", "up")
}

// TestRealServerRefuses gets some of them from a real server.
func TestRealServerRefuses(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	mustAdd(t, s, "warm", "up")
	writes := map[string]func() error{}
	for verb, call := range everyCall(t.Context(), s) {
		if verb == "Add" || verb == "Swap" || verb == "Publish" {
			writes[verb] = call
		}
	}
	r.Do("CONFIG SET maxmemory 1")
	for verb, call := range writes {
		wantFault(t, verb+", memory full", call(), "memory is full")
	}
	holds(t, s, "warm", "up")
	r.Do("CONFIG SET maxmemory 0")
	r.Do("REPLICAOF 127.0.0.1 1")
	for verb, call := range writes {
		wantFault(t, verb+", replica", call(), "is a replica")
	}
	r.Do("CONFIG SET replica-serve-stale-data no")
	for verb, call := range everyCall(t.Context(), s) {
		want := "without its master"
		if verb == "Delete" {
			want = "is a replica"
		}
		wantFault(t, verb+", replica without its master", call(), want)
	}
	r.Do("REPLICAOF NO ONE")
	r.Do("CONFIG SET min-replicas-to-write 1")
	for verb, call := range writes {
		wantFault(t, verb+", too few replicas", call(), "too few replicas")
	}
	r.Do("CONFIG SET min-replicas-to-write 0")
	mustAdd(t, s, "a", "v")
}

// TestUnreadableValue finds what another hand wrote under our keys: a fault for
// every verb that has to know it, never "absent" and never overwritten.
func TestUnreadableValue(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	for name, stored := range map[string]string{
		"empty":         "",
		"short":         "\x01\x7f\xff\xff\xff\xff\xff\xff",
		"another":       "hello, this is no value of ours",
		"next version":  "\x02\x00\x00\x7f\xff\xff\xff\xff\xffvalue",
		"version zero":  "\x00\x00\x00\x7f\xff\xff\xff\xff\xffvalue",
		"expired, next": "\x02\x00\x00\x00\x00\x00\x00\x00\x01value",
	} {
		if err := s.client.Set(t.Context(), s.valueKey("k"), stored, 0).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "k")
		wantFault(t, "Get, "+name, err, "cannot be read")
		ok, err := s.Add(t.Context(), "k", []byte("v"), later())
		wantFault(t, fmt.Sprint("Add, ", name, ok), err, "cannot be read")
		ok, err = s.Swap(t.Context(), "k", []byte("value"), []byte("v"), later())
		wantFault(t, fmt.Sprint("Swap, ", name, ok), err, "cannot be read")
		if got := s.client.Get(t.Context(), s.valueKey("k")).Val(); got != stored {
			t.Errorf("%s: got %q afterwards, want it untouched", name, got)
		}
	}
	if err := s.client.Del(t.Context(), s.valueKey("k")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.LPush(t.Context(), s.valueKey("k"), "list").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "k")
	wantFault(t, "Get of a list", err, "WRONGTYPE")
	_, err = s.Add(t.Context(), "k", []byte("v"), later())
	wantFault(t, "Add over a list", err, "WRONGTYPE")
}

// TestPasswordIsHidden has a server that repeats what it was sent, as those do
// that do not know HELLO.
func TestPasswordIsHidden(t *testing.T) {
	const secret = "a-long-passphrase"
	m := miniredis.RunT(t)
	m.SetError("ERR unknown command 'HELLO', with args beginning with: '2' 'AUTH' 'user' '" + secret + "'")
	o := Options{Addresses: []string{m.Addr()}, Username: "user", Password: password(secret), Issuer: testIssuer}
	s := openTest(t, o)
	for verb, call := range everyCall(t.Context(), s) {
		err := call()
		wantFault(t, verb, err, "unknown command")
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the password: %v", verb, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, shown := range []any{o, &o, s, s.identity} {
			if text := fmt.Sprintf(format, shown); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of a %T shows the password", format, shown)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := Options{Addresses: []string{"127.0.0.1:6379"}, Issuer: testIssuer}
	for name, c := range map[string]struct {
		change func(o *Options)
		want   string
	}{
		"no address":           {func(o *Options) { o.Addresses = nil }, "no address"},
		"no port":              {func(o *Options) { o.Addresses = []string{"redis"} }, `"redis"; expected host:port`},
		"no host":              {func(o *Options) { o.Addresses = []string{":6379"} }, "expected host:port"},
		"port 0":               {func(o *Options) { o.Addresses = []string{"redis:0"} }, "expected host:port"},
		"large port":           {func(o *Options) { o.Addresses = []string{"redis:65536"} }, "expected host:port"},
		"a URL":                {func(o *Options) { o.Addresses = []string{"redis://redis:6379"} }, "expected host:port"},
		"a second address":     {func(o *Options) { o.Addresses = []string{"a:1", "b"} }, `"b"`},
		"a password":           {func(o *Options) { o.Addresses = []string{"redis://u:secret@redis:6379"} }, "no login in it"},
		"no issuer":            {func(o *Options) { o.Issuer = "" }, "no issuer"},
		"prefix with blank":    {func(o *Options) { o.KeyPrefix = "a b" }, "key prefix"},
		"prefix with braces":   {func(o *Options) { o.KeyPrefix = "{a}" }, "key prefix"},
		"long prefix":          {func(o *Options) { o.KeyPrefix = strings.Repeat("a", 65) }, "key prefix"},
		"negative database":    {func(o *Options) { o.Database = -1 }, "database -1"},
		"database of Cluster":  {func(o *Options) { o.Addresses, o.Database = []string{"a:1", "b:2"}, 1 }, "only 0"},
		"user alone":           {func(o *Options) { o.Username = "u" }, "without a password"},
		"Sentinel user":        {func(o *Options) { o.MasterName, o.SentinelUsername = "m", "u" }, "without a password"},
		"Sentinel password":    {func(o *Options) { o.SentinelPassword = password("p") }, "without a master name"},
		"Sentinel empty":       {func(o *Options) { o.MasterName, o.SentinelPassword = "m", password("") }, "Sentinel password is empty"},
		"negative replicas":    {func(o *Options) { o.WaitReplicas = -1 }, "replicas"},
		"negative timeout":     {func(o *Options) { o.Timeout = -time.Second }, "timeout"},
		"tiny timeout":         {func(o *Options) { o.Timeout = time.Millisecond }, "timeout"},
		"CA that is no PEM":    {func(o *Options) { o.TLS = &TLS{CA: []byte("x")} }, "expected PEM"},
		"CA that is empty":     {func(o *Options) { o.TLS = &TLS{CA: []byte{}} }, "expected PEM"},
		"certificate as a CA?": {func(o *Options) { o.TLS = &TLS{CA: []byte("x"), Client: &tls.Certificate{}} }, "expected PEM"},
	} {
		o := good
		c.change(&o)
		s, err := Open(o)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: got a store, want an error", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %q, want it to say %q and no secret", name, err, c.want)
		}
	}
	openTest(t, good) // Nobody listens there, and no connection is made.
}

func TestIdentity(t *testing.T) {
	base := Options{Addresses: []string{"a:1", "b:2"}, Issuer: testIssuer}
	same := base
	same.Addresses, same.KeyPrefix = []string{"b:2", "a:1"}, DefaultKeyPrefix
	same.Username, same.Password, same.Timeout, same.WaitReplicas = "u", password("p"), time.Second, 2
	same.TLS = &TLS{}
	if base.Identity() != same.Identity() {
		t.Errorf("got %s and %s, want one identity", base.Identity(), same.Identity())
	}
	for name, change := range map[string]func(o *Options){
		"address":  func(o *Options) { o.Addresses = []string{"a:1"} },
		"master":   func(o *Options) { o.MasterName = "m" },
		"database": func(o *Options) { o.Database = 1 },
		"prefix":   func(o *Options) { o.KeyPrefix = "other" },
		"issuer":   func(o *Options) { o.Issuer = "https://other.example" },
	} {
		o := base
		change(&o)
		if o.Identity() == base.Identity() {
			t.Errorf("another %s: got the same identity", name)
		}
	}
}

// TestKeysApart keeps issuers, prefixes and databases apart on one server.
func TestKeysApart(t *testing.T) {
	r := redistest.Start(t)
	base := Options{Addresses: []string{r.Addr()}, Issuer: testIssuer}
	other, prefix, database := base, base, base
	other.Issuer, prefix.KeyPrefix, database.Database = "https://other.example", "other", 1
	for i, o := range []Options{base, other, prefix, database} {
		s := openTest(t, o)
		mustAdd(t, s, "k", fmt.Sprint("value ", i))
		publish(t, s, fmt.Sprint("entry ", i))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_ = s.Follow(ctx, "", func(_ string, entry []byte) {
			cancel()
			if want := fmt.Sprint("entry ", i); string(entry) != want {
				t.Errorf("got %q first, want %q alone", entry, want)
			}
		})
		cancel()
	}
}

func TestCheck(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	for _, c := range []struct {
		config string
		want   []string
	}{
		{"", nil},
		{"CONFIG SET maxmemory-policy allkeys-lru", []string{"maxmemory-policy allkeys-lru"}},
		{"CONFIG SET appendfsync everysec", []string{"appendfsync everysec", "maxmemory-policy allkeys-lru"}},
		{"CONFIG SET appendonly no", []string{"appendonly no", "maxmemory-policy allkeys-lru"}},
	} {
		if c.config != "" {
			r.Do(c.config)
		}
		got, err := s.Check(t.Context())
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.config, got, err, c.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: got %q, want it to say %q", c.config, got[i], c.want[i])
			}
		}
	}
}

// TestDocsACL keeps the user of the docs the one that the tests use.
func TestDocsACL(t *testing.T) {
	docs, err := os.ReadFile("../../docs/stores.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(docs, []byte(aclUser)) {
		t.Errorf("docs/stores.md does not have the line %q", aclUser)
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
