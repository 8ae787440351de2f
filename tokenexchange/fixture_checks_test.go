package tokenexchange

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// granted holds a successful answer against its form, and returns the token.
func (g got) granted(t testing.TB) string {
	t.Helper()
	token, _ := g.body["access_token"].(string)
	if g.status != 200 || token == "" {
		t.Fatalf("got %d %s, want a token", g.status, g.raw)
	}
	if g.body["token_type"] != "Bearer" || g.body["expires_in"] == nil || g.body["scope"] == nil {
		t.Errorf("the answer has not all of its members: %v", g.body)
	}
	for _, absent := range []string{"refresh_token", "id_token", "error"} {
		if _, has := g.body[absent]; has {
			t.Errorf("the answer has %s", absent)
		}
	}
	if g.header.Get("Cache-Control") != "no-store" || g.header.Get("Content-Type") != "application/json" {
		t.Errorf("got the headers %v", g.header)
	}
	if g.record["allowed"] != true || g.record["reason"] != "allowed" || g.record["jti"] != claimsOf(t, token)["jti"] {
		t.Errorf("got the record %v, want it to say what was issued", g.record)
	}
	return token
}

// refused holds an answer to a refused request, and its record, against the
// one form that all of them have.
func (g got) refused(t testing.TB, status int, code, reason string) {
	t.Helper()
	if g.status != status || g.body["error"] != code || g.body["cspErrorCode"] != reason {
		t.Errorf("got %d %v %v, want %d %s %s\n%s", g.status, g.body["error"], g.body["cspErrorCode"], status, code, reason, g.raw)
		return
	}
	if strings.Contains(g.raw, "access_token\":") || strings.Contains(g.raw, "eyJ") {
		t.Errorf("a refusal with a token in it: %s", g.raw)
	}
	id := g.header.Get("Scopegate-Decision")
	if id == "" || g.body["requestId"] != id || g.record["decision_id"] != id {
		t.Errorf("the decision ids of header, body and record differ: %q, %v, %v", id, g.body["requestId"], g.record["decision_id"])
	}
	if g.record["reason"] != reason || g.record["allowed"] != false || g.record["level"] != "WARN" {
		t.Errorf("got the record %v, want reason %s", g.record, reason)
	}
	text, _ := g.body["error_description"].(string)
	for name, want := range map[string]any{
		"statusCode": float64(status), "moduleCode": "scopegate", "metadata": nil,
		"message": code + ": " + text, "error_uri": errorPage + reason,
	} {
		if have, has := g.body[name]; !has || have != want {
			t.Errorf("%s: got %v, want %v", name, have, want)
		}
	}
	if (status == 401) != (g.header.Get("WWW-Authenticate") != "") || (status == 429 || status == 503) != (g.header.Get("Retry-After") != "") {
		t.Errorf("got the headers %v for %d", g.header, status)
	}
	if g.header.Get("Cache-Control") != "no-store" {
		t.Error("a refusal may be cached")
	}
}

// claimsOf decodes a token without any of the code under test.
func claimsOf(t testing.TB, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts of a token, want 3", len(parts))
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// setOf returns the claim allowed_resource_scope as JSON, "" where it is absent.
func setOf(t testing.TB, raw string) string {
	t.Helper()
	claim, has := claimsOf(t, raw)["allowed_resource_scope"]
	if !has {
		return ""
	}
	return string(must(json.Marshal(claim)))
}

// scopeOf writes allowed_resource_scope for one permission of the shop.
func scopeOf(permission string, resources ...string) string {
	text := ""
	if len(resources) > 0 {
		text = `,"resources":` + string(must(json.Marshal(resources)))
	}
	return `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"` + permission + `"` + text + `}]}]}`
}
