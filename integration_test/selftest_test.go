package integration_test

import (
	"net/http"
	"strings"
	"testing"
)

// These tests use Caddy without our modules. They show that the harness itself
// works, so that a red test elsewhere means what it says.

const plainProxy = `{
	{{globals}}
}
http://:{{port "web"}} {
	log
	respond /hello {{.greeting}}
	reverse_proxy {{.upstream}}
}
`

func startPlain(t *testing.T, upstream *Upstream) *Caddy {
	t.Helper()
	return Start(t, Config{Caddyfile: plainProxy, Vars: map[string]any{"upstream": upstream.Addr(), "greeting": "hello"}})
}

func TestHarnessRunsAndReloads(t *testing.T) {
	t.Parallel()
	c := startPlain(t, NewUpstream(t, ""))
	if got := c.Get("web", "/hello").Body; got != "hello" {
		t.Errorf("got %q, want hello", got)
	}
	c.Reload(strings.ReplaceAll(plainProxy, "{{.greeting}}", "goodbye"))
	if got := c.Get("web", "/hello").Body; got != "goodbye" {
		t.Errorf("after the reload: got %q, want goodbye", got)
	}
	if got := c.ReloadFails(strings.ReplaceAll(plainProxy, "respond", "respnod")); !strings.Contains(got, "respnod") {
		t.Errorf("got error %q, want one that names respnod", got)
	}
	if got := c.Get("web", "/hello").Body; got != "goodbye" {
		t.Errorf("after the refused reload: got %q, want goodbye", got)
	}
	line := c.WaitLog(0, func(l Line) bool { return strings.HasPrefix(l.Logger(), "http.log.access") })
	if got := line.Fields["status"]; got != 200.0 {
		t.Errorf("status in the access log: got %v, want 200", got)
	}
}

func TestHarnessRestarts(t *testing.T) {
	t.Parallel()
	c := startPlain(t, NewUpstream(t, ""))
	addr := c.Addr("web")
	c.Stop()
	c.Restart()
	c.Kill()
	c.Restart()
	if got := c.Get("web", "/hello"); got.Status != http.StatusOK || c.Addr("web") != addr {
		t.Errorf("got %d on %s, want 200 on %s", got.Status, c.Addr("web"), addr)
	}
}

func TestHarnessSeesRefusedConfigurations(t *testing.T) {
	t.Parallel()
	got := StartFails(t, Config{Caddyfile: "{\n{{globals}}\n}\n:{{port `web`}} {\nnonsense\n}\n"})
	if !strings.Contains(got, "nonsense") {
		t.Errorf("got %q, want an error that names the directive", got)
	}
	if result := Run(t, "", "adapt", "--config", "none"); result.Code == 0 || result.Stderr == "" {
		t.Errorf("got %+v, want a failure", result)
	}
	if result := Run(t, "", "version"); result.Code != 0 || !strings.Contains(result.Stdout, "v2.") {
		t.Errorf("got %+v, want a version", result)
	}
}

func TestUpstreamRecordsWhatArrives(t *testing.T) {
	t.Parallel()
	upstream := NewUpstream(t, "")
	c := startPlain(t, upstream)

	got := c.Do(c.NewRequest(http.MethodPost, "web", "/a%2Fb?c=d", "body", "X-Test: one", "X-Test: two"))
	if got.Status != http.StatusOK || got.Body != "upstream" {
		t.Errorf("got %d %q, want 200 upstream", got.Status, got.Body)
	}
	request := upstream.Request(t, 0)
	if want := "POST /a%2Fb?c=d HTTP/1.1"; request.Line != want {
		t.Errorf("got line %q, want %q", request.Line, want)
	}
	if got, want := strings.Join(request.Values("x-test"), ","), "one,two"; got != want {
		t.Errorf("got X-Test %q, want %q", got, want)
	}
	if got := string(request.Body); got != "body" {
		t.Errorf("got body %q, want body", got)
	}

	response := Exchange(t, c.Addr("web"), "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTrailer: X-Late\n\n3\nabc\n2\nde\n0\nX-Late: yes\n\n")
	if response.Status != http.StatusOK {
		t.Errorf("got %d, want 200", response.Status)
	}
	request = upstream.Request(t, 1)
	if got := string(request.Body); got != "abcde" {
		t.Errorf("got body %q, want abcde", got)
	}
	if len(request.Trailer) != 1 || request.Trailer[0] != (Field{"X-Late", "yes"}) {
		t.Errorf("got trailer %v, want X-Late: yes", request.Trailer)
	}
	if streams := upstream.Streams(); len(streams) == 0 || !strings.Contains(string(streams[len(streams)-1]), "X-Late: yes\r\n") {
		t.Errorf("got streams %q, want the bytes of the trailer in the last", streams)
	}
}

func TestUpstreamAnswersAsTold(t *testing.T) {
	t.Parallel()
	upstream := NewUpstream(t, "")
	c := startPlain(t, upstream)

	upstream.Reply(Reply{Status: http.StatusTeapot, Header: []string{"X-Kind: pot"}, Body: "tea"})
	if got := c.Get("web", "/"); got.Status != http.StatusTeapot || got.Header.Get("X-Kind") != "pot" || got.Body != "tea" {
		t.Errorf("got %+v, want the teapot", got)
	}
	upstream.Reply(Reply{Close: true})
	if got := c.Get("web", "/"); got.Status != http.StatusBadGateway {
		t.Errorf("closed: got %d, want 502", got.Status)
	}
	upstream.Reply(Reply{Upgrade: "echo"})
	raw := Dial(t, c.Addr("web"))
	raw.Send("GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if got := raw.Response(http.MethodGet); got.Status != http.StatusSwitchingProtocols {
		t.Fatalf("got %d, want 101", got.Status)
	}
	raw.Send("ping")
	if got := raw.Read(4); got != "ping" {
		t.Errorf("got %q, want ping", got)
	}
	raw.Close()
	upstream.Close()
	if got := c.Get("web", "/"); got.Status != http.StatusBadGateway {
		t.Errorf("down: got %d, want 502", got.Status)
	}
}
