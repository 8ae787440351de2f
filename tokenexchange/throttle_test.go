package tokenexchange

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Tries of the tests: who asks for a token, from where, and with what.

func (h *house) bySecret(from, client, secret string) got {
	h.t.Helper()
	r := form("grant_type=client_credentials")
	r.RemoteAddr = from + ":1234"
	r.SetBasicAuth(client, secret)
	return h.do(r)
}

func (h *house) byPassword(from, name, password string) got {
	h.t.Helper()
	r := form(pairs("grant_type", "password", "username", name, "password", password))
	r.RemoteAddr = from + ":1234"
	r.SetBasicAuth("web", secretOf("web"))
	return h.do(r)
}

func (h *house) byAPIToken(from, token string) got {
	h.t.Helper()
	r := httptest.NewRequest("POST", "/csp/gateway/am/api/auth/api-tokens/authorize", strings.NewReader(pairs("api_token", token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from + ":1234"
	return h.do(r)
}

func (h *house) byAssertion(from, client string) got {
	h.t.Helper()
	raw := says(as(client)).sign(jwt.SigningMethodES256, secondKey())
	r := form(pairs("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", raw))
	r.RemoteAddr = from + ":1234"
	return h.do(r)
}

// slowed holds an answer against the one that asks to wait for so many seconds.
func (g got) slowed(t testing.TB, seconds int) {
	t.Helper()
	g.refused(t, http.StatusTooManyRequests, "temporarily_unavailable", "too_many_attempts")
	if got := g.header.Get("Retry-After"); got != strconv.Itoa(seconds) {
		t.Errorf("got Retry-After: %s, want %d", got, seconds)
	}
}

const wrongSecret = "wrong-wrong-wrong-wrong-wrong"

// Whoever fails for one name from one address is slowed down, also for the right
// proof, which is not even compared; and a name that does not exist is the same.
func TestGuessesAreSlowed(t *testing.T) {
	for _, c := range []struct {
		name   string
		atOnce int
		each   time.Duration
		fail   func(h *house) got
		right  func(h *house) got
		status int
	}{
		{
			"a secret", 30, 5 * time.Second, func(h *house) got { return h.bySecret("203.0.113.1", "nightly", wrongSecret) },
			func(h *house) got { return h.bySecret("203.0.113.1", "nightly", secretOf("nightly")) }, 401,
		},
		{"the secret of nobody", 30, 5 * time.Second, func(h *house) got { return h.bySecret("203.0.113.1", "nobody", wrongSecret) }, nil, 401},
		{"a secret of a public client", 30, 5 * time.Second, func(h *house) got { return h.bySecret("203.0.113.1", "mobile", wrongSecret) }, nil, 401},
		{"an assertion", 30, 5 * time.Second, func(h *house) got { return h.byAssertion("203.0.113.1", "robot") }, nil, 401},
		{"the assertion of nobody", 30, 5 * time.Second, func(h *house) got { return h.byAssertion("203.0.113.1", "nobody") }, nil, 401},
		{
			"a password", 10, time.Minute, func(h *house) got { return h.byPassword("203.0.113.1", "ada", "wrong") },
			func(h *house) got { return h.byPassword("203.0.113.1", "ada", password) }, 400,
		},
		{"the password of nobody", 10, time.Minute, func(h *house) got { return h.byPassword("203.0.113.1", "zed", "wrong") }, nil, 400},
		{"the password of who is disabled", 10, time.Minute, func(h *house) got { return h.byPassword("203.0.113.1", "bob", password) }, nil, 400},
		{"the password of who has none", 10, time.Minute, func(h *house) got { return h.byPassword("203.0.113.1", "eve", "wrong") }, nil, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, robots)
			for i := range c.atOnce {
				if g := c.fail(h); g.status != c.status {
					t.Fatalf("failure %d: got %s, want %d", i+1, g.raw, c.status)
				}
			}
			seconds := int(c.each / time.Second)
			c.fail(h).slowed(t, seconds)
			if c.right != nil {
				c.right(h).slowed(t, seconds)
			}
			// What was refused cost nothing, and the wait is as long as it was said.
			h.clock = h.clock.Add(c.each / 2)
			c.fail(h).slowed(t, (seconds+1)/2)
			h.clock = h.clock.Add(c.each/2 - time.Millisecond)
			c.fail(h).slowed(t, 1)
			h.clock = h.clock.Add(time.Millisecond)
			if g := c.fail(h); g.status != c.status {
				t.Errorf("after the wait: got %s, want %d", g.raw, c.status)
			}
			c.fail(h).slowed(t, seconds)
			h.clock = h.clock.Add(c.each)
			if c.right != nil {
				c.right(h).granted(t)
			}
			// In the end all is forgotten.
			h.clock = h.clock.Add(time.Duration(c.atOnce) * c.each)
			for i := range c.atOnce {
				if g := c.fail(h); g.status != c.status {
					t.Fatalf("failure %d, much later: got %s, want %d", i+1, g.raw, c.status)
				}
			}
			c.fail(h).slowed(t, seconds)
		})
	}
}

// The answer to who must wait does not tell whether the name exists.
func TestSlowedNamesAreAlike(t *testing.T) {
	h := newHouse(t)
	strip := func(g got) string {
		g.slowed(t, 60)
		return strings.ReplaceAll(fmt.Sprint(g.status, g.header, g.raw), g.header.Get("Scopegate-Decision"), "ID")
	}
	answers := map[string]string{}
	for _, name := range []string{"ada", "zed", "bob", "eve", "sam", "ada@example.com", strings.Repeat("x", 5000)} {
		for range 10 {
			h.byPassword("203.0.113.1", name, "wrong").refused(t, 400, "invalid_grant", "credentials_wrong")
		}
		answers[strip(h.byPassword("203.0.113.1", name, "wrong"))] = name
	}
	if len(answers) != 1 {
		t.Errorf("got %d answers, want one", len(answers))
	}
}

// Only failures cost, and only those that show a secret to be wrong.
func TestOnlyFailuresCost(t *testing.T) {
	h := newHouse(t, robots)
	for range 300 {
		h.bySecret("203.0.113.1", "nightly", secretOf("nightly")).granted(t)
	}
	for range 20 {
		h.byPassword("203.0.113.1", "ada", password).granted(t)
	}
	h.state.store = &stateStore{Store: h.store, fail: errors.New("away")}
	for range 20 { // A store that is away is nobody's guess.
		r := form(pairs("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", says(nil).robot()))
		r.RemoteAddr = "203.0.113.1:1234"
		h.do(r).refused(t, 503, "temporarily_unavailable", "store_unavailable")
	}
	h.state.store = h.store
	for range 20 {
		r := form(pairs("grant_type", "client_credentials", "client_id", "web"))
		r.RemoteAddr = "203.0.113.1:1234"
		r.SetBasicAuth("nightly", secretOf("nightly"))
		h.do(r).refused(t, 400, "invalid_request", "client_ambiguous")
	}
	for range 20 { // Whoever authenticated and asks for too much did not guess.
		r := form(pairs("grant_type", "client_credentials", "scope", "more"))
		r.RemoteAddr = "203.0.113.1:1234"
		r.SetBasicAuth("nightly", secretOf("nightly"))
		h.do(r).refused(t, 400, "invalid_scope", "scope_exceeded")
	}
	for range 30 {
		h.bySecret("203.0.113.1", "nightly", wrongSecret).refused(t, 401, "invalid_client", "client_authentication")
	}
	h.bySecret("203.0.113.1", "nightly", wrongSecret).slowed(t, 5)
}

// API tokens are guessed by their id, which is no secret. One that does not
// exist is the same, and nobody slows another token down where it is familiar.
func TestGuessesOfAPITokensAreSlowed(t *testing.T) {
	h := newHouse(t, logins, keyring)
	token := h.withAPIToken(t, baseUsers, nil)
	id, _, _ := strings.Cut(token, ".")
	use := h.byAPIToken
	use("203.0.113.9", token).granted(t)
	for _, id := range []string{id, "nobodys"} {
		for range 10 {
			use("203.0.113.1", id+".wrong").refused(t, 400, "invalid_grant", "api_token_invalid")
		}
		use("203.0.113.1", id+".wrong").slowed(t, 5)
	}
	use("203.0.113.1", token).slowed(t, 5)
	use("203.0.113.2", token).granted(t)
	for i := range 100 {
		use("203.0.113.9", fmt.Sprintf("id%d.wrong", i)).refused(t, 400, "invalid_grant", "api_token_invalid")
	}
	for i := range 1000 {
		use(fmt.Sprint("198.51.100.", i/10), id+".wrong")
	}
	use("203.0.113.9", "another.wrong").slowed(t, 1)
	use("203.0.113.3", token).slowed(t, 1)
	use("203.0.113.9", token).granted(t)
}

// Nobody can slow a client down that has no secret.
func TestPublicClientsAreNotSlowed(t *testing.T) {
	h := newHouse(t)
	for i := range 1000 {
		h.bySecret(fmt.Sprint("198.51.100.", i/30), "mobile", wrongSecret)
	}
	h.bySecret("203.0.113.2", "mobile", wrongSecret).slowed(t, 1)
	r := form(pairs("grant_type", "password", "username", "ada", "password", password, "client_id", "mobile"))
	r.RemoteAddr = "203.0.113.2:1234"
	h.do(r).granted(t)
}

func TestThrottlesSurviveAReload(t *testing.T) {
	h := newHouse(t)
	for range 30 {
		h.bySecret("203.0.113.1", "nightly", wrongSecret)
	}
	h.Server = h.reload(NewCaches())
	h.bySecret("203.0.113.1", "nightly", secretOf("nightly")).slowed(t, 5)
}

// A clock that is set back keeps nobody out for long.
func TestThrottlesAndAClockThatIsSetBack(t *testing.T) {
	h := newHouse(t)
	for range 30 {
		h.bySecret("203.0.113.1", "nightly", wrongSecret)
	}
	h.clock = start.Add(-10 * time.Minute)
	h.bySecret("203.0.113.1", "nightly", secretOf("nightly")).slowed(t, 155)
	for range 1000 { // As many as can run side by side.
		h.guess(WithClientAddress(t.Context(), "203.0.113.9"), guessSecret, "nightly").failed()
	}
	h.bySecret("203.0.113.9", "nightly", secretOf("nightly")).slowed(t, 155)
	h.clock = h.clock.Add(155 * time.Second)
	h.bySecret("203.0.113.9", "nightly", secretOf("nightly")).granted(t)
}

func TestRoomOfThrottles(t *testing.T) {
	room := familiarRoom
	for kind, l := range guessLimits {
		room += l.pair.room + l.name.room + l.address.room
		for _, one := range []limit{l.pair, l.name, l.address} {
			if one.atOnce < 1 || one.each < 20*time.Millisecond || one.room < 1 {
				t.Errorf("got the limit %+v", one)
			}
		}
		if l.pair.each < time.Second || l.address.each < time.Second {
			t.Errorf("got %+v: one address fails faster than once a second", l)
		}
		// What nobody can guess, nobody with a few addresses keeps from others.
		addresses := int(l.pair.each / l.name.each)
		if guessable := guessKind(kind) == guessPassword; guessable != (l.name.each >= time.Second) || !guessable && addresses < 200 {
			t.Errorf("kind %d: got %+v: %d addresses use a name up", kind, l, addresses)
		}
		if l.pair.each <= l.name.each || l.pair.atOnce >= l.name.atOnce {
			t.Errorf("got %+v: one address alone can slow a name down for all", l)
		}
	}
	if room != 64<<10 {
		t.Errorf("got room for %d entries, want 65,536", room)
	}
}
