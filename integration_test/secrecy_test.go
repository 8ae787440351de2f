package integration_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secrecySites are sites of the issuer and of guards. On some the access log has
// all that Caddy writes; requests with credentials where they do not belong go
// to the others, whose access logs are those of docs/guard.md.
const secrecySites = `
http://:{{port "auth"}} {
	LOG auth
	oauth_server
	respond "not found" 404
}
http://:{{port "bareauth"}} {
	LOG bareauth
	log_append planted {http.request.header.X-Planted}
	error /{{.canary}} "{{.canary}}" 500
	oauth_server
	respond "not found" 404
}
http://:{{port "shop"}} {
	LOG shop
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://:{{port "down"}} {
	LOG down
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{addr "nowhere"}}
}
http://:{{port "csp"}} {
	LOG csp
	guard shop {
		accept csp-auth-token
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://:{{port "bareshop"}} {
	LOG bareshop
	log_append planted {http.request.header.X-Planted}
	guard shop {
		{{.rules}}
	}
	reverse_proxy {{.upstream}}
}
http://:{{port "figures"}} {
	metrics
}
http://{{.canary}}.localhost:{{port "canary"}} {
	LOG canary
	log_append planted {query}
	respond "{query}" 400
}
`

const secrecyRules = `
		GET /orders/{id} orders.read orders/{id}
		PUT /orders/{id} orders.write orders/{id}
		authenticated GET /me
		public GET /healthz
`

// TestNothingShowsASecret uses every grant, every way to authenticate and a
// guard, rightly, wrongly, and with credentials in every place where they do not
// belong. Then it looks at everything that others than the caller can read, for
// any 16 characters in a row of any secret of the run. In each of these places
// a canary was planted, which has to be found.
func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*watched) watchedStore{"bolt": watchedBolt, "redis": watchedRedis} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, store := startWatched(t, store)
			w.walkGrants()
			w.walkRefusals()
			w.walkWrongPlaces()
			w.walkGuard()
			w.plant()
			w.documents()
			if store.away != nil {
				store.away()
				w.walkAway()
				store.back()
			}
			w.walkLate()
			w.documents()
			w.Stop()
			store.read()
			w.wrote()
			w.assert()
		})
	}
}

// startWatched starts the process with codes in its store.
func startWatched(t *testing.T, open func(*watched) watchedStore) (*watched, watchedStore) {
	t.Helper()
	w := &watched{
		t: t, upstream: NewUpstream(t, upstreamAudience), search: newSearch(), hidden: map[string]bool{}, secrets: map[string]string{},
		shown: map[string]*strings.Builder{}, refusals: map[string]int{}, canary: "canary" + strings.ToLower(rand.Text()),
	}
	files, store := w.files(), open(w)
	w.codes = w.makeCodes(store.consent)
	formats := documentedFormats(t)
	logs := []string{"FORMAT", formats[2]}
	for name, format := range map[string]string{"auth": "", "shop": "", "down": "", "csp": formats[0], "bareauth": formats[1], "bareshop": formats[1], "canary": formats[1]} {
		logs = append(logs, "LOG "+name+"\n", logInto(name, format)+"\n")
	}
	w.Caddy = Start(t, Config{
		Caddyfile: strings.NewReplacer(logs...).Replace(secrecyIssuer + secrecySites),
		Files:     files,
		Vars: map[string]any{
			"store": store.caddyfile, "batch": sha256Hex(w.secret("secret of batch")), "canary": w.canary,
			"rules": secrecyRules, "upstream": w.upstream.Addr(),
		},
		Env: []string{
			"WEB_SECRET=" + w.secret("secret of web"), "AGENT_SECRET=" + w.secret("secret of agent"),
			"CONSOLE_SECRET=" + w.secret("secret of console"), "REDIS_PASSWORD=" + w.secrets["password of redis"],
		},
	})
	return w, store
}

// documentedFormats are the formats that docs/guard.md shows for logs of requests
// with tokens: for tokens where they belong, and two for all that callers send.
func documentedFormats(t *testing.T) (formats []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository(t), "docs", "guard.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Tokens in access logs")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range regexp.MustCompile(`(?s)\n\tlog \{\n(.*?)\n\t\}\n`).FindAllStringSubmatch(section, -1) {
		formats = append(formats, block[1])
	}
	if len(formats) != 3 {
		t.Fatalf("docs/guard.md shows %d logs in that section, want 3", len(formats))
	}
	return formats
}

// logInto is a log of a site.
func logInto(name, format string) string {
	return "log " + name + " {\n\t\toutput file {{dir}}/out/" + name + ".log\n" + format + "\n\t}"
}

// documents shows what everybody and what operators can ask for.
func (w *watched) documents() {
	for _, path := range []string{"/.well-known/scopegate/ready", "/oauth2/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		w.show("readiness, keys and metadata", w.Get("auth", path).Body)
	}
	w.show("readiness, keys and metadata", w.Get("shop", "/.well-known/scopegate/ready").Body)
	w.show("metrics", w.Get("figures", "/metrics").Body)
	for _, path := range []string{
		"/config/", "/metrics", "/reverse_proxy/upstreams", "/debug/vars", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2",
	} {
		got := w.Get("admin", path)
		if got.Status != http.StatusOK {
			w.t.Errorf("the admin API, %s: got %d, want 200", path, got.Status)
		}
		w.show("the admin API", got.Body)
	}
}

// plant puts the canary where the process shows it.
func (w *watched) plant() {
	r := w.NewRequest(http.MethodGet, "canary", "/?"+w.canary, "")
	r.Host = w.canary + ".localhost"
	w.send(r)
	w.send(w.NewRequest(http.MethodGet, "auth", "/"+w.canary, ""))
	for _, site := range []string{"bareauth", "bareshop"} {
		w.send(w.NewRequest(http.MethodGet, site, "/"+w.canary, "", "X-Planted: "+w.canary))
	}
	base := params{"grant_type", "client_credentials"}
	got := w.granted("web", base.with("allowed_resource_scope", text(w.t, holds("shop", "orders.read", "orders/"+w.canary))))
	w.send(w.NewRequest(http.MethodGet, "shop", "/orders/"+w.canary, "", bearer(got.Access)))
	w.send(w.NewRequest(http.MethodGet, "csp", "/orders/"+w.canary, "", bearer(got.Access)))
	w.send(w.NewRequest(http.MethodGet, "down", "/orders/"+w.canary, "", bearer(got.Access)))
}

// assert searches all that was shown.
func (w *watched) assert() {
	w.show("standard output and error", w.process.log.text())
	planted, bytes := newSearch(), 0
	planted.whole("the canary", w.canary)
	for _, place := range slices.Sorted(maps.Keys(w.shown)) {
		text := []byte(w.shown[place].String())
		bytes += len(text)
		for _, finding := range append(w.search.find(text), strangers(text, "")...) {
			w.t.Errorf("%s: %s", place, finding)
		}
		if len(planted.find(text)) == 0 {
			w.t.Errorf("%s: the canary was not found, so a secret would not be either", place)
		}
	}
	w.t.Logf("%d secrets, %d bytes of %d places, %d requests, refusals for %v", len(w.hidden), bytes, len(w.shown), w.peers, w.refusals)
}
