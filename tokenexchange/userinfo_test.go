package tokenexchange

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// lovelace is baseUsers with an ada who has a name, and is in three groups.
var lovelace = strings.NewReplacer(
	`"email":"ada@example.com"`, `"given_name":"Ada","family_name":"Lovelace","email":"ada@example.com"`,
	`"groups":[{"id":"g1","name":"G"}]`, `"groups":[{"id":"g1","name":"G"},{"id":"g2","name":"H"},{"id":"g3","name":"I"}]`,
	`"groups":["g1"]`, `"groups":["g1","g2","g3"]`,
).Replace(baseUsers)

func telling(c *Config) {
	web := c.client("web")
	web.Scope = append(web.Scope, "group_ids", "grpn://H", "grpid://g3")
}

func (h *house) userinfo(token string) got {
	h.t.Helper()
	return h.do(bearer("GET", "/oauth2/userinfo", token))
}

// toBearer is refused for the endpoints that take a token: they always say how
// to send which one.
func (g got) toBearer(t testing.TB, status int, code, reason, challenge string) {
	t.Helper()
	if got := g.header.Get("WWW-Authenticate"); got != challenge {
		t.Errorf("got the challenge %q, want %q", got, challenge)
	}
	if status != 401 {
		g.header.Del("WWW-Authenticate")
	}
	g.refused(t, status, code, reason)
}

// What is told is what the scope says, and what the id token of the same login
// says of the user.
func TestUserinfo(t *testing.T) {
	h := newHouse(t, logins)
	h.withUsers(lovelace, telling)
	for scope, want := range map[string]map[string]any{
		"openid":                     {},
		"openid profile":             {"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "preferred_username": "ada"},
		"openid email":               {"email": "ada@example.com", "email_verified": true},
		"openid group_ids":           {"group_ids": []any{"g1", "g2", "g3"}},
		"openid group_names orders":  {"group_names": []any{"G", "H", "I"}},
		"openid grpn://H":            {"group_names": []any{"H"}},
		"openid grpid://g3 grpn://H": {"group_ids": []any{"g3"}, "group_names": []any{"H"}},
	} {
		login := h.login("scope", scope)
		access, _ := login.tokens(t)
		id := claimsOf(t, login.body["id_token"].(string))
		for name, value := range map[string]any{
			"sub": "example.com:ada", "acct": "ada@example.com", "username": "ada", "domain": "example.com", "context_name": "acme", "context": id["context"],
		} {
			want[name] = value
		}
		g := h.userinfo(access)
		if g.status != 200 || !reflect.DeepEqual(g.body, want) {
			t.Errorf("%s: got %d %v\nwant %v", scope, g.status, g.body, want)
		}
		for name, value := range g.body {
			if !reflect.DeepEqual(id[name], value) {
				t.Errorf("%s: %s is %v, and %v in the id token", scope, name, value, id[name])
			}
		}
		if g.header.Get("Cache-Control") != "no-store" || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("got the headers %v", g.header)
		}
		for name, value := range map[string]any{
			"allowed": true, "reason": "allowed", "endpoint": "userinfo", "client_id": "web", "sub": "example.com:ada", "org": "acme", "level": "INFO",
		} {
			if g.record[name] != value {
				t.Errorf("record: %s is %v, want %v", name, g.record[name], value)
			}
		}
	}
	// Rights that a request left out take nothing of who the user is.
	narrowed := h.loggedIn("allowed_resource_scope", scopeOf("orders.read", "orders/7"))
	if claimsOf(t, narrowed)["narrowed"] != true {
		t.Fatal("the token is not narrowed")
	}
	if g := h.userinfo(narrowed); g.status != 200 || g.body["email"] != "ada@example.com" {
		t.Errorf("narrowed: got %d %s", g.status, g.raw)
	}
}

