package caddymodule

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// failures guesses a client's secret through a proxy that says for whom, and
// returns how often until the guesses are slowed down.
func (w liveWorld) failures(t *testing.T, forwardedFor string) int {
	t.Helper()
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {"nightly"}, "client_secret": {"wrong-wrong-wrong-wrong-wrong"}}.Encode()
	for n := range 100 {
		r, err := http.NewRequest("POST", w.url("/oauth2/token"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", forwardedFor)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		switch wait := res.Header.Get("Retry-After"); {
		case res.StatusCode == 401:
		case res.StatusCode == 429 && wait != "" && wait != "0":
			return n
		default:
			t.Fatalf("got %d, Retry-After: %q, want 401, or 429 and some seconds", res.StatusCode, wait)
		}
	}
	t.Fatal("guesses are not slowed down")
	return 0
}

// Throttles count the address that Caddy knows, which is the peer's unless that
// is a trusted proxy, and a reload does not forget who was guessing. Thirty guesses
// are free, and one every 5 seconds after them: a slow machine may make a few.
func TestThrottles(t *testing.T) {
	w := newLive(t)
	plain := live(boltAt("a.db"), "")
	trusting := strings.Replace(plain, "\tadmin off\n", "\tadmin off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8 ::1/128\n\t}\n", 1)
	w.start(t, trusting)
	guess := func(from string, fresh bool) {
		t.Helper()
		if got := w.failures(t, from); got >= 30 != fresh {
			t.Errorf("from %s: got %d guesses, want that of an address that is new: %v", from, got, fresh)
		}
	}
	guess("203.0.113.1", true)
	guess("203.0.113.1", false)
	guess("203.0.113.2", true)
	guess("2001:db8:1:2::1", true)
	guess("2001:db8:1:2::2", false)
	guess("2001:db8:1:3::2", true)
	if err := w.load(strings.Replace(trusting, "respond behind", "respond beyond", 1)); err != nil {
		t.Fatal(err)
	}
	guess("203.0.113.2", false)

	// Nobody is trusted now: what the peer says of others does not count.
	if err := w.load(plain); err != nil {
		t.Fatal(err)
	}
	guess("203.0.113.3", true)
	guess("203.0.113.4", false)
}
