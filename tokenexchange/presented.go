package tokenexchange

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Presented is what a request brought as credentials. It has no String and no
// header method: what goes in does not come out again, except to be verified.
type Presented struct {
	token     string
	given     bool     // one was read, though it may be empty
	tails     []string // the ends of everything that was taken out, to find copies
	ambiguous bool     // two credentials that differ, or one in the query
	logged    bool     // one was in a header that Caddy's error log shows in clear
}

// Format keeps the credentials out of every print: fmt and loggers look into
// unexported fields.
func (Presented) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[presented]")) }

// owned are headers that only the guard may set or that would let a caller
// change what was decided on, in the form that alias gives.
var owned = map[string]bool{
	"authorization": true, "csp-auth-token": true, "scopegate-decision": true,
	"x-http-method-override": true, "x-http-method": true, "x-method-override": true,
	"x-original-url": true, "x-original-uri": true, "x-original-method": true, "x-rewrite-url": true,
	"x-forwarded-uri": true, "x-forwarded-method": true, "http2-settings": true,
	// Identity that upstreams take from a proxy: the token says who it is.
	"x-forwarded-user": true, "x-forwarded-email": true, "x-forwarded-groups": true,
	"x-forwarded-preferred-username": true, "x-forwarded-access-token": true,
	"x-auth-request-user": true, "x-auth-request-email": true, "x-auth-request-groups": true,
	"x-auth-request-preferred-username": true, "x-auth-request-access-token": true,
	"x-forwarded-roles": true, "x-forwarded-client-cert": true, "x-envoy-original-path": true,
	"x-amzn-oidc-identity": true, "x-amzn-oidc-data": true, "x-amzn-oidc-accesstoken": true,
	"x-goog-authenticated-user-email": true, "x-goog-authenticated-user-id": true, "x-goog-iap-jwt-assertion": true,
	"x-authenticated-userid": true, "x-authenticated-groups": true, "x-consumer-id": true, "x-consumer-username": true, "x-consumer-custom-id": true,
	"x-consumer-groups": true, "x-credential-identifier": true, "x-anonymous-consumer": true,
	"x-ms-client-principal": true, "x-ms-client-principal-id": true, "x-ms-client-principal-name": true, "x-ms-client-principal-idp": true,
	"x-ms-token-aad-access-token": true, "x-ms-token-aad-id-token": true, "x-pomerium-jwt-assertion": true, "x-vouch-user": true,
	"x-authentik-username": true, "x-authentik-email": true, "x-authentik-groups": true, "x-authentik-jwt": true,
	"x-ssl-client-cert": true, "x-ssl-client-verify": true, "x-ssl-client-s-dn": true, "x-client-cert": true,
	"cf-access-jwt-assertion": true, "cf-access-authenticated-user-email": true, "tailscale-user-login": true, "tailscale-user-name": true,
	"impersonate-user": true, "impersonate-group": true, "impersonate-uid": true,
	"remote-groups": true, "remote-name": true, "remote-email": true, "x-remote-user": true, "remote-user": true, "x-webauth-user": true, "x-authenticated-user": true,
}

const cspHeader = "csp-auth-token"

// credentials are the owned headers that hold a token. Copies of the others,
// such as a path in X-Original-URL, are no leak.
var credentials = map[string]bool{
	"authorization": true, cspHeader: true, "x-forwarded-access-token": true, "x-auth-request-access-token": true,
}

// alias is the name under which an upstream may read a header: many fold "_" and
// ".", and CGI servers fold all that is neither letter nor digit.
func alias(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c + ('a' - 'A')
		}
		return '-'
	}, name)
}

// Take takes the credentials out of a request, before anything can answer it,
// and with them every header and trailer that could be read as one. acceptCSP
// says whether the csp-auth-token header counts as a credential; it is taken
// out either way, and its cookie never counts.
func Take(r *http.Request, acceptCSP bool) Presented {
	var p Presented
	p.bearer(r.Header["Authorization"])
	if csp := r.Header["Csp-Auth-Token"]; acceptCSP && len(csp) > 0 {
		p.add(csp)
	}
	for name, values := range r.Header {
		if !suspicious(name) {
			continue
		}
		folded := alias(name)
		if !owned[folded] {
			continue
		}
		if credentials[folded] {
			p.remember(values)
			p.logged = p.logged || folded != "authorization"
		}
		delete(r.Header, name)
	}
	p.cookies(r.Header)
	cleanConnection(r.Header)
	if inQuery(r.URL.RawQuery) {
		p.ambiguous = true
	}
	p.guardTrailers(r)
	return p
}