func TestUserinfoRequests(t *testing.T) {
	h := newHouse(t, logins)
	token := h.loggedIn()
	for _, at := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/oauth2/userinfo", 200},
		{"HEAD", "/oauth2/userinfo", 200},
		{"POST", "/oauth2/userinfo", 200},
		{"GET", "/csp/gateway/am/api/userinfo", 200},
		{"GET", "//csp/gateway/am/api/userinfo", 200},
		{"POST", "/csp/gateway/am/api/userinfo", 405},
		{"PUT", "/oauth2/userinfo", 405},
	} {
		if g := h.do(bearer(at.method, at.path, token)); g.status != at.status {
			t.Errorf("%s %s: got %d, want %d", at.method, at.path, g.status, at.status)
		}
	}
	posted := func(kind, body string) got {
		r := httptest.NewRequest("POST", "/oauth2/userinfo", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", kind)
		return h.do(r)
	}
	const twice = `Bearer error="invalid_request"`
	if g := posted("application/x-www-form-urlencoded", "schema=openid"); g.status != 200 {
		t.Errorf("a body without a token: got %d %s", g.status, g.raw)
	}
	posted("application/x-www-form-urlencoded", pairs("access_token", token)).toBearer(t, 400, "invalid_request", "token_ambiguous", twice)
	posted("application/json", `{"access_token":"`+token+`"}`).toBearer(t, 400, "invalid_request", "token_ambiguous", twice)
	posted("text/plain", "x").toBearer(t, 400, "invalid_request", "content_type", twice)
	h.do(bearer("GET", "/oauth2/userinfo?access_token="+token, "")).toBearer(t, 400, "invalid_request", "token_ambiguous", twice)
	h.do(bearer("GET", "/oauth2/userinfo?access_token=x", token)).toBearer(t, 400, "invalid_request", "token_ambiguous", twice)
	two := bearer("GET", "/oauth2/userinfo", token)
	two.Header.Add("Authorization", "Bearer "+token)
	h.do(two).toBearer(t, 400, "invalid_request", "token_ambiguous", twice)
	csp := bearer("GET", "/csp/gateway/am/api/userinfo", "")
	csp.Header.Set("Csp-Auth-Token", token)
	h.do(csp).toBearer(t, 401, "no_token", "no_token", "Bearer")
	basic := bearer("GET", "/oauth2/userinfo", "")
	basic.SetBasicAuth("web", secretOf("web"))
	h.do(basic).toBearer(t, 401, "no_token", "no_token", "Bearer")
}

func TestUserinfoRefused(t *testing.T) {
	h := newHouse(t, logins, delegates, keyring)
	token := h.loggedIn()
	claims := claimsOf(t, token)
	const invalid, lacking = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope", scope="openid"`
	for name, c := range map[string]struct{ token, reason, challenge string }{
		"no token":              {"", "no_token", "Bearer"},
		"rubbish":               {"x", "token_malformed", invalid},
		"an id token":           {h.login().body["id_token"].(string), "token_type", invalid},
		"a refresh token":       {h.login().body["refresh_token"].(string), "token_malformed", invalid},
		"another issuer's":      {forge("at+jwt", claims, map[string]any{"iss": "https://evil.example"}), "token_issuer", invalid},
		"expired":               {forge("at+jwt", claims, map[string]any{"exp": h.clock.Unix() - 10}), "token_expired", invalid},
		"bound to a key":        {forge("at+jwt", claims, map[string]any{"cnf": map[string]any{"jkt": "x"}}), "token_binding", invalid},
		"for an upstream":       {forge("at+jwt", claims, map[string]any{"aud": "urn:scopegate:upstream:shop"}), "token_audience", invalid},
		"for nobody here, old":  {forge("at+jwt", claims, map[string]any{"aud": shopAud, "exp": h.clock.Unix() - 10}), "token_audience", invalid},
		"of an unknown client":  {forge("at+jwt", claims, map[string]any{"client_id": "gone"}), "token_revoked", invalid},
		"without openid":        {h.loggedIn("scope", "profile email"), "openid_missing", lacking},
		"of an API":             {h.exchange("batch", token, shopAud).granted(t), "openid_missing", lacking},
		"issuer but no openid":  {forge("at+jwt", claims, map[string]any{"scope": "profile"}), "openid_missing", lacking},
		"a client's":            {h.token("batch", "grant_type", "client_credentials").granted(t), "subject_kind", lacking},
		"with an actor":         {forge("at+jwt", claims, map[string]any{"act": map[string]any{"sub": "agent"}}), "subject_kind", lacking},
		"with an operator":      {forge("at+jwt", claims, map[string]any{"act": map[string]any{"sub": "example.com:two"}}), "subject_kind", lacking},
		"derived":               {forge("at+jwt", claims, map[string]any{"root_jti": "x", "root_iat": claims["iat"]}), "token_not_first", lacking},
		"through a client":      {forge("at+jwt", claims, map[string]any{"via": []string{"batch"}}), "token_not_first", lacking},
		"without a login":       {forge("at+jwt", claims, map[string]any{"auth_time": nil}), "token_not_first", lacking},
		"in another org by now": {forge("at+jwt", claims, map[string]any{"context_name": "gone"}), "token_revoked", invalid},
	} {
		t.Run(name, func(t *testing.T) {
			status, code := 401, "invalid_token"
			switch c.challenge {
			case "Bearer":
				code = "no_token"
			case lacking:
				status, code = 403, "insufficient_scope"
			}
			h.do(bearer("GET", "/oauth2/userinfo", c.token)).toBearer(t, status, code, c.reason, c.challenge)
		})
	}
	api := h.apiTokenCall("api_token", h.withAPIToken(t, baseUsers, nil)).granted(t)
	h.userinfo(api).toBearer(t, 403, "insufficient_scope", "token_not_first", lacking)
}

