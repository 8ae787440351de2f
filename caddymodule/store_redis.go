package caddymodule

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
)

// RedisStore keeps state in Redis, for many processes on many machines. In all
// texts but passwords placeholders such as {env.X} are replaced.
type RedisStore struct {
	// host:port. One is a single server, several are seeds of a Cluster, and with
	// master_name they are Sentinels.
	Addresses []string `json:"addresses,omitempty"`
	// The ACL user. Needs a password.
	Username string `json:"username,omitempty"`
	// {env.X} or {file.X}, read for each new connection. A literal only with demo.
	Password string `json:"password,omitempty"`
	// The number to SELECT. Default: 0. A Cluster has no other.
	Database int `json:"database,omitempty"`
	// What every key begins with. Default: scopegate.
	KeyPrefix string `json:"key_prefix,omitempty"`
	// The name of the server that the Sentinels watch.
	MasterName string `json:"master_name,omitempty"`
	// How to log in to the Sentinels: as above, but read at each load only.
	SentinelUsername string `json:"sentinel_username,omitempty"`
	SentinelPassword string `json:"sentinel_password,omitempty"`
	// Encrypts every connection. Default: none.
	TLS *RedisTLS `json:"tls,omitempty"`
	// How many replicas must have a write before it counts. Default: 0.
	WaitReplicas int `json:"wait_replicas,omitempty"`

	// Where the block was written, for errors.
	Sources tokenexchange.Sources `json:"sources,omitempty"`

	options  redisstore.Options
	sentinel [sha256.Size]byte // of the Sentinels' password
}