// suspicious is a cheap test that holds for every alias of an owned header. It
// spares the other headers of a request the price of alias.
func suspicious(name string) bool {
	if len(name) < 2 {
		return false
	}
	switch name[0] | 0x20 {
	case 'x':
		return true
	case 'a':
		return name[1]|0x20 == 'u'
	case 'i':
		return name[1]|0x20 == 'm'
	case 't':
		return name[1]|0x20 == 'a'
	case 'c', 's':
		return name[1]|0x20 == 's' || name[1]|0x20 == 'c' || name[1]|0x20 == 'f'
	case 'h':
		return name[1]|0x20 == 't'
	case 'r':
		return name[1]|0x20 == 'e'
	}
	return false
}

// bearer reads the Authorization header lines. Another scheme is no credential.
func (p *Presented) bearer(lines []string) {
	if len(lines) > 1 {
		p.ambiguous = true
	}
	for _, line := range lines {
		scheme, token, _ := strings.Cut(line, " ")
		if strings.EqualFold(scheme, "Bearer") {
			p.add([]string{strings.TrimLeft(token, " ")})
		}
	}
}

func (p *Presented) add(tokens []string) {
	for _, token := range tokens {
		if p.given && p.token != token || len(tokens) > 1 {
			p.ambiguous = true
		}
		p.token, p.given = token, true
	}
}

// cookies takes the csp-auth-token cookie out, however its name is written: some
// upstreams decode percent escapes in it, or read a list in name[0].
func (p *Presented) cookies(h http.Header) {
	lines := h["Cookie"]
	for i, line := range lines {
		if !strings.Contains(alias(unescape(line)), cspHeader) {
			continue
		}
		pairs := strings.Split(line, ";")
		pairs = slices.DeleteFunc(pairs, func(pair string) bool {
			found := false
			// Some upstreams read a comma as RFC 2965 did: as a semicolon.
			for part := range strings.SplitSeq(pair, ",") {
				name, value, _ := strings.Cut(part, "=")
				if scopes.TakenFor(unescape(name), cspHeader) || alias(strings.TrimSpace(name)) == cspHeader {
					p.remember([]string{strings.Trim(value, "\" \t")})
					found = true
				}
			}
			return found
		})
		lines[i] = strings.TrimSpace(strings.Join(pairs, ";"))
	}
	if lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" }); len(lines) > 0 {
		h["Cookie"] = lines
	} else {
		delete(h, "Cookie")
	}
}

// cleanConnection keeps what the guard understands of Connection. reverse_proxy
// deletes every header that Connection names after the guard has run, which
// would take the exchanged token away; and it tunnels whatever Upgrade says.
func cleanConnection(h http.Header) {
	upgrade := h["Upgrade"]
	websocket := len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")
	if upgrade != nil && !websocket {
		delete(h, "Upgrade")
	}
	lines, present := h["Connection"]
	if !present {
		return
	}
	var kept []string
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			switch option = strings.ToLower(strings.TrimSpace(option)); {
			case option == "close", option == "keep-alive", option == "upgrade" && websocket:
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// inQuery reports whether the query has an access_token (RFC 6750 section 2.3,
// which is not accepted here), under any name that some upstream reads as it.
func inQuery(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		for part := range strings.SplitSeq(pair, ";") {
			name, _, _ := strings.Cut(part, "=")
			if len(name) < len("access_token") {
				continue
			}
			if decoded, err := url.QueryUnescape(name); err == nil {
				name = decoded
			}
			if scopes.TakenFor(name, "access_token") || alias(name) == "access-token" {
				return true
			}
		}
	}
	return false
}

// ShownInLogs reports whether the request came with a token that Caddy writes
// to its error log in clear: it redacts only the headers that it knows.
func (p Presented) ShownInLogs() bool { return p.logged }
