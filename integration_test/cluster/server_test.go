package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what may take long on a slow and busy machine.
const patience = 30 * time.Second

// server is a process of the real binary, in a folder and on a port of its own.
// It may be stopped, killed and started again.
type server struct {
	t      *testing.T
	name   string
	dir    string
	port   int
	url    string
	client *http.Client
	env    []string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
}

// newServer prepares a process with this Caddyfile. It ends with the test.
func newServer(t *testing.T, name string, caddyfile func(port int) string, env ...string) *server {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	s := &server{
		t: t, name: name, dir: t.TempDir(), port: freePort(t), env: env,
		client: &http.Client{Transport: transport, Timeout: askTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	s.url = fmt.Sprint("http://127.0.0.1:", s.port)
	write(t, filepath.Join(s.dir, "Caddyfile"), caddyfile(s.port))
	t.Cleanup(func() {
		s.kill()
		s.assertCleanLog()
	})
	return s
}

// exec starts the process, and does not wait until it serves.
func (s *server) exec() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(binary(s.t), "run", "--config", "Caddyfile")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}, s.env...)
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.cmd, s.done = cmd, done
	go func() {
		_ = cmd.Wait()
		_ = log.Close()
		close(done)
	}()
}

// start starts the process and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.exec()
	s.awaitReady()
}

func (s *server) awaitReady() {
	s.t.Helper()
	for end := time.Now().Add(patience); !s.ready().Ready; time.Sleep(3 * time.Millisecond) {
		select {
		case <-s.done:
			s.t.Fatalf("server %s ended by itself:\n%s", s.name, s.said())
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("server %s is not ready:\n%s", s.name, s.said())
		}
	}
}

// readiness is what a server says of itself.
type readiness struct {
	Ready   bool              `json:"ready"`
	Details map[string]string `json:"details"`
}

func (s *server) ready() (r readiness) {
	answer, err := s.client.Get(s.url + "/.well-known/scopegate/ready")
	if err != nil {
		return r
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil {
		return readiness{}
	}
	r.Ready = r.Ready && answer.StatusCode == http.StatusOK
	return r
}

// kill ends the process as a crash of the machine does.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // It may have ended by itself.
	<-s.done
	s.cmd = nil
	s.client.CloseIdleConnections()
}

// stop ends the process as Kubernetes does.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("stopping server %s: %v", s.name, err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Errorf("server %s does not stop:\n%s", s.name, s.said())
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("server %s stopped with the exit code %d:\n%s", s.name, code, s.said())
	}
	s.kill()
}

func (s *server) said() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

var (
	// crashed is what Go and Caddy print when a program is broken.
	crashed = regexp.MustCompile(`(?m)^panic: |^fatal error: |panic serving|\[recovered\]|WARNING: DATA RACE`)
	// secrets are how JWTs, codes and refresh tokens look, and what clients and
	// users authenticate with.
	secrets = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|\b[0-9a-f]{8}\.[A-Za-z0-9_~-]{8,64}\.([0-9]+\.)?[A-Za-z0-9_-]{43}\b|` + regexp.QuoteMeta(clientSecret) + `|` + regexp.QuoteMeta(password))
)

func (s *server) assertCleanLog() {
	s.t.Helper()
	text := []byte(s.said())
	for what, found := range map[string][]byte{"a panic": crashed.Find(text), "a token, a code or a secret": secrets.Find(text)} {
		if found != nil {
			at := bytes.Index(text, found)
			s.t.Errorf("the log of server %s has %s: ...%s...", s.name, what, text[max(0, at-200):min(len(text), at+400)])
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var handedOut sync.Map // port -> struct{}

// freePort picks a port below those of outgoing connections, which would take
// it while the process is away.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(8000)
		if _, taken := handedOut.LoadOrStore(port, struct{}{}); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("found no free port on loopback")
	return 0
}
