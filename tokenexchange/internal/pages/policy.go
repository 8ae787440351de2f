package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// permissions are what no page uses, whatever a browser would let it.
const permissions = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

// writeHeaders let a page run nothing, load nothing, be in no frame, be kept
// nowhere and tell nobody its address, which may have a token in it.
func (p *Pages) writeHeaders(h http.Header, page Page, targets []string) {
	policy := "default-src 'none'; style-src " + p.hash
	if p.logo != "" {
		policy += "; img-src data:"
	}
	policy += "; form-action 'self'" + formTargets(targets) + "; base-uri 'none'; frame-ancestors 'none'"
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", permissions)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// An application may open the login in a window and wait there for its end,
	// which this header would hide from it. Nothing waits for the account.
	if _, own := page.(Account); own {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}

// formTargets are the source expressions of URIs. Chromium lets a form go only
// where the policy says, also by the redirects that answer it, to the last one. A
// whole scheme of the web is there for the first URI alone, which the answer goes
// to: it would be too much for what an application may do after that.
func formTargets(uris []string) string {
	var sources []string
	for i, uri := range uris {
		source := formTarget(uri)
		whole := source == "http:" || source == "https:"
		if source == "" || whole && i > 0 || slices.Contains(sources, source) {
			continue
		}
		sources = append(sources, source)
	}
	if len(sources) == 0 {
		return ""
	}
	return " " + strings.Join(sources, " ")
}

var sourceHost = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]{1,5})?$`)

// formTarget is the source expression of a URI (CSP level 3, section 2.3.1), ""
// for one that a policy cannot say or that nobody can register.
func formTarget(uri string) string {
	u, err := url.Parse(uri)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	switch {
	case err != nil:
		return ""
	case !web && strings.Contains(u.Scheme, "."):
		return u.Scheme + ":" // Of an app (RFC 8252 section 7.1).
	case web && strings.HasPrefix(u.Host, "["):
		return u.Scheme + ":" // A policy has no form for an address in brackets.
	case web && sourceHost.MatchString(u.Host):
		return u.Scheme + "://" + u.Host
	}
	return ""
}
