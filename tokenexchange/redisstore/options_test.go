package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

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
		"a password":           {func(o *Options) { o.Addresses = []string{"redis://u:secret@redis:6379"} }, "could hold a login"},
		"Azure's words":        {func(o *Options) { o.Addresses = []string{"redis:6380,password=secret,ssl=True"} }, "could hold a login"},
		"words in front":       {func(o *Options) { o.Addresses = []string{"password=secret,redis:6380"} }, "could hold a login"},
		"a user in front":      {func(o *Options) { o.Addresses = []string{"user:secret:redis:6380"} }, "could hold a login"},
		"a password as port":   {func(o *Options) { o.Addresses = []string{"redis:secret"} }, "could hold a login"},
		"a line end":           {func(o *Options) { o.Addresses = []string{"redis:6379\n"} }, "expected host:port"},
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
	for _, address := range []string{"127.0.0.1:6379", "redis-0.redis_headless.svc:6379", "[::1]:6379", "[fe80::1%eth0]:1"} {
		openTest(t, Options{Addresses: []string{address}}) // Nobody listens there, and no connection is made.
	}
}

// TestDefaultTimeout holds what docs/stores.md says. Three of them bound a verb, see
// TestVerbHasADeadline.
func TestDefaultTimeout(t *testing.T) {
	o, err := Options{Addresses: []string{"127.0.0.1:6379"}, Issuer: testIssuer}.complete()
	if err != nil || o.Timeout != 500*time.Millisecond {
		t.Errorf("got %s, %v; want 500ms", o.Timeout, err)
	}
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
		ctx, cancel := context.WithTimeout(t.Context(), enough)
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
	for _, acl := range []string{aclUser + "\n", "`" + aclCluster + "`", "`" + aclCheck + "`"} {
		if !bytes.Contains(docs, []byte(acl)) {
			t.Errorf("docs/stores.md does not have %q", acl)
		}
	}
}
