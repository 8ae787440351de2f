package caddymodule

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// unsigned is a token that nobody signed.
func unsigned(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"ES256","kid":"k","typ":"at+jwt"}`)) + "." + enc([]byte(claims)) + "." + enc(make([]byte, 64))
}

// TestInspectCommand looks at a real token, verified and not, and at what an
// attacker makes of it.
func TestInspectCommand(t *testing.T) {
	w := newLive(t)
	w.serveHere(t)
	token := w.token(t)
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "token-password", token+"\n")
	flip := "A"
	if parts[2][0] == 'A' {
		flip = "B"
	}
	for name, c := range map[string]struct {
		in    string
		args  []string
		wants []string
		fails string
	}{
		"nothing verified":   {token, nil, []string{"NOTHING WAS VERIFIED", "kind            access token", "who             nightly", "expires ", ", in ", "boundary\n  shop\n    read\n      orders/**\n", "client_id: \"nightly\""}, ""},
		"a file":             {"", []string{"--file", w.path("token-password")}, []string{"NOTHING WAS VERIFIED"}, ""},
		"verified":           {token + "\n", []string{"--issuer", w.url("")}, []string{"VERIFIED: " + w.url("") + " signed it (key " + kid(t, token), "Not checked: whether it was revoked"}, ""},
		"changed":            {parts[0] + "." + parts[1] + "." + flip + parts[2][1:], []string{"--issuer", w.url("")}, []string{"NOT VERIFIED: the signature does not hold"}, "not verified: the signature does not hold"},
		"of another key":     {unsigned(string(claims)), []string{"--issuer", w.url("")}, []string{"NOT VERIFIED: the issuer has no key with this kid"}, "no key with this kid"},
		"of another, unseen": {unsigned(string(claims)), nil, []string{"NOTHING WAS VERIFIED"}, ""},
		"a chain":            {unsigned(`{"sub":"a","act":{"sub":"b","act":{"sub":"c"}},"via":["d","e"]}`), nil, []string{"acts            b, for whom acts c", "via             d, e", "boundary: none"}, ""},
		"over":               {unsigned(`{"exp":0}`), nil, []string{"expires         1970-01-01T00:00:00Z, ", " ago"}, ""},
		"a terminal is kept": {unsigned(`{"sub":"\u001b[2Jx","\u001by":"\u202e"}`), nil, []string{"who             ?[2Jx", "?y: "}, ""},
		"no boundary":        {unsigned(`{"allowed_resource_scope":7}`), nil, []string{"boundary: it cannot be read"}, ""},
	} {
		out, err := runPublic(c.in, append([]string{"inspect"}, c.args...)...)
		for _, want := range c.wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: got %s, want %q", name, out, want)
			}
		}
		if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.fails)
		}
		if strings.Contains(out, "\x1b") || strings.Contains(out, "\u202e") {
			t.Errorf("%s: the terminal is steered: %q", name, out)
		}
	}
	var seen inspection
	out, err := runPublic(token, "inspect", "--issuer", w.url(""), "--json")
	if err != nil || json.Unmarshal([]byte(out), &seen) != nil || !seen.Verified || seen.Header["kid"] != kid(t, token) {
		t.Errorf("--json: got %s, %v", out, err)
	}
	out, err = runPublic(unsigned(string(claims)), "inspect", "--issuer", w.url(""), "--json")
	if seen = (inspection{}); err == nil || json.Unmarshal([]byte(out), &seen) != nil || seen.Verified || seen.Failure == "" {
		t.Errorf("--json, forged: got %s, %v", out, err)
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nothing":           {"", nil, "standard input is empty; expected a pipe or a file with the token"},
		"a blank line":      {"\n", nil, "no token, only blanks"},
		"no token":          {liveSecret, nil, "expected an access token or an id token"},
		"as an argument":    {"", []string{token}, "an unknown argument"},
		"as a file":         {"", []string{"--file", token}, "reading the file: "},
		"claims twice":      {unsigned(`{"sub":"a","sub":"b"}`), nil, "without a name twice"},
		"an unnamed issuer": {token, []string{"--issuer", "http://auth.example.com"}, "expected https"},
	} {
		out, err := runPublic(c.in, append([]string{"inspect"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %s", name, out, err, c.want)
		}
	}
}

// TestDemoCommand says what to start, and finds another configuration than that of
// the example. That it walks to its end is shown by docs/commands.md.
func TestDemoCommand(t *testing.T) {
	w := newLive(t)
	out, err := runPublic("", "demo", "--issuer", w.url(""))
	if err == nil || out != "" || !strings.Contains(err.Error(), "caddy run --config Caddyfile.example") {
		t.Errorf("nothing runs: got %q, %v, want what to start", out, err)
	}
	w.serveHere(t)
	out, err = runPublic("", "demo", "--issuer", w.url(""), "--guard", w.url(""))
	if err == nil || !strings.Contains(err.Error(), "step 2: got 401, want 200") || !strings.Contains(out, "$ curl -s "+w.url("/orders/1")) {
		t.Errorf("another configuration: got %s, %v, want that step 2 fails", out, err)
	}
	for _, address := range []string{"https://auth.example.com", "http://auth.example.com"} {
		if _, err := runPublic("", "demo", "--issuer", address); err == nil || !strings.Contains(err.Error(), "expected http on loopback") {
			t.Errorf("%s: got %v, want an error", address, err)
		}
	}
}

// TestDemoFollowsTheGuard walks through an example whose ports were changed.
func TestDemoFollowsTheGuard(t *testing.T) {
	for name, c := range map[string]struct{ metadata, want string }{
		"its resource":         {`{"resource":"http://localhost:9081"}`, "http://localhost:9081"},
		"no metadata":          {`404`, ""},
		"a resource to inject": {`{"resource":"http://localhost:9081/'$(id)"}`, ""},
	} {
		var targets []string
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			here := "http://" + r.Host
			switch at := r.URL.Path; {
			case at == "/.well-known/oauth-authorization-server":
				fmt.Fprintf(rw, `{"issuer":%q,"token_endpoint":%q,"jwks_uri":%q}`, here, here+"/oauth2/token", here+"/keys")
			case at == tokenexchange.ResourcePath:
				_, _ = rw.Write([]byte(c.metadata))
			case at == "/oauth2/token" && r.FormValue("grant_type") == "audience_exchange":
				targets = append(targets, r.FormValue("target_audience"))
				if r.FormValue("allowed_resource_scope") != "" {
					rw.WriteHeader(400)
				}
			case at == "/oauth2/token":
				_, _ = rw.Write([]byte(`{"access_token":"x"}`))
			case r.Header.Get("Authorization") == "":
				rw.WriteHeader(401)
			case at == "/orders/2":
				rw.WriteHeader(403)
			}
		}))
		defer s.Close()
		want := cmp.Or(c.want, s.URL)
		out, err := runPublic("", "demo", "--issuer", s.URL, "--guard", s.URL)
		if err != nil || fmt.Sprint(targets) != fmt.Sprint([]string{want, want}) || strings.Count(out, "'target_audience="+want+"'") != 2 {
			t.Errorf("%s: got the targets %v, %v, want %s", name, targets, err, want)
		}
	}
}

func TestWhenInWords(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"2026-01-01T00:30:00Z, in 30m0s": 30 * time.Minute, "2026-01-01T00:00:00Z, 0s ago": 0, "2025-12-31T23:59:00Z, 1m0s ago": -time.Minute,
	} {
		if got := when(now.Add(d), now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := fmt.Sprint(actors(json.RawMessage(strings.Repeat(`{"sub":"a","act":`, 40) + `7` + strings.Repeat("}", 40)))); strings.Count(got, "a") != 16 {
		t.Errorf("got %s, want an end", got)
	}
}
