package caddymodule

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/tokenexchange"
)

// files are what the files that a configuration names held at one time, by path.
// Each is read once, so that one content stands for it wherever it is named, and
// what later looks are compared with is what was used.
type files map[string]file

type file struct {
	data []byte
	err  error
}

type fileDigest [sha256.Size]byte

func (f files) read(path string) ([]byte, error) {
	got, ok := f[path]
	if !ok {
		got.data, got.err = tokenexchange.ReadFile(path)
		f[path] = got
	}
	return got.data, got.err
}

// digests tells the contents from others, and keeps none of them.
func (f files) digests() map[string]fileDigest {
	digests := make(map[string]fileDigest, len(f))
	for path, got := range f {
		digests[path] = sha256.Sum256(got.data)
	}
	return digests
}

// reading is what a configuration makes of its files.
type reading struct {
	realm   *tokenexchange.Realm
	signing []tokenexchange.SigningKey // of files, in their order
	state   []stateKey                 // of files, in their order
	digests map[string]fileDigest      // of all files, by path
}

// find reads the files and compiles the configuration, whose references stay as
// they were written: it can be done again when a file has changed.
func (a *App) find(f files) (out reading, err error) {
	users := make([]string, len(a.UsersFiles))
	for i, path := range a.UsersFiles {
		if users[i], err = expandText(path); err != nil {
			return out, a.at("users", i, err)
		}
	}
	cfg := a.Config
	cfg.Clients = slices.Clone(cfg.Clients)
	for i := range cfg.Clients {
		c := &cfg.Clients[i]
		c.Secrets = nil
		for n, ref := range c.SecretRefs {
			secret, err := f.secret(ref, a.Demo)
			if err != nil {
				return out, c.Sources.Place("client "+c.ID, tokenexchange.InLine("secret", n, err))
			}
			c.Secrets = append(c.Secrets, secret)
		}
		if err := f.assertionKeys(c); err != nil {
			return out, c.Sources.Place("client "+c.ID, tokenexchange.InLine("jwks_file", 0, err))
		}
	}
	cfg.UsersOIDC = slices.Clone(cfg.UsersOIDC)
	for i := range cfg.UsersOIDC {
		p := &cfg.UsersOIDC[i]
		if err := f.provider(p, a.Demo); err != nil {
			return out, p.Sources.Place("users oidc "+p.Issuer, err)
		}
	}
	if out.signing, err = keysOf(a, f, "signing_key", a.SigningKeys, tokenexchange.ParseSigningKey, tokenexchange.SigningKey.ID); err != nil {
		return out, err
	}
	if out.state, err = keysOf(a, f, "state_key", a.StateKeys, parseStateKey, func(k stateKey) keyDigest { return k.digest }); err != nil {
		return out, err
	}
	out.realm, err = tokenexchange.CompileFrom(cfg, users, f.read)
	out.digests = f.digests()
	return out, err
}

// keysOf reads the keys that are files, in their order. Which one signs or seals
// goes by the order, so one key has one line.
func keysOf[K any, ID comparable](a *App, f files, word string, sources []KeySource, parse func([]byte) (K, error), id func(K) ID) (keys []K, err error) {
	paths := map[ID]string{}
	for i, src := range sources {
		data, err := f.key(src)
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
		if first, given := paths[id(key)]; given {
			return nil, a.at(word, i, fmt.Errorf("file %s: the same key is given twice; expected each once, as in file %s", src.Path, first))
		}
		keys, paths[id(key)] = append(keys, key), src.Path
	}
	return keys, nil
}

// key returns the file's content, or nil for a generated key.
func (f files) key(k KeySource) ([]byte, error) {
	switch k.Source {
	case "generated":
		return nil, nil
	case "file":
		path, err := expandText(k.Path)
		if err != nil {
			return nil, err
		}
		data, err := f.read(path)
		if err != nil {
			return nil, fmt.Errorf("reading the file: %w", err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("unrecognized source %q; expected generated or file", k.Source)
}

// assertionKeys reads the file of a client's public keys, if it has one.
func (f files) assertionKeys(c *tokenexchange.ClientConfig) error {
	if c.JWKSFile == "" {
		return nil
	}
	path, err := expandText(c.JWKSFile)
	if err != nil {
		return err
	}
	if c.JWKS, err = f.read(path); err != nil {
		return fmt.Errorf("reading the file: %w", err)
	}
	return nil
}
