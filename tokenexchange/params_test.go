package tokenexchange

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// The value of the table's first row of each grant is what is right; each
// other row changes one thing.
func TestValidity(t *testing.T) {
	h := newHouse(t)
	for value, want := range map[string]float64{
		"": 1800, "0": 1800, "-1": 1800, "1": 1, "60": 60, "+60": 60, "1799": 1799, "1800": 1800, "1801": 1800, "3600": 1800,
		"abc": 1800, "60s": 1800, "1e2": 1800, "60.0": 1800, " 60": 1800, "0x10": 1800, "６０": 1800,
		strconv.Itoa(math.MaxInt32): 1800, strconv.Itoa(math.MaxInt32 + 1): 1800, "9223372036854775807": 1800, "18446744073709551617": 1800,
	} {
		g := h.token("nightly", "grant_type", "client_credentials", "accessTokenValiditySeconds", value)
		claims := claimsOf(t, g.granted(t))
		if got := claims["exp"].(float64) - claims["iat"].(float64); got != want || g.body["expires_in"] != want {
			t.Errorf("%q: lives %v s, expires_in %v, want %v", value, got, g.body["expires_in"], want)
		}
	}
	subject := h.adas("accessTokenValiditySeconds", "90")
	if got := claimsOf(t, h.exchange("batch", subject, shopAud, "accessTokenValiditySeconds", "3600").granted(t)); got["exp"] != claimsOf(t, subject)["exp"] {
		t.Error("an exchanged token outlives its subject")
	}
	r := form(`{"grant_type":"client_credentials","accessTokenValiditySeconds":60,"client_id":"nightly","client_secret":"` + secretOf("nightly") + `"}`)
	r.Header.Set("Content-Type", "application/json")
	if got := h.do(r); got.body["expires_in"] != 60.0 {
		t.Errorf("a JSON number: got %s", got.raw)
	}
}

