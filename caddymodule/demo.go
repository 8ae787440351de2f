package caddymodule

import (
	"fmt"
	"net"

	"github.com/caddyserver/caddy/v2"
)

// onlyLoopback is the limit of demo: literal secrets are known to everybody
// who read the example.
func onlyLoopback(listen []string) error {
	for _, address := range listen {
		parsed, err := caddy.ParseNetworkAddress(address)
		if err != nil {
			return fmt.Errorf("listener %s: %w", address, err)
		}
		ip := net.ParseIP(parsed.Host)
		if parsed.IsUnixNetwork() || parsed.Host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		return fmt.Errorf("the listener %s can be reached by strangers; expected loopback, as with the global option default_bind 127.0.0.1", address)
	}
	return nil
}
