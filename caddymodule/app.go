package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/tokenexchange"
)

// App is the issuer of this process: its services, clients, users, keys and
// store. Handlers of the HTTP app work for it.
type App struct {
	tokenexchange.Config

	// The keys that sign tokens. Of each algorithm the first signs, all verify.
	// Default: generated, one ES256 and one RS256 key, in Caddy's storage.
	SigningKeys []KeySource `json:"signing_keys,omitempty"`

	// The keys that seal state. The first seals, all open. Default: generated,
	// in Caddy's storage.
	StateKeys []KeySource `json:"state_keys,omitempty"`

	// Where state is kept. Default: memory without clients and users, else a
	// file in Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=scopegate.stores inline_key=module"`

	// Paths of users files. Placeholders {env.X} are replaced.
	UsersFiles []string `json:"users_files,omitempty"`

	ctx     caddy.Context
	log     *slog.Logger
	realm   *tokenexchange.Realm
	store   StoreModule
	signing []tokenexchange.SigningKey // from files
	state   []tokenexchange.StateKey   // from files
	guards  []*Guard
	issuing bool // an oauth_server handler is there

	shared   *shared
	acquired bool
	server   atomic.Pointer[tokenexchange.Server]
	ready    chan struct{} // closed when server and guards are set
	ended    atomic.Bool   // another configuration took over, or the process ends
}

// KeySource says where a key comes from.
type KeySource struct {
	// "generated" or "file".
	Source string `json:"source"`
	// The path of the file. Placeholders {env.X} are replaced.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "scopegate", New: func() caddy.Module { return new(App) }}
}

// Provision checks everything that can be known without a store, a key that
// has to be made, or the network: `caddy validate` runs it too.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log, a.ready = ctx, ctx.Slogger(), make(chan struct{})
	if err := a.resolve(); err != nil {
		return err
	}
	if err := a.readKeys(); err != nil {
		return err
	}
	var err error
	if a.realm, err = tokenexchange.Compile(a.Config, a.UsersFiles); err != nil {
		return err
	}
	if err := a.loadStore(); err != nil {
		return err
	}
	// Guards get their rules from here, once all routes are provisioned. They
	// never ask for this app themselves, so the apps load in either order.
	switch httpApp, err := ctx.AppIfConfigured("http"); {
	case err == nil:
		return a.bind(httpApp.(*caddyhttp.App))
	case !errors.Is(err, caddy.ErrNotConfigured):
		return err
	}
	return nil
}

// resolve replaces placeholders. An unset variable or an empty or unreadable
// file is an error here; Caddy itself would go on with "".
func (a *App) resolve() error {
	var err error
	if a.Issuer, err = expandText("issuer", a.Issuer); err != nil {
		return err
	}
	for i := range a.UsersFiles {
		if a.UsersFiles[i], err = expandText("users file", a.UsersFiles[i]); err != nil {
			return err
		}
	}
	for i := range a.Clients {
		c := &a.Clients[i]
		c.Secrets = nil
		for _, ref := range c.SecretRefs {
			secret, err := resolveSecret(ref, a.Demo)
			if err != nil {
				return fmt.Errorf("client %s: secret: %w", c.ID, err)
			}
			c.Secrets = append(c.Secrets, secret)
		}
	}
	return nil
}

func (a *App) readKeys() (err error) {
	if a.signing, err = fromFiles("signing_key", a.SigningKeys, tokenexchange.ParseSigningKey); err != nil {
		return err
	}
	a.state, err = fromFiles("state_key", a.StateKeys, tokenexchange.ParseStateKey)
	return err
}

// fromFiles reads the keys that are files, in their order.
func fromFiles[K any](setting string, sources []KeySource, parse func([]byte) (K, error)) (keys []K, err error) {
	for _, src := range sources {
		data, err := src.read(setting)
		if err != nil {
			return nil, err
		}
		if data == nil {
			continue
		}
		key, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s file %s: %w", setting, src.Path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// read returns the file's content, or nil for a generated key.
func (k KeySource) read(setting string) ([]byte, error) {
	switch k.Source {
	case "generated":
		return nil, nil
	case "file":
		path, err := expandText(setting, k.Path)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s file: %w", setting, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s: unrecognized source %q; expected generated or file", setting, k.Source)
}

// Start opens the store, loads or makes the keys and lets requests in.
func (a *App) Start() error {
	for _, w := range a.realm.Warnings() {
		a.log.Warn(w)
	}
	if len(a.Clients) > 0 && !a.issuing {
		a.log.Warn("there are clients, but no site has oauth_server: nobody can get a token from this process")
	}
	signing, state, err := a.keys()
	if err != nil {
		return err
	}
	if err := a.acquire(); err != nil {
		return err
	}
	records, err := tokenexchange.NewState(a.shared.store, a.realm.Issuer(), state, nil, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.ctx, startTimeout)
	defer cancel()
	epoch, err := records.Epoch(ctx)
	if err != nil {
		return fmt.Errorf("reading the store's epoch: %w", err)
	}
	server, err := tokenexchange.New(a.realm, tokenexchange.Runtime{
		SigningKeys: signing, StateKeys: state, Store: a.shared.store,
		Caches: a.shared.caches, Epoch: epoch, Log: a.log,
	})
	if err != nil {
		return err
	}
	for _, g := range a.guards {
		if err := g.start(server); err != nil {
			return err
		}
	}
	a.server.Store(server)
	close(a.ready)
	return nil
}

// startTimeout bounds what Start waits for.
const startTimeout = 10 * time.Second

// Stop only notes the end: requests that still run use the server that they
// began with, and Cleanup gives back what it needs.
func (a *App) Stop() error {
	a.ended.Store(true)
	return nil
}

// Cleanup gives back the store and the caches. The last user closes them.
func (a *App) Cleanup() error { return a.release() }

// readyTimeout is how long a request waits for Start: apps start in any order,
// so the first requests can come before.
const readyTimeout = 5 * time.Second

// waitReady reports whether the app has started, and waits a little for it.
func (a *App) waitReady(ctx context.Context) bool {
	if a.server.Load() != nil {
		return true
	}
	wait := time.NewTimer(readyTimeout)
	defer wait.Stop()
	select {
	case <-a.ready:
		return true
	case <-ctx.Done():
	case <-a.ctx.Done(): // The configuration was refused while it started.
	case <-wait.C:
	}
	return false
}

// inForce returns the app whose configuration is in force: this one until
// another took over, also while the process ends. It is nil if the
// configuration that took over has none, or is for another issuer.
func (a *App) inForce() *App {
	if !a.ended.Load() || caddy.Exiting() {
		return a
	}
	other, err := caddy.ActiveContext().AppIfConfigured("scopegate")
	if err != nil {
		return nil
	}
	if app := other.(*App); app.realm.Issuer() == a.realm.Issuer() {
		return app
	}
	return nil
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
