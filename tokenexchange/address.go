package tokenexchange

import (
	"context"
	"net/http"
	"net/netip"
)

// address is where a request comes from, as throttles count it: an IPv4 address,
// or the first 64 bits of an IPv6 one, since one customer gets at least those.
// The zero address is that of all whose address cannot be read.
type address [16]byte

// readAddress reads an IP address, with or without a port.
func readAddress(text string) address {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		port, err := netip.ParseAddrPort(text)
		if err != nil {
			return address{}
		}
		ip = port.Addr()
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.As16()
	}
	prefix, err := ip.Prefix(64) // without its zone
	if err != nil {
		return address{}
	}
	return prefix.Addr().As16()
}

type addressKey struct{}

// WithClientAddress returns a context for requests of the client at this IP
// address. Without it, the client is the peer: behind a proxy all clients would
// be one, and be slowed down together.
func WithClientAddress(ctx context.Context, ip string) context.Context {
	return context.WithValue(ctx, addressKey{}, readAddress(ip))
}

// located returns the request with an address in its context.
func located(r *http.Request) *http.Request {
	if _, known := r.Context().Value(addressKey{}).(address); known {
		return r
	}
	return r.WithContext(WithClientAddress(r.Context(), r.RemoteAddr))
}

// addressOf returns the address in a context.
func addressOf(ctx context.Context) address {
	a, _ := ctx.Value(addressKey{}).(address)
	return a
}
