package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/tokenexchange"
)

// runCommand runs `caddy token` as the binary does, and hides and shows nothing.
func runCommand(in string, args ...string) (stdout, stderr string, err error) {
	root, cmd := &cobra.Command{Use: "caddy"}, &cobra.Command{Use: tokenCommand.Name}
	root.AddCommand(cmd)
	tokenCommand.CobraFunc(cmd)
	var out, notes bytes.Buffer
	root.SetIn(strings.NewReader(in))
	root.SetOut(&out)
	root.SetErr(&notes)
	root.SetArgs(append([]string{"token"}, args...))
	err = root.Execute()
	return out.String(), notes.String(), err
}

// runToken runs a command whose first line is a secret.
func runToken(in string, args ...string) (stdout, stderr string, err error) {
	out, notes, err := runCommand(in, args...)
	first, rest, _ := strings.Cut(out, "\n")
	hide("an API token", strings.TrimSpace(first))
	hide("a secret to hash", strings.TrimSpace(in))
	show(fmt.Sprint(rest, notes, err))
	return out, notes, err
}

// runPublic runs a command of which everything may be seen.
func runPublic(in string, args ...string) (stdout string, err error) {
	out, notes, err := runCommand(in, args...)
	show(fmt.Sprint(out, notes, err))
	return out, err
}

func TestTokenCommandIsRegistered(t *testing.T) {
	if _, ok := caddycmd.Commands()["token"]; !ok {
		t.Error("caddy has no command token")
	}
	out, _, err := runToken("")
	if err != nil || !strings.Contains(out, "api-token") || !strings.Contains(out, "inspect") {
		t.Errorf("got %q, %v, want a help that names all commands", out, err)
	}
	if _, _, err := runToken("", "hash-secert"); err == nil || !strings.Contains(err.Error(), "expected get, inspect, keys, demo, api-token or hash-secret") {
		t.Errorf("a misspelt command: got %v, want an error", err)
	}
	for _, name := range []string{"api-token", "hash-secret", "get", "inspect", "keys", "demo"} {
		if out, _, err := runToken("", name, "--help"); err != nil || len(out) < 500 {
			t.Errorf("%s --help: got %q, %v", name, out, err)
		}
	}
}

func TestHashSecret(t *testing.T) {
	const secret = "0123456789abcdefghijkl" // 22 characters
	sum := sha256.Sum256([]byte(secret))
	want := "sha256:" + hex.EncodeToString(sum[:]) + "\n"
	for name, in := range map[string]string{"as it is": secret, "a line": secret + "\n", "a line of Windows": secret + "\r\n"} {
		if got, _, err := runToken(in, "hash-secret"); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nothing":            {"", nil, "standard input is empty; expected a secret"},
		"an empty line":      {"\n", nil, "a secret of 0 characters"},
		"a short secret":     {secret[1:] + "\n", nil, "a secret of 21 characters; expected at least 22"},
		"two lines":          {secret + "\n" + secret + "\n", nil, "several lines"},
		"a whole file":       {strings.Repeat("x", 5000), nil, "more than 4096 bytes"},
		"on the command":     {"", []string{secret}, "expected the secret on standard input"},
		"as a flag":          {"", []string{"--secret", secret}, "an unknown flag, or a wrong or missing value of one; expected the secret on standard input"},
		"beside the command": {secret, []string{"-"}, "expected the secret on standard input"},
	} {
		out, notes, err := runToken(c.in, append([]string{"hash-secret"}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %q", name, out, err, c.want)
		}
		if strings.Contains(notes, secret[:16]) {
			t.Errorf("%s: the secret is repeated: %s", name, notes)
		}
	}
	// Both are character devices.
	for path, want := range map[string]string{"/dev/ptmx": "standard input is a terminal, which shows what is typed", os.DevNull: "standard input is empty; expected"} {
		in, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if err := printHash(in, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("hash-secret < %s: got %v, want an error with %s", path, err, want)
		}
		if _, err := readToken(in, "-"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("inspect < %s: got %v, want an error with %s", path, err, want)
		}
	}
}

// TestNothingTypedIsRepeated has a secret in each place of a command line. One in
// base64url can begin with a dash, as a flag does.
func TestNothingTypedIsRepeated(t *testing.T) {
	const secret = "zD3mSecretThatWasTyped-Here"
	hide("a secret that was typed", secret)
	for _, args := range [][]string{
		{secret},
		{"-" + secret},
		{"--" + secret},
		{"--" + secret + "=x"},
		{"--help=" + secret},
		{"-h" + secret},
		{"--", secret},
		{"hash-secret", secret},
		{"hash-secret", "-" + secret},
		{"hash-secret", "--" + secret},
		{"hash-secret", "--secret=" + secret},
		{"hash-secret", "--help=" + secret},
		{"hash-secret", "-h" + secret},
		{"hash-secret", "--", "-" + secret},
		{"api-token", secret},
		{"api-token", "-" + secret},
		{"api-token", "--" + secret},
		{"api-token", "--user", "example.com:carl", secret},
		{"api-token", "--=" + secret},
	} {
		out, notes, err := runToken("", args...)
		if err == nil {
			t.Errorf("%.11s: got no error", strings.Join(args, " "))
		}
		if text := out + notes + fmt.Sprint(err); strings.Contains(text, secret) {
			t.Errorf("%.11s: what was typed is repeated: %s", strings.Join(args, " "), text)
		}
	}
}

// TestHashIsNoSecret logs in with a secret whose hash the configuration holds, in
// every place where it can stand. The hash, which anybody may read, logs in nowhere.
func TestHashIsNoSecret(t *testing.T) {
	const secret = "a-secret-that-was-hashed"
	out, _, err := runToken(secret, "hash-secret")
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.TrimSpace(out)
	for name, ref := range map[string]string{"the line": hash, "a file": "{file.DIR/client.secret}", "the environment": "{env.SCOPEGATE_TEST_HASH}"} {
		t.Run(name, func(t *testing.T) {
			w := newLive(t)
			w.write(t, "client.secret", out)
			t.Setenv("SCOPEGATE_TEST_HASH", hash)
			w.start(t, strings.Replace(live("\t\tstore memory\n", ""), "secret "+liveSecret, "secret "+ref, 1))
			for presented, want := range map[string]int{secret: 200, hash: 401} {
				form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"nightly"}, "client_secret": {presented}}
				res, err := client.PostForm(w.url("/oauth2/token"), form)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("with %.7s...: got %d, want %d", presented, res.StatusCode, want)
				}
			}
		})
	}
}

