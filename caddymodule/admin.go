package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// warnAdmin says that whoever reaches the admin API can take the guard away: in
// a pod that is every container, since they share loopback, and the names of
// abstract sockets too. Caddy shows the address to the adapter alone, so a
// configuration in JSON is not warned of.
func warnAdmin(h httpcaddyfile.Helper, service string) {
	listen := caddy.DefaultAdminListen
	if admin, _ := h.Option("admin").(*caddy.AdminConfig); admin != nil {
		if admin.Disabled {
			return
		}
		if admin.Listen != "" {
			listen = admin.Listen
		}
	}
	on := "TCP"
	if path, unix := strings.CutPrefix(listen, "unix/"); unix {
		if !strings.HasPrefix(path, "@") {
			return
		}
		on = "an abstract unix socket"
	}
	caddy.Log().Named("http.handlers.guard").Warn("the admin API listens on " + on + ": in a pod, every container can rewrite this guard's rules; use admin off, or a unix socket with a path (guard " + service + ")")
}
