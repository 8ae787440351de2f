package tokenexchange

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// canonicalPath makes the one path of a request. What was rewritten before is
// what counts, and nothing behind the guard may change it.
func canonicalPath(r *http.Request, slash scopes.EncodedSlash) (scopes.Path, error) {
	u := r.URL
	if u.Opaque != "" || u.Fragment != "" || u.User != nil {
		return scopes.Path{}, errors.New("the request target is neither a path nor an absolute URL without user and fragment")
	}
	if u.Host == "" && u.Scheme != "" || u.Host != "" && u.Host != r.Host {
		return scopes.Path{}, errors.New("the request target names no host, or another one")
	}
	if u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return scopes.Path{}, errors.New("the request target is of another scheme than http and https")
	}
	if strings.ContainsAny(u.RawQuery, " #") {
		return scopes.Path{}, errors.New("the query has a raw blank or #, where some upstreams would end it")
	}
	raw := u.RawPath
	if raw == "" {
		raw = u.EscapedPath()
	} else if decoded, err := url.PathUnescape(raw); err != nil || decoded != u.Path {
		return scopes.Path{}, errors.New("path and raw path of the request differ")
	}
	return scopes.CanonicalPath(raw, slash)
}

// Forward prepares an allowed request for the upstream: the path that was
// decided on and the token that was made for it. It reports false, and leaves no
// token in the request, if that is not allowed or a copy of what the caller
// presented is still in it.
func (v *Verdict) Forward(r *http.Request, p Presented) bool {
	if !v.Allowed() {
		delete(r.Header, "Authorization")
		return false
	}
	u := *r.URL
	u.Scheme, u.Host, u.Path, u.RawPath = "", "", v.Path.Decoded(), v.Path.Raw()
	r.URL = &u
	p.pin(r, v.guard.headers)
	v.Token.Authorize(r.Header)
	if p.Leaks(r) {
		delete(r.Header, "Authorization")
		v.WouldDeny, v.missing = "", nil
		v.Reason, v.cause = scopes.ReasonTokenLeak, errors.New("a copy of the presented token is in another header, the path or the query")
		return false
	}
	return true
}