// A token says who the user was; the answer says who the user is.
func TestUserinfoIsOfNow(t *testing.T) {
	const invalid, lacking = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope", scope="openid"`
	h := newHouse(t, logins)
	h.withUsers(lovelace, telling)
	token := h.loggedIn()
	changed := func(from, to string) string {
		text := strings.Replace(lovelace, from, to, 1)
		if text == lovelace {
			t.Fatalf("%s is not in the file", from)
		}
		return text
	}
	h.withUsers(changed(`"family_name":"Lovelace"`, `"family_name":"Byron"`), telling)
	if g := h.userinfo(token); g.body["name"] != "Ada Byron" {
		t.Errorf("another name: got %s", g.raw)
	}
	h.withUsers(changed(`"email_verified":true`, `"email_verified":false`), telling)
	if g := h.userinfo(token); g.body["email"] != nil || g.body["email_verified"] != nil || g.body["acct"] != "ada" {
		t.Errorf("an address that is not verified any more: got %s", g.raw)
	}
	h.withUsers(changed(`"groups":["g1","g2","g3"]`, `"groups":["g2"]`), telling)
	if g := h.userinfo(token); string(must(json.Marshal(g.body["group_ids"]))) != `["g2"]` {
		t.Errorf("another group: got %s", g.raw)
	}
	h.withUsers(lovelace, telling, func(c *Config) { c.client("web").MaxGroupsInIDToken = 1 })
	if g := h.userinfo(token); string(must(json.Marshal(g.body["group_names"]))) != `["G"]` || g.body["groups_truncated"] != true {
		t.Errorf("fewer groups for the client: got %s", g.raw)
	}
	h.withUsers(lovelace, func(c *Config) { c.client("web").Scope = []string{"openid"} })
	if g := h.userinfo(token); g.status != 200 || g.body["email"] != nil || g.body["name"] != nil || g.body["group_ids"] != nil {
		t.Errorf("a client that may know less: got %s", g.raw)
	}
	h.withUsers(lovelace, func(c *Config) { c.client("web").Scope = []string{"email"} })
	h.userinfo(token).toBearer(t, 403, "insufficient_scope", "openid_missing", lacking)
	for name, users := range map[string]string{
		"disabled":   changed(`{"id":"ada"`, `{"disabled":true,"id":"ada"`),
		"gone":       changed(`{"id":"ada","username":"ada"`, `{"id":"ada2","username":"ada2"`),
		"logged out": changed(`{"id":"ada"`, `{"tokens_not_before":"2027-01-01T00:00:00Z","id":"ada"`),
		"no member":  changed(`{"org":"acme","roles":["csp:org_member"],"groups":["g1","g2","g3"],"permissions":["shop/orders.read orders/** reports/{org}/*","shop/orders.write orders/eu/**","crm/contacts.read **"]},`, ""),
	} {
		t.Run(name, func(t *testing.T) {
			h.withUsers(strings.Replace(users, `"default_org":"acme"`, `"default_org":"beta"`, map[bool]int{true: 1}[name == "no member"]), telling)
			h.userinfo(token).toBearer(t, 401, "invalid_token", "token_revoked", invalid)
		})
	}
	h.withUsers(lovelace, telling)
	if g := h.userinfo(token); g.status != 200 {
		t.Errorf("all as it was: got %s", g.raw)
	}
	h.clock = h.clock.Add(time.Hour)
	h.userinfo(token).toBearer(t, 401, "invalid_token", "token_expired", invalid)
}
