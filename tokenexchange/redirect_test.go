package tokenexchange

import (
	"strings"
	"testing"
)

func TestRedirectURIs(t *testing.T) {
	const absolute = "expected an absolute URI"
	for _, c := range []struct{ uri, confidential, public string }{
		{"https://web.example.com/callback", "", ""},
		{"https://web.example.com", "", ""},
		{"https://web.example.com/", "", ""},
		{"https://web.example.com:8443/cb?tenant=a&x=%2F", "", ""},
		{"https://[2001:db8::1]/cb", "", ""},
		{"http://127.0.0.1/cb", "", ""},
		{"http://127.0.0.1:51004/cb", "", ""},
		{"http://127.8.8.8/cb", "", ""},
		{"http://[::1]/cb", "", ""},
		{"http://localhost:8080/cb", "", ""},
		{"com.example.app:/callback", "is for an app", ""},
		{"com.example.app://callback", "is for an app", ""},
		{"", absolute, absolute},
		{"/callback", absolute, absolute},
		{"//web.example.com/cb", absolute, absolute},
		{"web.example.com/cb", absolute, absolute},
		{"https:", absolute, absolute},
		{"https:/cb", "expected https and a host", "expected https and a host"},
		{"https:///cb", "expected https and a host", "expected https and a host"},
		{"https://:443/cb", "expected https and a host", "expected https and a host"},
		{"https://web.example.com:/cb", absolute, absolute},
		{"https://web.example.com:port/cb", absolute, absolute},
		{"HTTPS://web.example.com/cb", absolute, absolute},
		{"https://web.example.com/cb#x", "it has a fragment", "it has a fragment"},
		{"https://web.example.com/cb#", "it has a fragment", "it has a fragment"},
		{"https://*.example.com/cb", "it has a wildcard", "it has a wildcard"},
		{"https://web.example.com/*", "it has a wildcard", "it has a wildcard"},
		{"https://web.example.com@evil.example/cb", "it has a user name", "it has a user name"},
		{"https://u:p@web.example.com/cb", "it has a user name", "it has a user name"},
		{"https://@web.example.com/cb", "it has a user name", "it has a user name"},
		{`https://web.example.com\@evil.example/cb`, absolute, absolute},
		{`https:\\web.example.com/cb`, absolute, absolute},
		{"https://web.example.com/a b", absolute, absolute},
		{"https://web.example.com/cb\n", absolute, absolute},
		{"https://web.example.com/ä", absolute, absolute},
		{"https://wéb.example.com/cb", absolute, absolute},
		{"https://%77eb.example.com/cb", absolute, absolute},
		{"https://web.example.com/{tenant}", absolute, absolute},
		{"http://web.example.com/cb", "http only on loopback", "http only on loopback"},
		{"http://127.0.0.1.example.com/cb", "http only on loopback", "http only on loopback"},
		{"http://127.1/cb", "http only on loopback", "http only on loopback"},
		{"http://localhost.example.com/cb", "http only on loopback", "http only on loopback"},
		{"http://0.0.0.0/cb", "http only on loopback", "http only on loopback"},
		{"javascript:alert(1)", absolute, absolute},
		{"javascript:/x", "a scheme that is a domain of yours", "a scheme that is a domain of yours"},
		{"data:text/html,x", absolute, absolute},
		{"file:///etc/passwd", "a scheme that is a domain of yours", "a scheme that is a domain of yours"},
		{"myapp:/callback", "a scheme that is a domain of yours", "a scheme that is a domain of yours"},
		{"urn:ietf:wg:oauth:2.0:oob", absolute, absolute},
		{"com.example.app:callback", absolute, absolute},
	} {
		for public, want := range map[bool]string{false: c.confidential, true: c.public} {
			err := checkRedirect(c.uri, public)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q, public %v: got %v, want %q", c.uri, public, err, want)
			}
		}
	}
}
