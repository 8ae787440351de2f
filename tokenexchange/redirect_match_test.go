package tokenexchange

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// listening are redirect URIs of all kinds that a configuration takes.
var listening = []string{
	callback, "https://web.example.com:8443/cb?tenant=a&x=%2F", "https://bare.example.com",
	"http://127.0.0.1/done", "http://[::1]:8080/cb?x=1", "http://127.0.0.1:7000", "http://[::1]?x=1", "http://localhost:8080/cb", "http://127.8.8.8/cb",
	"com.example.app:/callback",
}

func TestListening(t *testing.T) {
	for _, uri := range listening {
		if err := checkRedirect(uri, true); err != nil {
			t.Errorf("%s cannot be configured: %v", uri, err)
		}
	}
}

// Byte for byte, and on loopback the port: nothing else is the same URI,
// whatever a browser would make of it.
func TestRedirectURIIsExact(t *testing.T) {
	c := &client{redirectURIs: listening}
	good := append(slices.Clone(listening),
		"http://127.0.0.1:1/done", "http://127.0.0.1:51004/done", "http://127.0.0.1:65535/done", "http://127.0.0.1:80/done",
		"http://[::1]/cb?x=1", "http://[::1]:9/cb?x=1", "http://127.0.0.1", "http://127.0.0.1:9", "http://[::1]:9?x=1",
	)
	for _, uri := range good {
		if !c.listensAt(uri) {
			t.Errorf("%q is refused", uri)
		}
	}
	for name, uris := range map[string][]string{
		"nothing":       {"", "/", "/callback", "callback", "https:", "https://", "*", "null"},
		"case":          {"HTTPS://web.example.com/callback", "https://WEB.example.com/callback", "https://web.example.com/Callback"},
		"slash":         {callback + "/", "https://web.example.com/", "https://web.example.com", "https://web.example.com//callback", "https:///web.example.com/callback", "https:/web.example.com/callback", "https://bare.example.com/"},
		"user name":     {"https://web.example.com@evil.example/callback", "https://u:p@web.example.com/callback", "https://@web.example.com/callback", "https://web.example.com:443@evil.example/callback"},
		"fragment":      {callback + "#", callback + "#x", "https://evil.example/#" + callback},
		"escapes":       {"https://web.example.com/%63allback", "https://web.example.com%2Fcallback", callback + "%00", callback + "%0d%0a", callback + "%2F..", "https%3A%2F%2Fweb.example.com%2Fcallback", "https://web.example.com:8443/cb?tenant=a&x=%2f", "https://web.example.com:8443/cb?tenant=a&x=/"},
		"another host":  {"https://a.web.example.com/callback", "https://web.example.com.evil.example/callback", "https://web.example.com./callback", "https://evilweb.example.com/callback", "https://example.com/callback", "https://web。example.com/callback", "https://web.example.com\u200b/callback", "//web.example.com/callback"},
		"another port":  {"https://web.example.com:443/callback", "https://web.example.com:8443/callback", "https://web.example.com:/callback", "https://web.example.com:8444/cb?tenant=a&x=%2F", "https://web.example.com/cb?tenant=a&x=%2F"},
		"path":          {"https://web.example.com/x/../callback", callback + "/..", "https://web.example.com/./callback", callback + "/x", "https://web.example.com/callbac", callback + ";x=1"},
		"backslash":     {`https://web.example.com\callback`, `https:\\web.example.com/callback`, `https://evil.example\@web.example.com/callback`, `https://web.example.com/callback\`},
		"white space":   {" " + callback, callback + " ", callback + "\n", callback + "\t", "\t" + callback, "https://web.example.com/call\nback", "https://web.exam\tple.com/callback", callback + "\x00", callback + "\r\nLocation: https://evil.example"},
		"query":         {callback + "?", callback + "?x=1", "https://web.example.com:8443/cb?x=%2F&tenant=a", "https://web.example.com:8443/cb", "https://web.example.com:8443/cb?tenant=a&x=%2F&y=1"},
		"scheme":        {"http://web.example.com/callback", "javascript:alert(1)", "data:text/html,x", "com.example.app://callback", "com.example.app:callback", "com.example.app:/callback/", "COM.example.app:/callback", "com.example.app:8080/callback"},
		"two":           {callback + " " + callback, callback + "," + callback},
		"loopback port": {"http://127.0.0.1:0/done", "http://127.0.0.1:65536/done", "http://127.0.0.1:080/done", "http://127.0.0.1:/done", "http://127.0.0.1:+80/done", "http://127.0.0.1:-1/done", "http://127.0.0.1:8080:80/done", "http://127.0.0.1:8_0/done", "http://127.0.0.1:٨٠/done", "http://127.0.0.1:99999999999999999999/done", "http://127.0.0.1:80 /done", "http://127.0.0.1:0x50/done", "http://127.0.0.1:http/done"},
		"loopback rest": {"http://127.0.0.1:8080/done/", "http://127.0.0.1:8080/other", "http://127.0.0.1:8080/done?x=1", "http://127.0.0.1:8080/done#", "http://127.0.0.1:8080/Done", "http://127.0.0.1:8080/%64one", `http://127.0.0.1:8080\done`, "http://127.0.0.1:8080/x/../done", "http://127.0.0.1:8080/done\n", "http://127.0.0.1/", "http://127.0.0.1:8080/"},
		"loopback host": {"http://127.1:8080/done", "http://127.1/done", "http://0x7f.0.0.1/done", "http://2130706433/done", "http://127.0.0.01:8080/done", "http://127.0.0.2:8080/done", "http://localhost:8080/done", "http://localhost/done", "http://[::1]:8080/done", "http://[::ffff:127.0.0.1]:8080/done", "http://127.0.0.1.evil.example/done", "http://127.0.0.1:8080.evil.example/done", "http://127.0.0.1evil.example/done", "http://0.0.0.0/done", "http:///127.0.0.1/done"},
		"loopback user": {"http://127.0.0.1:8080@evil.example/done", "http://127.0.0.1@evil.example/done", "http://user@127.0.0.1:8080/done", "http://127.0.0.1:80@evil.example:8080/done"},
		"loopback case": {"HTTP://127.0.0.1:8080/done", "https://127.0.0.1:8080/done", "http:/127.0.0.1:8080/done", "//127.0.0.1:8080/done"},
		"IPv6":          {"http://[0:0:0:0:0:0:0:1]:8080/cb?x=1", "http://[::01]:8080/cb?x=1", "http://[0::1]/cb?x=1", "http://[::1%25lo]:8080/cb?x=1", "http://::1:8080/cb?x=1", "http://[::1]:8080/cb", "http://[::1]8080/cb?x=1", "http://[::1].evil.example/cb?x=1", "http://[::2]:8080/cb?x=1", "http://[::1", "http://[::1]:8080/cb?x=1&y"},
		"not a literal": {"http://localhost:8081/cb", "http://localhost/cb", "http://LOCALHOST:8080/cb", "http://127.8.8.8:9/cb", "http://127.0.0.1:8080/cb"},
	} {
		for _, uri := range uris {
			if c.listensAt(uri) {
				t.Errorf("%s: %q is taken", name, uri)
			}
		}
	}
	if (&client{}).listensAt("") || (&client{}).listensAt("http://127.0.0.1:8080") {
		t.Error("a client without redirect URIs listens somewhere")
	}
}

// A host that only begins like loopback has no port that could be cut out, also
// where somebody registered it.
func TestPortsOnLoopback(t *testing.T) {
	for uri, want := range map[string]string{
		"http://127.0.0.1:80/x": "http://127.0.0.1/x", "http://[::1]/x?y": "http://[::1]/x?y", "http://127.0.0.1:1?x": "http://127.0.0.1?x",
		"http://127.0.0.1.evil.example/": "", "http://127.0.0.1:80.evil.example/": "", "http://127.0.0.1:80@evil.example/": "", "http://127.0.0.10/": "",
		"http://[::1].evil.example/": "", "http://127.0.0.1:80#x": "", "http://localhost/": "", "https://127.0.0.1/": "", "": "",
	} {
		if got, ok := withoutPort(uri); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v, want %q", uri, got, ok, want)
		}
	}
}

