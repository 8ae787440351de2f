package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(OAuthServer))
	caddy.RegisterModule(new(Guard))
	caddy.RegisterModule(new(MemoryStore))
	caddy.RegisterModule(new(BoltStore))
	caddy.RegisterModule(new(RedisStore))

	httpcaddyfile.RegisterGlobalOption("scopegate", parseApp)
	httpcaddyfile.RegisterHandlerDirective("oauth_server", parseOAuthServer)
	httpcaddyfile.RegisterDirective("guard", parseGuard)
	// In this order: the token endpoint of a site answers before its guard.
	httpcaddyfile.RegisterDirectiveOrder("oauth_server", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("guard", httpcaddyfile.Before, "basic_auth")

	caddycmd.RegisterCommand(tokenCommand)
}
