// Package scopegate registers Scopegate's Caddy modules. Build it into Caddy:
//
//	xcaddy build v2.11.9 --with github.com/scopegate/scopegate
package scopegate
