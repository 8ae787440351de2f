package tokenexchange

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// at is a moment in the claims, seconds from the start.
func at(seconds int) string { return fmt.Sprint(start.Unix() + int64(seconds)) }

// One change of a good assertion at a time; "" as the reason means that it is
// still good.
func TestAssertionClaims(t *testing.T) {
	h := newHouse(t, robots)
	list := func(text ...string) string { return `["` + strings.Join(text, `","`) + `"]` }
	long := strings.Repeat("j", maxAssertionID)
	for _, c := range []struct {
		name, member, value string
		good                bool
	}{
		{"as it is", "typ", `"JWT"`, true},
		{"typ absent", "typ", "", true},
		{"typ of the draft", "typ", `"client-authentication+jwt"`, true},
		{"typ of an access token", "typ", `"at+jwt"`, false},
		{"typ in other case", "typ", `"jwt"`, false},
		{"typ of a logout token", "typ", `"logout+jwt"`, false},
		{"typ of a DPoP proof", "typ", `"dpop+jwt"`, false},
		{"typ a number", "typ", `1`, false},
		{"iss absent", "iss", "", false},
		{"iss empty", "iss", `""`, false},
		{"iss the issuer", "iss", `"` + issuer + `"`, false},
		{"iss another client", "iss", `"tractor"`, false},
		{"iss a list", "iss", list("robot"), false},
		{"iss null", "iss", `null`, false},
		{"sub absent", "sub", "", false},
		{"sub another client", "sub", `"tractor"`, false},
		{"sub unknown", "sub", `"nobody"`, false},
		{"sub in other case", "sub", `"Robot"`, false},
		{"aud a list of the issuer", "aud", list(issuer), true},
		{"aud absent", "aud", "", false},
		{"aud empty", "aud", `""`, false},
		{"aud an empty list", "aud", `[]`, false},
		{"aud twice the issuer", "aud", list(issuer, issuer), false},
		{"aud the issuer and another", "aud", list(issuer, "https://other.example"), false},
		{"aud the token endpoint", "aud", `"` + issuer + `/oauth2/token"`, false},
		{"aud with a slash", "aud", `"` + issuer + `/"`, false},
		{"aud in other case", "aud", `"` + strings.ToUpper(issuer) + `"`, false},
		{"aud another server", "aud", `"https://other.example"`, false},
		{"aud a number", "aud", `1`, false},
		{"aud a list of lists", "aud", `[["` + issuer + `"]]`, false},
		{"exp absent", "exp", "", false},
		{"exp zero", "exp", `0`, false},
		{"exp negative", "exp", `-1`, false},
		{"exp a string", "exp", `"` + at(60) + `"`, false},
		{"exp a fraction", "exp", at(60) + ".5", false},
		{"exp an exponent", "exp", "1e10", false},
		{"exp beyond the year 9999", "exp", "253402300800", false},
		{"exp within the leeway", "exp", at(-4), true},
		{"exp past the leeway", "exp", at(-5), false},
		{"exp five minutes ahead", "exp", at(300), true},
		{"exp within the leeway ahead", "exp", at(305), true},
		{"exp further ahead", "exp", at(306), false},
		{"exp an hour ahead", "exp", at(3600), false},
		{"iat absent", "iat", "", true},
		{"iat within the leeway", "iat", at(30), true},
		{"iat in the future", "iat", at(31), false},
		{"iat a string", "iat", `"` + at(0) + `"`, false},
		{"iat zero", "iat", `0`, false},
		{"nbf within the leeway", "nbf", at(30), true},
		{"nbf in the future", "nbf", at(31), false},
		{"nbf null", "nbf", `null`, false},
		{"jti absent", "jti", "", false},
		{"jti empty", "jti", `""`, false},
		{"jti of 256 bytes", "jti", `"` + long + `"`, true},
		{"jti of 257 bytes", "jti", `"` + long + `j"`, false},
		{"jti a number", "jti", `7`, false},
		{"a claim that we do not know", "more", `{"a":[1,null]}`, true},
		{"a claim with a name twice", "more", `{"a":1,"a":2}`, false},
		{"a claim twice", "more", `1,"iss":"robot"`, false},
		{"something behind the claims", "more", `1} {"a":1`, false},
		{"exp twice", "more", `1,"exp":` + at(60), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := h.assert(says(nil).with(c.member, c.value).robot())
			if c.good {
				if got := claimsOf(t, g.granted(t))["sub"]; got != "robot" {
					t.Errorf("got a token of %v, want robot", got)
				}
				return
			}
			g.refusedAssertion(t)
		})
	}
}

