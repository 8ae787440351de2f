package integration_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// secrecyIssuer has every grant and every way to authenticate, and shows all
// that it can: debug logs, audit records, access logs, metrics, the admin API
// and its saved configuration.
const secrecyIssuer = `{
	admin {{addr "admin"}}
	skip_install_trust
	default_bind 127.0.0.1
	grace_period 2s
	debug
	metrics {
		per_host
	}
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	log {
		output stderr
		format json
	}
	log errors {
		include http.log.error.bareauth http.log.error.bareshop http.log.access
		level DEBUG
		output file {{dir}}/out/errors.log
		FORMAT
	}
	log audit {
		include scopegate http.handlers.guard http.handlers.oauth_server
		level DEBUG
		output file {{dir}}/out/audit.log
	}
	log operations {
		include scopegate http.handlers.guard http.handlers.oauth_server
		output stderr
		format json
	}
	scopegate {
		issuer ` + secrecyIssuerURL + `
		signing_key file {{dir}}/in/es256.pem
		signing_key file {{dir}}/in/rs256.pem
		state_key file {{dir}}/in/state.key
		store {{.store}}
		users file {{dir}}/in/users.json
		service shop https://shop.example.com {
			permissions orders.read orders.write
		}
		client web {
			secret {env.WEB_SECRET}
			grant_types authorization_code refresh_token password client_credentials
			redirect_uri ` + secrecyCallback + `
			scope openid profile orders
			own shop/orders.read orders/**
			permit shop/* **
			allow audience_exchange by batch
			allow client_delegate by agent
			allow context_switch by console
			allow impersonate_user by console
			accept_subject_ip
			api_tokens
		}
		client phone {
			public
			grant_types authorization_code refresh_token
			redirect_uri ` + secrecyCallback + `
			scope openid
			permit shop/* **
		}
		client legacy {
			secret {file.{{dir}}/in/legacy.secret}
			grant_types authorization_code
			redirect_uri ` + secrecyCallback + `
			pkce optional
			pkce_methods S256 plain SHA256
			scope {{.canary}}
			permit shop/* **
		}
		client robot {
			jwks_file {{dir}}/in/robot.jwks
			grant_types client_credentials
			own shop/orders.read orders/**
		}
		client batch {
			secret sha256:{{.batch}}
			grant_types audience_exchange
			scope openid
			permit shop/* **
			target_audiences https://shop.example.com
		}
		client agent {
			secret {env.AGENT_SECRET}
			grant_types client_delegate
			permit shop/* **
			target_audiences https://shop.example.com
		}
		client console {
			secret {env.CONSOLE_SECRET}
			grant_types password refresh_token context_switch impersonate_user
			scope openid orders
			permit shop/* **
		}
		impersonation {
			roles csp:support
			orgs acme beta
			permit shop/orders.read orders/**
		}
	}
}
`

const (
	secrecyIssuerURL = "https://auth.example.com"
	secrecyCallback  = "https://web.example.com/callback"
)

// watched is a process with everything that others than the caller of a request
// can read of it, and all secrets that it was given, made or sent.
type watched struct {
	*Caddy
	t        *testing.T
	upstream *Upstream
	search   *search
	hidden   map[string]bool
	secrets  map[string]string           // some of the hidden, by what they are
	codes    map[string][]string         // that nobody used, by client
	shown    map[string]*strings.Builder // by place
	refusals map[string]int              // by reason
	canary   string                      // is planted everywhere, and must be found
	keys     struct{ es256, robot testKey }
	spent    time.Time // when the used code was
	peers    int
}

// hide registers a secret. What matters of a token is what follows its last
// dot, of a hash what follows its last dollar sign. The rest says what it is.
func (w *watched) hide(what, text string) string {
	w.t.Helper()
	Register(w.t, text)
	w.hideHere(what, text)
	return text
}

// hideHere hides a secret that the upstream may see.
func (w *watched) hideHere(what, text string) {
	if w.hidden[text] {
		return
	}
	w.hidden[text] = true
	part := text
	switch {
	case strings.HasPrefix(text, "$"):
		part = text[strings.LastIndexByte(text, '$')+1:]
	case wholeToken.MatchString(text):
		part = text[strings.LastIndexByte(text, '.')+1:]
	}
	w.search.fragments(what, part)
}

var wholeToken = regexp.MustCompile(`^(?:` + tokenShape.String() + `)$`)

// show keeps what a place shows.
func (w *watched) show(place, text string) {
	if w.shown[place] == nil {
		w.shown[place] = new(strings.Builder)
	}
	w.shown[place].WriteString(text + "\n")
}

