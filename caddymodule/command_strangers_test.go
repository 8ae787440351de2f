package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
)

// secretStorage is a storage module as others write them: a struct with a password.
type secretStorage struct {
	certmagic.FileStorage `json:"-"`
	Folder                string `json:"folder"`
	Password              string `json:"password"`
}

// noName takes the method String away.
type noName struct {
	certmagic.Storage
	Password string
}

func (*secretStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.secret", New: func() caddy.Module { return new(secretStorage) }}
}

func (s *secretStorage) CertMagicStorage() (certmagic.Storage, error) {
	return &noName{&certmagic.FileStorage{Path: s.Folder}, s.Password}, nil
}

func init() { caddy.RegisterModule(new(secretStorage)) }

// TestKeysCommandHidesTheStorage shows keys in a storage that has a password.
func TestKeysCommandHidesTheStorage(t *testing.T) {
	const password = "the-password-of-a-storage"
	hide("a storage's password", password)
	w := newLive(t)
	w.write(t, "caddy.json", `{"storage":{"module":"secret","folder":"`+w.path("storage")+`","password":"`+password+`"},
		"apps":{"scopegate":{"issuer":"http://localhost:8080"}}}`)
	out, _, err := runCommand("", "keys", "--config", w.path("caddy.json"))
	if err != nil || !strings.Contains(out, "storage") {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(out, password) {
		t.Error("the password of the storage is shown")
	}
}

// TestCommandsKeepTheTerminal has servers that write to the terminal of who asks.
func TestCommandsKeepTheTerminal(t *testing.T) {
	const csi = "\u009b2J" // As ESC [, in one character.
	rude := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		base := "http://" + r.Host
		switch r.URL.Path {
		case "/status/.well-known/oauth-authorization-server":
			conn, _, err := rw.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 404 \x1b[2Jgone\r\nContent-Length: 0\r\n\r\n"))
			_ = conn.Close()
		case "/keys/.well-known/oauth-authorization-server":
			_, _ = rw.Write([]byte(`{"issuer":"` + base + `/keys","token_endpoint":"` + base + `/keys/t","jwks_uri":"` + base + `/keys/` + csi + `"}`))
		case "/twice/.well-known/oauth-authorization-server":
			_, _ = rw.Write([]byte(`{"issuer":"` + base + `/twice","token_endpoint":"` + base + `/twice/t","jwks_uri":"` + base + `/twice/k"}`))
		case "/twice/k":
			_, _ = rw.Write([]byte(`{"\u001b[2J":1,"\u001b[2J":2}`))
		case "/token":
			_, _ = rw.Write([]byte(`{"access_token":"t","more":"` + csi + "\x7f\xff" + `"}`))
		default:
			http.NotFound(rw, r)
		}
	}))
	defer rude.Close()
	token := unsigned(`{"sub":"` + csi + `"}`)
	for name, c := range map[string]struct {
		in   string
		args []string
	}{
		"the status":             {token, []string{"inspect", "--issuer", rude.URL + "/status"}},
		"the address of keys":    {token, []string{"inspect", "--issuer", rude.URL + "/keys"}},
		"names in keys":          {token, []string{"inspect", "--issuer", rude.URL + "/twice"}},
		"names in keys, as JSON": {token, []string{"inspect", "--json", "--issuer", rude.URL + "/twice"}},
		"claims as JSON":         {token, []string{"inspect", "--json"}},
		"an answer as JSON":      {"", []string{"get", "--token-endpoint", rude.URL + "/token", "--client", "web", "--json"}},
		"a status for get":       {"", []string{"get", "--issuer", rude.URL + "/status", "--client", "web"}},
	} {
		out, notes, err := runCommand(c.in, c.args...)
		all := out + notes
		if err != nil {
			all += err.Error()
		}
		if strings.ContainsAny(all, "\x1b\u009b\x7f") || strings.Contains(all, "\xff") || all == "" {
			t.Errorf("%s: the terminal is steered: %q", name, all)
		}
	}
	if shown := shownAnswer([]byte(`{"a":"`+csi+`"}`), nil); strings.Contains(shown, "\u009b") {
		t.Errorf("the walk through the example: %q", shown)
	}
}

// TestSecretsStayWithTheIssuer has addresses that look like those of the issuer, and
// addresses to which a secret would go in clear.
func TestSecretsStayWithTheIssuer(t *testing.T) {
	tail := ""
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		issuer := "http://" + r.Host
		_, _ = rw.Write([]byte(`{"issuer":"` + issuer + `","token_endpoint":"` + issuer + tail + `","jwks_uri":"` + issuer + `/keys"}`))
	}))
	defer server.Close()
	for text, ok := range map[string]bool{"/token": true, ".example.com/token": false, "@example.com/token": false, "0/token": false, "": false} {
		tail = text
		if _, err := discover(t.Context(), server.URL); (err == nil) != ok {
			t.Errorf("a token endpoint at the issuer and %q: got %v, want it taken: %t", text, err, ok)
		}
	}
	for address, ok := range map[string]bool{
		"https://auth.example.com": true, "http://localhost:8080": true, "http://127.0.0.1": true, "http://[::1]:80": true,
		"http://192.0.2.1": false, "http://0.0.0.0": false, "http://auth.example.com": false, "http://localhost.example.com": false,
		"ftp://localhost": false, "https://user@auth.example.com": false, "https://auth.example.com?a": false, "//auth.example.com": false,
	} {
		if err := checkServer("issuer", address); (err == nil) != ok {
			t.Errorf("%s: got %v, want it taken: %t", address, err, ok)
		}
	}
}