func TestAssertionHeader(t *testing.T) {
	h := newHouse(t, robots)
	jwkOf := jwk(secondKey().Public(), "")
	hmacKey := must(x509.MarshalPKIXPublicKey(robotKey().Public()))
	none := says(statement{"alg": `"none"`}).sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)
	tractor := func(change statement) statement { return says(as("tractor")).with("alg", `"RS256"`).and(change) }
	rotating := func(change statement) statement { return says(as("rotating")).and(change) }
	for _, c := range []struct {
		name, raw string
		good      bool
	}{
		{"EC", says(nil).robot(), true},
		{"RSA", tractor(nil).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"RSA with its kid", tractor(statement{"kid": `"t1"`}).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"any kid where the key has none", says(statement{"kid": `"x"`}).robot(), true},
		{"another kid than the only key's", tractor(statement{"kid": `"t2"`}).sign(jwt.SigningMethodRS256, tractKey()), false},
		{"the first of several", rotating(statement{"kid": `"r1"`}).robot(), true},
		{"the second of several", rotating(statement{"kid": `"r2"`}).sign(jwt.SigningMethodES256, secondKey()), true},
		{"the RSA key of several", rotating(statement{"kid": `"r3"`, "alg": `"RS256"`}).sign(jwt.SigningMethodRS256, tractKey()), true},
		{"several and no kid", rotating(nil).robot(), false},
		{"several and the kid of another", rotating(statement{"kid": `"r2"`}).robot(), false},
		{"several and an unknown kid", rotating(statement{"kid": `"r4"`}).robot(), false},
		{"an EC kid with RS256", rotating(statement{"kid": `"r1"`, "alg": `"RS256"`}).sign(jwt.SigningMethodRS256, tractKey()), false},
		{"alg none", none, false},
		{"alg none, without a signature", none[:strings.LastIndexByte(none, '.')+1], false},
		{"HMAC with the public key", says(statement{"alg": `"HS256"`}).sign(jwt.SigningMethodHS256, hmacKey), false},
		{"HMAC, called ES256", says(nil).sign(jwt.SigningMethodHS256, hmacKey), false},
		{"PSS, called PS256", tractor(statement{"alg": `"PS256"`}).sign(jwt.SigningMethodPS256, tractKey()), false},
		{"PSS, called RS256", tractor(nil).sign(jwt.SigningMethodPS256, tractKey()), false},
		{"RS512 by an RSA key", tractor(statement{"alg": `"RS512"`}).sign(jwt.SigningMethodRS512, tractKey()), false},
		{"alg absent", says(statement{"alg": ""}).robot(), false},
		{"alg in other case", says(statement{"alg": `"es256"`}).robot(), false},
		{"another client's key", says(nil).sign(jwt.SigningMethodES256, secondKey()), false},
		{"another client's name", says(as("tractor")).robot(), false},
		{"our own signing key", says(nil).sign(jwt.SigningMethodES256, ecKey().private), false},
		{"crit", says(statement{"crit": `["exp"]`}).robot(), false},
		{"jku", says(statement{"jku": `"https://evil.example/jwks"`}).robot(), false},
		{"x5u", says(statement{"x5u": `"https://evil.example/x5u"`}).robot(), false},
		{"x5c", says(statement{"x5c": `[]`}).robot(), false},
		{"x5t", says(statement{"x5t": `"AA"`}).robot(), false},
		{"jwk", says(statement{"jwk": jwkOf}).robot(), false},
		{"jwk, signed with it", says(statement{"jwk": jwkOf}).sign(jwt.SigningMethodES256, secondKey()), false},
		{"b64", says(statement{"b64": `false`}).robot(), false},
		{"cty", says(statement{"cty": `"JWT"`}).robot(), false},
		{"alg twice", says(statement{"kid": `"x","alg":"ES256"`}).robot(), false},
		{"header with something behind", says(statement{"kid": `"x"} {"a":"b"`}).robot(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if g := h.assert(c.raw); c.good {
				g.granted(t)
			} else {
				g.refusedAssertion(t)
			}
		})
	}
}

