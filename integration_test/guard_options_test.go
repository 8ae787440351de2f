package integration_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const optionSites = `
http://:{{port "acting"}} {
	guard shop {
		exchange client_delegate
		narrow to_rule
		hide_existence
		preflight answer
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://:{{port "soft"}} {
	guard shop {
		mode audit until {{.until}} including no_rule
		preflight pass
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
`

const accessToken = "subject_token_type=urn:ietf:params:oauth:token-type:access_token"

func startOptions(t *testing.T) *guarded {
	t.Helper()
	until := time.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	return startGuardedConfig(t, Config{Caddyfile: shopIssuer + optionSites, Vars: map[string]any{"until": until}})
}

// A client acts for a user, and the guard for that client: the upstream sees
// who acts for whom, and only the right for this call.
func TestActingOnTheWire(t *testing.T) {
	t.Parallel()
	g := startOptions(t)
	user := g.token("web", "grant_type=password", "username=alice", "password="+password)
	acting := g.token("agent", "grant_type=client_delegate", "subject_token="+user, accessToken)
	own := g.token("web", "grant_type=client_credentials")
	only := func(resource string) any {
		return map[string]any{"servicesScopes": []any{map[string]any{
			"serviceDefinitionId": "shop",
			"permissions":         []any{map[string]any{"permissionId": "orders.read", "resources": []any{resource}}},
		}}}
	}
	guard := map[string]any{"sub": "guard:shop"}
	for name, c := range map[string]struct {
		token string
		act   any
		via   any
		sub   string
	}{
		"a user's":       {user, guard, nil, "example.com:alice"},
		"acted with":     {acting, map[string]any{"sub": "guard:shop", "act": map[string]any{"sub": "agent"}}, nil, "example.com:alice"},
		"a client's own": {own, nil, []any{"guard:shop"}, "web"},
	} {
		claims := exchanged(t, g.allowed(t, "acting", raw("GET", "/orders/7", bearer(c.token))))
		got := []any{claims["sub"], claims["act"], claims["via"], claims["allowed_resource_scope"]}
		if diff := cmp.Diff([]any{c.sub, c.act, c.via, only("orders/7")}, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", name, diff)
		}
	}
	if got := g.tokenRequest("agent", "grant_type=client_delegate", "subject_token="+own, accessToken, "audience=https://shop.example.com"); got.Status != http.StatusBadRequest || !strings.Contains(got.Body, "subject_kind") {
		t.Errorf("a client's own token: got %d %s", got.Status, got.Body)
	}
	g.upstream.AssertClean(t, user, acting, own)
}

// What is hidden and what is answered by the guard never reaches the upstream.
func TestHiddenAndAnsweredOnTheWire(t *testing.T) {
	t.Parallel()
	g := startOptions(t)
	user := g.token("web", "grant_type=password", "username=alice", "password="+password)
	var bodies []string
	for _, request := range []string{raw("GET", "/nothing", bearer(user)), raw("DELETE", "/orders/1", bearer(user))} {
		got := Exchange(t, g.Addr("acting"), request)
		if got.Status != http.StatusNotFound {
			t.Errorf("got %d %s, want 404", got.Status, got.Body)
		}
		bodies = append(bodies, strings.ReplaceAll(got.Body, got.Header.Get("Scopegate-Decision"), ""))
	}
	if bodies[0] != bodies[1] {
		t.Errorf("an unknown path and an unknown method differ: %s, %s", bodies[0], bodies[1])
	}
	for _, path := range []string{"/orders/1", "/nothing", "/healthz"} {
		got := Exchange(t, g.Addr("acting"), raw("OPTIONS", path, "Origin: https://app.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization"))
		if got.Status != http.StatusNoContent || got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Methods") != "PUT" ||
			got.Header.Get("Access-Control-Allow-Headers") != "authorization" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %d %v", path, got.Status, got.Header)
		}
	}
	if n := g.seen(); n != 0 {
		t.Errorf("the upstream got %d bytes", n)
	}
	g.refused(t, "acting", raw("OPTIONS", "/orders/1", "Origin: https://app.example"), "no_token")
}

// mode audit forwards what it would deny, marked and recorded; a preflight that
// passes brings no token. Nothing else gets through.
func TestSoftenedOnTheWire(t *testing.T) {
	t.Parallel()
	g := startOptions(t)
	user := g.token("web", "grant_type=password", "username=alice", "password="+password)
	for request, want := range map[string]string{
		"PUT /orders/2": "resource_missing", "GET /files/a": "resource_missing", "GET /accounts/1": "service_missing",
		"GET /nothing": "no_rule", "DELETE /orders/1": "method_not_allowed",
	} {
		method, path, _ := strings.Cut(request, " ")
		before, mark := len(g.upstream.Requests()), g.Mark()
		if got := Exchange(t, g.Addr("soft"), raw(method, path, bearer(user))); got.Status != http.StatusOK {
			t.Fatalf("%s: got %d %s", request, got.Status, got.Body)
		}
		claims := exchanged(t, g.upstream.Requests()[before])
		record := g.WaitLog(mark, func(l Line) bool {
			return l.Msg() == "decision" && l.String("endpoint") == "guard" && l.String("would_deny") != ""
		})
		if claims["scopegate_mode"] != "audit" || record.Level() != "warn" || record.String("would_deny") != want || record.Fields["allowed"] != true {
			t.Errorf("%s: got scopegate_mode %v and the record %s, want would_deny %s", request, claims["scopegate_mode"], record.Raw, want)
		}
	}
	if claims := exchanged(t, g.allowed(t, "soft", raw("GET", "/orders/7", bearer(user)))); claims["scopegate_mode"] != nil {
		t.Error("a regular request is marked")
	}
	got := g.allowed(t, "soft", raw("OPTIONS", "/nothing", bearer(user), "Origin: https://app.example", "Access-Control-Request-Method: PUT"))
	if got.Method != "OPTIONS" || got.Values("Authorization") != nil {
		t.Errorf("a preflight was forwarded as %s with Authorization %q", got.Method, got.Values("Authorization"))
	}
	g.refused(t, "soft", raw("GET", "/orders/7"), "no_token")
	g.refused(t, "soft", raw("GET", "/orders/a%2Fb", bearer(user)), "path_ambiguous")
	g.refused(t, "soft", raw("GET", "/orders/*", bearer(user)), "variable_rejected")
	g.refused(t, "soft", raw("OPTIONS", "/orders/1", "Origin: https://app.example", "Access-Control-Request-Method: PUT", "Upgrade: websocket", "Connection: upgrade"), "no_token")
	g.upstream.AssertClean(t, user)
}
