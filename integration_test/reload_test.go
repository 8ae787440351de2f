package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// durableIssuer has keys and state that outlive the process.
var durableIssuer = strings.NewReplacer(
	"signing_key file {{dir}}/es256.pem", "signing_key generated",
	"store memory", "store bolt {\n\t\t\tpath {{dir}}/state/shop.db\n\t\t}",
	"\tdebug\n", "",
).Replace(shopIssuer)

var durableShop = durableIssuer + oneGuard

// reloadShop has the time to stop that every example has, and figures of the
// process. Caddy ends WebSockets with a reload unless told otherwise; where it
// is, no other request may pass, because its timer races with their copies of
// the handler (Caddy v2.11.9, streaming.go:490 and reverseproxy.go:1359).
var reloadShop = strings.NewReplacer(
	"{{globals}}", strings.ReplaceAll(globals, "grace_period 2s", "grace_period 20s"),
	"orders.read orders.write", "orders.read orders.write{{.permission}}",
).Replace(durableIssuer) + `
http://:{{port "shop"}} {
	guard shop {
		{{.rules}}
		{{.rule}}
	}
	reverse_proxy {{.api}}
}
http://:{{port "sockets"}} {
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{.api}} {
		stream_close_delay 1m
	}
}
http://:{{port "figures"}} {
	metrics
}
`

const (
	reloads     = 100
	reloadEvery = 600 * time.Millisecond
	cutBob      = 30 // the reload that brings his tokens_not_before
	cutCarol    = 60 // and the one that disables her
	addOne      = 45 // a permission of the service, a ceiling of every exchange
	takeOne     = 75 // it goes again
)

// TestReloadUnderLoad changes the configuration a hundred times in a minute, under
// 300 requests a second. No request fails, what was issued, decided and signed
// before is worth the same after it, what was taken away is gone, and nothing
// is left behind.
func TestReloadUnderLoad(t *testing.T) { // Alone, so that the load is steady.
	api := newLoadedAPI(t)
	g := startGuardedConfig(t, Config{Caddyfile: reloadShop, Vars: map[string]any{"api": api.addr(), "rule": "", "permission": ""}})
	reload := func(n int) {
		g.config.Vars["rule"] = fmt.Sprintf("GET /added%d/{id} orders.read orders/{id}", n)
		g.config.Vars["permission"] = ""
		if addOne <= n && n < takeOne {
			g.config.Vars["permission"] = " orders.audit"
		}
		g.WriteFile("users.json", loadUsers(t, n >= cutBob, n >= cutCarol))
		g.Reload(g.config.Caddyfile)
	}
	reload(0)
	l := newLoad(g, api)
	l.everything() // The first time makes connections and caches.
	before := l.smallest()
	kids := g.kids(t)

	l.begin()
	for n := 1; n <= reloads; n++ {
		time.Sleep(time.Until(l.start.Add(time.Duration(n) * reloadEvery)))
		for _, user := range []*loadUser{l.bob, l.carol} {
			user.change(n)
		}
		reload(n)
		for _, user := range []*loadUser{l.bob, l.carol} {
			user.changed(n)
		}
		l.reloads.Add(1)
		// A new connection finds the new rules, and never the old ones.
		l.fresh(http.MethodGet, fmt.Sprintf("/added%d/7", n), l.kept, http.StatusOK, "GET /added")
		l.fresh(http.MethodGet, fmt.Sprintf("/added%d/7", n-1), l.kept, http.StatusForbidden, "no_rule")
	}
	took := l.end()
	t.Logf("%d reloads in %v; %s", reloads, took, l.report(took))
	l.assert(t)
	if diff := cmp.Diff(kids, g.kids(t)); diff != "" {
		t.Errorf("the keys changed: before (-), after (+):\n%s", diff)
	}
	// One token was presented all the time. What it was exchanged for changed
	// with the ceiling, and was the first again when the ceiling was.
	if got := api.exchangedFor("/orders/7"); len(got) != 2 {
		t.Errorf("the kept token was exchanged for %d tokens, want one for each ceiling", len(got))
	}
	t.Logf("goroutines and open files: before %v, after %v", before, l.settles(t, before))

	g.Stop()
	g.Restart()
	l.fresh(http.MethodGet, "/orders/7", l.kept, http.StatusOK, "GET /orders/7")
	l.fresh(http.MethodGet, "/orders/9", l.bob.token, http.StatusUnauthorized, "token_revoked")
	l.fresh(http.MethodGet, "/orders/9", l.carol.token, http.StatusUnauthorized, "token_revoked")
	l.assert(t)
	g.token("web", "grant_type=password", "username=alice", "password="+password)
}

// loadUsers are the users of shopUsers and two whose tokens end on the way.
func loadUsers(t *testing.T, bobCut, carolCut bool) string {
	t.Helper()
	more := func(id string, cut bool, how string) string {
		if !cut {
			how = ""
		}
		return `{"id":"` + id + `","username":"` + id + `","domain":"example.com","password_hash":"{{.hash}}","default_org":"acme",` + how +
			`"memberships":[{"org":"acme","permissions":["shop/orders.read orders/**"]}]},`
	}
	text := strings.Replace(shopUsers, `"users":[`, `"users":[`+
		more("bob", bobCut, `"tokens_not_before":"2090-01-01T00:00:00Z",`)+more("carol", carolCut, `"disabled":true,`), 1)
	return strings.ReplaceAll(text, "{{.hash}}", passwordHash(t))
}

// allowedQuietly is allowed without the audit record, which is a debug line.
func (g *guarded) allowedQuietly(t *testing.T, method, path, token string) Request {
	t.Helper()
	response := g.Do(g.NewRequest(method, "shop", path, "", bearer(token)))
	if response.Status != http.StatusOK {
		t.Fatalf("%s %s: got %d %s, want 200", method, path, response.Status, response.Body)
	}
	requests := g.upstream.Requests()
	for _, r := range slices.Backward(requests) {
		if r.Target == path {
			return r
		}
	}
	t.Fatalf("the upstream got no %s %s", method, path)
	return Request{}
}

// kids returns the ids of the published keys.
func (g *guarded) kids(t *testing.T) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
			Alg string `json:"alg"`
		} `json:"keys"`
	}
	response := g.Get("auth", "/oauth2/jwks")
	if err := json.Unmarshal([]byte(response.Body), &set); err != nil {
		t.Fatalf("got %d %q: %v", response.Status, response.Body, err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Alg+" "+k.KID)
	}
	slices.Sort(kids)
	return kids
}
