package tokenexchange

import (
	"errors"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// preflightRule is the rule that records show of a preflight that no rule
// decided on.
const preflightRule = "preflight"

// maxRequestedHeaders is the size in bytes of the longest list of header names
// that is answered.
const maxRequestedHeaders = 4 << 10

const (
	requestMethod  = "Access-Control-Request-Method"
	requestHeaders = "Access-Control-Request-Headers"
)

// isPreflight reports whether a request is what browsers send before a request
// to another origin (Fetch, section 4.8): OPTIONS, with Origin and the method
// that is meant, without a body. A tunnel is none.
func isPreflight(r *http.Request) bool {
	origin, method := r.Header["Origin"], r.Header[requestMethod]
	return r.Method == http.MethodOptions && r.ContentLength == 0 && len(r.Trailer) == 0 &&
		r.Header["Upgrade"] == nil && len(origin) == 1 && origin[0] != "" && len(method) == 1 && isToken(method[0])
}

// preflight decides on a preflight where the guard does not block them. No rule
// is asked: what it gets is equal for every path, and tells nothing of rules.
func (g *Guard) preflight(r *http.Request, v *Verdict) (scopes.Reason, error) {
	v.Rule = preflightRule
	if g.options.Preflight == PreflightPass {
		return scopes.ReasonAllowed, nil
	}
	answer := preflightAnswer{method: r.Header[requestMethod][0]}
	size := 0
	for _, line := range r.Header[requestHeaders] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue // RFC 9110 section 5.6.1 has readers skip empty elements.
			}
			if size += len(name); !isToken(name) || size > maxRequestedHeaders {
				v.malformed = true
				return scopes.ReasonVariableRejected, errors.New(requestHeaders + ": expected at most 4 KiB of header names")
			}
			answer.headers = append(answer.headers, name)
		}
	}
	v.answer = &answer
	return scopes.ReasonAllowed, nil
}

// preflightAnswer is what the guard itself says to a preflight: any origin may
// send this request, without cookies. Whether it may do anything is for the
// token that it brings.
type preflightAnswer struct {
	method  string
	headers []string
}

func (a *preflightAnswer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", a.method)
	if len(a.headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(a.headers, ", "))
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Origin, "+requestMethod+", "+requestHeaders)
	w.WriteHeader(http.StatusNoContent)
}

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
