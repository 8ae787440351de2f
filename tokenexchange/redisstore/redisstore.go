// Package redisstore keeps a tokenexchange.Store and Feed in Redis, for many
// processes on many machines. It is the only importer of go-redis.
//
// Writes are Lua scripts that touch one key each, so they are atomic on a single
// server, under Sentinel and in a Cluster. Each recognises its own repeat,
// because go-redis repeats a command whose answer was lost. No verb takes longer
// than three timeouts.
//
// Expiry stands in front of each value and is judged by the caller's clock,
// which goes into the scripts. Redis drops a value CollectAfter later, counted
// from the moment of the write, so the server's time of day does not matter; a
// server whose clock is stepped forward by more than that drops values early.
//
// What a failover can lose, and what that means, is in docs/stores.md.
package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/scopegate/scopegate/tokenexchange"
)

// DefaultTimeout is how long one attempt may take to connect, write or read.
const DefaultTimeout = 500 * time.Millisecond

// DefaultKeyPrefix begins every key.
const DefaultKeyPrefix = "scopegate"

// A verb is sent up to three times within three timeouts: 1.5 s by default.
// In a Cluster an attempt may also find that the key is elsewhere.
const attempts = 3

// retryPause is before the next attempt.
const retryPause = 5 * time.Millisecond

// Options are the settings of a store. Addresses and Issuer are required.
type Options struct {
	// Addresses are host:port. One is a single server, several are seeds of a
	// Cluster, and with MasterName they are Sentinels.
	Addresses  []string
	MasterName string

	// Username and Password log in to every server; the ACL that they need is
	// in docs/stores.md. The Sentinel ones log in to Sentinels. A password is a
	// func because fmt can print only its address; it is called for each new
	// connection, that of the Sentinels once. Nil is no login.
	Username         string
	Password         func() (string, error)
	SentinelUsername string
	SentinelPassword func() (string, error)

	// Database is the number to SELECT. A Cluster has only 0.
	Database int

	// KeyPrefix begins every key, 1 to 64 of A-Z a-z 0-9 . : _ -  Default:
	// DefaultKeyPrefix. A hash of the issuer comes after it.
	KeyPrefix string
	Issuer    string

	// TLS encrypts every connection, those to Sentinels too. Nil is plain TCP.
	TLS *TLS

	// Timeout is for connecting, writing and reading, each. Default:
	// DefaultTimeout.
	Timeout time.Duration

	// WaitReplicas is how many replicas must have received a write before it
	// is answered as done; fewer within Timeout is an error. The default is 0.
	// See docs/stores.md for what it guarantees. Delete does not wait.
	WaitReplicas int

	// Now is the clock that judges expiry. Default: time.Now.
	Now func() time.Time
}

// Store is a tokenexchange.Store and Feed in Redis. Safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	name     string // in errors
	prefix   string
	timeout  time.Duration
	replicas int
	now      func() time.Time
	hide     func(text string) string // takes passwords out of a text
	closed   atomic.Bool
}

var (
	_ tokenexchange.Store = (*Store)(nil)
	_ tokenexchange.Feed  = (*Store)(nil)
)

// Open checks the options and gives a store. It makes no connection: a server
// that is away is an error of the verbs. The caller closes the store.
func Open(o Options) (*Store, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("opening redis store: %w", err)
	}
	s := &Store{
		name:     "redis store " + strings.Join(o.Addresses, ","),
		prefix:   o.KeyPrefix + ":" + issuerHash(o.Issuer) + ":",
		timeout:  o.Timeout,
		replicas: o.WaitReplicas,
		now:      o.Now,
		hide:     o.hidePasswords(),
	}
	universal, err := o.universal()
	if err != nil {
		return nil, fmt.Errorf("opening redis store: %w", err)
	}
	silence()
	s.client = redis.NewUniversalClient(universal)
	return s, nil
}

// silence ends the lines that go-redis prints for each failed connection; our
// errors say the same to whoever asked. Once only: the connections of another
// store read the logger while this one would set it.
var silence = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

// Identity names the data that these options lead to: how the servers are
// found, the database and the keys, and nothing that could change while the
// data stays the same. It holds no password.
func (o Options) Identity() string {
	addresses := slices.Sorted(slices.Values(o.Addresses))
	if o.KeyPrefix == "" {
		o.KeyPrefix = DefaultKeyPrefix
	}
	return fmt.Sprintf("redis %s master=%q database=%d keys=%s:%s",
		strings.Join(addresses, ","), o.MasterName, o.Database, o.KeyPrefix, issuerHash(o.Issuer))
}

// Close ends all connections. Every verb gives tokenexchange.ErrClosed from
// then on. A second Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("closing %s: %s", s.name, s.hide(err.Error()))
	}
	return nil
}

// issuerHash keeps issuers apart that share a server. 128 bits are enough:
// values are sealed for their issuer, so a collision could only deny.
func issuerHash(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return hex.EncodeToString(sum[:16])
}