// and returns the statement with several changes.
func (s statement) and(change statement) statement {
	for name, value := range change {
		s = s.with(name, value)
	}
	return s
}

// Several strings that could be read as one assertion are not.
func TestAssertionShape(t *testing.T) {
	h := newHouse(t, robots)
	good := func() []string { return strings.Split(says(nil).robot(), ".") }
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	signed := func(header, claims string) string {
		return forgeJWS(jwt.SigningMethodES256, robotKey(), header, claims)
	}
	const head = `{"alg":"ES256"}`
	p := good()
	// The last character of 64 bytes in base64 has four bits that mean nothing.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	stray := p[2][:len(p[2])-1] + string(alphabet[strings.IndexByte(alphabet, p[2][len(p[2])-1])|1])
	digest := sha256.Sum256([]byte(p[0] + "." + p[1]))
	huge := says(statement{"more": `"` + strings.Repeat("x", 13<<10) + `"`}).robot()
	fits := says(statement{"more": `"` + strings.Repeat("x", 11<<10) + `"`}).robot()
	for name, raw := range map[string]string{
		"not a token":          "x",
		"two parts":            join(p[0], p[1]),
		"four parts":           join(p[0], p[1], p[2], ""),
		"an empty signature":   join(p[0], p[1], ""),
		"an empty header":      join("", p[1], p[2]),
		"a blank behind":       join(p...) + " ",
		"a line end inside":    join(p[0], p[1], p[2][:20]+"\n"+p[2][20:]),
		"padding":              join(p[0], p[1], p[2]+"=="),
		"standard base64":      join(p[0], p[1], base64.StdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe})),
		"stray bits":           join(p[0], p[1], stray),
		"a DER signature":      join(p[0], p[1], base64.RawURLEncoding.EncodeToString(must(robotKey().Sign(rand.Reader, digest[:], crypto.SHA256)))),
		"no JSON":              signed(head, "robot"),
		"a JSON array":         signed(head, "[]"),
		"something behind":     signed(head, `{"iss":"robot","sub":"robot"} {}`),
		"not UTF-8":            signed(head, "{\"iss\":\"\xff\"}"),
		"larger than 16 KiB":   huge,
		"JSON serialization":   `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"an encrypted one":     join(p[0], "", p[1], p[2], p[2]),
		"claims of another":    join(p[0], good()[1], p[2]),
		"an unsecured copy":    join(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), p[1], ""),
		"nested in quotes":     `"` + join(p...) + `"`,
		"with the word Bearer": "Bearer " + join(p...),
	} {
		t.Run(name, func(t *testing.T) { h.assert(raw).refusedAssertion(t) })
	}
	if len(huge) <= 16<<10 || len(fits) > 16<<10 {
		t.Fatalf("got the sizes %d and %d, want them on both sides of 16 KiB", len(huge), len(fits))
	}
	h.assert(fits).granted(t)
	h.assert(join(p...)).granted(t) // The tries did not use it up.
}

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
	h.do(form(pairs("grant_type", "client_credentials", "client_id", "robot", "client_assertion_type", assertionType))).refusedAssertion(t)
	h.assert("").refusedAssertion(t)
	r := form(`{"grant_type":"client_credentials","client_assertion":["x"],"client_assertion_type":"` + assertionType + `"}`)
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

// A store that was lost has forgotten which assertions were used.
func TestAssertionBeforeTheEpoch(t *testing.T) {
	h := newHouse(t, robots)
	h.epoch.Created = start.Add(10*time.Second + 500*time.Millisecond)
	h.clock = start.Add(20 * time.Second)
	h.Server = h.reload(h.caches, robots)
	for _, c := range []struct {
		name, iat, exp string
		good           bool
	}{
		{"made before", at(9), at(60), false},
		{"made in the second of the epoch", at(10), at(60), true},
		{"made after", at(15), at(60), true},
		{"who knows when, perhaps before", "", at(60), false},
		{"who knows when, but not before", "", at(310), true},
	} {
		g := h.assert(says(statement{"iat": c.iat, "exp": c.exp}).robot())
		if c.good {
			g.granted(t)
			continue
		}
		g.refusedAssertion(t)
		if why := fmt.Sprint(g.record["cause"]); !strings.Contains(why, "epoch") {
			t.Errorf("%s: got the cause %q", c.name, why)
		}
	}
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
