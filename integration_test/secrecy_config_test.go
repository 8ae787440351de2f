package integration_test

import (
	"crypto/ecdsa"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretiveConfig is a configuration with one thing in each place that a case
// can change.
const secretiveConfig = `{
	scopegate {
		issuer https://auth.example.com
		signing_key file DIR/es256.pem
		state_key file DIR/state.key
		store memory
		users file DIR/users.json
		service shop https://shop.example.com {
			permissions orders.read
		}
		client web {
			secret {file.DIR/web.secret}
			grant_types password
			permit shop/* **
			api_tokens
		}
		client robot {
			jwks_file DIR/robot.jwks
			grant_types client_credentials
			own none
		}
	}
}
http://:8080 {
	oauth_server
}
`

// TestConfigurationErrorsShowNoSecret puts secrets into wrong places of a
// configuration. Each is refused, and the error names the place and no secret.
func TestConfigurationErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	key, secret, canary := newTestKey(t), randomText(), "canary"+strings.ToLower(randomText())
	scalar, err := key.private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	Register(t, secret)
	hidden, planted := newSearch(), newSearch()
	hidden.fragments("the secret", secret)
	hidden.fragments("the private key", string(scalar))
	planted.whole("the canary", canary)
	state := b64(scalar) + "="
	good := map[string]string{
		"es256.pem": key.pem(t), "state.key": strings.NewReplacer("-", "+", "_", "/").Replace(state), "web.secret": secret,
		"robot.jwks": publicSet(t, key.private, ""), "users.json": secretiveUsers("$2a$04$"+strings.Repeat("a", 53), "sha256:"+sha256Hex(secret)),
	}
	private := `,"d":"` + b64(scalar) + `"`
	for _, c := range []struct {
		name, old, new string // of the Caddyfile
		file, content  string
	}{
		{name: "good"},
		{name: "the canary", old: "api_tokens", new: canary},
		{name: "literal secret", old: "{file.DIR/web.secret}", new: secret},
		{name: "hash that is the secret", old: "{file.DIR/web.secret}", new: "sha256:" + secret},
		{name: "secret that names no file", old: "{file.DIR/web.secret}", new: "{file.DIR/none}"},
		{name: "three secrets", old: "{file.DIR/web.secret}", new: secret + "\n secret " + secret + "1\n secret " + secret + "2"},
		{name: "secret with a second word", old: "{file.DIR/web.secret}", new: "x " + secret},
		{name: "misspelt word", old: "secret {file.DIR/web.secret}", new: "sceret " + secret},
		{name: "public with a word", old: "secret {file.DIR/web.secret}", new: "public " + secret},
		{name: "api_tokens with a word", old: "api_tokens", new: "api_tokens " + secret},
		{name: "secret of a service", old: "permissions orders.read", new: "secret " + secret},
		{name: "secret in a block of its own", old: "secret {file.DIR/web.secret}", new: "secret {\n" + secret + "\n}"},
		{name: "short secret", file: "web.secret", content: secret[:20]},
		{name: "state key as signing key", file: "es256.pem", content: good["state.key"]},
		{name: "public key as signing key", file: "es256.pem", content: strings.ReplaceAll(key.pem(t), "PRIVATE", "PUBLIC")},
		{name: "two signing keys in a file", file: "es256.pem", content: key.pem(t) + key.pem(t)},
		{name: "signing key as state key", file: "state.key", content: key.pem(t)},
		{name: "secret as state key", file: "state.key", content: secret},
		{name: "signing key as users", file: "users.json", content: key.pem(t)},
		{name: "password as its hash", file: "users.json", content: secretiveUsers(secret, "sha256:"+sha256Hex(secret))},
		{name: "hash that was cut", file: "users.json", content: secretiveUsers("$argon2id$v=19$m=64,t=1,p=1$"+secret, "sha256:"+sha256Hex(secret))},
		{name: "API token as its hash", file: "users.json", content: secretiveUsers("$2a$04$"+strings.Repeat("a", 53), secret)},
		{name: "private key as a key set", file: "robot.jwks", content: key.pem(t)},
		{name: "private key in a key set", file: "robot.jwks", content: publicSet(t, key.private, private)},
		{name: "redis with a login in its address", old: "store memory", new: "store redis {\n address redis://user:" + secret + "@127.0.0.1:6379\n}"},
		{name: "redis with a password in its address", old: "store memory", new: "store redis {\n address user:" + secret + "@127.0.0.1:6379\n}"},
		{name: "redis with a literal password", old: "store memory", new: "store redis {\n address 127.0.0.1:6379\n password " + secret + "\n}"},
		{name: "redis with two passwords", old: "store memory", new: "store redis {\n address 127.0.0.1:6379\n password " + secret + " " + secret + "\n}"},
		{name: "redis with a key as CA", old: "store memory", new: "store redis {\n address 127.0.0.1:6379\n tls {\n ca_file DIR/es256.pem\n}\n}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(good)
			if c.file != "" {
				files[c.file] = c.content
			}
			dir := t.TempDir()
			files["Caddyfile"] = strings.ReplaceAll(strings.Replace(secretiveConfig, c.old, c.new, 1), "DIR", dir)
			for name, content := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := Run(t, dir, "validate", "--config", "Caddyfile")
			if (got.Code == 0) != (c.name == "good") {
				t.Errorf("got exit code %d: %s", got.Code, got.Stderr)
			}
			output := []byte(got.Stdout + got.Stderr)
			for _, finding := range hidden.find(output) {
				t.Errorf("it shows %s", finding)
			}
			if found := len(planted.find(output)) > 0; found != (c.name == "the canary") {
				t.Errorf("the canary was found: got %v", found)
			}
		})
	}
}

// publicSet is a key set with more members in its key.
func publicSet(t *testing.T, private *ecdsa.PrivateKey, more string) string {
	t.Helper()
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q%s}]}`, b64(point[1:33]), b64(point[33:]), more)
}

func secretiveUsers(passwordHash, tokenHash string) string {
	return fmt.Sprintf(`{"orgs":[{"id":"acme"}],"users":[{"id":"alice","username":"alice","domain":"example.com","password_hash":%q,"memberships":[{"org":"acme"}]}],
"api_tokens":[{"id":"t1","hash":%q,"user":"example.com:alice","org":"acme","client":"web","permissions":[],"expires":"2090-01-01T00:00:00Z"}]}`, passwordHash, tokenHash)
}
