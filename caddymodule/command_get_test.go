package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGetCommand gets a token of each way that a server gives, and holds it against
// the guard.
func TestGetCommand(t *testing.T) {
	w := newLive(t)
	w.serveHere(t)
	w.write(t, "secret", liveSecret+"\n")
	t.Setenv("SCOPEGATE_TEST_SECRET", liveSecret)
	for name, c := range map[string]struct {
		in   string
		args []string
	}{
		"a file":                 {"", []string{"--issuer", w.url(""), "--client-secret-file", w.path("secret")}},
		"a variable":             {"", []string{"--issuer", w.url(""), "--client-secret-env", "SCOPEGATE_TEST_SECRET"}},
		"standard input":         {liveSecret + "\n", []string{"--issuer", w.url(""), "--client-secret-file", "-"}},
		"the token endpoint":     {liveSecret, []string{"--token-endpoint", w.url("/oauth2/token"), "--client-secret-file", "-"}},
		"an issuer with a slash": {liveSecret, []string{"--issuer", w.url("/"), "--client-secret-file", "-"}},
	} {
		out, _, err := runToken(c.in, append([]string{"get", "--client", "nightly"}, c.args...)...)
		if err != nil || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: got %d lines, %v, want a token alone", name, strings.Count(out, "\n"), err)
			continue
		}
		w.guarded(t, "/orders/1", strings.TrimSpace(out), 200)
	}
	out, _, err := runCommand(liveSecret, "get", "--issuer", w.url(""), "--client", "nightly", "--client-secret-file", "-", "--json",
		"--allowed-resource-scope", `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"read","resources":["orders/1"]}]}]}`)
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if json.Unmarshal([]byte(out), &answer); err != nil || answer.ExpiresIn == 0 {
		t.Fatalf("--json: got %v", err)
	}
	hide("a token", answer.AccessToken)
	w.guarded(t, "/orders/1", answer.AccessToken, 200)
	w.guarded(t, "/orders/2", answer.AccessToken, 403)
}

// serveHere starts an issuer whose name is where it listens.
func (w liveWorld) serveHere(t *testing.T) {
	t.Helper()
	w.start(t, strings.Replace(live("\t\tstore memory\n", ""), "issuer http://localhost:8080", "issuer http://localhost:PORT", 1))
}

