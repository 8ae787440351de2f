package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

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
	state   []stateKey                 // from files
	sealing []keyDigest                // of all state keys, since Start
	guards  []*Guard
	issuing bool // an oauth_server handler is there

	shared   *shared
	acquired bool
	detach   func() // takes the state keys back from the revocations; nil before the epoch was read
	server   atomic.Pointer[tokenexchange.Server]
	ready    chan struct{}          // closed when server and guards are set
	waitsFor atomic.Pointer[string] // why they are not, for who asks; nil before Start
	stop     func()                 // ends what runs in the background
	ended    atomic.Bool            // another configuration took over, or the process ends
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
	if err := registerMetrics(ctx); err != nil {
		return err
	}
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

// resolve replaces placeholders.
func (a *App) resolve() error {
	var err error
	if a.Issuer, err = expandText(a.Issuer); err != nil {
		return a.at("issuer", 0, err)
	}
	for i := range a.UsersFiles {
		if a.UsersFiles[i], err = expandText(a.UsersFiles[i]); err != nil {
			return a.at("users", i, err)
		}
	}
	for i := range a.Clients {
		c := &a.Clients[i]
		c.Secrets = nil
		for n, ref := range c.SecretRefs {
			secret, err := resolveSecret(ref, a.Demo)
			if err != nil {
				return c.Sources.Place("client "+c.ID, tokenexchange.InLine("secret", n, err))
			}
			c.Secrets = append(c.Secrets, secret)
		}
		if err := readAssertionKeys(c); err != nil {
			return c.Sources.Place("client "+c.ID, tokenexchange.InLine("jwks_file", 0, err))
		}
	}
	return nil
}

// at places an error in a line of the global option.
func (a *App) at(word string, n int, err error) error {
	return a.Sources.Place("", tokenexchange.InLine(word, n, err))
}

func (a *App) readKeys() (err error) {
	if a.signing, err = fromFiles(a, "signing_key", a.SigningKeys, tokenexchange.ParseSigningKey); err != nil {
		return err
	}
	a.state, err = fromFiles(a, "state_key", a.StateKeys, parseStateKey)
	return err
}

// fromFiles reads the keys that are files, in their order.
func fromFiles[K any](a *App, word string, sources []KeySource, parse func([]byte) (K, error)) (keys []K, err error) {
	for i, src := range sources {
		data, err := src.read()
		if err != nil {
			return nil, a.at(word, i, err)
		}
		if data == nil {
			continue
		}
		key, err := parse(data)
		if err != nil {
			return nil, a.at(word, i, fmt.Errorf("file %s: %w", src.Path, err))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// read returns the file's content, or nil for a generated key.
func (k KeySource) read() ([]byte, error) {
	switch k.Source {
	case "generated":
		return nil, nil
	case "file":
		path, err := expandText(k.Path)
		if err != nil {
			return nil, err
		}
		data, err := tokenexchange.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the file: %w", err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("unrecognized source %q; expected generated or file", k.Source)
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
