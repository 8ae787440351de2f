package tokenexchange

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestAssertionParameters(t *testing.T) {
	h := newHouse(t, robots)
	for _, c := range []struct {
		name   string
		header string
		body   []string
		want   string
	}{
		{"with its client_id", "", []string{"client_assertion_type", assertionType, "client_id", "robot"}, ""},
		{"with an empty secret", "", []string{"client_assertion_type", assertionType, "client_secret", ""}, ""},
		{"with another client_id", "", []string{"client_assertion_type", assertionType, "client_id", "tractor"}, "client_ambiguous"},
		{"with a client's secret", "", []string{"client_assertion_type", assertionType, "client_secret", secretOf("nightly")}, "client_ambiguous"},
		{"with client_id and secret", "", []string{"client_assertion_type", assertionType, "client_id", "nightly", "client_secret", secretOf("nightly")}, "client_ambiguous"},
		{"with Basic", basic("nightly", secretOf("nightly")), []string{"client_assertion_type", assertionType}, "client_ambiguous"},
		{"with its own empty Basic", basic("robot", ""), []string{"client_assertion_type", assertionType}, "client_ambiguous"},
		{"with Bearer", "Bearer x", []string{"client_assertion_type", assertionType}, "client_ambiguous"},
		{"without a type", "", nil, "client_authentication"},
		{"of the SAML type", "", []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "client_authentication"},
		{"of the type in other case", "", []string{"client_assertion_type", strings.ToUpper(assertionType)}, "client_authentication"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := form(pairs(append([]string{"grant_type", "client_credentials", "client_assertion", says(nil).robot()}, c.body...)...))
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			switch g := h.do(r); c.want {
			case "":
				g.granted(t)
			case "client_ambiguous":
				g.refused(t, 400, "invalid_request", c.want)
			default:
				g.refusedAssertion(t)
			}
		})
	}
	h.do(form(pairs("grant_type", "client_credentials", "client_assertion_type", assertionType))).refusedAssertion(t)
	r := form(pairs("grant_type", "client_credentials", "client_assertion_type", assertionType))
	r.SetBasicAuth("nightly", secretOf("nightly"))
	h.do(r).refused(t, 400, "invalid_request", "client_ambiguous")
	h.do(form(pairs("grant_type", "client_credentials", "client_id", "robot", "client_assertion_type", assertionType))).refusedAssertion(t)
	h.assert("").refusedAssertion(t)
	r = form(`{"grant_type":"client_credentials","client_assertion":["x"],"client_assertion_type":"` + assertionType + `"}`)
	r.Header.Set("Content-Type", "application/json")
	h.do(r).refused(t, 400, "invalid_request", "parameter_type")
}

// A client has one way to authenticate, and no other works for it.
func TestAssertionIsTheOnlyWay(t *testing.T) {
	h := newHouse(t, robots)
	for _, s := range []string{"", secretOf("robot"), "robot", says(nil).robot()} {
		r := form("grant_type=client_credentials")
		r.SetBasicAuth("robot", s)
		h.do(r).refusedAssertion(t)
		h.do(form(pairs("grant_type", "client_credentials", "client_id", "robot", "client_secret", s))).refusedAssertion(t)
	}
	for _, client := range []string{"nightly", "mobile", "guard:shop", "nobody", ""} {
		h.assert(says(as(client)).robot()).refusedAssertion(t)
	}
}

// What the world sees of a client that does not exist, has no keys, or did not
// sign, is one answer.
func TestUnknownClientIsABadAssertion(t *testing.T) {
	h := newHouse(t, robots)
	ask := func(raw string) string {
		g := h.assert(raw)
		id := g.header.Get("Scopegate-Decision")
		return fmt.Sprint(g.status, strings.ReplaceAll(fmt.Sprint(g.header)+g.raw, id, "ID"))
	}
	want := ask(says(nil).sign(jwt.SigningMethodES256, secondKey()))
	for _, client := range []string{"nobody", "nightly", "mobile", "tractor", "guard:shop", strings.Repeat("x", 1000)} {
		if got := ask(says(as(client)).sign(jwt.SigningMethodES256, secondKey())); got != want {
			t.Errorf("%.20s: got %s, want %s", client, got, want)
		}
	}
	if got := ask("x"); got != want {
		t.Errorf("no assertion at all: got %s, want %s", got, want)
	}
}

