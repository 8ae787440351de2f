package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// text returns a claim that is a string.
func text(t testing.TB, token, claim string) string {
	t.Helper()
	value, ok := claimsOf(t, token)[claim].(string)
	if !ok {
		t.Fatalf("the token has no claim %s", claim)
	}
	return value
}

// lives holds whether tokens are refused as revoked, at the guard and at the
// token endpoint, whatever they were before.
func (h *house) lives(t *testing.T, token string, want bool) {
	t.Helper()
	g := h.shop(t)
	for range 2 { // The second look is at what is cached.
		v, answer := h.pass(g, bearer("GET", "/orders/7", token))
		switch {
		case want && !v.Allowed():
			t.Errorf("the guard: got %s, want the token allowed", v.Reason)
		case !want && (v.Reason != scopes.ReasonTokenRevoked || answer.status != 401):
			t.Errorf("the guard: got %s and %d, want token_revoked and 401", v.Reason, answer.status)
		}
	}
	if answer := h.exchange("batch", token, shopAud); want {
		answer.granted(t)
	} else {
		answer.refused(t, 400, "invalid_request", "token_revoked")
	}
}

// TestRevocations revokes by each identifier, and looks at who is dead of a
// user's tokens, what was derived from one, and the tokens of others. All were
// seen before, so their signatures come from the cache.
func TestRevocations(t *testing.T) {
	const (
		adas, derived, agents, through = "ada's first", "exchanged", "delegated", "delegated and exchanged"
		second, later, nightlys        = "ada's second", "ada's later one", "a client's own"
	)
	all := []string{adas, derived, agents, through, second, later, nightlys}
	until := start.Add(24 * time.Hour)
	soon := start.Add(time.Minute)
	for name, c := range map[string]struct {
		revoke func(claim func(token, name string) string) Revocation
		dead   []string
	}{
		"jti of a first token":   {func(claim func(string, string) string) Revocation { return RevokeToken(claim(adas, "jti"), until) }, []string{adas, derived, agents, through}},
		"jti of a derived token": {func(claim func(string, string) string) Revocation { return RevokeToken(claim(derived, "jti"), until) }, []string{derived}},
		"grant":                  {func(claim func(string, string) string) Revocation { return RevokeGrant(claim(adas, "grant_id"), until) }, []string{adas, derived, agents, through}},
		"session":                {func(claim func(string, string) string) Revocation { return RevokeSession(claim(second, "sid"), until) }, []string{second}},
		"subject":                {func(func(string, string) string) Revocation { return RevokeSubject("example.com:ada", soon, until) }, []string{adas, derived, second, agents, through}},
		"subject, at the second of the token": {func(func(string, string) string) Revocation {
			return RevokeSubject("example.com:ada", start, until)
		}, nil},
		"subject, a moment after": {func(func(string, string) string) Revocation {
			return RevokeSubject("example.com:ada", start.Add(time.Millisecond), until)
		}, []string{adas, derived, second, agents, through}},
		"a client as subject":   {func(func(string, string) string) Revocation { return RevokeSubject("nightly", soon, until) }, []string{nightlys}},
		"client":                {func(func(string, string) string) Revocation { return RevokeClient("web", soon, until) }, []string{adas, second}},
		"client that exchanged": {func(func(string, string) string) Revocation { return RevokeClient("batch", soon, until) }, []string{derived, through}},
		"client that acts":      {func(func(string, string) string) Revocation { return RevokeClient("agent", soon, until) }, []string{agents, through}},
		"a grant's id as jti":   {func(claim func(string, string) string) Revocation { return RevokeToken(claim(adas, "grant_id"), until) }, nil},
		"a jti as grant":        {func(claim func(string, string) string) Revocation { return RevokeGrant(claim(adas, "jti"), until) }, nil},
		"a sub as session":      {func(claim func(string, string) string) Revocation { return RevokeSession(claim(adas, "sub"), until) }, nil},
		"another case":          {func(func(string, string) string) Revocation { return RevokeSubject("example.com:ADA", soon, until) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, delegates, func(c *Config) {
				c.client("agent").Allow = append(c.client("agent").Allow, AllowConfig{Grant: "audience_exchange", By: []string{"batch"}})
			})
			tokens := map[string]string{adas: h.adas(), second: h.adas(), nightlys: h.nightlys()}
			tokens[derived] = h.exchange("batch", tokens[adas], shopAud).granted(t)
			tokens[agents] = h.delegate("agent", tokens[adas], "audience", shopAud).granted(t)
			tokens[through] = h.exchange("batch", tokens[agents], shopAud).granted(t)
			h.clock = start.Add(2 * time.Minute)
			tokens[later] = h.adas()
			for _, token := range tokens {
				h.lives(t, token, true)
			}
			if err := h.revoke(t.Context(), c.revoke(func(token, claim string) string { return text(t, tokens[token], claim) })); err != nil {
				t.Fatal(err)
			}
			for _, which := range all {
				t.Run(which, func(t *testing.T) { h.lives(t, tokens[which], !slices.Contains(c.dead, which)) })
			}
		})
	}
}

