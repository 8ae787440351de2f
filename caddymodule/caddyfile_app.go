package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/scopegate/scopegate/tokenexchange"
)

// parseApp parses the global option:
//
//	scopegate {
//		issuer      <url>
//		signing_key generated|file <path>
//		state_key   generated|file <path>
//		store       memory|bolt|redis [{ ... }]
//		users       file <path>
//		users       oidc <issuer> { ... }
//		pages       <directory>
//		demo
//		service <id> <audience> { ... }
//		client  <id> { ... }
//		impersonation { ... }
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option
	if existing != nil {
		return nil, d.Err("scopegate is given twice; expected once")
	}
	if d.NextArg() {
		return nil, d.Errf("scopegate: unrecognized %q; expected a block", d.Val())
	}
	app := new(App)
	w := newWords(d, "scopegate")
	if err := w.each(func() error { return app.parseWord(w) }); err != nil {
		return nil, err
	}
	app.Sources = w.sources
	if app.Issuer == "" {
		return nil, d.Err("scopegate: issuer is missing; expected issuer <url>, such as issuer https://auth.example.com")
	}
	return httpcaddyfile.App{Name: "scopegate", Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) parseWord(w *words) error {
	switch w.Val() {
	case "issuer":
		return w.one(&a.Issuer, "a URL")
	case "demo":
		return w.flag(&a.Demo)
	case "signing_key":
		return parseKeySource(w, &a.SigningKeys)
	case "state_key":
		return parseKeySource(w, &a.StateKeys)
	case "store":
		return a.parseStore(w)
	case "users":
		return a.parseUsers(w)
	case "pages":
		return w.one(&a.PagesDir, "the path of a directory")
	case "service":
		s, err := parseService(w)
		a.Services = append(a.Services, s)
		return err
	case "client":
		c, err := parseClient(w)
		a.Clients = append(a.Clients, c)
		return err
	case "impersonation":
		c, err := parseImpersonation(w)
		a.Impersonation = c
		return err
	}
	return w.unrecognized("issuer, signing_key, state_key, store, users, pages, demo, service, client or impersonation")
}

func parseKeySource(w *words, into *[]KeySource) error {
	word, args := w.Val(), w.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "generated":
		for _, k := range *into {
			if k.Source == "generated" {
				return w.Errf("scopegate: %s generated is given twice; expected once", word)
			}
		}
		*into = append(*into, KeySource{Source: "generated"})
	case len(args) == 2 && args[0] == "file" && args[1] != "":
		*into = append(*into, KeySource{Source: "file", Path: args[1]})
	default:
		return w.Errf("scopegate: %s: unrecognized %q; expected generated, or file and a path; %s", word, strings.Join(args, " "), found(args, 2))
	}
	return w.noBlock(word)
}

func (a *App) parseUsers(w *words) error {
	args := w.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "file" && args[1] != "":
		a.UsersFiles = append(a.UsersFiles, args[1])
		return w.noBlock("users file")
	case len(args) == 2 && args[0] == "oidc" && args[1] != "":
		w.forget("users") // Errors of files count their lines alone.
		p, err := parseProvider(w, args[1])
		a.UsersOIDC = append(a.UsersOIDC, p)
		return err
	}
	return w.Errf("scopegate: users: unrecognized %q; expected file and a path, or oidc and an issuer; %s", strings.Join(args, " "), found(args, 2))
}

// parseService parses:
//
//	service <id> <audience> {
//		permissions       <permission...>
//		upstream_audience <audience>
//	}
func parseService(w *words) (s tokenexchange.ServiceConfig, err error) {
	args := w.RemainingArgs()
	if len(args) != 2 || slices.Contains(args, "") {
		return s, w.Errf("scopegate: service: expected an id and an audience, as in: service shop https://shop.example.com; %s", found(args, 2))
	}
	s.ID, s.Audience = args[0], args[1]
	inner := newWords(w.Dispenser, "service "+s.ID)
	s.Sources = inner.sources
	err = inner.each(func() error {
		switch inner.Val() {
		case "permissions":
			return inner.list(&s.Permissions, "at least one permission")
		case "upstream_audience":
			return inner.one(&s.UpstreamAudience, "an audience")
		}
		return inner.unrecognized("permissions or upstream_audience")
	})
	return s, err
}
