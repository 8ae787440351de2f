package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// patience bounds what may take long on a slow and busy machine.
const patience = 60 * time.Second

// server is a process of the real binary, in a folder and on a port of its own.
// It may be stopped, killed and started again.
type server struct {
	outside.Server
	t      *testing.T
	name   string
	url    string
	client *http.Client
	store  *store // nil if nobody measures it
	pulse  *pulse // of the process, if somebody does
}

// newServer prepares a process with this Caddyfile. It ends with the test.
func newServer(t *testing.T, name string, caddyfile func(port int) string, env ...string) *server {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	port := outside.FreePort(t)
	s := &server{
		t: t, name: name, url: fmt.Sprint("http://127.0.0.1:", port), Server: outside.Server{Dir: t.TempDir(), Env: env},
		client: &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	write(t, filepath.Join(s.Dir, "Caddyfile"), caddyfile(port))
	t.Cleanup(func() {
		s.kill()
		for _, found := range outside.Findings(s.Log(), map[string]string{clientSecret: "the secret of all clients", password: "the password of all users"}) {
			t.Errorf("the log of server %s has %s", name, found)
		}
	})
	return s
}

// exec starts the process, and does not wait until it serves.
func (s *server) exec() {
	s.t.Helper()
	if err := s.Exec(); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the process and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.exec()
	s.awaitReady()
}

func (s *server) awaitReady() {
	s.t.Helper()
	if err := s.Await(func() bool { return s.ready().Ready }); err != nil {
		s.t.Fatalf("server %s: %v", s.name, err)
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
	s.Kill()
	s.client.CloseIdleConnections()
}

// stop ends the process as Kubernetes does.
func (s *server) stop() {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Errorf("server %s: %v", s.name, err)
	}
	s.client.CloseIdleConnections()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
