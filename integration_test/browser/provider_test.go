package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// providerSecret is what our server is to the other provider.
const providerSecret = "a secret for the other provider, long enough"

// provider is npm oidc-provider in a process of its own: another OpenID
// provider, where people log in too.
type provider struct {
	house *house
	url   string
	stop  func()
}

func newProvider(h *house) *provider {
	h.t.Helper()
	h.secrets.add("the secret at the other provider", providerSecret)
	p := &provider{house: h, url: fmt.Sprint("https://localhost:", outside.FreePort(h.t))}
	if err := p.start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { p.stop() })
	return p
}

func (p *provider) start() error {
	cmd := exec.Command("node", "--no-warnings", "provider.mjs")
	cmd.Dir = "npm"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.house.Dir, "URL=" + p.url, "SECRET=" + providerSecret,
		"CALLBACK=" + issuer + "/oauth2/callback/company",
		"CERTIFICATE=" + filepath.Join(scratch, "server.pem"), "KEY=" + filepath.Join(scratch, "server.key"),
	}
	_, stop, err := outside.StartProgram(cmd)
	if err == nil {
		p.stop = stop
	}
	return err
}
