package integration_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// Config says what to run.
type Config struct {
	// Caddyfile is a template; see render for what it can use.
	Caddyfile string
	// Vars are the template's variables: {{.name}}.
	Vars map[string]any
	// Files are written below the folder of the process before it starts.
	Files map[string]string
	// Env is added to an otherwise empty environment, as NAME=value.
	Env []string
	// TokensInLog, if set, is the reason why tokens may be seen in the log.
	TokensInLog string
}

// Caddy is a running binary. It stops when the test ends.
type Caddy struct {
	// Dir is the folder in which it runs.
	Dir string
	// Client follows no redirects and uses no proxy.
	Client *http.Client

	t       *testing.T
	config  Config
	ports   ports
	process *process
	stopped bool
}

// Start runs the binary and returns when its configuration is served.
func Start(t *testing.T, config Config) *Caddy {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	c := &Caddy{
		Dir: t.TempDir(),
		Client: &http.Client{
			Transport:     learning{transport},
			Timeout:       waitTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		t: t, config: config, ports: ports{},
	}
	for name, content := range config.Files {
		c.WriteFile(name, content)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if !c.stopped && c.process != nil {
			c.Stop()
		}
	})
	for try := 1; ; try++ {
		if c.launch() {
			return c
		}
		log := c.process.log.text()
		c.process, c.ports = nil, ports{}
		if !portTaken(log) || try == 5 {
			t.Fatalf("the binary did not start:\n%s", log)
		}
	}
}

// StartFails runs the binary with a configuration that it has to refuse, and
// returns what it printed.
func StartFails(t *testing.T, config Config) string {
	t.Helper()
	c := &Caddy{Dir: t.TempDir(), t: t, config: config, ports: ports{}}
	for name, content := range config.Files {
		c.WriteFile(name, content)
	}
	if c.launch() {
		c.Stop()
		t.Fatal("the binary took a configuration that it has to refuse")
	}
	c.process.assertNoCrash(t)
	return c.process.log.text()
}

// launch starts the process and tells whether it came to serve. If not, the
// process is gone.
func (c *Caddy) launch() bool {
	c.t.Helper()
	c.writeCaddyfile(c.config.Caddyfile)
	c.process = launch(c.t, c.Dir, filepath.Join(c.Dir, "home"), c.config.Env, "run", "--config", "Caddyfile")
	if _, ok := c.process.log.wait(startTimeout, 0, MsgIs("serving initial configuration")); ok {
		return true
	}
	c.process.kill()
	return false
}

func (c *Caddy) writeCaddyfile(text string) {
	c.t.Helper()
	c.WriteFile("Caddyfile", render(c.t, text, c.Dir, c.ports, c.config.Vars))
}

// WriteFile writes a file below the folder of the process.
func (c *Caddy) WriteFile(name, content string) {
	c.t.Helper()
	path := filepath.Join(c.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Addr returns 127.0.0.1:<port> of a port that the Caddyfile names.
func (c *Caddy) Addr(name string) string {
	c.t.Helper()
	if _, ok := c.ports[name]; !ok {
		c.t.Fatalf("the Caddyfile names no port %q", name)
	}
	return render(c.t, `{{addr .name}}`, c.Dir, c.ports, map[string]any{"name": name})
}

// URL returns the address of a path on a site: URL("web", "/token").
func (c *Caddy) URL(name, path string) string {
	c.t.Helper()
	return "http://" + c.Addr(name) + path
}

// Reload writes the Caddyfile anew and has the process read it, without any
// connection to it: SIGUSR1 works with `admin off` too.
func (c *Caddy) Reload(caddyfile string) {
	c.t.Helper()
	if line := c.reload(caddyfile); line.Level() == "error" {
		c.t.Fatalf("reloading: %s", line.Raw)
	}
}

// ReloadFails is Reload for a configuration that has to be refused. It returns
// the error; the process goes on with the old configuration.
func (c *Caddy) ReloadFails(caddyfile string) string {
	c.t.Helper()
	line := c.reload(caddyfile)
	if line.Level() != "error" {
		c.t.Fatalf("the reload was taken, want an error: %s", line.Raw)
	}
	return line.String("error")
}

func (c *Caddy) reload(caddyfile string) Line {
	c.t.Helper()
	c.writeCaddyfile(caddyfile)
	mark := c.Mark()
	c.process.signal(c.t, syscall.SIGUSR1)
	line := c.WaitLog(mark, func(l Line) bool {
		return l.Msg() == "successfully reloaded config from file" || l.Msg() == "failed to reload config from file"
	})
	// What is asked from now on meets the configuration in force, and no other.
	for _, port := range c.ports {
		outside.OneListener(c.t, port)
	}
	return line
}

// Mark returns the number of lines logged so far, for Log and WaitLog.
func (c *Caddy) Mark() int { return c.process.log.mark() }

// Log returns the lines that were logged since mark (0: all).
func (c *Caddy) Log(mark int) []Line { return c.process.log.since(mark) }

// WaitLog returns the first line since mark that matches, and waits for it.
func (c *Caddy) WaitLog(mark int, match func(Line) bool) Line {
	c.t.Helper()
	line, ok := c.process.log.wait(waitTimeout, mark, match)
	if !ok {
		c.t.Fatalf("no such line in the log:\n%s", c.process.log.text())
	}
	return line
}

// Signal sends a signal to the process.
func (c *Caddy) Signal(sig os.Signal) { c.t.Helper(); c.process.signal(c.t, sig) }

// Stop ends the process as Kubernetes does, and fails the test if it had to be
// killed, reported a race or a panic, or logged a registered token.
func (c *Caddy) Stop() {
	c.t.Helper()
	c.stopped = true
	c.process.terminate(c.t)
	c.assertCleanLog()
}

// Kill ends the process without any warning.
func (c *Caddy) Kill() {
	c.t.Helper()
	c.stopped = true
	c.process.kill()
	c.process.assertNoCrash(c.t)
	c.assertCleanLog()
}

// Restart runs the binary again, in the same folder and on the same ports,
// after a Stop or a Kill. Lines of the log count from zero again.
func (c *Caddy) Restart() {
	c.t.Helper()
	if !c.stopped {
		c.t.Fatal("Restart needs Stop or Kill before it")
	}
	c.stopped = false
	if !c.launch() {
		c.stopped = true
		c.t.Fatalf("the binary did not start again:\n%s", c.process.log.text())
	}
}

func (c *Caddy) assertCleanLog() {
	c.t.Helper()
	if c.config.TokensInLog == "" {
		c.process.assertCleanLog(c.t)
	}
}