// portOnLoopback is what RFC 8252 section 7.3 lets differ.
var portOnLoopback = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?((?s:[/?].*)?)$`)

// FuzzRedirectURI: what is taken is a registered URI, but for the port on
// loopback, and leads a browser to the same place.
func FuzzRedirectURI(f *testing.F) {
	for _, uri := range listening {
		f.Add(uri)
		f.Add(uri + "/")
		f.Add(strings.Replace(uri, "http://127.0.0.1", "http://127.0.0.1:8080", 1))
	}
	for _, uri := range []string{"http://127.0.0.1:0/done", "http://127.0.0.1:80@evil.example/done", "http://[::1]:65536/cb?x=1", "http://127.0.0.1:/done"} {
		f.Add(uri)
	}
	c := &client{redirectURIs: listening}
	plain := map[string]bool{}
	for _, uri := range listening {
		plain[portOnLoopback.ReplaceAllString(uri, "$1$2")] = true
	}
	f.Fuzz(func(t *testing.T, uri string) {
		got := c.listensAt(uri)
		if !got {
			if slices.Contains(listening, uri) {
				t.Errorf("%q is refused", uri)
			}
			return
		}
		if !slices.Contains(listening, uri) && !(portOnLoopback.MatchString(uri) && plain[portOnLoopback.ReplaceAllString(uri, "$1$2")]) {
			t.Errorf("%q is taken", uri)
		}
		u, err := url.Parse(uri)
		if err != nil || u.User != nil || u.Fragment != "" || !uriCharacters.MatchString(uri) || checkRedirect(uri, true) != nil {
			t.Errorf("%q is taken, and could not be registered", uri)
		}
		if !slices.ContainsFunc(listening, func(registered string) bool {
			r, err := url.Parse(registered)
			return err == nil && r.Scheme == u.Scheme && r.Hostname() == u.Hostname() && r.EscapedPath() == u.EscapedPath() && r.RawQuery == u.RawQuery
		}) {
			t.Errorf("%q leads elsewhere", uri)
		}
	})
}
