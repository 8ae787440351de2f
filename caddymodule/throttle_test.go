package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// guess tries a wrong secret through a proxy that says for whom.
func (w liveWorld) guess(t *testing.T, forwardedFor string) *http.Response {
	t.Helper()
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {"nightly"}, "client_secret": {"wrong-wrong-wrong-wrong-wrong"}}.Encode()
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
	return res
}

// failures returns how often a secret can be guessed until that is slowed down.
func (w liveWorld) failures(t *testing.T, forwardedFor string) int {
	t.Helper()
	for n := range 100 {
		res := w.guess(t, forwardedFor)
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

// trusting makes this machine a trusted proxy.
func trusting(config, more string) string {
	return strings.Replace(config, "\tadmin off\n", "\tadmin off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8 ::1/128\n\t\t"+more+"\n\t}\n", 1)
}

// TestAddressOfTheGuesser guesses through a trusted proxy that appends whom it saw
// to what the guesser sent, another address each time. He is slowed down where Caddy
// is strict with proxies; where it is not, the log says so at the start.
func TestAddressOfTheGuesser(t *testing.T) {
	const warning = "trusted_proxies without trusted_proxies_strict"
	w := newLive(t)
	w.start(t, trusting(live("\t\tstore memory\n", ""), "trusted_proxies_strict"))
	slowed := 0
	for n := range 60 {
		if res := w.guess(t, fmt.Sprintf("198.51.100.%d, 203.0.113.66", n)); res.StatusCode == 429 {
			slowed++
		}
	}
	if slowed == 0 {
		t.Error("with trusted_proxies_strict: no guess was slowed down")
	}
	if got := w.warnings(warning); got != 0 {
		t.Errorf("with trusted_proxies_strict: got %d warnings, want none", got)
	}
	if err := w.load(trusting(live("\t\tstore memory\n", ""), "")); err != nil {
		t.Fatal(err)
	}
	if got := w.warnings(warning); got != 1 {
		t.Errorf("without: got %d warnings, want 1", got)
	}
}

// Throttles count the address that Caddy knows, which is the peer's unless that
// is a trusted proxy, and a reload does not forget who was guessing. Thirty guesses
// are free, and one every 5 seconds after them: a slow machine may make a few.
func TestThrottles(t *testing.T) {
	w := newLive(t)
	plain := live(boltAt("a.db"), "")
	trusting := trusting(plain, "trusted_proxies_strict")
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