func TestGetCommandErrors(t *testing.T) {
	const wrong = "a-wrong-secret-of-the-tests"
	hide("a wrong secret", wrong)
	w := newLive(t)
	w.serveHere(t)
	w.write(t, "two-lines", wrong+"\n"+wrong+"\n")
	w.write(t, "empty", "\n")
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere/.well-known/oauth-authorization-server":
			_, _ = rw.Write([]byte(`{"issuer":"http://` + r.Host + `/elsewhere","token_endpoint":"https://elsewhere.example.com/token","jwks_uri":"http://` + r.Host + `/elsewhere/keys"}`))
		case "/public":
			if id, _, basic := r.BasicAuth(); basic || id != "" || r.PostFormValue("client_id") != "nightly" || r.PostFormValue("grant_type") != "client_credentials" {
				rw.WriteHeader(http.StatusTeapot)
				return
			}
			_, _ = rw.Write([]byte(`{"error":"none"}`))
		case "/moved/.well-known/oauth-authorization-server":
			http.Redirect(rw, r, w.url("/.well-known/oauth-authorization-server"), http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(rw, r, w.url("/oauth2/token"), http.StatusTemporaryRedirect)
		case "/empty/.well-known/oauth-authorization-server": // Caddy's own answer where no site takes it.
		case "/rude":
			rw.WriteHeader(400)
			_, _ = rw.Write([]byte("{\"error\":\"\\u001b[31mrude\",\"error_description\":\"a\\nb\"}"))
		default:
			_, _ = rw.Write([]byte(`{"issuer":"https://auth.example.com","access_token":""}`))
		}
	}))
	defer other.Close()
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"a wrong secret":               {wrong, []string{"--issuer", w.url(""), "--client-secret-file", "-"}, "invalid_client: "},
		"where it is explained":        {wrong, []string{"--issuer", w.url(""), "--client-secret-file", "-"}, "see https://github.com/scopegate/scopegate/blob/main/docs/errors.md#"},
		"no secret":                    {"", []string{"--issuer", w.url("")}, "invalid_client"},
		"a secret as a path":           {"", []string{"--issuer", w.url(""), "--client-secret-file", wrong}, "--client-secret-file: reading the file: no such file or directory"},
		"a secret as a variable":       {"", []string{"--issuer", w.url(""), "--client-secret-env", wrong}, "--client-secret-env: the variable is empty, or not set"},
		"a variable that is not set":   {"", []string{"--issuer", w.url(""), "--client-secret-env", "SCOPEGATE_TEST_NOPE"}, "--client-secret-env: the variable SCOPEGATE_TEST_NOPE is empty, or not set"},
		"a secret in capitals":         {"", []string{"--issuer", w.url(""), "--client-secret-env", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}, "--client-secret-env: the variable is empty"},
		"nothing on standard input":    {"", []string{"--issuer", w.url(""), "--client-secret-file", "-"}, "--client-secret-file: standard input is empty"},
		"a password for no user":       {"", []string{"--password-env", "X"}, "--password-env means nothing with --grant client_credentials"},
		"a secret as an argument":      {"", []string{"--issuer", w.url(""), wrong}, "an unknown argument"},
		"a secret as a flag":           {"", []string{"--issuer", w.url(""), "--client-secret", wrong}, "an unknown flag"},
		"a file and a variable":        {"", []string{"--issuer", w.url(""), "--client-secret-file", "x", "--client-secret-env", "x"}, "expected one of them"},
		"two lines":                    {"", []string{"--issuer", w.url(""), "--client-secret-file", w.path("two-lines")}, "several lines"},
		"an empty file":                {"", []string{"--issuer", w.url(""), "--client-secret-file", w.path("empty")}, "it is empty"},
		"a large file":                 {strings.Repeat("x", 70000), []string{"--issuer", w.url(""), "--client-secret-file", "-"}, "more than 65536 bytes"},
		"http far away":                {"", []string{"--issuer", "http://auth.example.com"}, "expected https; http only on loopback"},
		"http far away, directly":      {"", []string{"--token-endpoint", "http://auth.example.com/token"}, "expected https; http only on loopback"},
		"a user in the URL":            {"", []string{"--issuer", "https://a:" + wrong + "@auth.example.com"}, "--issuer: expected a URL"},
		"neither issuer nor endpoint":  {"", nil, "expected one of --issuer and --token-endpoint"},
		"both":                         {"", []string{"--issuer", w.url(""), "--token-endpoint", w.url("")}, "expected one of --issuer and --token-endpoint"},
		"metadata of another":          {"", []string{"--issuer", other.URL}, "that of another issuer"},
		"an endpoint of another":       {"", []string{"--issuer", other.URL + "/elsewhere"}, "an endpoint of another server"},
		"metadata that are empty":      {"", []string{"--issuer", other.URL + "/empty"}, "no JSON object; expected --issuer as the issuer writes itself"},
		"a redirect":                   {wrong, []string{"--token-endpoint", other.URL + "/away", "--client-secret-file", "-"}, "got 307"},
		"metadata that moved":          {"", []string{"--issuer", other.URL + "/moved"}, "got 307"},
		"an answer without a token":    {"", []string{"--token-endpoint", other.URL + "/token"}, "the answer has no access_token"},
		"an answer to steer terminals": {"", []string{"--token-endpoint", other.URL + "/rude"}, "?[31mrude: a?b"},
		"a public client":              {"", []string{"--token-endpoint", other.URL + "/public"}, "the answer has no access_token"},
		"an unknown grant":             {"", []string{"--grant", "magic"}, "--grant: expected"},
		"a flag of another grant":      {"", []string{"--username", "alice"}, "--username means nothing with --grant client_credentials"},
		"a password too few":           {"", []string{"--grant", "password", "--username", "alice"}, "--grant password needs --password-file or --password-env"},
		"no target":                    {"", []string{"--grant", "audience_exchange", "--subject-token-env", "X"}, "--grant audience_exchange needs --audience"},
		"two on standard input":        {"", []string{"--grant", "password", "--username", "a", "--password-file", "-", "--client-secret-file", "-"}, "both are -"},
		"a kind of token":              {"", []string{"--subject-token-type", "saml"}, "--subject-token-type: expected access_token or id_token"},
		"an API token and a client":    {"", []string{"--grant", "api_token", "--api-token-env", "X"}, "expected neither --client nor a secret"},
	} {
		out, notes, err := runToken(c.in, append([]string{"get", "--client", "nightly"}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %s", name, out, err, c.want)
		} else if strings.Contains(notes+err.Error(), wrong) {
			t.Errorf("%s: what was typed is repeated: %s", name, err)
		}
	}
}