func TestParametersThatDecideOverAccess(t *testing.T) {
	h := newHouse(t)
	ada := h.adas()
	cc := []string{"grant_type", "client_credentials"}
	pw := []string{"grant_type", "password", "username", "ada", "password", password}
	ex := []string{"grant_type", "audience_exchange", "subject_token", ada, "subject_token_type", accessURN, "target_audience", shopAud}
	rfc := append([]string{"grant_type", exchangeGrant}, ex[2:]...)
	client := func(base []string) string {
		return map[string]string{"client_credentials": "nightly", "password": "web"}[base[1]]
	}
	good, other := scopeOf("orders.read", "orders/eu/1"), scopeOf("orders.read", "orders/eu/2")
	rows := []struct {
		name string
		base []string
		with []string
		want string // a reason, "" for a token
	}{
		{"scope asked", cc, []string{"allowed_resource_scope", good}, ""},
		{"alias", cc, []string{"servicesPermissionsScopesDto", good}, ""},
		{"both, equal", cc, []string{"allowed_resource_scope", good, "servicesPermissionsScopesDto", " " + good}, ""},
		{"both, different", cc, []string{"allowed_resource_scope", good, "servicesPermissionsScopesDto", other}, "parameter_conflict"},
		{"both, one empty", cc, []string{"allowed_resource_scope", good, "servicesPermissionsScopesDto", ""}, "parameter_empty"},
		{"empty", cc, []string{"allowed_resource_scope", ""}, "parameter_empty"},
		{"alias empty", cc, []string{"servicesPermissionsScopesDto", ""}, "parameter_empty"},
		{"no JSON", cc, []string{"allowed_resource_scope", "all"}, "resource_scope_malformed"},
		{"star", cc, []string{"allowed_resource_scope", "*"}, "resource_scope_malformed"},
		{"null", cc, []string{"allowed_resource_scope", "null"}, "resource_scope_malformed"},
		{"no services", cc, []string{"allowed_resource_scope", `{"servicesScopes":[]}`}, "resource_scope_malformed"},
		{"no resources", cc, []string{"allowed_resource_scope", scopeOf("orders.read", []string{}...)}, ""},
		{"empty resources", cc, []string{"allowed_resource_scope", strings.Replace(good, `"orders/eu/1"`, "", 1)}, "resource_scope_malformed"},
		{"unknown name in it", cc, []string{"allowed_resource_scope", strings.Replace(good, `{`, `{"all":true,`, 1)}, "resource_scope_malformed"},
		{"duplicate name in it", cc, []string{"allowed_resource_scope", strings.Replace(good, `{`, `{"servicesScopes":[],`, 1)}, "resource_scope_malformed"},
		{"something behind it", cc, []string{"allowed_resource_scope", good + "{}"}, "resource_scope_malformed"},
		{"more than held", cc, []string{"allowed_resource_scope", scopeOf("orders.read", "**")}, "resource_scope_exceeded"},
		{"scope held", cc, []string{"scope", "reports orders"}, ""},
		{"scope empty", cc, []string{"scope", ""}, ""},
		{"scope not held", cc, []string{"scope", "orders admin"}, "scope_exceeded"},
		{"openid", cc, []string{"scope", "openid"}, "scope_exceeded"},
		{"openid_offline_access", pw, []string{"scope", "openid_offline_access"}, "scope_exceeded"},
		{"profile after an exchange", ex, []string{"scope", "profile"}, "scope_exceeded"},
		{"username empty", []string{"grant_type", "password", "username", "", "password", password}, nil, "parameter_missing"},
		{"password missing", []string{"grant_type", "password", "username", "ada"}, nil, "parameter_missing"},
		{"subject_token missing", []string{"grant_type", "audience_exchange", "subject_token_type", accessURN, "target_audience", shopAud}, nil, "parameter_missing"},
		{"subject_token_type missing", []string{"grant_type", "audience_exchange", "subject_token", ada, "target_audience", shopAud}, nil, "parameter_missing"},
		{"target missing", []string{"grant_type", "audience_exchange", "subject_token", ada, "subject_token_type", accessURN}, nil, "parameter_missing"},
		{"target with another grant", cc, []string{"target_audience", shopAud}, "parameter_misplaced"},
		{"target with another grant, empty", cc, []string{"target_audience", ""}, ""},
		{"audience with another grant", pw, []string{"audience", shopAud}, "parameter_misplaced"},
		{"resource with another grant", cc, []string{"resource", shopAud}, "parameter_misplaced"},
		{"subject_token with another grant", cc, []string{"subject_token", ada}, "parameter_misplaced"},
		{"subject_token_type with another grant", pw, []string{"subject_token_type", accessURN}, "parameter_misplaced"},
		{"requested_token_type with another grant", cc, []string{"requested_token_type", accessURN}, "parameter_misplaced"},
		{"actor_token with another grant", pw, []string{"actor_token", ada}, "parameter_misplaced"},
		{"audience by the CSP name", ex, []string{"audience", shopAud}, "parameter_misplaced"},
		{"resource by the CSP name", ex, []string{"resource", shopAud}, "parameter_misplaced"},
		{"actor_token by the CSP name", ex, []string{"actor_token", ada}, "parameter_misplaced"},
		{"audience equal", rfc, []string{"audience", shopAud, "resource", shopAud}, ""},
		{"audience different", rfc, []string{"audience", crmAud}, "parameter_conflict"},
		{"resource different", rfc, []string{"resource", crmAud}, "parameter_conflict"},
		{"orgId repeated", cc, []string{"orgId", "acme", "orgId", "acme"}, "parameter_repeated"},
		{"grant_type repeated", cc, []string{"grant_type", "client_credentials"}, "parameter_repeated"},
		{"an unknown name repeated", cc, []string{"x", "1", "x", "1"}, "parameter_repeated"},
		{"an unknown name", cc, []string{"x", "1", "scopes", "admin", "Grant_Type", "password"}, ""},
		{"subject_ip, which no client may send", cc, []string{"subject_ip", "10.0.0.1"}, "parameter_invalid"},
		{"subject_ip empty", cc, []string{"subject_ip", ""}, ""},
		{"state of 1 KiB", cc, []string{"state", strings.Repeat("s", 1024)}, ""},
		{"state too long", cc, []string{"state", strings.Repeat("s", 1025)}, "parameter_invalid"},
	}
	for _, miss := range []string{
		"allowedResourceScope", "allowed_resource_scopes", "ALLOWED_RESOURCE_SCOPE", "allowed-resource-scope", "allowedresourcescope",
		"servicespermissionsscopesdto", "services_permissions_scopes_dto", "servicesPermissionsScopesDtos", "orgid", "ORG_ID", "OrgId", "org-id", "orgIds",
		"subjectToken", "subject_tokens", "Subject_Token", "subjectTokenType", "targetAudience", "target_audiences", "audiences", "Audience",
		"resources", "RESOURCE", "requestedTokenType", "actorToken", "actor-token-type",
	} {
		rows = append(rows, struct {
			name string
			base []string
			with []string
			want string
		}{"near miss " + miss, cc, []string{miss, "v"}, "parameter_misspelt"})
	}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			id := client(c.base)
			if id == "" {
				id = "batch"
			}
			g := h.token(id, append(append([]string{}, c.base...), c.with...)...)
			if c.want == "" {
				g.granted(t)
				return
			}
			code := "invalid_request"
			if strings.HasSuffix(c.want, "exceeded") {
				code = "invalid_scope"
			}
			g.refused(t, 400, code, c.want)
		})
	}
}

// The answer names the right spelling, never what was sent.
func TestMisspeltParameterIsNamed(t *testing.T) {
	h := newHouse(t)
	for sent, want := range map[string]string{"allowedResourceScope": "allowed_resource_scope", "ORG_ID": "(org", "TargetAudience": "target_audience"} {
		g := h.token("nightly", "grant_type", "client_credentials", sent, "v")
		if text := g.body["error_description"].(string); !strings.Contains(text, want) || strings.Contains(g.raw, sent) {
			t.Errorf("%s: got %q, want the name %s", sent, text, want)
		}
	}
	if g := h.token("nightly", "grant_type", "client_credentials", "audience", shopAud); !strings.Contains(g.raw, "(audience)") {
		t.Errorf("got %s, want the parameter named", g.raw)
	}
}
