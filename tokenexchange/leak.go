package tokenexchange

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// tailLen is how much of the end of a credential is looked for elsewhere: 32
// bytes of a signature occur nowhere by chance.
const tailLen = 32

func (p *Presented) remember(values []string) {
	for _, v := range values {
		if v = strings.TrimRight(v, " \t"); len(v) >= tailLen {
			p.tails = append(p.tails, v[len(v)-tailLen:])
		}
	}
}

// Leaks reports whether what is about to be forwarded still holds the end of a
// presented credential: in a header, the path, the query, the host or the method.
func (p Presented) Leaks(r *http.Request) bool {
	if len(p.tails) == 0 {
		return false
	}
	for _, values := range r.Header {
		for _, v := range values {
			if p.within(v) {
				return true
			}
		}
	}
	return p.within(r.URL.RawQuery) || p.within(r.URL.Path) || p.within(r.Host) || p.within(r.Method)
}

// maxEscapes is how many layers of percent escapes are looked behind. Without a
// bound, %252525... would cost time by the square of its length.
const maxEscapes = 3

// within looks for a tail in a text, also behind percent escapes.
func (p Presented) within(text string) bool {
	for range maxEscapes + 1 {
		if len(text) < tailLen {
			return false
		}
		if slices.ContainsFunc(p.tails, func(tail string) bool { return strings.Contains(text, tail) }) {
			return true
		}
		decoded := unescape(text)
		if len(decoded) == len(text) {
			return false
		}
		text = decoded
	}
	return false
}

// unescape decodes what is a percent escape and keeps what only looks like one:
// a decoder that gave up at the first bad escape would hide all the others.
func unescape(text string) string {
	at := strings.IndexByte(text, '%')
	if at < 0 {
		return text
	}
	out := make([]byte, at, len(text))
	copy(out, text)
	for i := at; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, text[i])
	}
	return string(out)
}

// opaqueForm is how codes, refresh tokens and API tokens end: a dot, and what
// nobody can guess.
var opaqueForm = regexp.MustCompile(`[A-Za-z0-9_~-]\.[A-Za-z0-9_-]{43}`)

// hasTokenForm reports whether a part of a text between slashes has the form of
// a token of this issuer. Callers put tokens into paths and names of resources,
// also such as no credential of the request is a copy of.
func hasTokenForm(text string) bool {
	return strings.HasPrefix(text, "eyJ") || strings.Contains(text, "/eyJ") || opaqueForm.MatchString(text)
}

// guardTrailers keeps owned names and copies of the token out of the request's
// trailers. net/http fills them in when the body ends, and reverse_proxy
// forwards them whether they were declared or not.
func (p *Presented) guardTrailers(r *http.Request) {
	for name := range r.Trailer {
		if noTrailer(name) {
			delete(r.Trailer, name)
		}
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength >= 0 && len(r.Trailer) == 0 {
		return
	}
	r.Body = &trailerGuard{ReadCloser: r.Body, request: r, presented: *p}
}

// pin keeps a header that rules read the only one of its name: another
// spelling of it, or a trailer that an upstream takes for a header, would let a
// caller have one value decided on and another one count.
func (p *Presented) pin(r *http.Request, names []string) {
	for _, name := range names {
		folded := alias(name)
		for other := range r.Header {
			if other != name && alias(other) == folded {
				delete(r.Header, other)
			}
		}
		for other := range r.Trailer {
			if alias(other) == folded {
				delete(r.Trailer, other)
			}
		}
	}
	if body, ok := r.Body.(*trailerGuard); ok {
		body.pinned = names
	}
}

// noTrailer reports whether a trailer would be a credential if an upstream took
// trailers for headers. Of a Cookie header only one cookie is ours, but a
// trailer has no business with any (RFC 9110 section 6.5.1).
func noTrailer(name string) bool {
	name = alias(name)
	return owned[name] || name == "cookie" || name == "proxy-authorization"
}

type trailerGuard struct {
	io.ReadCloser
	request   *http.Request
	presented Presented
	pinned    []string   // headers that rules read
	mu        sync.Mutex // a retry may read while the first try still does
}

func (g *trailerGuard) Read(b []byte) (int, error) {
	n, err := g.ReadCloser.Read(b)
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		for name, values := range g.request.Trailer {
			if noTrailer(name) || g.reads(name) || slices.ContainsFunc(values, g.presented.within) || g.presented.within(name) {
				delete(g.request.Trailer, name)
			}
		}
	}
	return n, err
}

func (g *trailerGuard) reads(trailer string) bool {
	return slices.ContainsFunc(g.pinned, func(name string) bool { return alias(name) == alias(trailer) })
}
