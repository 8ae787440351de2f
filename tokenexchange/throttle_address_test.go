package tokenexchange

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Who fails from many addresses slows a name down everywhere but where it is
// familiar.
func TestNamesAreSlowedWhereTheyAreNotFamiliar(t *testing.T) {
	for _, c := range []struct {
		name           string
		fail, right    func(h *house, from string) got
		atOnce, others int // from one address, from all
		seconds        int
	}{
		{
			"client", func(h *house, from string) got { return h.bySecret(from, "nightly", wrongSecret) },
			func(h *house, from string) got { return h.bySecret(from, "nightly", secretOf("nightly")) }, 30, 1000, 1,
		},
		{
			"user", func(h *house, from string) got { return h.byPassword(from, "ada", "wrong") },
			func(h *house, from string) got { return h.byPassword(from, "ada", password) }, 10, 30, 30,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			const home, abroad = "203.0.113.1", "203.0.113.2"
			c.right(h, home).granted(t)
			for i := range c.others {
				if g := c.fail(h, fmt.Sprint("198.51.100.", i/c.atOnce)); g.status == 429 {
					t.Fatalf("failure %d: got %s", i+1, g.raw)
				}
			}
			c.right(h, abroad).slowed(t, c.seconds)
			c.right(h, home).granted(t)
			if c.name == "user" {
				h.byPassword(abroad, "kim", password).granted(t)
			}
			// At home its own failures count, and nothing else.
			for i := range c.atOnce {
				if g := c.fail(h, home); g.status == 429 {
					t.Fatalf("failure %d at home: got %s", i+1, g.raw)
				}
			}
			if g := c.right(h, home); g.status != 429 {
				t.Errorf("got %s, want it slowed by its own failures", g.raw)
			}
			// The address is familiar for a week.
			h.clock = h.clock.Add(familiarFor - time.Second)
			h.epoch.Created = h.clock
			for i := range c.others {
				c.fail(h, fmt.Sprint("198.51.100.", i/c.atOnce))
			}
			c.right(h, abroad).slowed(t, c.seconds)
			if g := c.right(h, home); g.status != 200 {
				t.Errorf("within the week: got %s", g.raw)
			}
			h.clock = h.clock.Add(familiarFor)
			for i := range c.others {
				c.fail(h, fmt.Sprint("198.51.100.", i/c.atOnce))
			}
			c.right(h, home).slowed(t, c.seconds)
		})
	}
}

// After a restart nobody is familiar. A few addresses that fail all the time do
// not keep a client out, whose secret nobody guesses.
func TestClientAfterARestart(t *testing.T) {
	h := newHouse(t)
	h.bySecret("203.0.113.1", "nightly", secretOf("nightly")).granted(t)
	h.slow = NewThrottles()
	h.Server = h.reload(NewCaches())
	const addresses = 12
	slowed := 0
	for i := range 5 * 60 * 10 { // Five times a second for ten minutes.
		h.clock = h.clock.Add(200 * time.Millisecond)
		if h.bySecret(fmt.Sprint("198.51.100.", i%addresses), "nightly", wrongSecret).status == 429 {
			slowed++
		}
		if i%50 == 0 { // Each time from where it never was.
			h.bySecret(fmt.Sprint("203.0.113.", i/50), "nightly", secretOf("nightly")).granted(t)
		}
	}
	if slowed == 0 {
		t.Error("those who failed were never slowed")
	}
}

// This is a limit that docs/security.md names: a user whom nobody knows any more
// after a restart waits for the failures of a few addresses.
func TestLimitUserAfterARestart(t *testing.T) {
	h := newHouse(t)
	const home = "203.0.113.1"
	h.byPassword(home, "ada", password).granted(t)
	h.slow = NewThrottles()
	h.Server = h.reload(NewCaches())
	for i := range 30 {
		h.byPassword(fmt.Sprint("198.51.100.", i%3), "ada", "wrong").refused(t, 400, "invalid_grant", "credentials_wrong")
	}
	h.byPassword(home, "ada", password).slowed(t, 30)
	h.clock = h.clock.Add(30 * time.Second)
	h.byPassword(home, "ada", password).granted(t)
}

// This is a limit that docs/security.md names: who shares an address with a user
// uses up the tries of that user there, by failing all the time. Elsewhere they
// are free, and there too once the other one stops.
func TestLimitSharedAddress(t *testing.T) {
	h := newHouse(t)
	const shared, elsewhere = "203.0.113.1", "203.0.113.2"
	h.byPassword(shared, "ada", password).granted(t)
	for second := range 20 * 60 {
		h.clock = h.clock.Add(time.Second)
		h.byPassword(shared, "ada", "wrong")
		if second > 60 && second%37 == 0 {
			if g := h.byPassword(shared, "ada", password); g.status != 429 {
				t.Errorf("second %d at the shared address: got %s, want it slowed", second, g.raw)
			}
			h.byPassword(shared, "sam@a.example", password).granted(t)
		}
	}
	h.byPassword(elsewhere, "ada", password).granted(t)
	h.clock = h.clock.Add(time.Minute)
	h.byPassword(shared, "ada", password).granted(t)
}