// TestRevokedToTheEnd asks with a token that was revoked until its exp: it is
// refused as revoked for as long as it is accepted at all, which is a leeway
// longer, and the entry is forgotten later.
func TestRevokedToTheEnd(t *testing.T) {
	h := newHouse(t)
	token := h.adas()
	exp := time.Unix(int64(claimsOf(t, token)["exp"].(float64)), 0)
	if err := h.revoke(t.Context(), RevokeToken(text(t, token, "jti"), exp)); err != nil {
		t.Fatal(err)
	}
	h.clock = exp.Add(mint.LeewayExpiry - time.Second)
	h.lives(t, token, false)
	h.clock = exp.Add(mint.LeewayExpiry)
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); v.Reason != scopes.ReasonTokenExpired {
		t.Errorf("after its end: got %s, want token_expired", v.Reason)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{CollectAfter - time.Millisecond, 1}, {CollectAfter, 0}} {
		h.clock = exp.Add(mint.LeewayExpiry + c.after)
		if got := h.revocations.Len(); got != c.want {
			t.Errorf("%s after the end: got %d entries, want %d", c.after, got, c.want)
		}
	}
}

// TestRevokedOverReload keeps what is revoked when the configuration changes.
func TestRevokedOverReload(t *testing.T) {
	h := newHouse(t)
	token, other := h.adas(), h.adas()
	if err := h.revoke(t.Context(), RevokeToken(text(t, token, "jti"), start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	h.Server = h.reload(NewCaches())
	h.lives(t, token, false)
	h.lives(t, other, true)
}

// TestUnreadRevocationsRefuse has a server that does not know what is revoked:
// it says so, and nothing about the token. What was issued after a gap began is
// known to be alive.
func TestUnreadRevocationsRefuse(t *testing.T) {
	h := newHouse(t)
	before := h.adas()
	h.clock = start.Add(time.Minute)
	after := h.adas()
	for name, c := range map[string]struct {
		unread int64
		after  bool // a token that was issued later lives
	}{
		"never read": {always, false},
		"gap":        {start.Add(time.Second).UnixMilli(), true},
	} {
		t.Run(name, func(t *testing.T) {
			h.revocations.reading.unread.Store(c.unread)
			defer h.revocations.reading.unread.Store(0)
			v, answer := h.pass(h.shop(t), bearer("GET", "/orders/7", before))
			if v.Reason != scopes.ReasonRevocationsStale || answer.status != 503 || answer.header.Get("Retry-After") == "" {
				t.Errorf("the guard: got %s, %d and Retry-After %q, want revocations_stale, 503 and when to try again", v.Reason, answer.status, answer.header.Get("Retry-After"))
			}
			h.exchange("batch", before, shopAud).refused(t, 503, "temporarily_unavailable", "revocations_stale")
			if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", after)); v.Allowed() != c.after {
				t.Errorf("a later token: got %s", v.Reason)
			}
			if r := h.Ready(t.Context()); r.Ready || !slices.Contains(r.WaitingFor, "revocations") {
				t.Errorf("got readiness %+v, want it to wait for the revocations", r)
			}
			if v, _ := h.pass(h.shop(t), bearer("GET", "/healthz", "")); !v.Allowed() {
				t.Errorf("a public rule: got %s", v.Reason)
			}
		})
	}
	h.lives(t, before, true)
}

// TestRevocationMaxStaleness takes the feed away for longer than a guard may go
// on without it: it refuses every token, and goes on once the feed is back.
func TestRevocationMaxStaleness(t *testing.T) {
	h := newHouse(t)
	token, most := h.adas(), 10*time.Second
	strict := h.shopWith(t, GuardOptions{RevocationMaxStaleness: most})
	cutOff := &h.revocations.reading.cutOff
	for _, c := range []struct {
		name  string
		away  time.Duration // -1 is not
		stale bool
	}{
		{"read", -1, false},
		{"away as long as it may be", most, false},
		{"away for longer", most + time.Millisecond, true},
		{"back", -1, false},
	} {
		if cutOff.Store(0); c.away >= 0 {
			cutOff.Store(h.clock.Add(-c.away).UnixMilli())
		}
		want := scopes.ReasonAllowed
		if c.stale {
			want = scopes.ReasonRevocationsStale
		}
		v, answer := h.pass(strict, bearer("GET", "/orders/7", token))
		if v.Reason != want || c.stale && (answer.status != 503 || answer.header.Get("Retry-After") == "") {
			t.Errorf("%s: got %s, %d", c.name, v.Reason, answer.status)
		}
		if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", token)); !v.Allowed() {
			t.Errorf("%s: a guard without the word: got %s", c.name, v.Reason)
		}
		if v, _ := h.pass(strict, bearer("GET", "/healthz", "")); !v.Allowed() {
			t.Errorf("%s: a public rule: got %s", c.name, v.Reason)
		}
		if v, _ := h.pass(strict, bearer("GET", "/orders/7", token+"x")); v.Reason != scopes.ReasonTokenSignature && v.Reason != scopes.ReasonTokenMalformed {
			t.Errorf("%s: a forged token: got %s, want what is wrong with it", c.name, v.Reason)
		}
	}
	if err := (GuardOptions{RevocationMaxStaleness: time.Millisecond}).Check(start); err == nil {
		t.Error("a millisecond: got no error")
	}
}

