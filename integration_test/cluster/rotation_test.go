package cluster

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	rotateEvery = 2 * time.Second
	// coming keys are published and do not sign yet. A verifier asks for keys
	// again 30 s after it did (jose's cooldown), and each waits for 40 s.
	coming = 20
	// signed keys have signed, and stay until their last token is over: after
	// 20 s, a leeway of 5 s, and the moment in which a server reads the files.
	signed = 14
	// sealEvery is how often the state key changes. Each is known everywhere for
	// as long before it seals.
	sealEvery = 20 * time.Second
	sealers   = 12 // none that has sealed goes within the test
)

// TestRotation changes the signing key of two servers every two seconds, for
// three minutes, and now and then the state key. All that both issue meanwhile
// is verified by npm jose with its normal cache, which knows nothing but the
// key set, and used at both guards. Families are refreshed on the way, at one
// server and the other in turn. Nothing fails.
func TestRotation(t *testing.T) {
	t.Parallel()
	r := newRotation(t, coming)
	r.run(t, 3*time.Minute)
	for _, failure := range append(r.verifier.failures, r.failures...)[:min(10, len(r.verifier.failures)+len(r.failures))] {
		t.Error(failure)
	}
	if n := len(r.verifier.kids); n < 80 {
		t.Errorf("tokens of %d keys were verified, want one for almost each of 90 rotations", n)
	}
}

// TestRotationWithoutLead has a key sign in the moment in which it is published.
// The verifier does not ask for it, so the test above would see a key that is
// published too late.
func TestRotationWithoutLead(t *testing.T) {
	t.Parallel()
	r := newRotation(t, 0)
	r.run(t, 10*time.Second)
	if len(r.verifier.failures) == 0 {
		t.Error("jose verified everything, want it to miss keys")
	}
}

// rotation is a pair of servers whose keys change.
type rotation struct {
	*house
	keys     *keyRoom
	lead     int
	verifier *verifier
	requests atomic.Int64
	reloads  atomic.Int64

	mu       sync.Mutex
	failures []string
}

func newRotation(t *testing.T, lead int) *rotation {
	t.Helper()
	h := newHouse(t)
	r := &rotation{house: h, keys: newKeyRoom(t, 1+lead+signed, sealers), lead: lead}
	h.lines, h.access, h.refresh = r.keys.lines(), "20s", "40s"
	h.users.add(loadUser)
	h.startPair()
	r.verifier = startVerifier(t, h.servers...)
	return r
}

func (r *rotation) run(t *testing.T, lasts time.Duration) {
	t.Helper()
	begun := time.Now()
	end := begun.Add(lasts)
	var running sync.WaitGroup
	for n := range 8 {
		running.Go(func() { r.family(n, end) })
		running.Go(func() { r.machine(n, end) })
	}
	sealed := 0
	for n := 1; time.Now().Before(end); n++ {
		time.Sleep(time.Until(begun.Add(time.Duration(n) * rotateEvery)))
		if time.Since(begun) >= time.Duration(sealed+1)*sealEvery {
			sealed++
			r.keys.rotateState()
		}
		r.keys.rotateSigning(r.lead)
		r.keys.publish()
		r.reloads.Add(1)
	}
	running.Wait()
	r.verifier.end()
	t.Logf("%d rotations of the signing key in %v, %d of the state key; %d requests, %d failed; npm jose verified %d tokens of %d keys, %d failed",
		r.reloads.Load(), time.Since(begun).Round(time.Second), sealed, r.requests.Load(), len(r.failures), r.verifier.answers, len(r.verifier.kids), len(r.verifier.failures))
}

// family logs in, and refreshes at one server and the other in turn, until it
// is almost over; then it begins anew.
func (r *rotation) family(n int, end time.Time) {
	refresh, over := "", time.Time{}
	for i := n; time.Now().Before(end); i++ {
		s, what := r.servers[i%2], "refresh"
		var got answer
		if time.Now().After(over) {
			what, over = "login", time.Now().Add(35*time.Second)
			got = s.login(loadUser)
		} else {
			got = s.refresh(refresh)
		}
		if refresh = got.Refresh; r.want(s, what, got, got.Refresh != "") {
			r.use(what, s, got)
		} else {
			over = time.Time{}
		}
		time.Sleep(400 * time.Millisecond)
	}
}

// machine gets tokens of a client's own, and uses each again before it is over.
func (r *rotation) machine(n int, end time.Time) {
	var old []answer
	for i := n; time.Now().Before(end); i++ {
		s := r.servers[i%2]
		got := s.token("web", "client_credentials")
		if r.want(s, "client_credentials", got, got.Access != "") {
			r.use("client_credentials", s, got)
			old = append(old, got)
		}
		if len(old) == 30 { // The first was issued 15 s ago.
			r.use("client_credentials, later", s, old[0])
			old = old[1:]
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// use has the tokens verified by others, and uses the access token at both guards.
func (r *rotation) use(what string, from *server, got answer) {
	what += " at server " + from.name
	r.verifier.verify(what, got.Access, "at+jwt", shopAudience)
	if got.ID != "" {
		r.verifier.verify("id token, "+what, got.ID, "JWT", "web")
	}
	for _, s := range r.servers {
		at := s.guard(http.MethodGet, got.Access)
		r.want(s, what+", at the guard", at, at.status == http.StatusOK)
	}
	derived := r.servers[len(r.servers)-1].exchange(got.Access)
	r.want(from, what+", exchanged", derived, derived.Access != "")
}

func (r *rotation) want(s *server, what string, got answer, ok bool) bool {
	r.requests.Add(1)
	if !ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failures = append(r.failures, fmt.Sprintf("%s %s, server %s: got %s", time.Now().Format("15:04:05.000"), what, s.name, got))
	}
	return ok
}
