package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// becomes puts other clients and users to work, as changed files do.
func (h *house) becomes(change func(*Config), edit func(users string) string) {
	h.t.Helper()
	before, cfg := h.realm, baseConfig()
	logins(&cfg)
	change(&cfg)
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(h.t, edit(baseUsers))})), h.caches, ecKey(), rsaKey())
	next := h.clock.Truncate(time.Second).Add(time.Second)
	if err := h.revocations.RevokeLater(Lost(before, h.realm, next, h.clock)...); err != nil {
		h.t.Fatal(err)
	}
	h.clock = next
}

// What ends all logins of a user, or through a client, ends what was decided in
// them, for as long as it could be remembered.
func TestConsentEndsWithLogins(t *testing.T) {
	same := func(*Config) {}
	without := func(client string) func(*Config) {
		return func(c *Config) {
			c.Clients = slices.DeleteFunc(c.Clients, func(c ClientConfig) bool { return c.ID == client })
		}
	}
	edit := func(from, to string) func(string) string {
		return func(users string) string {
			changed := strings.Replace(users, from, to, 1)
			if changed == users {
				t.Fatalf("%s is not there", from)
			}
			return changed
		}
	}
	const ada = `{"id":"ada","username":"ada"`
	for name, c := range map[string]struct {
		change func(*Config)
		edit   func(string) string
		asked  bool
	}{
		"nothing":                        {same, asItIs, false},
		"the client is taken out":        {without("web"), asItIs, true},
		"another client is":              {without("legacy"), asItIs, false},
		"the client may do less":         {func(c *Config) { c.client("web").Permit = lines("shop/orders.read **") }, asItIs, false},
		"the user is taken out":          {same, edit(ada, `{"id":"ada9","username":"ada9"`), true},
		"the user is disabled":           {same, edit(ada, `{"disabled":true,"id":"ada","username":"ada"`), true},
		"all logins of the user end":     {same, edit(ada, `{"tokens_not_before":"2026-05-01T12:00:01Z","id":"ada","username":"ada"`), true},
		"another user is disabled":       {same, edit(`{"id":"two"`, `{"disabled":true,"id":"two"`), false},
		"the user loses a right":         {same, edit(`"shop/orders.write orders/eu/**",`, ""), false},
		"logins until before that ended": {same, edit(ada, `{"tokens_not_before":"2026-05-01T11:59:59Z","id":"ada","username":"ada"`), false},
	} {
		for _, later := range []time.Duration{0, consentLife - time.Hour} {
			t.Run(name+", "+later.String(), func(t *testing.T) {
				h := newHouse(t, logins)
				h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent").allow().granted()
				h.becomes(c.change, c.edit)
				h.becomes(same, asItIs)
				h.clock = h.clock.Add(later)
				again := h.browser().open(authorizeURL("orgId", "acme")).sees("login").logIn("ada")
				listed := again.tab().open(accountPath).page
				if tells := strings.Contains(listed, "orders.read"); tells == c.asked {
					t.Errorf("the account page tells what web may do: %v, want %v", tells, !c.asked)
				}
				if c.asked {
					again.sees("consent").allow()
				}
				again.granted()
				h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").granted()
			})
		}
	}
}

// What changed while no process ran is in no feed, and the users file says it.
func TestConsentBeforeTokensNotBefore(t *testing.T) {
	h := newHouse(t, logins)
	h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent").allow().granted()
	text := strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:30:00Z","id":"ada"`, 1)
	cfg := baseConfig()
	logins(&cfg)
	h.Server = h.serve(must(Compile(cfg, []string{usersPath(t, text)})), h.caches, ecKey(), rsaKey())
	h.clock = h.clock.Add(time.Hour)
	h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent").allow().granted()
	h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").granted()
}

// While nobody knows what was revoked, nobody is asked again, nor granted anything.
func TestConsentWhileRevocationsAreUnread(t *testing.T) {
	h := newHouse(t, logins)
	h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").sees("consent").allow().granted()
	h.revocations.reading.unread.Store(h.clock.UnixMilli())
	h.clock = h.clock.Add(time.Minute)
	h.browser().open(authorizeURL("orgId", "acme")).logIn("ada").turnedDown(503, "revocations_stale")
}

// What ends logins is remembered until no consent of before counts any more.
func TestEndsAreRememberedForConsents(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		least  time.Duration
	}{{logins, consentLife}, {func(*Config) {}, 0}} {
		before, after := baseConfig(), baseConfig()
		c.change(&before)
		after.Clients = nil
		was, is := must(Compile(before, []string{usersPath(t, baseUsers)})), must(Compile(after, nil))
		for _, r := range Lost(was, is, start, start) {
			if ends := r.Kind == RevokedSubject || r.Kind == RevokedClient; ends && (r.Until.Sub(start) < c.least || c.least == 0 && r.Until.Sub(start) >= consentLife) {
				t.Errorf("%s %s: remembered for %s, want %s or more", r.Kind, r.Value, r.Until.Sub(start), c.least)
			}
		}
	}
}

// State keys open what is remembered for as long as it counts, if anybody can be
// asked.
func TestKeysOutliveConsents(t *testing.T) {
	h := newHouse(t, logins)
	if _, sealed := h.realm.Lives(); sealed < consentLife+CollectAfter {
		t.Errorf("got %s, want the life of a consent, %s", sealed, consentLife)
	}
	if _, sealed := newHouse(t).realm.Lives(); sealed >= consentLife {
		t.Errorf("got %s where no client asks anybody, want the life of a family", sealed)
	}
}
