package caddymodule

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
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

	// The path of a directory with what replaces looks and words of the pages that
	// people see. Placeholders {env.X} are replaced. Default: the built-in pages.
	PagesDir string `json:"pages,omitempty"`

	ctx     caddy.Context
	log     *slog.Logger
	realm   *tokenexchange.Realm // as it was provisioned; what is at work now is in work
	store   StoreModule
	guards  []*Guard
	issuing bool // an oauth_server handler is there

	shared   *shared
	acquired bool
	work     work
	server   atomic.Pointer[tokenexchange.Server]
	ready    chan struct{}          // closed when server and guards are set
	waitsFor atomic.Pointer[string] // why they are not, for who asks; nil before Start
	stops    []func()               // end what runs in the background
	stale    staleness
	number   int64 // of the configurations of this process
	gaveWay  sync.Once
	ended    atomic.Bool // another configuration took over, or the process ends
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
	a.ctx, a.log, a.ready, a.number = ctx, ctx.Slogger(), make(chan struct{}), provisioned.Add(1)
	if err := registerMetrics(ctx); err != nil {
		return err
	}
	var err error
	if a.Issuer, err = expandText(a.Issuer); err != nil {
		return a.at("issuer", 0, err)
	}
	if err := a.readPages(); err != nil {
		return err
	}
	if a.work.reading, err = a.find(files{}); err != nil {
		return err
	}
	a.realm = a.work.realm
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

// readPages reads the pages once: a mistake in a page that somebody is at work on
// must not keep a changed users file from being put to work.
func (a *App) readPages() error {
	dir, err := expandText(a.PagesDir)
	if err == nil {
		a.Pages, err = tokenexchange.ReadPages(dir)
	}
	if err != nil {
		return a.at("pages", 0, err)
	}
	return nil
}

// at places an error in a line of the global option.
func (a *App) at(word string, n int, err error) error {
	return a.Sources.Place("", tokenexchange.InLine(word, n, err))
}

// inForce returns the app whose configuration is in force: this one until
// another took over, also while the process ends. It is nil if the
// configuration that took over has none, or is for another issuer.
func (a *App) inForce() *App {
	if !a.ended.Load() || caddy.Exiting() {
		return a
	}
	return a.sibling()
}

// active returns the app of the running configuration, nil if there is none. A
// configuration that starts does not run yet.
func active() *App {
	app, err := caddy.ActiveContext().AppIfConfigured("scopegate")
	if err != nil {
		return nil
	}
	return app.(*App)
}

// sibling returns the active app if it is for the same issuer, else nil.
func (a *App) sibling() *App {
	if app := active(); app != nil && app.realm.Issuer() == a.realm.Issuer() {
		return app
	}
	return nil
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
