package clients

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

const (
	// clientSecret has characters that form encoding changes. Some clients
	// encode it in the header, as RFC 6749 section 2.3.1 has it, and some do not.
	clientSecret = "a/b+secret of~22 %41=chars&"
	callback     = "https://web.example.com/callback"
	upstreamAud  = "urn:scopegate:upstream:"
	// patience bounds what may take long on a slow and busy machine.
	patience = 60 * time.Second
)

// house is a running server with its store, its users, and an API behind it.
type house struct {
	t        *testing.T
	issuer   string
	shop     string // the site with the guard of the service shop
	wave     string // the site with the guard of the service wavefront
	apiToken string // of alice, for the client reporter
	robotKey string // PKCS #8, PEM
	upstream *upstream

	dir  string
	log  *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// newHouse starts everything, and stops it when the test ends.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), upstream: newUpstream(t), done: make(chan struct{})}
	redis := redistest.Start(t)
	for _, url := range []*string{&h.issuer, &h.shop, &h.wave} {
		*url = fmt.Sprint("https://127.0.0.1:", freePort(t))
	}
	h.writeFiles()
	h.start(map[string]string{
		"ISSUER": h.issuer, "SHOP": h.shop, "WAVEFRONT": h.wave, "UPSTREAM": h.upstream.URL,
		"REDIS": redis.Addr(), "CERTIFICATES": scratch, "CLIENT_SECRET": clientSecret,
	})
	return h
}

// writeFiles writes what the Caddyfile names.
func (h *house) writeFiles() {
	h.t.Helper()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	line := base64.StdEncoding.EncodeToString(secret)
	token, entry, err := tokenexchange.NewAPIToken(tokenexchange.APIToken{
		User: "example.com:alice", Org: "acme", Client: "reporter", Permissions: []string{"wavefront/points.write **"},
		Expires: time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	h.apiToken = token
	var robots string
	h.robotKey, robots = signer(h.t)
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		h.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Caddyfile": string(caddyfile), "state.key": line + "\n", "robot.jwks": robots,
		"es256.pem": signingKey(h.t, "ES256"), "rs256.pem": signingKey(h.t, "RS256"),
		"users.json": fmt.Sprintf(`{"orgs":[{"id":"acme","name":"Acme"}],"users":[{
			"id":"alice","username":"alice","domain":"example.com","email":"alice@example.com","email_verified":true,
			"given_name":"Alice","family_name":"Archer","password_hash":"%s","memberships":[
				{"org":"acme","permissions":["shop/orders.read orders/**","wavefront/points.write **"]}]}],
			"api_tokens":[%s]}`, aliceHash, jsonOf(h.t, entry)),
	} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start runs the binary and waits until it is ready.
func (h *house) start(env map[string]string) {
	h.t.Helper()
	var err error
	if h.log, err = os.Create(filepath.Join(h.dir, "log")); err != nil {
		h.t.Fatal(err)
	}
	h.cmd = exec.Command(binary(h.t), "run", "--config", "Caddyfile")
	h.cmd.Dir, h.cmd.Stdout, h.cmd.Stderr, h.cmd.SysProcAttr = h.dir, h.log, h.log, dieWithParent()
	h.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}
	for name, value := range env {
		h.cmd.Env = append(h.cmd.Env, name+"="+value)
	}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = h.cmd.Wait()
		_ = h.log.Close()
		close(h.done)
	}()
	h.t.Cleanup(h.stop)
	for end := time.Now().Add(patience); !h.ready(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-h.done:
			h.t.Fatalf("the server ended by itself:\n%s", h.said())
		default:
		}
		if time.Now().After(end) {
			h.t.Fatalf("the server is not ready:\n%s", h.said())
		}
	}
}

func (h *house) ready() bool {
	answer, err := http.Get(h.shop + "/.well-known/scopegate/ready")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop ends the process, and looks for what its log must not have.
func (h *house) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // It may have ended by itself.
	select {
	case <-h.done:
	case <-time.After(patience):
		_ = h.cmd.Process.Kill()
		<-h.done
		h.t.Error("the server did not stop")
	}
	text := []byte(h.said())
	for what, found := range map[string][]byte{"a panic": crashed.Find(text), "a token, a code or a secret": secrets.Find(text)} {
		if found != nil {
			at := bytes.Index(text, found)
			h.t.Errorf("the log has %s: ...%s...", what, text[max(0, at-200):min(len(text), at+400)])
		}
	}
}

var (
	// crashed is what Go and Caddy print when a program is broken.
	crashed = regexp.MustCompile(`(?m)^panic: |^fatal error: |panic serving|\[recovered\]`)
	// secrets are how JWTs, codes, refresh tokens and API tokens look.
	secrets = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|\b[0-9a-f]{8}\.[A-Za-z0-9_~-]{8,64}\.([0-9]+\.)?[A-Za-z0-9_-]{43}\b|\b[a-z2-7]{16}\.[A-Z2-7]{52}|` + regexp.QuoteMeta(clientSecret))
)

func (h *house) said() string {
	text, _ := os.ReadFile(filepath.Join(h.dir, "log"))
	return string(text)
}

// records are the audit records of the token endpoint, in their order.
func (h *house) records() (list []map[string]any) {
	for line := range strings.SplitSeq(h.said(), "\n") {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "decision" && record["endpoint"] == "token" {
			list = append(list, record)
		}
	}
	return list
}