// What the command prints is what a users file takes.
func TestAPITokenCommand(t *testing.T) {
	good := []string{
		"api-token", "--user", "example.com:carl", "--org", "acme", "--client", "cli", "--expires", "2100-01-01T00:00:00Z",
		"--permission", "shop/read orders/** {org}/*", "--permission", "shop/write orders/a&b,c",
	}
	out, notes, err := runToken("", good...)
	token, entry, _ := strings.Cut(out, "\n")
	if err != nil || strings.Count(out, "\n") != 2 || strings.ContainsAny(token, " {\"") {
		t.Fatalf("got %d lines, %v, want the token and the entry", strings.Count(out, "\n"), err)
	}
	sum := sha256.Sum256([]byte(token))
	var e tokenexchange.APIToken
	if err := json.Unmarshal([]byte(entry), &e); err != nil || e.Hash != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("got %+v, %v, want the hash of the token", e, err)
	}
	if strings.Contains(entry+notes, strings.TrimPrefix(token, e.ID+".")) || !strings.Contains(notes, "not shown again") {
		t.Error("the token is shown more than once, or nobody says that it is not")
	}
	if !strings.Contains(entry, "orders/a&b,c") {
		t.Errorf("got %s, want the patterns as they are", entry)
	}

	w := newWorld(t)
	w.fill(t)
	w.write(t, "api_tokens.json", `{"api_tokens": [`+entry+`]}`)
	cfg, err := w.config(w.wrap("issuer http://localhost:8080\nservice shop https://shop.example.com {\n\tpermissions read write\n}\nclient cli {\n\tpublic\n\tpermit shop/* **\n\tapi_tokens\n}\nusers file DIR/operators.json\nusers file DIR/api_tokens.json\n"))
	if err == nil {
		err = caddy.Validate(cfg)
	}
	if err != nil {
		t.Errorf("a configuration with the entry: %v", err)
	}

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no flags":          {nil, `required flag(s) "client", "expires", "org", "permission", "user" not set`},
		"an argument":       {append([]string{"x"}, good[1:]...), "an unknown argument, which others can read"},
		"a user by name":    {append(good[1:], "--user", "carl"), `--user: "carl": expected <domain>:<id>`},
		"an org a star":     {append(good[1:], "--org", "*"), "--org: "},
		"a client of none":  {append(good[1:], "--client", "a"), "--client: "},
		"a bad permission":  {append(good[1:], "--permission", "orders.read"), `--permission[2]: "orders.read": expected SERVICE/PERMISSION`},
		"none and another":  {append(good[1:], "--permission", "none"), "--permission[2]: "},
		"expires in a day":  {append(good[1:], "--expires", "24h"), `--expires: "24h": expected a time such as`},
		"expires long gone": {append(good[1:], "--expires", "2020-01-01T00:00:00Z"), "--expires: 2020-01-01T00:00:00Z is not ahead"},
	} {
		out, _, err := runToken("", append([]string{"api-token"}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %q", name, out, err, c.want)
		}
	}
	out, _, err = runToken("", "api-token", "--user", "example.com:carl", "--org", "acme", "--client", "cli", "--expires", time.Now().Add(time.Hour).Format(time.RFC3339), "--permission", "none")
	if err != nil || !strings.Contains(out, `"permissions":[]`) {
		t.Errorf("none: got %q, %v", out, err)
	}
	if err := printAPIToken(broken{}, new(bytes.Buffer), e); err == nil {
		t.Error("a token that nobody could read was made")
	}
}

// broken is a standard output that is closed.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