// A signature as long as that of the client's key takes its time, whether there
// is such a client or not, and one of another length the same for both.
func TestUnknownClientTakesAsLong(t *testing.T) {
	modulus := func(bits int) *rsa.PublicKey { // Nobody signs with it.
		n := new(big.Int).SetBit(tractKey().N, bits-1, 1)
		return &rsa.PublicKey{N: n, E: 65537}
	}
	sizes := []int{2048, 3072, 4096}
	h := newHouse(t, func(c *Config) {
		for _, bits := range sizes {
			id := fmt.Sprint("digger", bits)
			c.Clients = append(c.Clients, ClientConfig{
				ID: id, JWKSFile: id + ".json", JWKS: []byte(`{"keys":[` + jwk(modulus(bits), "") + `]}`),
				GrantTypes: []string{"client_credentials"}, Own: lines(),
			})
		}
	})
	for _, size := range []int{255, 256, 300, 384, 512, 600} {
		a := must(readAssertion(strings.Join([]string{
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)), "e30", base64.RawURLEncoding.EncodeToString(make([]byte, size)),
		}, ".")))
		keys := []*client{&nobody}
		for _, bits := range sizes {
			keys = append(keys, h.realm.clients[fmt.Sprint("digger", bits)])
		}
		// Each is the shortest of many, taken in turns: a machine that is slow for a
		// while is slow for all of them.
		took := make([]time.Duration, len(keys))
		for range 100 {
			for i, c := range keys {
				begun := time.Now()
				if a.signedBy(c) {
					t.Fatal("a signature of nothing but zeros is accepted")
				}
				if now := time.Since(begun); took[i] == 0 || now < took[i] {
					took[i] = now
				}
			}
		}
		for i, bits := range sizes {
			const noise = 10 * time.Microsecond
			if unknown, known := took[0], took[i+1]; known > 2*unknown+noise || unknown > 2*known+noise {
				t.Errorf("a signature of %d bytes: %s for a key of %d bits, and %s for nobody", size, known, bits, unknown)
			}
		}
	}
}

func TestAssertionIsNoTokenAndNoTokenIsAnAssertion(t *testing.T) {
	h := newHouse(t, robots)
	exchange := []string{"grant_type", exchangeGrant, "audience", shopAud, "subject_token_type", accessURN}
	own := h.nightlys()
	asRobot := func(kv ...string) got {
		return h.do(form(pairs(append(append(kv, exchange...), "client_assertion_type", assertionType, "client_assertion", says(nil).robot())...)))
	}
	accessLike := says(statement{"typ": `"at+jwt"`, "more": `1,"client_id":"robot"`}).robot()
	for name, raw := range map[string]string{"an assertion": says(nil).robot(), "one that calls itself a token": accessLike} {
		for param, g := range map[string]got{
			"subject": asRobot("subject_token", raw),
			"actor":   asRobot("subject_token", own, "actor_token", raw, "actor_token_type", accessURN),
		} {
			if reason := g.body["cspErrorCode"]; g.status != 400 || reason != "token_malformed" && reason != "token_signature" {
				t.Errorf("%s as the %s token: got %s", name, param, g.raw)
			}
		}
	}
	// Even where a client's key set is ours by mistake, our tokens are no assertions.
	h = newHouse(t, robots, func(c *Config) {
		c.client("robot").JWKS = []byte(`{"keys":[` + jwk(ecKey().private.Public(), ecKey().ID()) + `]}`)
	})
	token := h.assert(says(nil).sign(jwt.SigningMethodES256, ecKey().private)).granted(t)
	for name, raw := range map[string]string{
		"a client's own token": token,
		"a user's token":       h.adas(),
		"an id token":          says(statement{"iss": `"` + issuer + `"`, "aud": `"robot"`}).sign(jwt.SigningMethodES256, ecKey().private),
	} {
		h.assert(raw).refusedAssertion(t)
		if h.assert(raw, "client_id", "robot").status == 200 {
			t.Errorf("%s authenticates a client", name)
		}
	}
}

