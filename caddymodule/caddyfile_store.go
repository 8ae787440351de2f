package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// parseStore parses:
//
//	store memory
//	store bolt [{
//		path <path>
//	}]
//	store redis {
//		address           <host:port...>
//		username          <name>
//		password          {env.X}|{file.X}
//		database          <number>
//		key_prefix        <text>
//		master_name       <name>
//		sentinel_username <name>
//		sentinel_password {env.X}|{file.X}
//		tls [{
//			ca_file     <path>
//			server_name <name>
//			cert_file   <path>
//			key_file    <path>
//		}]
//		wait_replicas     <number>
//	}
func (a *App) parseStore(w *words) error {
	if err := w.once(); err != nil {
		return err
	}
	args := w.RemainingArgs()
	if len(args) != 1 {
		return w.Errf("scopegate: store: expected memory, bolt or redis, %s", found(args, 1))
	}
	inner := newWords(w.Dispenser, "store "+args[0])
	var store any
	var err error
	switch args[0] {
	case "memory":
		store, err = new(MemoryStore), w.noBlock("store memory")
	case "bolt":
		bolt := &BoltStore{Sources: inner.sources}
		store, err = bolt, inner.eachOf("path", func() error { return bolt.parseWord(inner) })
	case "redis":
		redis := &RedisStore{Sources: inner.sources}
		store, err = redis, inner.eachOf("address", func() error { return redis.parseWord(inner) })
		if err == nil && len(redis.Addresses) == 0 {
			err = w.Errf("store redis: address is missing; expected address <host:port>, such as address {env.REDIS_ADDR}")
		}
	default:
		err = w.Errf("scopegate: store: unrecognized %q; expected memory, bolt or redis", args[0])
	}
	if err == nil {
		a.StoreRaw = caddyconfig.JSONModuleObject(store, "module", args[0], nil)
	}
	return err
}

func (b *BoltStore) parseWord(w *words) error {
	if w.Val() == "path" {
		return w.one(&b.Path, "a path")
	}
	return w.unrecognized("path")
}

func (r *RedisStore) parseWord(w *words) error {
	switch w.Val() {
	case "address":
		return w.list(&r.Addresses, "at least one host:port")
	case "username":
		return w.one(&r.Username, "a name")
	case "password":
		return w.one(&r.Password, "{env.X} or {file.X}")
	case "database":
		return w.number(&r.Database)
	case "key_prefix":
		return w.one(&r.KeyPrefix, "a text such as scopegate")
	case "master_name":
		return w.one(&r.MasterName, "the name that the Sentinels know")
	case "sentinel_username":
		return w.one(&r.SentinelUsername, "a name")
	case "sentinel_password":
		return w.one(&r.SentinelPassword, "{env.X} or {file.X}")
	case "wait_replicas":
		return w.number(&r.WaitReplicas)
	case "tls":
		return r.parseTLS(w)
	}
	return w.unrecognized("address, username, password, database, key_prefix, master_name, sentinel_username, sentinel_password, tls or wait_replicas")
}

func (r *RedisStore) parseTLS(w *words) error {
	if err := w.once(); err != nil {
		return err
	}
	if args := w.RemainingArgs(); len(args) > 0 {
		return w.Errf("%s: tls: unrecognized %q; expected a block, or nothing for the system's roots", w.block, args[0])
	}
	inner := newWords(w.Dispenser, w.block+": tls")
	r.TLS = &RedisTLS{Sources: inner.sources}
	return inner.eachOf("ca_file, server_name, cert_file or key_file, or tls without a block", func() error {
		switch inner.Val() {
		case "ca_file":
			return inner.one(&r.TLS.CAFile, "the path of a PEM file")
		case "server_name":
			return inner.one(&r.TLS.ServerName, "a host name")
		case "cert_file":
			return inner.one(&r.TLS.CertFile, "the path of a PEM file")
		case "key_file":
			return inner.one(&r.TLS.KeyFile, "the path of a PEM file")
		}
		return inner.unrecognized("ca_file, server_name, cert_file or key_file")
	})
}
