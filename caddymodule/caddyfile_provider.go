package caddymodule

import (
	"slices"

	"github.com/scopegate/scopegate/tokenexchange"
)

// parseProvider parses:
//
//	users oidc <issuer> {
//		client_id     <id>
//		client_secret {env.X}|{file.X}
//		display_name  <name>
//		domain        <domain>
//		scope         <word...>
//		org           <id>
//		map           <claim> <value> <permission> <pattern...>
//		map           <claim> <value> role <role...>
//		ca_file       <path>
//	}
func parseProvider(w *words, issuer string) (tokenexchange.ProviderConfig, error) {
	inner := newWords(w.Dispenser, "users oidc "+issuer)
	p := tokenexchange.ProviderConfig{Issuer: issuer, Sources: inner.sources}
	return p, inner.eachOf("client_id, client_secret, org and map", func() error {
		switch inner.Val() {
		case "client_id":
			return inner.one(&p.ClientID, "what the provider calls this server")
		case "client_secret":
			return inner.one(&p.ClientSecretRef, "{env.X} or {file.X}")
		case "display_name":
			return inner.one(&p.DisplayName, "a name")
		case "domain":
			return inner.one(&p.Domain, "a domain such as corp")
		case "scope":
			return inner.list(&p.Scope, "at least one word")
		case "org":
			return inner.one(&p.Org, "the id of an organization")
		case "map":
			return parseMapLine(inner, &p.Map)
		case "ca_file":
			return inner.one(&p.CAFile, "a path")
		}
		return inner.unrecognized("client_id, client_secret, display_name, domain, scope, org, map or ca_file")
	})
}

// parseMapLine parses a line that gives something to whoever has a claim.
func parseMapLine(w *words, into *[]tokenexchange.MapLine) error {
	args := w.RemainingArgs()
	if len(args) < 4 || slices.Contains(args, "") {
		return w.Errf("%s: map: expected a claim, its value, and SERVICE/PERMISSION and at least one resource pattern, or role and at least one role; %s", w.block, found(args, 4))
	}
	line := tokenexchange.MapLine{Claim: args[0], Value: args[1]}
	if args[2] == "role" {
		line.Roles = args[3:]
	} else {
		line.Permission, line.Patterns = args[2], args[3:]
	}
	*into = append(*into, line)
	return w.noBlock("map")
}
