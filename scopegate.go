// Package scopegate registers Scopegate's Caddy modules: the app `scopegate`
// and the handlers `oauth_server` and `guard`. Build it into Caddy:
//
//	xcaddy build v2.11.9 --with github.com/scopegate/scopegate
package scopegate

import _ "github.com/scopegate/scopegate/caddymodule" // registers the modules
