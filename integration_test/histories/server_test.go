package histories

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// patience bounds what may take long on a slow and busy machine.
const patience = 30 * time.Second

const issuer = "https://auth.example.com"

// caddyfile is an issuer and a guard in one process.
const caddyfile = `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	grace_period 2s
	log {
		output stderr
		format json
	}
	scopegate {
		issuer ` + issuer + `
		signing_key file es256.pem
		state_key file state.key
		STORE
		users file users.json
		service shop https://shop.example.com {
			permissions orders.read
		}
		client web {
			secret {env.WEB_SECRET}
			grant_types authorization_code refresh_token
			redirect_uri ` + callback + `
			scope orders
			permit shop/orders.read orders/**
		}
	}
}
http://:PORT {
	oauth_server
	guard shop {
		GET /orders/{id} orders.read orders/{id}
	}
	respond 200
}
`

const usersFile = `{"orgs":[{"id":"acme"}],"users":[{"id":"alice","username":"alice","domain":"example.com",
	"memberships":[{"org":"acme","permissions":["shop/orders.read orders/**"]}]}]}`

// keys are what the servers of one store share.
type keys struct {
	signing []byte
	state   string
}

func newKeys(t *testing.T) keys {
	t.Helper()
	key, err := tokenexchange.GenerateSigningKey("ES256")
	if err != nil {
		t.Fatal(err)
	}
	signing, err := key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return keys{signing: signing, state: stateKeyLine()}
}

// newState opens the records as a server with these keys does.
func (k keys) newState(t *testing.T, store tokenexchange.Store) *tokenexchange.State {
	t.Helper()
	key, err := tokenexchange.ParseStateKey([]byte(k.state))
	if err != nil {
		t.Fatal(err)
	}
	state, err := tokenexchange.NewState(store, issuer, []tokenexchange.StateKey{key}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// server is a process of the real binary. It may be killed and started again.
type server struct {
	*site
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when the process has ended
}

// newServer prepares a process with a store. It ends with the test.
func newServer(t *testing.T, k keys, store string, mortal bool) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), port: freePort(t)}
	s.site = newSite(t, fmt.Sprint("127.0.0.1:", s.port), mortal)
	text := strings.NewReplacer("STORE", store, "PORT", fmt.Sprint(s.port)).Replace(caddyfile)
	for name, content := range map[string]string{
		"Caddyfile": text, "es256.pem": string(k.signing), "state.key": k.state, "users.json": usersFile,
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "WEB_SECRET=" + clientSecret}
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.log, s.done = cmd, log, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = log.Close()
		close(s.done)
	}()
}

// start starts the process and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.exec()
	for end := time.Now().Add(patience); !s.ready(); time.Sleep(3 * time.Millisecond) {
		select {
		case <-s.done:
			s.t.Fatalf("the server ended by itself:\n%s", s.said())
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server is not ready:\n%s", s.said())
		}
	}
}

func (s *server) ready() bool {
	answer, err := s.client.Get(s.url + "/.well-known/scopegate/ready")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
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

// dead tells whether the process has ended.
func (s *server) dead() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("sending %v to the server: %v", sig, err)
	}
}

func (s *server) said() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

var (
	// crashed is what Go and Caddy print when a program is broken.
	crashed = regexp.MustCompile(`(?m)^panic: |^fatal error: |panic serving|\[recovered\]|WARNING: DATA RACE`)
	// secrets are how JWTs, codes and refresh tokens look.
	secrets = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|\b[0-9a-f]{8}\.[A-Za-z0-9_~-]{8,64}\.([0-9]+\.)?[A-Za-z0-9_-]{43}\b|` + regexp.QuoteMeta(clientSecret))
)

func (s *server) assertCleanLog() {
	s.t.Helper()
	text := []byte(s.said())
	for what, found := range map[string][]byte{"a panic": crashed.Find(text), "a token, a code or a secret": secrets.Find(text)} {
		if found != nil {
			at := bytes.Index(text, found)
			s.t.Errorf("the log has %s: ...%s...", what, text[max(0, at-200):min(len(text), at+400)])
		}
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
