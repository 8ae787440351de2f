package histories

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
	"github.com/scopegate/scopegate/tokenexchange"
)

// patience bounds what may take long on a slow and busy machine.
const patience = time.Minute

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
	return keys{signing: signing, state: outside.StateKey()}
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
	outside.Server
	t *testing.T
}

// newServer prepares a process with a store. It ends with the test.
func newServer(t *testing.T, k keys, store string, mortal bool) *server {
	t.Helper()
	port := fmt.Sprint(outside.FreePort(t))
	s := &server{t: t, site: newSite(t, "127.0.0.1:"+port, mortal), Server: outside.Server{Dir: t.TempDir(), Env: []string{"WEB_SECRET=" + clientSecret}}}
	text := strings.NewReplacer("STORE", store, "PORT", port).Replace(caddyfile)
	for name, content := range map[string]string{
		"Caddyfile": text, "es256.pem": string(k.signing), "state.key": k.state, "users.json": usersFile,
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.kill()
		for _, found := range outside.Findings(s.Log(), map[string]string{clientSecret: "the secret of the client"}) {
			t.Errorf("the log has %s", found)
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
	if err := s.Await(func() bool { return outside.Ready(s.client, s.url) }); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process as a crash of the machine does.
func (s *server) kill() {
	s.Kill()
	s.client.CloseIdleConnections()
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.Signal(sig); err != nil {
		s.t.Errorf("sending %v to the server: %v", sig, err)
	}
}
