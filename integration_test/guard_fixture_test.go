package integration_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// guarded is a process with guards before a recording upstream, and the key
// with which its tokens are signed, so that a test can forge any token.
type guarded struct {
	*Caddy
	upstream *Upstream
	key      testKey
}

// startGuarded runs shopIssuer and these sites, which can use {{.upstream}}
// and {{.rules}}.
func startGuarded(t *testing.T, sites string) *guarded {
	t.Helper()
	return startGuardedConfig(t, Config{Caddyfile: shopIssuer + sites})
}

func startGuardedConfig(t *testing.T, config Config) *guarded {
	t.Helper()
	g := &guarded{upstream: NewUpstream(t, upstreamAudience), key: newTestKey(t)}
	web, batch := randomText(), randomText()
	Register(t, web, batch, password)
	if config.Vars == nil {
		config.Vars = map[string]any{}
	}
	config.Vars["upstream"], config.Vars["rules"] = g.upstream.Addr(), shopRules
	config.Env = append(config.Env, "WEB_SECRET="+web, "BATCH_SECRET="+batch)
	config.Files = map[string]string{
		"es256.pem":  g.key.pem(t),
		"users.json": strings.ReplaceAll(shopUsers, "{{.hash}}", passwordHash(t)),
	}
	g.Caddy = Start(t, config)
	return g
}

// secret returns the secret of a client of shopIssuer.
func (g *guarded) secret(client string) string {
	name := map[string]string{"web": "WEB_SECRET", "teller": "WEB_SECRET", "batch": "BATCH_SECRET", "both": "BATCH_SECRET", "agent": "BATCH_SECRET"}[client]
	for _, env := range g.config.Env {
		if value, ok := strings.CutPrefix(env, name+"="); ok {
			return value
		}
	}
	return ""
}

// tokenRequest asks the token endpoint, with parameters written name=value.
func (g *guarded) tokenRequest(client string, params ...string) Response {
	g.t.Helper()
	form := url.Values{}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		form.Add(name, value)
	}
	r := g.NewRequest(http.MethodPost, "auth", "/oauth2/token", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	r.SetBasicAuth(client, g.secret(client))
	return g.Do(r)
}

// token obtains an access token.
func (g *guarded) token(client string, params ...string) string {
	g.t.Helper()
	response := g.tokenRequest(client, params...)
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil || response.Status != http.StatusOK || body.Token == "" {
		g.t.Fatalf("%s got no token: %d %s", client, response.Status, response.Body)
	}
	return body.Token
}

