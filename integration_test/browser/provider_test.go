package browser

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// providerSecret is what our server is to the other provider.
const providerSecret = "a secret for the other provider, long enough"

// provider is npm oidc-provider in a process of its own: another OpenID
// provider, where people log in too.
type provider struct {
	house *house
	url   string
	cmd   *exec.Cmd
	hold  io.Closer
}

func newProvider(h *house) *provider {
	h.t.Helper()
	h.secrets.add("the secret at the other provider", providerSecret)
	p := &provider{house: h, url: fmt.Sprint("https://localhost:", freePort(h.t))}
	if err := p.start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(p.stop)
	return p
}

func (p *provider) start() error {
	cmd := exec.Command("node", "--no-warnings", "provider.mjs")
	cmd.Dir, cmd.SysProcAttr = "npm", dieWithParent()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.house.dir, "URL=" + p.url, "SECRET=" + providerSecret,
		"CALLBACK=" + issuer + "/oauth2/callback/company",
		"CERTIFICATE=" + filepath.Join(scratch, "server.pem"), "KEY=" + filepath.Join(scratch, "server.key"),
	}
	said := &strings.Builder{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		_ = cmd.Wait()
		return fmt.Errorf("oidc-provider did not start: %w\n%s", err, said)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	p.cmd, p.hold = cmd, hold
	return nil
}

// stop takes the provider away.
func (p *provider) stop() {
	if p.cmd == nil {
		return
	}
	p.hold.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}