func TestAssertionIsUsedOnce(t *testing.T) {
	h := newHouse(t, robots)
	raw := says(nil).robot()
	h.assert(raw).granted(t)
	h.assert(raw).refusedAssertion(t)
	// The jti counts, not the bytes.
	same := says(statement{"jti": `"one"`})
	h.assert(same.robot()).granted(t)
	h.assert(same.with("exp", at(70)).robot()).refusedAssertion(t)
	// Another client may have used the same jti.
	h.assert(same.and(as("tractor")).with("alg", `"RS256"`).sign(jwt.SigningMethodRS256, tractKey())).granted(t)
	// One that is refused is not used up: wrong signature, then wrong claims.
	fresh := says(statement{"jti": `"two"`})
	h.assert(fresh.sign(jwt.SigningMethodES256, secondKey())).refusedAssertion(t)
	h.assert(fresh.with("aud", `"https://other.example"`).robot()).refusedAssertion(t)
	h.assert(fresh.robot()).granted(t)
	// It is remembered for as long as it could be accepted.
	last := says(statement{"jti": `"three"`, "exp": at(300)}).robot()
	h.assert(last).granted(t)
	for _, later := range []int{299, 300, 304} {
		h.clock = start.Add(time.Duration(later)*time.Second + 999*time.Millisecond)
		h.assert(last).refusedAssertion(t)
		if why := fmt.Sprint(h.recordOf(last)["cause"]); !strings.Contains(why, "used before") {
			t.Errorf("after %d s: got the cause %q, want that it was used", later, why)
		}
	}
	h.clock = start.Add(305 * time.Second)
	if why := fmt.Sprint(h.recordOf(last)["cause"]); !strings.Contains(why, "exp is past") {
		t.Errorf("got the cause %q, want that it has expired", why)
	}
}

// recordOf is the audit record of one more try.
func (h *house) recordOf(raw string) map[string]any { return h.assert(raw).record }

// A client that failed at the grant used its assertion up: it was authenticated.
func TestAssertionIsUsedUpBeforeAnythingElse(t *testing.T) {
	h := newHouse(t, robots)
	raw := says(nil).robot()
	h.do(form(pairs("grant_type", "password", "username", "ada", "password", password, "client_assertion_type", assertionType, "client_assertion", raw))).
		refused(t, 400, "unauthorized_client", "grant_not_allowed")
	h.assert(raw).refusedAssertion(t)
}

// A store that is away must not look as if the client were wrong.
func TestAssertionWithoutStore(t *testing.T) {
	h := newHouse(t, robots)
	raw := says(nil).robot()
	faulty := &stateStore{Store: h.store, fail: errors.New("away")}
	h.state.store = faulty
	h.assert(raw).refused(t, 503, "temporarily_unavailable", "store_unavailable")
	h.assert(says(nil).sign(jwt.SigningMethodES256, secondKey())).refusedAssertion(t)
	h.nightlys()                           // Secrets need no store.
	faulty.fail, faulty.repeat = nil, true // Each command runs twice, and its first answer is lost.
	h.assert(raw).granted(t)
	h.assert(raw).refusedAssertion(t)
}

func TestAssertionMetadata(t *testing.T) {
	g := newHouse(t, robots).do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	for name, want := range map[string]string{
		"token_endpoint_auth_methods_supported":            "[client_secret_basic client_secret_post none private_key_jwt]",
		"token_endpoint_auth_signing_alg_values_supported": "[ES256 RS256]",
	} {
		if got := fmt.Sprint(g.body[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	g = newHouse(t).do(httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	if _, has := g.body["token_endpoint_auth_signing_alg_values_supported"]; has || strings.Contains(g.raw, "private_key_jwt") {
		t.Errorf("without such a client: got %s", g.raw)
	}
}
