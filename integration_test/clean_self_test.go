package integration_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// forged makes a text with the shape of a JWT.
func forged(claims, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte(signature))
}

// A search that finds nothing is worth nothing unless it is known to find what
// is there: every form in which a token could slip through is tried here.
func TestLeaksAreFound(t *testing.T) {
	token := forged(`{"aud":"shop"}`, "a signature that is more than thirty-two bytes long")
	escaped := ""
	for _, b := range []byte(token) {
		escaped += "%" + string("0123456789abcdef"[b>>4]) + string("0123456789ABCDEF"[b&15])
	}
	folded := token[:len(token)-20] + "\r\n\t" + token[len(token)-20:len(token)-10] + "\r\n " + token[len(token)-10:]
	std, raw := base64.StdEncoding, base64.RawURLEncoding
	cases := []struct{ name, stream string }{
		{"plain", "Authorization: Bearer " + token + "\r\n"},
		{"signature only", "X: " + token[len(token)-32:]},
		{"percent-encoded", "GET /?t=" + escaped},
		{"percent-encoded twice", "GET /?t=" + url.QueryEscape(escaped)},
		{"one character percent-encoded", "GET /?t=" + token[:len(token)-3] + escaped[len(escaped)-9:]},
		{"folded", "X: " + folded},
		{"base64", std.EncodeToString([]byte(token))},
		{"base64 after one byte", std.EncodeToString([]byte("u" + token))},
		{"base64 after two bytes", std.EncodeToString([]byte("u:" + token))},
		{"base64 in front of others", raw.EncodeToString([]byte("user:" + token + ":more"))},
		{"base64, padding percent-encoded", url.QueryEscape(std.EncodeToString([]byte("u:" + token)))},
		{"hex", strings.ReplaceAll(strings.ToLower(escaped), "%", "")},
	}
	for _, c := range cases {
		if got := leaks([]byte(c.stream), "another-token-entirely", token); len(got) == 0 {
			t.Errorf("%s: found nothing in %q", c.name, c.stream)
		}
	}
	for _, stream := range []string{"", "%", "%zz%4", token[:len(token)-32], strings.ToUpper(token)} {
		if got := leaks([]byte(stream), token); len(got) != 0 {
			t.Errorf("got %q in %q, want nothing", got, stream)
		}
	}
}

func TestStrangersAreFound(t *testing.T) {
	cases := []struct {
		name, claims string
		found        bool
	}{
		{"made for it", `{"aud":"up"}`, false},
		{"made for it, as a list", `{"aud":["up"]}`, false},
		{"made for another", `{"aud":"shop"}`, true},
		{"made for it and another", `{"aud":["up","shop"]}`, true},
		{"without audience", `{}`, true},
		{"audience of a wrong type", `{"aud":1}`, true},
		{"no claims", `nonsense`, true},
	}
	for _, c := range cases {
		stream := []byte("Authorization: Bearer " + forged(c.claims, "signature") + "\r\nHost: x\r\n")
		if got := strangers(stream, "up"); (len(got) > 0) != c.found {
			t.Errorf("%s: got %q, want found %v", c.name, got, c.found)
		}
		if got := strangers(stream, ""); len(got) == 0 {
			t.Errorf("%s: got nothing where no token is expected", c.name)
		}
	}
}

// A plain proxy hands everything on: the recording has to show it, wherever in
// the request the token is.
func TestUpstreamFindings(t *testing.T) {
	t.Parallel()
	token := forged(`{"aud":"shop"}`, "the signature of the one token of this very test")
	half := len(token) / 2
	requests := map[string]string{
		"header":       "GET / HTTP/1.1\nHost: x\nAuthorization: Bearer " + token + "\n\n",
		"target":       "GET /?access_token=" + token + " HTTP/1.1\nHost: x\n\n",
		"chunked body": "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n" + chunk(token[:half]) + chunk(token[half:len(token)-4]) + chunk(token[len(token)-4:]) + "0\n\n",
		"trailer":      "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTrailer: X-Late\n\n1\na\n0\nX-Late: " + token + "\n\n",
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			upstream := NewUpstream(t, "")
			c := Start(t, Config{
				Caddyfile:   plainProxy,
				Vars:        map[string]any{"upstream": upstream.Addr(), "greeting": "hello"},
				TokensInLog: "Caddy logs the target of a request",
			})
			if got := Exchange(t, c.Addr("web"), request); got.Status != http.StatusOK {
				t.Fatalf("got %d, want 200", got.Status)
			}
			if got := upstream.findings(token); len(got) == 0 {
				t.Errorf("found nothing in %q", upstream.Streams())
			}
			upstream.forget()
		})
	}
}

func chunk(text string) string {
	return string("0123456789abcdef"[len(text)>>4&15]) + string("0123456789abcdef"[len(text)&15]) + "\n" + text + "\n"
}

// forget lets this one test end well although a token arrived.
func (u *Upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conns, u.requests = nil, nil
}

func TestCrashesAreFound(t *testing.T) {
	for _, text := range []string{
		"{}\n==================\nWARNING: DATA RACE\nRead at",
		"{}\npanic: runtime error: index out of range",
		"fatal error: concurrent map writes",
		`{"level":"error","msg":"http: panic serving 127.0.0.1:1"}`,
	} {
		if !outside.Crashed.MatchString(text) {
			t.Errorf("found no crash in %q", text)
		}
	}
	if text := `{"msg":"do not panic: it works"}`; outside.Crashed.MatchString(text) {
		t.Errorf("found a crash in %q", text)
	}
}
