package tokenexchange

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// PKCE methods (RFC 7636 section 4.2). SHA256 is what CSP clients call S256.
var pkceMethods = []string{"S256", "plain", "SHA256"}

// checkCodes checks the words of a client block that say how codes reach the
// client, and refuses them where there are no codes: somebody who wrote them
// believes otherwise.
func checkCodes(cfg ClientConfig) error {
	lists := []struct {
		word string
		uris []string
	}{{"redirect_uri", cfg.RedirectURIs}, {"post_logout_redirect_uri", cfg.PostLogoutRedirectURIs}}
	if !slices.Contains(cfg.GrantTypes, authorizationCode) {
		for _, l := range lists {
			if len(l.uris) > 0 {
				return withoutCodes(l.word)
			}
		}
		switch {
		case cfg.PKCE != "":
			return withoutCodes("pkce")
		case len(cfg.PKCEMethods) > 0:
			return withoutCodes("pkce_methods")
		case len(cfg.Required) > 0:
			return withoutCodes("required")
		}
		return nil
	}
	if len(cfg.RedirectURIs) == 0 {
		return inWord("grant_types", "authorization_code needs a redirect_uri line; expected at least one: a code goes nowhere else")
	}
	for _, l := range lists {
		for i, uri := range l.uris {
			err := checkRedirect(uri, cfg.Public)
			if err == nil && slices.Contains(l.uris[:i], uri) {
				err = errors.New("it is given twice; expected once")
			}
			if err != nil {
				return InLine(l.word, i, fmt.Errorf("%q: %w", uri, err))
			}
		}
	}
	return checkPKCE(cfg)
}

func withoutCodes(word string) error {
	return inWord(word, "it has no meaning without the grant authorization_code; expected that grant in grant_types, or no %s line", word)
}

func checkPKCE(cfg ClientConfig) error {
	switch {
	case cfg.PKCE != "" && cfg.PKCE != "required" && cfg.PKCE != "optional":
		return inWord("pkce", "unrecognized %q; expected required or optional", cfg.PKCE)
	case cfg.PKCE == "optional" && cfg.Public:
		return inWord("pkce", "a public client has nothing else that binds a code to it (RFC 9700 section 2.1.1); expected required")
	}
	for i, m := range cfg.PKCEMethods {
		switch {
		case !slices.Contains(pkceMethods, m):
			return inWord("pkce_methods", "unrecognized %q; expected some of %s", m, strings.Join(pkceMethods, ", "))
		case slices.Contains(cfg.PKCEMethods[:i], m):
			return inWord("pkce_methods", "%s is listed twice; expected once", m)
		}
	}
	return nil
}

// uriCharacters are those of RFC 3986 that a redirect URI may have: no star, so
// that nobody takes it for a pattern, and no fragment.
var uriCharacters = regexp.MustCompile(`^[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+$`)

// checkRedirect checks a URI that a browser is sent to. The browser is told the
// bytes that stand here, so what browsers read in different ways is refused.
func checkRedirect(text string, public bool) error {
	if strings.Contains(text, "*") {
		return errors.New("it has a wildcard, and is compared byte by byte; expected one line for each URI")
	}
	if strings.Contains(text, "#") {
		return errors.New("it has a fragment, which browsers keep to themselves (RFC 6749 section 3.1.2); expected none")
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return errors.New("it has a user name; expected none")
	}
	if err != nil || !uriCharacters.MatchString(text) || !strings.HasPrefix(text, origin(u)) || strings.HasSuffix(u.Host, ":") {
		return errors.New("expected an absolute URI, such as https://web.example.com/callback")
	}
	switch {
	case u.Scheme == "https" && u.Hostname() != "":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "https" || u.Scheme == "http":
		return errors.New("expected https and a host; http only on loopback (RFC 8252 section 7.3)")
	case !strings.Contains(u.Scheme, "."):
		return errors.New("expected https, or for an app a scheme that is a domain of yours, as in com.example.app:/callback (RFC 8252 section 7.1)")
	case !public:
		return errors.New("a scheme of its own is for an app, which is a public client; expected https")
	}
	return nil
}

// origin is how a URI begins that says no more than what was read from it.
func origin(u *url.URL) string {
	if u.Host == "" {
		return u.Scheme + ":/"
	}
	return u.Scheme + "://" + u.Host
}

// loopback reports whether a host name can only be this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// loopbacks are the literals at which any port may be asked for (RFC 8252
// section 7.3): an app gets one from its system when it starts. A name, such as
// localhost, can be made to lead elsewhere.
var loopbacks = []string{"http://127.0.0.1", "http://[::1]"}

// listensAt reports whether the answer to a request may go to a URI: it is one
// of the registered ones byte for byte, but for the port on loopback.
func (c *client) listensAt(uri string) bool {
	if slices.Contains(c.redirectURIs, uri) {
		return true
	}
	asked, ok := withoutPort(uri)
	return ok && slices.ContainsFunc(c.redirectURIs, func(registered string) bool {
		plain, ok := withoutPort(registered)
		return ok && plain == asked
	})
}

// withoutPort cuts the port out of a URI on loopback, and reports false for any
// other URI.
func withoutPort(uri string) (string, bool) {
	for _, host := range loopbacks {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			rest = strings.TrimLeft(port, "0123456789")
			port = port[:len(port)-len(rest)]
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
				return "", false
			}
		}
		return host + rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", false
}

// assured reports whether nobody but the client can make use of an answer at this
// redirect URI: it has to prove who it is, or has the address to itself. Any
// program of a machine can listen on loopback or take a scheme, and say that it is
// a public client. It is not given what a person allowed another one to have (RFC
// 8252 section 8.6).
func (c *client) assured(uri string) bool { return !c.public || strings.HasPrefix(uri, "https://") }

// leadsOn are the URIs that a form of a login can lead to: the redirect URI, and
// where the application may send the browser on from there at once. That is where
// it may send people after a logout. The other redirect URIs are not among them:
// every login page would tell for whom else the client is there.
func (c *client) leadsOn(uri string) []string { return append([]string{uri}, c.afterLogout...) }
