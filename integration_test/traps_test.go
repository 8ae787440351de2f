package integration_test

import (
	"slices"
	"strings"
	"testing"
)

// What Caddy does where no guard stands. The guard is built around it, so these
// tests say when a new version of Caddy changes it (docs/floor.md).
const unguardedSites = `
{
	{{globals}}
}
http://:{{port "plain"}} {
	log
	request_header X-Made "by a handler"
	handle /api/* {
		respond "matched" 299
	}
	handle {
		reverse_proxy {{.upstream}}
	}
}
http://:{{port "down"}} {
	request_header X-Made "by a handler"
	rewrite * /decided
	reverse_proxy {{.down}}
	handle_errors {
		reverse_proxy {{.upstream}}
	}
}
`

type unguarded struct {
	*Caddy
	upstream *Upstream
}

func startUnguarded(t *testing.T) unguarded {
	t.Helper()
	upstream, down := NewUpstream(t, ""), NewUpstream(t, "")
	down.Close()
	return unguarded{Start(t, Config{Caddyfile: unguardedSites, Vars: map[string]any{"upstream": upstream.Addr(), "down": down.Addr()}}), upstream}
}

// sent returns what the upstream got of a request.
func (p unguarded) sent(t *testing.T, site, request string) Request {
	t.Helper()
	before := len(p.upstream.Requests())
	Exchange(t, p.Addr(site), request)
	return p.upstream.Request(t, before)
}

func TestTrap01ConnectionTakesHeadersAway(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	if got := p.sent(t, "plain", raw("GET", "/x")); got.Get("X-Made") == "" {
		t.Fatal("the upstream did not get the header that a handler set")
	}
	if got := p.sent(t, "plain", raw("GET", "/x", "Connection: close, x-made")); got.Values("X-Made") != nil {
		t.Error("reverse_proxy keeps what Connection names now; cleaning Connection may be more than is needed")
	}
}

func TestTrap02TrailersAreForwarded(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	// One that is declared is enough for all the others.
	for declared, want := range map[string]bool{"X-Late": true, "X-Other": true, "": false} {
		headers := []string{"Transfer-Encoding: chunked"}
		if declared != "" {
			headers = append(headers, "Trailer: "+declared)
		}
		got := p.sent(t, "plain", raw("POST", "/x", headers...)+"3\nabc\n0\nX-Late: yes\n\n")
		if slices.ContainsFunc(got.Trailer, func(f Field) bool { return strings.EqualFold(f.Name, "X-Late") }) != want {
			t.Errorf("declared %q: the upstream got the trailers %v, want X-Late among them: %v", declared, got.Trailer, want)
		}
	}
}

func TestTrap03AnyUpgradeIsTunnelled(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	p.upstream.Reply(Reply{Upgrade: "h2c"})
	if got := Exchange(t, p.Addr("plain"), raw("GET", "/x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")); got.Status != 101 {
		t.Errorf("got %d, want the 101 of an upgrade to h2c", got.Status)
	}
}

func TestTrap04MatchersDecodeAndTheUpstreamDoesNot(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	for _, target := range []string{"/api/x", "/API/x", "/%61pi/x", "/%41PI/x"} {
		if got := Exchange(t, p.Addr("plain"), raw("GET", target)); got.Status != 299 {
			t.Errorf("%s: got %d, want it matched", target, got.Status)
		}
	}
	if got := p.sent(t, "plain", raw("GET", "/%61PX/%7Ex")); got.Target != "/%61PX/%7Ex" {
		t.Errorf("the upstream got %q, want the bytes of the client", got.Target)
	}
}

// With a matcher in front of the guard, these would have gone past it.
func TestTrap31MatchersAreEvaded(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	for _, target := range []string{"/x/..;/api/orders", "/api;v=1/orders", "/x/%252e%252e/api/orders"} {
		if got := p.sent(t, "plain", raw("GET", target)); got.Target != target {
			t.Errorf("the upstream got %q of %q", got.Target, target)
		}
	}
}

