package caddymodule

import (
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkProxies warns of a token endpoint whose throttles count an address that the
// caller made up. A proxy appends whom it saw to what the caller sent, and Caddy
// takes the first address of that, unless it is told to be strict.
func (w *walk) checkProxies() {
	if w.issues && trustsProxies(w.server) && w.server.TrustedProxiesStrict <= 0 {
		w.app.log.Warn("trusted_proxies without trusted_proxies_strict beside oauth_server: of "+strings.Join(w.server.ClientIPHeaders, ", ")+
			" the first address is believed, which the caller can write, so who guesses secrets is not slowed down; expected trusted_proxies_strict too",
			"site", strings.Join(w.server.Listen, " "))
	}
}

// trustsProxies reports whether a server believes any peer's word on where a
// request comes from. Caddy shows its proxies to nobody once they are loaded;
// whether there are any can still be seen.
func trustsProxies(server *caddyhttp.Server) bool {
	proxies := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return server.TrustedProxiesUnix || proxies.IsValid() && !proxies.IsNil()
}
