// Command caddy is Caddy with its standard modules and Scopegate: the binary
// of `go run`, of the tests and of profiles. Releases are built by cmd/build.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/scopegate/scopegate"
)

func main() { caddycmd.Main() }
