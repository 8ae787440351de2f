package tokenexchange

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const orgsBase = "/csp/gateway/am/api/orgs/"

// titled is baseUsers with an organization that has names.
var titled = strings.NewReplacer(
	`{"id":"acme","name":"acme"}`, `{"id":"acme","name":"acme-inc","display_name":"Acme, Inc."}`,
	`{"id":"empty"}`, `{"id":"empty","name":"none"},{"id":"other","name":"other"}`,
).Replace(baseUsers)

func (h *house) org(id, token string) got {
	h.t.Helper()
	return h.do(bearer("GET", orgsBase+id, token))
}

func TestOrganization(t *testing.T) {
	h := newHouse(t, logins)
	h.withUsers(titled)
	token := h.loggedIn()
	for id, want := range map[string]map[string]any{
		"acme":    {"id": "acme", "name": "acme-inc", "displayName": "Acme, Inc."},
		"%61cme":  {"id": "acme", "name": "acme-inc", "displayName": "Acme, Inc."},
		"beta":    {"id": "beta", "name": "beta", "displayName": "beta"},
		"empty":   {"id": "empty", "name": "none", "displayName": "none"},
		"acme?x=": {"id": "acme", "name": "acme-inc", "displayName": "Acme, Inc."},
	} {
		g := h.org(id, token)
		if g.status != 200 || !reflect.DeepEqual(g.body, want) || g.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s, want %v", id, g.status, g.raw, want)
		}
		if g.record["endpoint"] != "orgs" || g.record["sub"] != "example.com:ada" || g.record["client_id"] != "web" || g.record["allowed"] != true {
			t.Errorf("%s: got the record %v", id, g.record)
		}
	}
	// What does not exist, and what is others', look alike.
	unknown, others := h.org("nowhere", token), h.org("other", token)
	for _, g := range []*got{&unknown, &others} {
		g.toBearer(t, 404, "not_found", "org_unknown", "")
		delete(g.body, "requestId")
		g.header.Del("Scopegate-Decision")
	}
	if !reflect.DeepEqual(unknown.body, others.body) || !reflect.DeepEqual(unknown.header, others.header) {
		t.Errorf("they differ:\n%v %v\n%v %v", unknown.body, unknown.header, others.body, others.header)
	}
	// Only one segment is an id.
	for path, want := range map[string]int{
		"": 404, "acme/": 404, "acme/x": 404, "acme%2Fx": 404, "%2F": 404, "/acme": 404, "acme/../beta": 404, "..": 401, "acme;x=1": 401, "acme": 401,
	} {
		if g := h.org(path, ""); g.status != want || Owns(must(url.PathUnescape(orgsBase+path))) != (want == 401) {
			t.Errorf("%s: got %d, owned %v, want %d", path, g.status, Owns(must(url.PathUnescape(orgsBase+path))), want)
		}
	}
	h.do(bearer("GET", "/"+orgsBase+"acme", "")).toBearer(t, 401, "no_token", "no_token", "Bearer")
	if g := h.do(bearer("GET", "/"+orgsBase+"acme", token)); g.body["id"] != "acme" {
		t.Errorf("a doubled slash: got %d %s", g.status, g.raw)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if g := h.do(bearer(method, orgsBase+"acme", token)); g.status != 405 || g.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q", method, g.status, g.header.Get("Allow"))
		}
	}
}

func TestOrganizationRefused(t *testing.T) {
	const invalid, lacking = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope", scope="openid"`
	h := newHouse(t, logins, keyring)
	token := h.loggedIn()
	claims := claimsOf(t, token)
	for name, c := range map[string]struct {
		org, token, reason, challenge string
		status                        int
	}{
		"no token":                 {"acme", "", "no_token", "Bearer", 401},
		"an id token":              {"acme", h.login().body["id_token"].(string), "token_type", invalid, 401},
		"of an API":                {"acme", h.loggedIn("scope", "orders"), "openid_missing", lacking, 403},
		"exchanged":                {"acme", h.exchange("batch", token, shopAud).granted(t), "openid_missing", lacking, 403},
		"a client's":               {"acme", h.token("batch", "grant_type", "client_credentials").granted(t), "subject_kind", lacking, 403},
		"with an actor":            {"acme", forge("at+jwt", claims, map[string]any{"act": map[string]any{"sub": "batch"}}), "subject_kind", lacking, 403},
		"narrowed, its own":        {"acme", forge("at+jwt", claims, map[string]any{"narrowed": true}), "", "", 200},
		"narrowed, another":        {"beta", forge("at+jwt", claims, map[string]any{"narrowed": true}), "org_unknown", "", 404},
		"without a login, another": {"beta", forge("at+jwt", claims, map[string]any{"auth_time": nil}), "org_unknown", "", 404},
		"a dot segment":            {"%2e%2e", token, "org_unknown", "", 404},
		"a path parameter":         {"acme;x=1", token, "org_unknown", "", 404},
		"in another case":          {"ACME", token, "org_unknown", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			g := h.org(c.org, c.token)
			if c.status == 200 {
				if g.status != 200 {
					t.Errorf("got %d %s, want the organization", g.status, g.raw)
				}
				return
			}
			code := map[string]string{"": "not_found", "Bearer": "no_token", invalid: "invalid_token", lacking: "insufficient_scope"}[c.challenge]
			g.toBearer(t, c.status, code, c.reason, c.challenge)
		})
	}
	// A member is who is one now.
	h.withUsers(strings.Replace(baseUsers, `{"org":"beta","permissions":["shop/orders.read orders/beta/**"]},`, "", 1))
	h.org("beta", token).toBearer(t, 404, "not_found", "org_unknown", "")
	h.withUsers(strings.Replace(baseUsers, `{"id":"ada"`, `{"disabled":true,"id":"ada"`, 1))
	h.org("acme", token).toBearer(t, 401, "invalid_token", "token_revoked", invalid)
	h.withUsers(baseUsers, func(c *Config) { c.client("web").AllowedOrgs = []string{"acme"} })
	h.org("beta", token).toBearer(t, 404, "not_found", "org_unknown", "")
	if g := h.org("acme", token); g.status != 200 {
		t.Errorf("got %d %s", g.status, g.raw)
	}
	api := h.apiTokenCall("api_token", h.withAPIToken(t, baseUsers, nil)).granted(t)
	if g := h.org("acme", api); g.status != 200 {
		t.Errorf("with an API token, its own: got %d %s", g.status, g.raw)
	}
	h.org("beta", api).toBearer(t, 404, "not_found", "org_unknown", "")
}
