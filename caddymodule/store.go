package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
)

// StoreModule is a guest module that opens a store. Opening happens at Start,
// never in Provision.
type StoreModule interface {
	// Identity names what is opened, without settings that may change while it
	// stays the same thing: two configurations with one identity share it.
	Identity() string
	Open() (tokenexchange.Store, io.Closer, error)
	// Remote says that the store may be away while this process starts. Open
	// makes no connection then.
	Remote() bool
}

// MemoryStore keeps state in the process: it is gone when the process ends.
type MemoryStore struct{}

// CaddyModule returns the Caddy module information.
func (*MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "scopegate.stores.memory", New: func() caddy.Module { return new(MemoryStore) }}
}

// Identity is one store for the process.
func (*MemoryStore) Identity() string { return "memory" }

// Open makes an empty store.
func (*MemoryStore) Open() (tokenexchange.Store, io.Closer, error) {
	s := tokenexchange.NewMemoryStore(nil)
	return s, s, nil
}

// Remote is false: memory is always there.
func (*MemoryStore) Remote() bool { return false }

// BoltStore keeps state in one file, durable on this machine, for one process.
type BoltStore struct {
	// The path of the file. Placeholders {env.X} are replaced. Default:
	// scopegate/<issuer>/state.db in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// Where the block was written, for errors.
	Sources tokenexchange.Sources `json:"sources,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*BoltStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "scopegate.stores.bolt", New: func() caddy.Module { return new(BoltStore) }}
}

// Provision resolves the path and opens nothing.
func (b *BoltStore) Provision(caddy.Context) (err error) {
	if b.Path, err = expandText(b.Path); err != nil || b.Path == "" {
		return b.Sources.Place("store bolt", tokenexchange.InLine("path", 0, err))
	}
	b.Path, err = filepath.Abs(b.Path)
	return err
}

// Identity is the file, by whichever way its folder was named.
func (b *BoltStore) Identity() string {
	if path, err := filepath.EvalSymlinks(b.Path); err == nil {
		return "bolt " + path
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(b.Path)) // A first start makes the file.
	if err != nil {
		return "bolt " + b.Path
	}
	return "bolt " + filepath.Join(dir, filepath.Base(b.Path))
}

// Open opens the file. A file that another process holds is an error within 2 seconds.
func (b *BoltStore) Open() (tokenexchange.Store, io.Closer, error) {
	s, err := boltstore.Open(b.Path, boltstore.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("store bolt: %w", err)
	}
	return s, s, nil
}

// Remote is false: a file that cannot be opened is a mistake.
func (*BoltStore) Remote() bool { return false }

// loadStore loads the configured store module, or the default one.
func (a *App) loadStore() error {
	switch {
	case a.StoreRaw != nil:
		mod, err := a.ctx.LoadModule(a, "StoreRaw")
		if err != nil {
			return fmt.Errorf("loading the store: %w", err)
		}
		a.store = mod.(StoreModule)
	case len(a.Clients) == 0 && len(a.UsersFiles) == 0 && len(a.UsersOIDC) == 0:
		a.store = new(MemoryStore)
	default:
		a.store = new(BoltStore)
	}
	switch s := a.store.(type) {
	case *BoltStore:
		if s.Path == "" {
			s.Path = filepath.Join(caddy.AppDataDir(), "scopegate", folderOf(a.realm.Issuer()), "state.db")
		}
	case *RedisStore:
		return s.prepare(a)
	}
	return nil
}

// open are the stores that are open, by issuer and identity: what must survive
// a reload. A caddy.UsagePool would count configurations only, and a store that
// a request still holds could not be found by a reload that returns to it. Of
// those of one key, which lead to the same data in other ways, the last counts:
// if its configuration is refused, the one before does again.
var open = struct {
	sync.Mutex
	byKey map[string][]*shared
}{byKey: map[string][]*shared{}}

// latest returns the store that counts, nil if none is open.
func latest(key string) *shared {
	open.Lock()
	defer open.Unlock()
	if all := open.byKey[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// shared is an open store and the caches of one issuer. Configurations and
// running requests hold references; the last one closes the store, so a
// request that outlives its configuration still finds it open.
type shared struct {
	key         string
	opener      StoreModule
	store       tokenexchange.Store
	caches      *tokenexchange.Caches
	throttles   *tokenexchange.Throttles // who was guessing is still slowed down after a reload
	revocations *tokenexchange.Revocations
	closer      io.Closer

	// The epoch as it was last read: a reload while a remote store is away goes
	// on with it.
	epoch atomic.Pointer[tokenexchange.Epoch]
	// When this process came here from another store: what that one had to refuse
	// since the epoch is not known here. Nil if it did not.
	since atomic.Pointer[time.Time]

	refs int // under the lock of open

	followed sync.Once
	unfollow func() // ends following the feed, and waits for it
}

// errClosed says that a request came after its configuration had ended.
var errClosed = errors.New("the store was closed with its configuration")

func (s *shared) hold() error {
	open.Lock()
	defer open.Unlock()
	if s.refs == 0 {
		return errClosed
	}
	s.refs++
	return nil
}

func (s *shared) letGo() error {
	open.Lock()
	s.refs--
	last := s.refs == 0
	if last {
		others := slices.DeleteFunc(open.byKey[s.key], func(o *shared) bool { return o == s })
		if open.byKey[s.key] = others; len(others) == 0 {
			delete(open.byKey, s.key)
		}
	}
	open.Unlock()
	if !last {
		return nil
	}
	// Closing can take a while, and other stores go on meanwhile.
	s.followed.Do(func() { s.unfollow = func() {} })
	s.unfollow()
	return s.closer.Close()
}

// acquire opens the store, or takes the one that is open. Caddy loads one
// configuration at a time, so nobody else opens a store meanwhile.
func (a *App) acquire() error {
	identity := a.store.Identity()
	s := &shared{
		key: a.realm.Issuer() + " " + identity, opener: a.store, refs: 1,
		caches: tokenexchange.NewCaches(), throttles: tokenexchange.NewThrottles(), revocations: tokenexchange.NewRevocations(nil),
	}
	switch kept := latest(s.key); {
	case kept == nil:
	case !reached(kept.opener, a.store):
		// Another way to the same data: what is known of it stays.
		s.caches, s.throttles, s.revocations = kept.caches, kept.throttles, kept.revocations
		s.epoch.Store(kept.epoch.Load())
		s.since.Store(kept.since.Load())
	case kept.hold() == nil:
		a.shared, a.acquired = kept, true
		return nil
	}
	var err error
	if s.store, s.closer, err = a.store.Open(); err != nil {
		return a.explain(err, identity)
	}
	if _, ok := s.store.(tokenexchange.Feed); !ok {
		return errors.Join(fmt.Errorf("store %s: it has no feed for revocations", identity), s.closer.Close())
	}
	open.Lock()
	open.byKey[s.key] = append(open.byKey[s.key], s)
	open.Unlock()
	a.shared, a.acquired = s, true
	return nil
}

// explain names the configuration that holds the store of another issuer, where
// the store itself can only say that the file is held.
func (a *App) explain(err error, identity string) error {
	open.Lock()
	defer open.Unlock()
	for key := range open.byKey {
		if issuer, ok := strings.CutSuffix(key, " "+identity); ok && issuer != a.realm.Issuer() {
			return fmt.Errorf("%w: the running configuration has it open for the issuer %s, and each issuer needs a store of its own", err, issuer)
		}
	}
	return err
}

// release gives back what acquire got, once.
func (a *App) release() error {
	if !a.acquired {
		return nil
	}
	a.acquired = false
	if a.work.detach != nil {
		a.work.detach()
	}
	return a.shared.letGo()
}
