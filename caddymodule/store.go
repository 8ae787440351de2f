package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

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

// Identity is the file.
func (b *BoltStore) Identity() string { return "bolt " + b.Path }

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
	case len(a.Clients) == 0 && len(a.UsersFiles) == 0:
		a.store = new(MemoryStore)
	default:
		a.store = new(BoltStore)
	}
	if b, ok := a.store.(*BoltStore); ok && b.Path == "" {
		b.Path = filepath.Join(caddy.AppDataDir(), "scopegate", a.place(), "state.db")
	}
	return nil
}

// pool keeps what must survive a reload, by identity.
var pool = caddy.NewUsagePool()

// shared is an open store and the caches of one issuer. Configurations and
// running requests hold references; the last one closes the store, so a
// request that outlives its configuration still finds it open.
type shared struct {
	store  tokenexchange.Store
	caches *tokenexchange.Caches
	closer io.Closer

	// The epoch as it was last read: a reload while a remote store is away goes
	// on with it.
	epoch atomic.Pointer[tokenexchange.Epoch]

	mu   sync.Mutex
	refs int
}

// errClosed says that a request came after its configuration had ended.
var errClosed = errors.New("the store was closed with its configuration")

func (s *shared) hold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return errClosed
	}
	s.refs++
	return nil
}

func (s *shared) letGo() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs--; s.refs == 0 {
		return s.closer.Close()
	}
	return nil
}

// Destruct implements caddy.Destructor: the configurations' reference.
func (s *shared) Destruct() error { return s.letGo() }

// acquire opens the store, or takes the one that an earlier configuration opened.
func (a *App) acquire() error {
	key := a.realm.Issuer() + " " + a.store.Identity()
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		store, closer, err := a.store.Open()
		if err != nil {
			return nil, err
		}
		return &shared{store: store, closer: closer, caches: tokenexchange.NewCaches(), refs: 1}, nil
	})
	if err != nil {
		return err
	}
	a.poolKey, a.shared = key, value.(*shared)
	return nil
}

// release gives back what acquire got, once.
func (a *App) release() error {
	if a.poolKey == "" {
		return nil
	}
	key := a.poolKey
	a.poolKey = ""
	_, err := pool.Delete(key)
	return err
}