// This is a limit that docs/security.md names: where many users are familiar, as
// behind the web server that logs all of them in, one password can be tried for
// each of them at once. Each of them is guessed no faster than elsewhere.
func TestLimitSprayingWhereAllAreFamiliar(t *testing.T) {
	h := newHouse(t)
	from := WithClientAddress(t.Context(), "203.0.113.1")
	const users = 500
	failed := 0
	for round := range 20 {
		for n := range users {
			try := h.guess(from, guessPassword, fmt.Sprint("user", n))
			if round == 0 {
				try.succeeded(try.name)
			}
			if try.allowed() == nil {
				try.failed()
				failed++
			}
		}
	}
	if want := users * guessLimits[guessPassword].pair.atOnce; failed != want {
		t.Errorf("got %d guesses at once, want %d", failed, want)
	}
	if try := h.guess(from, guessPassword, "stranger"); try.allowed() == nil {
		t.Error("a user who is not familiar there can be guessed too")
	}
}

// Who tries many names from one address is slowed down for all of them but
// those that are familiar there.
func TestAddressesAreSlowed(t *testing.T) {
	h := newHouse(t)
	const from = "203.0.113.1"
	h.byPassword(from, "ada", password).granted(t)
	for i := range 100 {
		h.byPassword(from, fmt.Sprint("user", i), "wrong").refused(t, 400, "invalid_grant", "credentials_wrong")
	}
	h.byPassword(from, "another", "wrong").slowed(t, 2)
	h.byPassword(from, "kim", password).slowed(t, 2)
	h.byPassword(from, "ada", password).granted(t)
	h.byPassword("203.0.113.2", "kim", password).granted(t)
	// Secrets are counted apart, and what names nobody counts too.
	for range 100 {
		r := form("grant_type=client_credentials")
		r.RemoteAddr = from + ":1234"
		r.Header.Set("Authorization", "Basic ***")
		h.do(r).refused(t, 401, "invalid_client", "client_authentication")
	}
	h.bySecret(from, "nightly", secretOf("nightly")).slowed(t, 1)
	h.bySecret(from, "web", secretOf("web")).refused(t, 400, "unauthorized_client", "grant_not_allowed") // Ada came through it.
}

// Who fills the room of names at addresses slows strangers down, and nobody at
// home who did not fail there.
func TestFullRoomAtHome(t *testing.T) {
	for name, c := range map[string]struct {
		kind        guessKind
		right, fail func(h *house, from, token string) got
	}{
		"secret": {
			guessSecret, func(h *house, from, _ string) got { return h.bySecret(from, "nightly", secretOf("nightly")) },
			func(h *house, from, _ string) got { return h.bySecret(from, "nightly", wrongSecret) },
		},
		"password": {
			guessPassword, func(h *house, from, _ string) got { return h.byPassword(from, "ada", password) },
			func(h *house, from, _ string) got { return h.byPassword(from, "ada", "wrong") },
		},
		"API token": {
			guessToken, func(h *house, from, token string) got { return h.byAPIToken(from, token) },
			func(h *house, from, token string) got {
				id, _, _ := strings.Cut(token, ".")
				return h.byAPIToken(from, id+".wrong")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, keyring)
			token := h.withAPIToken(t, baseUsers, nil)
			const home, abroad = "203.0.113.1", "203.0.113.2"
			if g := c.right(h, home, token); g.status != 200 {
				t.Fatalf("at first: got %s", g.raw)
			}
			pair := h.slow.counted[c.kind].pair
			for n := range pair.room {
				for range pair.atOnce {
					pair.add(uint64(n), h.slow.since(h.clock))
				}
			}
			if g := c.right(h, abroad, token); g.status != 429 {
				t.Errorf("abroad: got %s, want it slowed", g.raw)
			}
			if g := c.right(h, home, token); g.status != 200 {
				t.Errorf("at home: got %s", g.raw)
			}
			if g := c.fail(h, home, token); g.status == 429 {
				t.Errorf("the first failure at home: got %s", g.raw)
			}
			if g := c.right(h, home, token); g.status != 429 {
				t.Errorf("after it: got %s, want it slowed", g.raw)
			}
		})
	}
}

// An address becomes familiar to all names of the one who got in, and to no name
// that somebody else has too.
func TestFamiliarNames(t *testing.T) {
	h := newHouse(t)
	const home = "203.0.113.1"
	h.byPassword(home, "ada", password).granted(t)
	h.byPassword(home, "sam@a.example", password).granted(t)
	for i := range 30 {
		for _, name := range []string{"ada@example.com", "sam", "sam@a.example"} {
			h.byPassword(fmt.Sprint("198.51.100.", i/5), name, "wrong").refused(t, 400, "invalid_grant", "credentials_wrong")
		}
	}
	h.byPassword("203.0.113.2", "ada@example.com", password).slowed(t, 30)
	h.byPassword(home, "ada@example.com", password).granted(t)
	h.byPassword(home, "sam@a.example", password).granted(t)
	h.byPassword(home, "sam", password).slowed(t, 30)
}