// raw writes a request with headers written "Name: value". What has to break
// the rules of HTTP is written by hand.
func raw(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\nHost: shop.example.com\n" + strings.Join(append(headers, "", ""), "\n")
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// seen is the number of bytes that reached the upstream.
func (g *guarded) seen() (n int) {
	for _, stream := range g.upstream.Streams() {
		n += len(stream)
	}
	return n
}

// statuses are the answers of the reasons that are reached here.
var statuses = map[string]int{
	"no_token": 401, "token_malformed": 401, "token_expired": 401, "token_not_yet_valid": 401, "token_issuer": 401,
	"token_audience": 401, "token_type": 401, "token_signature": 401, "token_binding": 401, "token_revoked": 401,
	"chain_too_long": 401, "token_ambiguous": 400, "token_leak": 400, "path_ambiguous": 400,
	"no_rule": 403, "method_not_allowed": 403, "no_resource_scope": 403, "service_missing": 403,
	"permission_missing": 403, "resource_missing": 403, "variable_rejected": 403, "exchange_refused": 403,
}

// refused sends a request that the guard has to refuse for this reason: in the
// answer, in the audit record, and with nothing sent to the upstream.
func (g *guarded) refused(t *testing.T, site, request, reason string) Response {
	t.Helper()
	before, mark := g.seen(), g.Mark()
	response := Exchange(t, g.Addr(site), request)
	var body struct {
		Reason     string           `json:"reason"`
		DecisionID string           `json:"decision_id"`
		Required   []map[string]any `json:"required"`
	}
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
		t.Fatalf("got %d with a body that is no JSON: %q", response.Status, response.Body)
	}
	if body.Reason != reason || response.Status != statuses[reason] {
		t.Errorf("got %d %s, want %d %s", response.Status, response.Body, statuses[reason], reason)
	}
	if got := response.Header.Get("Scopegate-Decision"); got != body.DecisionID || got == "" {
		t.Errorf("Scopegate-Decision: got %q, the body has %q", got, body.DecisionID)
	}
	if !strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("WWW-Authenticate: got %q, want a Bearer challenge", response.Header.Get("WWW-Authenticate"))
	}
	if response.Status != http.StatusForbidden && body.Required != nil {
		t.Errorf("got required %v, which is for holders of a valid token", body.Required)
	}
	record := g.WaitLog(mark, func(l Line) bool { return l.Msg() == "decision" && l.String("decision_id") == body.DecisionID })
	if record.Level() != "warn" || record.String("reason") != body.Reason || record.Fields["allowed"] != false || record.String("endpoint") != "guard" {
		t.Errorf("audit record: got %s", record.Raw)
	}
	if after := g.seen(); after != before {
		t.Errorf("the upstream got %d bytes of a refused request", after-before)
	}
	return response
}

// dropped sends a request that the server has to refuse before the guard runs,
// and closes, so that nothing behind it is read as a second request.
func (g *guarded) dropped(t *testing.T, site, request string) {
	t.Helper()
	before := g.seen()
	socket := Dial(t, g.Addr(site))
	defer socket.Close()
	socket.Send(strings.ReplaceAll(request, "\n", "\r\n"))
	if got := socket.Rest(); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 501") {
		t.Errorf("got %q, want 4xx or 501", got)
	}
	if after := g.seen(); after != before {
		t.Errorf("the upstream got %d bytes", after-before)
	}
}

// allowed sends a request that the guard has to let through, and returns what
// the upstream got.
func (g *guarded) allowed(t *testing.T, site, request string) Request {
	t.Helper()
	before, mark := len(g.upstream.Requests()), g.Mark()
	response := Exchange(t, g.Addr(site), request)
	if response.Status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", response.Status, response.Body)
	}
	requests := g.upstream.Requests()
	if len(requests) != before+1 {
		t.Fatalf("the upstream got %d requests, want 1", len(requests)-before)
	}
	record := g.WaitLog(mark, func(l Line) bool { return l.Msg() == "decision" && l.String("endpoint") == "guard" })
	if record.Level() != "debug" || record.String("reason") != "allowed" || record.Fields["allowed"] != true || record.String("decision_id") == "" {
		t.Errorf("audit record: got %s", record.Raw)
	}
	got := requests[before]
	for _, field := range slices.Concat(got.Header, got.Trailer) {
		name := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(field.Name))
		if strings.Contains(name, "csp-auth") || strings.Contains(name, "override") || strings.Contains(name, "original") ||
			strings.Contains(name, "rewrite") || name == "http2-settings" || name == "proxy-authorization" {
			t.Errorf("the upstream got %s: %s", field.Name, field.Value)
		}
	}
	return got
}

// exchanged returns the claims of the one token that the upstream got.
func exchanged(t *testing.T, request Request) map[string]any {
	t.Helper()
	values := request.Values("Authorization")
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		t.Fatalf("the upstream got Authorization %q, want one token", values)
	}
	claims := claimsOf(t, strings.TrimPrefix(values[0], "Bearer "))
	if claims["aud"] != upstreamAudience {
		t.Errorf("aud: got %v, want %s", claims["aud"], upstreamAudience)
	}
	return claims
}

// with returns a copy of claims with some changed; nil takes one out.
func with(claims, changes map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}
