package tokenexchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// forge signs changed claims with our own EC key, as only its holder could.
func forge(typ string, from map[string]any, change map[string]any) string {
	claims := maps.Clone(from)
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	b64 := base64.RawURLEncoding.EncodeToString
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":%q}`, ecKey().ID(), typ)
	input := b64([]byte(header)) + "." + b64(must(json.Marshal(claims)))
	return secret("a forged token", input+"."+b64(must(jwt.SigningMethodES256.Sign(input, ecKey().private))))
}

func actors(n int) map[string]any {
	if n == 1 {
		return map[string]any{"sub": "batch"}
	}
	return map[string]any{"sub": "batch", "act": actors(n - 1)}
}

// What only a broken or foreign issuer would sign is refused at both doors,
// for the same reason.
func TestForgedTokens(t *testing.T) {
	h := newHouse(t)
	g := h.shop(t)
	from := claimsOf(t, h.adas())
	for name, c := range map[string]struct {
		typ    string
		change map[string]any
		want   string
	}{
		"nothing wrong":        {"at+jwt", nil, ""},
		"an id token":          {"JWT", nil, "token_type"},
		"no type":              {"", nil, "token_type"},
		"bound to a key":       {"at+jwt", map[string]any{"cnf": map[string]any{"jkt": "x"}}, "token_binding"},
		"another issuer":       {"at+jwt", map[string]any{"iss": "https://other.example.com"}, "token_issuer"},
		"from the future":      {"at+jwt", map[string]any{"iat": start.Unix() + 31}, "token_not_yet_valid"},
		"not before tomorrow":  {"at+jwt", map[string]any{"nbf": start.Unix() + 86400}, "token_not_yet_valid"},
		"expired":              {"at+jwt", map[string]any{"exp": start.Unix() - 5}, "token_expired"},
		"five actors":          {"at+jwt", map[string]any{"act": actors(5)}, "chain_too_long"},
		"without exp":          {"at+jwt", map[string]any{"exp": nil}, "token_malformed"},
		"exp as a string":      {"at+jwt", map[string]any{"exp": "9999999999"}, "token_malformed"},
		"set as a string":      {"at+jwt", map[string]any{"allowed_resource_scope": scopeOf("orders.read", "**")}, "token_malformed"},
		"older than the store": {"at+jwt", map[string]any{"iat": h.epoch.Created.Unix() - 1}, "token_revoked"},
		"derived":              {"at+jwt", map[string]any{"root_jti": "R", "root_iat": start.Unix() - 60}, ""},
		"of an older root":     {"at+jwt", map[string]any{"root_jti": "R", "root_iat": h.epoch.Created.Unix() - 1}, "token_revoked"},
		"before its own root":  {"at+jwt", map[string]any{"root_jti": "R", "root_iat": start.Unix(), "iat": h.epoch.Created.Unix() - 1}, "token_revoked"},
		"a root without time":  {"at+jwt", map[string]any{"root_jti": "R"}, "token_malformed"},
		"a root's time of 0":   {"at+jwt", map[string]any{"root_jti": "R", "root_iat": 0}, "token_malformed"},
		"a root without id":    {"at+jwt", map[string]any{"root_iat": start.Unix()}, "token_malformed"},
		"a root's empty id":    {"at+jwt", map[string]any{"root_jti": "", "root_iat": start.Unix()}, "token_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := forge(c.typ, from, c.change)
			v, _ := h.pass(g, bearer("GET", "/orders/7", raw))
			answer := h.exchange("batch", raw, shopAud)
			if c.want == "" {
				answer.granted(t)
				if !v.Allowed() {
					t.Errorf("the guard says %s", v.Reason)
				}
				return
			}
			answer.refused(t, 400, "invalid_request", c.want)
			if v.Reason.String() != c.want {
				t.Errorf("the guard says %s, want %s", v.Reason, c.want)
			}
		})
	}
	// Four actors pass, and leave no room for the guard or an exchange.
	full := forge("at+jwt", from, map[string]any{"act": actors(4)})
	h.exchange("batch", full, shopAud).refused(t, 400, "invalid_request", "chain_too_long")
	if v, _ := h.pass(g, bearer("GET", "/orders/7", full)); v.Reason != scopes.ReasonChainTooLong {
		t.Errorf("four actors and the guard: got %s", v.Reason)
	}
	// An actor stays who it is, and is seen.
	acted := forge("at+jwt", from, map[string]any{"act": map[string]any{"sub": "batch"}})
	if claims := claimsOf(t, h.exchange("batch", acted, shopAud).granted(t)); claims["act"].(map[string]any)["sub"] != "batch" {
		t.Errorf("act: got %v", claims["act"])
	}
	if v, a := h.pass(g, bearer("GET", "/orders/7", acted)); v.Actor != "batch" || a.record["act"] != "batch" {
		t.Errorf("got the actor %q and the record %v", v.Actor, a.record)
	}
}

func TestTooLargeAtTheEndpoint(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.client("nightly").Org = "x"
		for i := range 60 {
			c.client("nightly").Scope = append(c.client("nightly").Scope, fmt.Sprint(strings.Repeat("s", 100), i))
		}
	})
	h.token("nightly", "grant_type", "client_credentials").refused(t, 400, "invalid_scope", "token_too_large")
	h.token("nightly", "grant_type", "client_credentials", "scope", "orders").granted(t)
}

// What is asked for can be too large before it is met with anything. The caller
// and the log are told of the limit that counts, and by how much.
func TestAskTooLarge(t *testing.T) {
	h := newHouse(t)
	list := func(n int, pattern string) []string {
		patterns := make([]string, n)
		for i := range patterns {
			patterns[i] = fmt.Sprint(pattern, i)
		}
		return patterns
	}
	for name, c := range map[string]struct {
		ask  string
		want string
	}{
		"entries":   {scopeOf("orders.read", list(257, "o")...), "257 entries, 101% of the limit of 256"},
		"canonical": {scopeOf("orders.read", list(100, "orders/"+strings.Repeat("o", 30))...), "bytes in canonical form, 1"},
		"input":     {strings.Repeat(" ", 16<<10) + scopeOf("orders.read", "orders/eu/1"), "bytes of input, 101% of the limit of 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.token("nightly", "grant_type", "client_credentials", "allowed_resource_scope", c.ask)
			a.refused(t, 400, "invalid_scope", "resource_scope_too_large")
			if text, _ := a.body["error_description"].(string); !strings.Contains(text, "64 services, 256 entries") || !strings.Contains(text, "3 KiB") || !strings.Contains(text, c.want) {
				t.Errorf("got the description %q, want the limits and %q", text, c.want)
			}
			if cause, _ := a.record["cause"].(string); !strings.Contains(cause, c.want) {
				t.Errorf("got the cause %q, want %q", cause, c.want)
			}
		})
	}
}

func TestTooManyPasswords(t *testing.T) {
	h := newHouse(t)
	turns := h.slow.hashing.turns
	if !turns.TryAcquire(hashMemory) {
		t.Fatal("somebody else has a turn")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // The client went away while it waited for its turn.
	for _, user := range []string{"ada", "zed"} {
		r := form(pairs("grant_type", "password", "username", user, "password", password)).WithContext(ctx)
		r.SetBasicAuth("web", secretOf("web"))
		h.do(r).refused(t, http.StatusTooManyRequests, "temporarily_unavailable", "too_many_attempts")
	}
	turns.Release(hashMemory)
	h.adas()
	if mint.MaxIssued > mint.MaxPresented {
		t.Error("a token is issued that is too large to be presented")
	}
}
