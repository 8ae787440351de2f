package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// warnAdmin says at start that whoever reaches the admin API can take the
// guard away: in a pod that is every container, since they share loopback.
func warnAdmin(h httpcaddyfile.Helper, service string) {
	admin, _ := h.Option("admin").(*caddy.AdminConfig)
	if admin != nil && (admin.Disabled || strings.HasPrefix(admin.Listen, "unix/")) {
		return
	}
	caddy.Log().Named("http.handlers.guard").Warn("the admin API listens on TCP: in a pod, every container can rewrite this guard's rules; use admin off, or a unix socket (guard " + service + ")")
}
