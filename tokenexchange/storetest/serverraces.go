package storetest

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

// RunServer runs, as subtests, what tokenexchange.Server makes of a store when
// a crowd sends it one code or one refresh token, over HTTP: one is used, once,
// and a thief who comes later kills what came of it, for the guards of every
// process too. It first shows that it would notice if it were otherwise.
func RunServer(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a constant random source is noticed", testServerConstantRandom},
		{"get, then set is noticed", testServerGetThenSet},
		{"code", testServerCode},
		{"refresh token", testServerRefresh},
		{"old refresh token", testServerOldRefresh},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// crowdAnswers is what a crowd was told.
type crowdAnswers struct {
	mu        sync.Mutex
	access    []string       // of all who got tokens
	refresh   map[string]int // how often each refresh token was given
	reasons   map[string]int // of all who were refused
	postponed int            // how often the answer was 503 and the request sent again
}

// one is the refresh token, if all who got tokens got the same.
func (c *crowdAnswers) one() string {
	if len(c.refresh) == 1 {
		for token := range c.refresh {
			return token
		}
	}
	return ""
}

func (c *crowdAnswers) String() string {
	return fmt.Sprintf("%d answers with tokens and %d refresh tokens, refused %v, postponed %d", len(c.access), len(c.refresh), c.reasons, c.postponed)
}

// maxPostponed bounds how often a request is sent again after a 503.
const maxPostponed = 20

// crowd sends n requests together, to both servers in turn. All of them read
// the record before any of them writes. After a 503 a request is sent again.
func (f *serverFixture) crowd(n int, request func(*served) tokenAnswer) *crowdAnswers {
	f.Helper()
	out := &crowdAnswers{refresh: map[string]int{}, reasons: map[string]int{}}
	f.gate.hold(n)
	var end sync.WaitGroup
	for i := range n {
		end.Go(func() {
			s := f.servers[i%2]
			answer := request(s)
			tries := 0
			for ; answer.status == http.StatusServiceUnavailable && tries < maxPostponed; tries++ {
				answer = request(s)
			}
			out.mu.Lock()
			defer out.mu.Unlock()
			out.postponed += tries
			if answer.status != http.StatusOK {
				out.reasons[answer.reason]++
				return
			}
			out.access = append(out.access, answer.access)
			out.refresh[answer.refresh]++
		})
	}
	end.Wait()
	f.Log(out)
	return out
}

func (f *serverFixture) redeemers(n int, code string) *crowdAnswers {
	f.Helper()
	return f.crowd(n, func(s *served) tokenAnswer { return f.redeem(s, code) })
}

func (f *serverFixture) refreshers(n int, token string) *crowdAnswers {
	f.Helper()
	return f.crowd(n, func(s *served) tokenAnswer { return f.refresh(s, token) })
}

// feedWait bounds what a server waits to be told what another one revoked, on a
// slow and busy machine. How soon it is told is measured elsewhere: see
// docs/stores.md.
const feedWait = time.Minute

// alive wants the guards of both servers to take access tokens.
func (f *serverFixture) alive(access ...string) {
	f.Helper()
	for i, s := range f.servers {
		for _, token := range access {
			if got := s.guarded(token); got != scopes.ReasonAllowed {
				f.Errorf("guard %d: got %s, want the access token allowed", i, got)
			}
		}
	}
}

// dead wants both guards to refuse access tokens: the one beside the server
// that revoked at once, the other as soon as it is told.
func (f *serverFixture) dead(by *served, access ...string) {
	f.Helper()
	for i, s := range f.servers {
		soon := time.Now()
		if s != by {
			soon = soon.Add(feedWait)
		}
		for _, token := range access {
			got := s.guarded(token)
			for ; got == scopes.ReasonAllowed && time.Now().Before(soon); got = s.guarded(token) {
				time.Sleep(time.Millisecond) // The feed is told by another goroutine.
			}
			if got != scopes.ReasonTokenRevoked {
				f.Errorf("guard %d: got %s, want the access token revoked", i, got)
			}
		}
	}
}

// refused wants one request to each server to be refused for a reason.
func (f *serverFixture) refused(what, reason string, request func(*served) tokenAnswer) {
	f.Helper()
	for i, s := range f.servers {
		if got := request(s); got.status != http.StatusBadRequest || got.reason != reason {
			f.Errorf("%s at server %d: got %d %s, want %s", what, i, got.status, got.reason, reason)
		}
	}
}

// testServerCode redeems one code a thousand times. One redemption succeeds.
// Inside 5 s the others are refused, and what was issued lives; later one is
// taken for a thief's, and all that was issued dies.
func testServerCode(t *testing.T, h Harness) {
	f := openServers(t, h, nil, nil)
	code := f.code("code")
	first := f.redeemers(crowd, code)
	if len(first.access) != 1 || first.reasons["code_used"] != crowd-1 {
		t.Fatalf("got %s; want 1, and all others refused with code_used", first)
	}
	f.pass(5*time.Second - time.Millisecond)
	if got := f.redeemers(racers, code); got.reasons["code_used"] != racers {
		t.Errorf("inside 5 s: got %s; want code_used for all", got)
	}
	f.alive(first.access...)
	if got := f.refresh(f.servers[1], first.one()); got.status != http.StatusOK {
		t.Errorf("the refresh token inside 5 s: got %d %s, want tokens", got.status, got.reason)
	} else {
		first.access = append(first.access, got.access)
		f.alive(got.access)
	}

	f.pass(time.Millisecond)
	if got := f.redeem(f.servers[1], code); got.reason != "code_reused" {
		t.Errorf("5 s later: got %d %s, want code_reused", got.status, got.reason)
	}
	f.dead(f.servers[1], first.access...)
	f.refused("the refresh token", "refresh_token_invalid", func(s *served) tokenAnswer { return f.refresh(s, first.one()) })
	if got := f.redeemers(racers, code); got.reasons["code_invalid"] != racers {
		t.Errorf("the code of what is dead: got %s; want code_invalid for all", got)
	}
}

// testServerRefresh uses one refresh token a thousand times. It rotates once,
// and at most four are told of the successor, all of the same. After 10 s the
// old one is taken for a thief's, and the family dies.
func testServerRefresh(t *testing.T, h Harness) {
	f := openServers(t, h, nil, nil)
	login := f.redeem(f.servers[0], f.code("family"))
	all := f.refreshers(crowd, login.refresh)
	if n := len(all.access); n < 1 || n > maxAnswers || all.one() == "" || all.one() == login.refresh || all.reasons["refresh_token_used"] != crowd-n {
		t.Fatalf("got %s; want 1 to %d with one successor, and all others refused with refresh_token_used", all, maxAnswers)
	}
	// An answer that was lost and overtaken takes one away.
	if !h.Lossy && len(all.access) != maxAnswers {
		t.Errorf("got %s; want %d", all, maxAnswers)
	}
	if fam, err := f.states[1].Families().Load(t.Context(), "family"); err != nil || fam.Counter != 1 {
		t.Errorf("the family: got %+v, %v; want one rotation", fam, err)
	}
	access := append(all.access, login.access)
	f.pass(10*time.Second - time.Millisecond)
	if got := f.refreshers(racers, login.refresh); len(got.reasons) != 1 || got.reasons["refresh_token_used"]+len(got.access) != racers || len(got.access)+len(all.access) > maxAnswers {
		t.Errorf("inside 10 s: got %s; want refresh_token_used", got)
	} else {
		access = append(access, got.access...)
	}
	f.alive(access...)

	f.pass(time.Millisecond)
	if got := f.refresh(f.servers[0], login.refresh); got.reason != "refresh_token_reused" {
		t.Errorf("10 s later: got %d %s, want refresh_token_reused", got.status, got.reason)
	}
	f.dead(f.servers[0], access...)
	f.refused("the successor", "refresh_token_invalid", func(s *served) tokenAnswer { return f.refresh(s, all.one()) })
	f.refused("the old one", "refresh_token_invalid", func(s *served) tokenAnswer { return f.refresh(s, login.refresh) })
}

// testServerOldRefresh lets a crowd use a token whose successor was used: all
// at once they find a stolen token, and one family is killed, whoever does it.
func testServerOldRefresh(t *testing.T, h Harness) {
	f := openServers(t, h, nil, nil)
	login := f.redeem(f.servers[0], f.code("family"))
	second := f.refresh(f.servers[1], login.refresh)
	third := f.refresh(f.servers[0], second.refresh)
	if third.status != http.StatusOK {
		t.Fatalf("the second rotation: got %d %s, want tokens", third.status, third.reason)
	}
	got := f.refreshers(racers, login.refresh)
	// On a slow machine who killed it may be told 503, and learns it when it asks again.
	found := got.reasons["refresh_token_reused"] > 0 || got.postponed > 0
	if len(got.access) != 0 || got.reasons["refresh_token_reused"]+got.reasons["refresh_token_invalid"] != racers || !found {
		t.Errorf("got %s; want refresh_token_reused, and nothing else but refresh_token_invalid", got)
	}
	f.dead(nil, login.access, second.access, third.access)
	f.refused("the newest", "refresh_token_invalid", func(s *served) tokenAnswer { return f.refresh(s, third.refresh) })
}

// testServerConstantRandom draws no random bytes: more than one wins.
func testServerConstantRandom(t *testing.T, h Harness) {
	f := openServers(t, h, constantRandom{}, nil)
	f.noticed(f.code("code"), f.redeem(f.servers[0], f.code("family")).refresh, func() {})
}

// testServerGetThenSet takes compare-and-swap out of the store.
func testServerGetThenSet(t *testing.T, h Harness) {
	var read sync.WaitGroup
	f := openServers(t, h, nil, func(s tokenexchange.Store) tokenexchange.Store { return getThenSet{s, &read} })
	code := f.code("code")
	read.Add(1)
	refresh := f.redeem(f.servers[0], f.code("family")).refresh
	f.noticed(code, refresh, func() { read.Add(racers) })
}

func (f *serverFixture) noticed(code, refresh string, before func()) {
	f.Helper()
	before()
	if got := f.redeemers(racers, code); len(got.access) < 2 {
		f.Errorf("got %s: the race of codes can see nothing", got)
	}
	before()
	if got := f.refreshers(racers, refresh); len(got.access) <= maxAnswers {
		f.Errorf("got %s: the race of refresh tokens can see nothing", got)
	}
}
