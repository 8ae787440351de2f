//go:build timing

package tokenexchange

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/argon2"
)

// Samples of each kind, and how many deviations off equal the ranks of two kinds
// may be. By chance it is more than 4 in one run of sixteen thousand.
const (
	timingSamples = 2000
	timingBound   = 4
)

// What does not exist takes as long as what is wrong: the times of whole requests
// are taken in turns and compared by their ranks. `make timing` runs it alone,
// since it needs a quiet machine.
func TestTiming(t *testing.T) {
	salt, b64 := []byte("saltsaltsalt"), base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$argon2id$v=19$m=4096,t=1,p=1$%s$%s", b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, 4096, 1, 32)))
	large := must(rsa.GenerateKey(rand.Reader, 4096))
	diggers := func(c *Config) {
		public := &rsa.PublicKey{N: new(big.Int).Sub(large.N, big.NewInt(2)), E: large.E} // Nobody signs with it.
		c.Clients = append(c.Clients, ClientConfig{
			ID: "digger", JWKSFile: "digger.json", JWKS: []byte(`{"keys":[` + jwk(public, "") + `]}`),
			GrantTypes: []string{"client_credentials"}, Own: lines(),
		})
	}
	h := newHouse(t, robots, diggers, keyring)
	apiToken := h.withAPIToken(t, strings.ReplaceAll(baseUsers, cheap, hash), nil, robots, diggers)
	login := func(name, password string) func() *http.Request {
		return func() *http.Request {
			r := form(pairs("grant_type", "password", "username", name, "password", password))
			r.SetBasicAuth("web", secretOf("web"))
			return r
		}
	}
	basic := func(client string) func() *http.Request {
		return func() *http.Request {
			r := form("grant_type=client_credentials")
			r.SetBasicAuth(client, wrongSecret)
			return r
		}
	}
	assertion := func(client, alg string, method jwt.SigningMethod, key any) func() *http.Request {
		return func() *http.Request {
			now := h.clock.Unix()
			raw := says(as(client)).and(statement{"alg": alg, "iat": fmt.Sprint(now), "exp": fmt.Sprint(now + 60)}).sign(method, key)
			return form(pairs("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", raw))
		}
	}
	byToken := func(token string) func() *http.Request {
		return func() *http.Request {
			r := form(pairs("api_token", token))
			r.URL.Path = "/csp/gateway/am/api/auth/api-tokens/authorize"
			return r
		}
	}
	id, _, _ := strings.Cut(apiToken, ".")
	other := must(GenerateSigningKey("RS256")).private
	for _, c := range []struct {
		name string
		a, b func() *http.Request
	}{
		{"unknown user, wrong password", login("zed", "wrong"), login("ada", "wrong")},
		{"user without a password, wrong password", login("eve", "wrong"), login("ada", "wrong")},
		{"disabled user with the password, wrong password", login("bob", password), login("ada", "wrong")},
		{"unknown client, wrong secret", basic("nothing"), basic("nightly")},
		{"public client with a secret, unknown client", basic("mobile"), basic("nights")},
		{"client with keys and a secret, wrong secret", basic("tractor"), basic("nightly")},
		{"unknown client, wrong signature with ES256", assertion("nobot", `"ES256"`, jwt.SigningMethodES256, secondKey()), assertion("robot", `"ES256"`, jwt.SigningMethodES256, secondKey())},
		{"unknown client, wrong signature with RS256", assertion("trailer", `"RS256"`, jwt.SigningMethodRS256, other), assertion("tractor", `"RS256"`, jwt.SigningMethodRS256, other)},
		{"unknown client, wrong signature of 4096 bits", assertion("dogger", `"RS256"`, jwt.SigningMethodRS256, large), assertion("digger", `"RS256"`, jwt.SigningMethodRS256, large)},
		{"unknown API token, wrong API token", byToken(strings.Repeat("x", len(id)) + ".wrong"), byToken(id + ".wrong")},
	} {
		t.Run(c.name, func(t *testing.T) {
			times := [2][]time.Duration{}
			for i := range 2 * (timingSamples + 100) {
				// a b b a: neither is always the one that comes after the other.
				which := (i/2 + i) % 2
				request := [2]func() *http.Request{c.a, c.b}[which]
				h.clock = h.clock.Add(time.Hour) // Nobody is slowed down.
				r, w := located(request()), httptest.NewRecorder()
				h.records.Reset()
				begun := time.Now()
				h.ServeHTTP(w, r)
				took := time.Since(begun)
				if w.Code != 400 && w.Code != 401 || strings.Contains(w.Body.String(), "too_many") {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
				if i >= 2*100 {
					times[which] = append(times[which], took)
				}
			}
			z, superiority := mannWhitney(times[0], times[1])
			for _, ts := range times {
				slices.Sort(ts)
			}
			t.Logf("medians %s and %s of %d and %d samples, the first is longer in %.1f %% of the pairs, z %.2f",
				times[0][len(times[0])/2], times[1][len(times[1])/2], len(times[0]), len(times[1]), 100*superiority, z)
			if math.Abs(z) > timingBound {
				t.Errorf("got z = %.2f, want at most %d: the times tell the two apart", z, timingBound)
			}
		})
	}
}

// mannWhitney compares two samples by their ranks (Mann and Whitney, 1947). It
// returns by how many deviations the sum of ranks is off what equal ones have,
// and how likely one of the first is above one of the second.
func mannWhitney(a, b []time.Duration) (z, superiority float64) {
	type sample struct {
		took  time.Duration
		first bool
	}
	var all []sample
	for _, t := range a {
		all = append(all, sample{t, true})
	}
	for _, t := range b {
		all = append(all, sample{t, false})
	}
	slices.SortFunc(all, func(x, y sample) int { return int(x.took - y.took) })
	n1, n2, n := float64(len(a)), float64(len(b)), float64(len(all))
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		end := i
		for end < len(all) && all[end].took == all[i].took {
			end++
		}
		rank, t := float64(i+1+end)/2, float64(end-i) // Equal ones share the mean rank.
		for ; i < end; i++ {
			if all[i].first {
				ranks += rank
			}
		}
		ties += t*t*t - t
	}
	u := ranks - n1*(n1+1)/2
	deviation := math.Sqrt(n1 * n2 / 12 * (n + 1 - ties/(n*(n-1))))
	return (u - n1*n2/2) / deviation, u / (n1 * n2)
}

// The comparison sees a difference, and none where there is none.
func TestMannWhitney(t *testing.T) {
	var a, b, later []time.Duration
	for i := range timingSamples {
		a, b, later = append(a, time.Duration(i*7919%1000)), append(b, time.Duration(i*104729%1000)), append(later, time.Duration(i*7919%1000+100))
	}
	if z, s := mannWhitney(a, b); math.Abs(z) > 1 || math.Abs(s-0.5) > 0.01 {
		t.Errorf("equal samples: got z = %.2f, %.3f", z, s)
	}
	if z, s := mannWhitney(later, a); z < timingBound || s < 0.55 {
		t.Errorf("one sample later: got z = %.2f, %.3f", z, s)
	}
	// By hand: 1 2 against 3 4, U = 0, the mean 2, the deviation the root of 4*5/12.
	if z, s := mannWhitney([]time.Duration{1, 2}, []time.Duration{3, 4}); math.Abs(z+2/math.Sqrt(20.0/12)) > 1e-9 || s != 0 {
		t.Errorf("by hand: got z = %v, %v", z, s)
	}
}