// files makes everything that the issuer is given, and hides it.
func (w *watched) files() map[string]string {
	w.keys.es256, w.keys.robot = newTestKey(w.t), newTestKey(w.t)
	for name, key := range map[string]testKey{"the key ES256": w.keys.es256, "the key of robot": w.keys.robot} {
		scalar, err := key.private.Bytes()
		if err != nil {
			w.t.Fatal(err)
		}
		w.hideKey(name, scalar)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hideKey("the key RS256", private.D.Bytes(), private.Primes[0].Bytes(), private.Primes[1].Bytes())
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		w.t.Fatal(err)
	}
	w.secrets["private key"] = base64.StdEncoding.EncodeToString(private.D.Bytes())
	state := make([]byte, 32)
	_, _ = rand.Read(state)
	w.hideKey("the state key", state)
	w.secrets["state key"] = base64.StdEncoding.EncodeToString(state)
	return map[string]string{
		"out/README":       "what the process writes",
		"in/es256.pem":     w.keys.es256.pem(w.t),
		"in/rs256.pem":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"in/state.key":     w.secrets["state key"] + "\n",
		"in/robot.jwks":    publicSet(w.t, w.keys.robot.private, ""),
		"in/legacy.secret": w.secret("secret of legacy") + "\n",
		"in/users.json":    w.users(),
	}
}

// hideKey hides the numbers that make a key private, however they are written.
func (w *watched) hideKey(what string, numbers ...[]byte) {
	for _, n := range numbers {
		w.hidden[string(n)] = true
		w.search.fragments(what, string(n))
	}
}

// secret makes a secret that form encoding changes, and hides it.
func (w *watched) secret(what string) string {
	if w.secrets[what] == "" {
		w.secrets[what] = w.hide(what, "a/b+"+randomText()+"&%41=")
	}
	return w.secrets[what]
}

// users are alice, whose hash is argon2id, and olga of the support, with bcrypt,
// and API tokens of alice.
func (w *watched) users() string {
	salt := []byte(randomText())[:16]
	key := argon2.IDKey([]byte(w.secret("password of alice")), salt, 1, 64, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	alice := w.hide("hash of alice", "$argon2id$v=19$m=64,t=1,p=1$"+encode(salt)+"$"+encode(key))
	hash, err := bcrypt.GenerateFromPassword([]byte(w.secret("password of olga")), bcrypt.MinCost)
	if err != nil {
		w.t.Fatal(err)
	}
	olga := w.hide("hash of olga", string(hash))
	w.secrets["password hash"] = olga
	good, expired := w.apiToken("API token"), w.apiToken("expired API token")
	expired["expires"] = time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"orgs":[{"id":"acme","name":"acme"},{"id":"beta","name":"beta"}],"users":[
 {"id":"alice","username":"alice","domain":"example.com","email":"alice@example.com","email_verified":true,"password_hash":%q,"default_org":"acme","memberships":[
  {"org":"acme","permissions":["shop/orders.read orders/**"]},{"org":"beta","permissions":["shop/orders.read orders/**"]}]},
 {"id":"olga","username":"olga","domain":"example.com","password_hash":%q,"memberships":[{"org":"acme","roles":["csp:support"]}]}],
"api_tokens":[%s,%s]}`, alice, olga, text(w.t, good), text(w.t, expired))
}

// apiToken makes an API token as an operator does, and returns its entry.
func (w *watched) apiToken(what string) (entry map[string]any) {
	made := Run(w.t, "", "token", "api-token", "--user", "example.com:alice", "--org", "acme", "--client", "web",
		"--permission", "shop/orders.read orders/** "+w.canary, "--expires", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	token, rest, _ := strings.Cut(made.Stdout, "\n")
	if err := json.Unmarshal([]byte(rest), &entry); err != nil || made.Code != 0 {
		w.t.Fatalf("caddy token api-token: got %d, %v, %s", made.Code, err, made.Stderr)
	}
	w.show("what commands print beside their result", made.Stderr+rest)
	w.secrets[what] = w.hide(what, token)
	return entry
}

// wrote shows what the process wrote to its folder: all but what it was given.
func (w *watched) wrote() {
	err := filepath.WalkDir(w.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Dir(path) == filepath.Join(w.Dir, "in") || filepath.Base(path) == "Caddyfile" {
			return err
		}
		data, err := os.ReadFile(path)
		place := "files that the process wrote"
		if name, log := strings.CutSuffix(filepath.Base(path), ".log"); log {
			place = "log " + name
		}
		w.show(place, filepath.Base(path)+"\n"+string(data))
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
