package tokenexchange

import (
	"net/http/httptest"
	"testing"
)

func TestReadAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"203.0.113.1", "203.0.113.1", true},
		{"203.0.113.1", "203.0.113.1:80", true},
		{"203.0.113.1", "203.0.113.2", false},
		{"203.0.113.1", "::ffff:203.0.113.1", true},
		{"203.0.113.1:1", "[::ffff:203.0.113.1]:2", true},
		{"::ffff:203.0.113.1", "::ffff:203.0.113.2", false},
		{"203.0.113.1", "::203.0.113.1", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "[2001:db8:1:2::2]:443", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"fe80::1%eth0", "[fe80::1%eth0]:80", true},
		{"", "@", true},
		{"", "a unix socket", true},
		{"203.0.113.1 ", "", true},
		{"", "203.0.113.1", false},
	} {
		if got := readAddress(c.a) == readAddress(c.b); got != c.same {
			t.Errorf("%q and %q: got the same %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

// The address that was handed in counts, and the record has the peer.
func TestClientAddress(t *testing.T) {
	h := newHouse(t)
	try := func(peer, client string) got {
		r := form("grant_type=client_credentials")
		r.RemoteAddr = peer
		r.SetBasicAuth("nightly", wrongSecret)
		if client != "" {
			r = r.WithContext(WithClientAddress(r.Context(), client))
		}
		return h.do(r)
	}
	for range 30 {
		try("10.0.0.1:1", "203.0.113.1").refused(t, 401, "invalid_client", "client_authentication")
	}
	g := try("10.0.0.2:1", "203.0.113.1")
	g.slowed(t, 5)
	if g.record["peer"] != "10.0.0.2:1" {
		t.Errorf("got the peer %v, want 10.0.0.2:1", g.record["peer"])
	}
	try("10.0.0.1:1", "203.0.113.2").refused(t, 401, "invalid_client", "client_authentication")
	try("10.0.0.1:1", "").refused(t, 401, "invalid_client", "client_authentication")
	try("203.0.113.1:1", "").slowed(t, 5)
	if r := located(httptest.NewRequest("GET", "/", nil)); addressOf(r.Context()) != readAddress("192.0.2.1") || located(r) != r {
		t.Error("a request is located twice, or not by its peer")
	}
}
