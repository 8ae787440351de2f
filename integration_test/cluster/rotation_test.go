package cluster

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

const (
	// rotateEvery is the time from one rotation to the next, if the servers sign with
	// the key by then.
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
	// accessLife and refreshLife are how long tokens live.
	accessLife, refreshLife = 20 * time.Second, 40 * time.Second
	// later is when a token is used again.
	later = 15 * time.Second
)

// TestRotation changes the signing key of two servers every two seconds or so, for
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
	if got, want := int64(len(r.verifier.kids)), r.reloads.Load(); got < want || want < 20 {
		t.Errorf("tokens of %d keys were verified, want them of each of %d rotations, and at least 20 of these", got, want)
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
	h.lines, h.access, h.refresh = r.keys.lines(), accessLife.String(), refreshLife.String()
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
	sealed, lastSealed := 0, begun
	for time.Sleep(rotateEvery); time.Now().Before(end); {
		if time.Since(lastSealed) >= sealEvery {
			sealed, lastSealed = sealed+1, time.Now()
			r.keys.rotateState()
		}
		r.keys.rotateSigning(r.lead)
		r.keys.publish()
		r.reloads.Add(1)
		// No pause of this machine makes the next rotation come sooner after this one.
		next := time.Now().Add(rotateEvery)
		for _, s := range r.servers {
			r.awaitKey(t, s)
		}
		time.Sleep(time.Until(next))
	}
	running.Wait()
	r.verifier.end()
	t.Logf("%d rotations of the signing key in %v, %d of the state key; %d requests, %d failed; npm jose verified %d tokens of %d keys, %d failed",
		r.reloads.Load(), time.Since(begun).Round(time.Second), sealed, r.requests.Load(), len(r.failures), r.verifier.answers, len(r.verifier.kids), len(r.verifier.failures))
}

// awaitKey waits until a server signs with the newest key, and uses the token.
func (r *rotation) awaitKey(t *testing.T, s *server) {
	t.Helper()
	key, err := tokenexchange.ParseSigningKey([]byte(r.keys.signing[0]))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		begun := time.Now()
		got := s.token("web", "client_credentials")
		if r.want(s, "client_credentials", got, got.Access != ""); keyOf(got.Access) == key.ID() {
			r.use("client_credentials", s, got, begun)
			return
		}
		if time.Now().After(end) {
			t.Errorf("server %s does not sign with the key that was published %v ago", s.name, patience)
			return
		}
	}
}

// keyOf is the id of the key that signed a token.
func keyOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	var said struct{ KID string }
	if text, err := base64.RawURLEncoding.DecodeString(header); err == nil {
		_ = json.Unmarshal(text, &said) // What is no token has no key.
	}
	return said.KID
}

// family logs in, and refreshes at one server and the other in turn, until it
// is almost over; then it begins anew.
func (r *rotation) family(n int, end time.Time) {
	refresh, over := "", time.Time{}
	for i := n; time.Now().Before(end); i++ {
		s, what, begun := r.servers[i%2], "refresh", time.Now()
		var got answer
		if begun.After(over.Add(-5 * time.Second)) {
			what, over = "login", begun.Truncate(time.Second).Add(refreshLife)
			got = s.login(loadUser)
		} else {
			got = s.refresh(refresh)
		}
		// A machine that stood still may be too late.
		if refresh = got.Refresh; r.want(s, what, got, got.Refresh != "" || time.Now().After(over)) && refresh != "" {
			r.use(what, s, got, begun)
		} else {
			over = time.Time{}
		}
		time.Sleep(400 * time.Millisecond)
	}
}

// machine gets tokens of a client's own, and uses each again before it is over.
func (r *rotation) machine(n int, end time.Time) {
	type used struct {
		answer
		begun time.Time // a moment before it was issued
	}
	var old []used
	for i := n; time.Now().Before(end); i++ {
		s, begun := r.servers[i%2], time.Now()
		got := s.token("web", "client_credentials")
		if r.want(s, "client_credentials", got, got.Access != "") {
			r.use("client_credentials", s, got, begun)
			old = append(old, used{got, begun})
		}
		for len(old) > 1 && time.Since(old[1].begun) > later { // This machine stood still.
			old = old[1:]
		}
		if len(old) > 0 && time.Since(old[0].begun) > later {
			r.use("client_credentials, later", s, old[0].answer, old[0].begun)
			old = old[1:]
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// use has the tokens verified by others, and uses the access token at both guards.
// They were asked for at that time, and nothing has to take them when they are
// over.
func (r *rotation) use(what string, from *server, got answer, begun time.Time) {
	over := begun.Truncate(time.Second).Add(accessLife) // Tokens count whole seconds.
	what += " at server " + from.name
	r.verifier.verify(what, got.Access, "at+jwt", shopAudience, over)
	if got.ID != "" {
		r.verifier.verify("id token, "+what, got.ID, "JWT", "web", over)
	}
	for _, s := range r.servers {
		at := s.guard(http.MethodGet, got.Access)
		r.want(s, what+", at the guard", at, at.status == http.StatusOK || time.Now().After(over))
	}
	derived := r.servers[len(r.servers)-1].exchange(got.Access)
	r.want(from, what+", exchanged", derived, derived.Access != "" || time.Now().After(over))
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