// TestUnreadAroundTheSet has a reading end, or a gap begin, while a token is
// judged: nobody knows what the look at the set in between was worth.
func TestUnreadAroundTheSet(t *testing.T) {
	h := newHouse(t)
	signed, _, err := h.verify(h.adas())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ before, meanwhile int64 }{
		"the reading ends": {always, 0},
		"a gap begins":     {0, always},
	} {
		unread := &h.revocations.reading.unread
		unread.Store(c.before)
		_, err := h.judge(signed, mint.TypeAccess, func([]string) bool { unread.Store(c.meanwhile); return true })
		if !errors.Is(err, errRevocationsUnread) {
			t.Errorf("%s: got %v, want %v", name, err, errRevocationsUnread)
		}
	}
}

// TestRevokeRefuses what names nothing, or what no other process could read.
func TestRevokeRefuses(t *testing.T) {
	h := newHouse(t)
	until := start.Add(time.Hour)
	for name, r := range map[string]Revocation{
		"zero":                   {},
		"no kind":                {Value: "x", Until: until},
		"unknown kind":           {Kind: "aud", Value: "x", Until: until},
		"no value":               RevokeGrant("", until),
		"long value":             RevokeGrant(strings.Repeat("x", maxRevokedValue+1), until),
		"not UTF-8":              RevokeGrant("\xff", until),
		"no end":                 RevokeGrant("x", time.Time{}),
		"subject without a time": RevokeSubject("x", time.Time{}, until),
		"client without a time":  RevokeClient("x", time.Time{}, until),
		"a grant with a time":    {Kind: RevokedGrant, Value: "x", Before: start, Until: until},
		"a time to come":         RevokeSubject("x", start.Add(time.Minute), until),
	} {
		if err := h.revoke(t.Context(), r); err == nil || errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want an error that is not the store's", name, err)
		}
	}
	if got := h.revocations.Len(); got != 0 {
		t.Errorf("got %d entries, want none", got)
	}
	if err := h.revoke(t.Context(), RevokeGrant("x", start.Add(-time.Hour))); err != nil || h.revocations.Len() != 0 {
		t.Errorf("what is over: got %v and %d entries, want nothing done", err, h.revocations.Len())
	}
	if err := h.revoke(t.Context(), RevokeGrant(strings.Repeat("\x01", maxRevokedValue), until)); err != nil {
		t.Errorf("the longest value: got %v", err)
	}
}

// TestRevokeWithoutFeed has a feed that is away: the caller learns that others
// do not know, and here the token is dead.
func TestRevokeWithoutFeed(t *testing.T) {
	h := newHouse(t)
	token := h.adas()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.revoke(t.Context(), RevokeToken(text(t, token, "jti"), start.Add(time.Hour))); !errors.Is(err, ErrStoreUnavailable) || !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrStoreUnavailable and why", err)
	}
	h.lives(t, token, false)
}

// TestRevokeOutlivesItsRequest hangs up before the revocation is published.
func TestRevokeOutlivesItsRequest(t *testing.T) {
	h := newHouse(t)
	token := h.adas()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.revoke(gone, RevokeToken(text(t, token, "jti"), start.Add(time.Hour))); err != nil {
		t.Errorf("got %v, want it published", err)
	}
	other := NewRevocations(func() time.Time { return h.clock })
	readBack(t, other, h.store, stateKey)
	if other.Len() != 1 {
		t.Error("another process does not learn of it")
	}
}

// TestManyRevocationsAtOnce publishes more than one entry holds. An entry stays
// in the feed for as long as its longest.
func TestManyRevocationsAtOnce(t *testing.T) {
	h := newHouse(t)
	var all []Revocation
	for i := range 3*entryRevocations + 1 {
		value := fmt.Sprint(i) + strings.Repeat("\x02", maxRevokedValue-2) // JSON makes six bytes of each.
		all = append(all, RevokeGrant(value, start.Add(time.Hour)))
	}
	all[1].Until = start.Add(5 * time.Hour)
	if err := h.revoke(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	other := NewRevocations(func() time.Time { return h.clock })
	readBack(t, other, h.store, stateKey)
	for _, r := range all {
		if other.why(mint.Identifiers{GrantID: r.Value, IssuedAt: start}) == "" {
			t.Errorf("%.2q: another process does not learn of it", r.Value)
		}
	}
	if got, want := h.store.feed.entries[1].until, all[1].end().UnixMilli(); got != want { // The first is a mark.
		t.Errorf("got an entry until %s, want the longest of its revocations, %s", time.UnixMilli(got), time.UnixMilli(want))
	}
	for _, e := range h.store.feed.entries {
		if len(e.entry) > 64<<10 {
			t.Errorf("got an entry of %d bytes, want at most the 64 KiB that every feed takes", len(e.entry))
		}
	}
}