func TestTrap13OnlyKnownHeadersAreRedacted(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	mark := p.Mark()
	p.sent(t, "plain", raw("GET", "/x?access_token=in-the-query", "Authorization: Bearer in-the-header", "csp-auth-token: in-another-header"))
	line := p.WaitLog(mark, MsgIs("handled request")).Raw
	for text, want := range map[string]bool{"in-the-header": false, "in-another-header": true, "in-the-query": true} {
		if strings.Contains(line, text) != want {
			t.Errorf("the access log shows %s: %v, want %v", text, !want, want)
		}
	}
}

// An error route gets what earlier handlers set, but the path as it came.
func TestTrap32ErrorRoutesSeeTheOriginalPath(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	if got := p.sent(t, "down", raw("GET", "/undecided")); got.Target != "/undecided" || got.Get("X-Made") == "" {
		t.Errorf("the upstream of the error route got %q and %v", got.Target, got.Header)
	}
}

// What a request or a token holds is never expanded: it would show files and
// the environment.
func TestTrap08PlaceholdersInRequestsAreText(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, `
http://:{{port "shop"}} {
	route {
		guard shop {
			{{.rules}}
		}
		request_header X-Org {http.auth.user.org}
		request_header X-Rule {http.scopegate.rule}
		reverse_proxy {{.upstream}}
	}
}
`)
	const placeholder = "{env.WEB_SECRET}"
	token := g.forge(t, map[string]any{"context_name": placeholder})
	got := g.allowed(t, "shop", raw("GET", "/files/"+placeholder+"/{file.es256.pem}?q="+placeholder, bearer(token), "X-Copy: "+placeholder))
	if got.Get("X-Org") != placeholder || got.Get("X-Copy") != placeholder {
		t.Errorf("the upstream got X-Org %q and X-Copy %q, want the text as it was", got.Get("X-Org"), got.Get("X-Copy"))
	}
	if want := "/files/%7Benv.WEB_SECRET%7D/%7Bfile.es256.pem%7D?q=" + placeholder; got.Target != want {
		t.Errorf("the upstream got %s, want %s", got.Target, want)
	}
	if answer := g.refused(t, "shop", raw("PUT", "/orders/"+placeholder, bearer(token)), "permission_missing"); !strings.Contains(answer.Body, placeholder) {
		t.Errorf("got %s, want the resource as it was asked for", answer.Body)
	}
}

// The signal reads the file again with admin off; files that the configuration
// names are read only if Caddy takes the configuration for another one.
func TestTrap33SignalReloadsWithAdminOff(t *testing.T) {
	t.Parallel()
	p := startUnguarded(t)
	mark := p.Mark()
	p.Reload(unguardedSites)
	for _, line := range p.Log(mark) {
		if line.Msg() == "config is unchanged" {
			t.Error("a signal no longer loads an identical configuration; docs/stores.md says that it does")
		}
	}
}

// The admin API on TCP lets every container of a pod rewrite a guard.
func TestTrap15AdminAPIIsWarnedOf(t *testing.T) {
	t.Parallel()
	for name, admin := range map[string]struct {
		option string
		warned bool
	}{
		"on TCP":                     {`admin {{addr "admin"}}`, true},
		"off":                        {`admin off`, false},
		"on a unix path":             {`admin "unix/{{dir}}/admin.sock"`, false},
		"on an abstract unix socket": {`admin "unix/@{{dir}}"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Caddyfile: strings.Replace(shopIssuer, "{{globals}}", strings.Replace(globals, "admin off", admin.option, 1), 1) + oneGuard}
			g := startGuardedConfig(t, config)
			if got := strings.Contains(g.process.log.text(), "the admin API listens on"); got != admin.warned {
				t.Errorf("warned: got %v, want %v", got, admin.warned)
			}
		})
	}
}
