package tokenexchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// openRedis opens a store whose timeout is longer than the machine may pause, or
// a slow machine would look like a server that is away.
func openRedis(t *testing.T, server *redistest.Server, timeout time.Duration) tokenexchange.Store {
	t.Helper()
	s := must(redisstore.Open(redisstore.Options{Addresses: []string{server.Addr()}, Issuer: storesIssuer, Timeout: timeout}))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestRevocationsWithoutRedis stops Redis under two processes: they go on and
// say how old their revocations are, and learn what they missed.
func TestRevocationsWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	k := newKeys()
	const timeout = time.Second // It is noticed after three of them.
	one, two := k.start(t, openRedis(t, server, timeout)), k.start(t, openRedis(t, server, timeout))
	token, jti := one.token()
	two.wants("before", token, scopes.ReasonAllowed)
	server.Stop()
	took := two.within("it is noticed", func() bool { return two.revocations.Age() > 0 })
	t.Logf("it was noticed %s later", took)
	two.wants("away", token, scopes.ReasonAllowed)
	err := one.revocations.Revoke(t.Context(), one.state, tokenexchange.RevokeToken(jti, time.Now().Add(time.Hour)))
	if err == nil {
		t.Error("Revoke while Redis is away: got no error")
	}
	one.wants("revoked while away", token, scopes.ReasonTokenRevoked)
	if r := two.server.Ready(t.Context()); !r.Ready || !strings.HasPrefix(r.Details["revocations"], "away for ") {
		t.Errorf("got readiness %+v, want ready, and for how long it is away", r)
	}
	server.Cont()
	one.within("one is up to date again", func() bool { return one.revocations.Age() == 0 })
	two.within("the other is up to date again", func() bool { return two.revocations.Age() == 0 })
	one.revokes(jti)
	two.within("the other refuses", func() bool { return two.asks(token) == scopes.ReasonTokenRevoked })
}

// TestRevocationsAreLostByRedis deletes the Stream under a process: it notices,
// reads again, and keeps what it knew.
func TestRevocationsAreLostByRedis(t *testing.T) {
	server := redistest.Start(t)
	k := newKeys()
	p := k.start(t, openRedis(t, server, enough))
	token, jti := p.token()
	other, _ := p.token()
	p.revokes(jti)
	for _, key := range strings.Fields(server.Text("KEYS *")) {
		if strings.HasSuffix(key, ":feed") {
			server.Do("DEL " + key)
		}
	}
	p.within("the gap is noticed", func() bool { return strings.Contains(p.log.String(), "read again") })
	p.within("it was read again", func() bool { return p.asks(other) == scopes.ReasonAllowed })
	p.wants("revoked before", token, scopes.ReasonTokenRevoked)
}

// TestRevocationsAndAStrangeEntry has somebody else write to the Stream: it may
// stand for a revocation of a version to come, so nothing from before it passes,
// and what is revoked afterwards reaches the other.
func TestRevocationsAndAStrangeEntry(t *testing.T) {
	server := redistest.Start(t)
	k := newKeys()
	one, two := k.start(t, openRedis(t, server, enough)), k.start(t, openRedis(t, server, enough))
	token, jti := one.token()
	two.wants("before", token, scopes.ReasonAllowed)
	for _, key := range strings.Fields(server.Text("KEYS *")) {
		if strings.HasSuffix(key, ":feed") {
			server.Do("XADD " + key + " * strange entry")
		}
	}
	two.within("what is unknown is refused", func() bool { return two.asks(token) == scopes.ReasonTokenRevoked })
	one.revokes(jti)
	two.within("the other learns of it", func() bool { return two.revocations.Len() == 1 })
	if !strings.Contains(two.log.String(), "cannot be opened") || two.revocations.Age() != 0 {
		t.Errorf("got the log %s and an age of %s, want an error and none", two.log, two.revocations.Age())
	}
}