// RedisTLS says how servers are recognised, and how they recognise us. The zero
// value trusts the system's roots.
type RedisTLS struct {
	// PEM of the only roots to trust. Default: the system's.
	CAFile string `json:"ca_file,omitempty"`
	// The name to expect in the certificate. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`
	// What to show to a server that asks: PEM, both or none.
	CertFile string `json:"cert_file,omitempty"`
	KeyFile  string `json:"key_file,omitempty"`

	// Where the block was written, for errors.
	Sources tokenexchange.Sources `json:"sources,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "scopegate.stores.redis", New: func() caddy.Module { return new(RedisStore) }}
}

// Identity is the data that the settings lead to.
func (r *RedisStore) Identity() string { return r.options.Identity() }

// Open connects to nothing.
func (r *RedisStore) Open() (tokenexchange.Store, io.Closer, error) {
	s, err := redisstore.Open(r.options)
	if err != nil {
		return nil, nil, err
	}
	return s, s, nil
}

// Remote is true.
func (*RedisStore) Remote() bool { return true }

// prepare checks the settings and reads the files that they name.
func (r *RedisStore) prepare(a *App) error {
	if err := a.checkSharedKeys(); err != nil {
		return err
	}
	if err := r.resolve(a); err != nil {
		return r.Sources.Place("store redis", err)
	}
	if r.TLS != nil {
		var err error
		if r.options.TLS, err = r.TLS.read(); err != nil {
			return r.TLS.Sources.Place("store redis: tls", err)
		}
	}
	// Open makes no connection, and knows what goes together.
	s, err := redisstore.Open(r.options)
	if err != nil {
		return r.Sources.Place("store redis", err)
	}
	return s.Close()
}

// checkSharedKeys refuses generated keys beside a store that other machines
// use: each would make its own, and refuse what the others issued and sealed.
func (a *App) checkSharedKeys() error {
	if _, local := a.ctx.Storage().(*certmagic.FileStorage); !local {
		return nil
	}
	for _, k := range []struct {
		word    string
		sources []KeySource
	}{{"signing_key", a.SigningKeys}, {"state_key", a.StateKeys}} {
		wrong := fmt.Errorf("store redis is for many machines, and a generated %s would stay on this one; expected %s file <path>, or a storage that all of them share", k.word, k.word)
		if len(k.sources) == 0 {
			return a.at("store", 0, wrong)
		}
		if i := slices.IndexFunc(k.sources, func(s KeySource) bool { return s.Source != "file" }); i >= 0 {
			return a.at(k.word, i, wrong)
		}
	}
	return nil
}

// resolve makes the options of the settings.
func (r *RedisStore) resolve(a *App) (err error) {
	o := redisstore.Options{
		Issuer: a.realm.Issuer(), Database: r.Database, WaitReplicas: r.WaitReplicas, Addresses: slices.Clone(r.Addresses),
	}
	for i := range o.Addresses {
		if o.Addresses[i], err = expandText(o.Addresses[i]); err != nil {
			return tokenexchange.InLine("address", 0, err)
		}
	}
	for _, t := range []struct {
		word, text string
		into       *string
	}{
		{"username", r.Username, &o.Username},
		{"key_prefix", r.KeyPrefix, &o.KeyPrefix},
		{"master_name", r.MasterName, &o.MasterName},
		{"sentinel_username", r.SentinelUsername, &o.SentinelUsername},
	} {
		if *t.into, err = expandText(t.text); err != nil {
			return tokenexchange.InLine(t.word, 0, err)
		}
	}
	if o.Password, err = password("password", r.Password, a.Demo); err != nil {
		return err
	}
	if o.SentinelPassword, err = password("sentinel_password", r.SentinelPassword, a.Demo); err != nil {
		return err
	}
	if o.SentinelPassword != nil {
		text, err := o.SentinelPassword()
		if err != nil {
			return tokenexchange.InLine("sentinel_password", 0, err)
		}
		r.sentinel = sha256.Sum256([]byte(text))
	}
	r.options = o
	return nil
}

// password reads the reference once, so that a wrong one is a load error, and
// then for each connection, so that a file can be replaced.
func password(word, ref string, demo bool) (func() (string, error), error) {
	if ref == "" {
		return nil, nil
	}
	read := func() (string, error) { return resolvePassword(ref, demo) }
	_, err := read()
	return read, tokenexchange.InLine(word, 0, err)
}

// read reads the files.
func (t *RedisTLS) read() (*redisstore.TLS, error) {
	out := new(redisstore.TLS)
	var err error
	if out.ServerName, err = expandText(t.ServerName); err != nil {
		return nil, tokenexchange.InLine("server_name", 0, err)
	}
	var cert, key []byte
	for _, f := range []struct {
		word, path string
		into       *[]byte
	}{{"ca_file", t.CAFile, &out.CA}, {"cert_file", t.CertFile, &cert}, {"key_file", t.KeyFile, &key}} {
		if f.path == "" {
			continue
		}
		path, err := expandText(f.path)
		if err == nil {
			*f.into, err = tokenexchange.ReadFile(path)
		}
		if err != nil {
			return nil, tokenexchange.InLine(f.word, 0, err)
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
		return out, nil
	case t.CertFile == "" || t.KeyFile == "":
		return nil, errors.New("cert_file and key_file belong together; expected both or none")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, tokenexchange.InLine("cert_file", 0, fmt.Errorf("%w; expected the PEM of a certificate, and in key_file that of its key", err))
	}
	out.Client = &pair
	return out, nil
}

// reached reports whether an open store is reached as these settings say. Only
// those of Redis can change while the data stays the same: a password, a CA.
func reached(opened, wanted StoreModule) bool {
	was, ok := opened.(*RedisStore)
	is, both := wanted.(*RedisStore)
	if !ok || !both {
		return true
	}
	// A password in a file may change: it is read for each new connection. That
	// of the Sentinels is read once.
	return was.Password == is.Password && was.sentinel == is.sentinel && reflect.DeepEqual(was.values(), is.values())
}

// values are the settings with everything that they name read, without what
// reads passwords.
func (r *RedisStore) values() redisstore.Options {
	o := r.options
	o.Password, o.SentinelPassword = nil, nil
	return o
}
