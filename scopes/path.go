package scopes

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a request path in the one form that rules, logs and the upstream all
// see. The zero value is no path and finds no rule. See docs/scopes.md, section
// 3.3.
type Path struct{ raw, decoded, segments string }

// Raw returns the escaped bytes, which are what must go upstream.
func (p Path) Raw() string { return p.raw }

// Decoded returns the path without escapes. Rules are matched on its segments:
// those of the raw path, in which a kept %2F is no border.
func (p Path) Decoded() string { return p.decoded }

// EncodedSlash says what becomes of %2F in a path. The zero value refuses it.
// See docs/scopes.md, section 3.3.
type EncodedSlash uint8

const (
	RefuseEncodedSlash EncodedSlash = iota
	KeepEncodedSlash                // %2F stays, and is no border between segments
)

// keptSlash stands for a kept %2F in the segments of a path. No path holds it
// otherwise, and no literal, so no rule spells it and no resource gets it.
const keptSlash = '\x00'

// CanonicalPath makes the canonical path of the raw path of a request, exactly
// as it stands in the request line, before the '?'. Escapes of unreserved
// characters are decoded, other escapes are written in upper case, and what a
// path cannot hold raw is escaped.
//
// What two readers could understand differently is refused, and the error says
// which form it was: encoded slashes, backslashes, semicolons and control
// characters, empty and dot segments, double encodings, invalid escapes and
// invalid UTF-8. All of them are answered with 400, path_ambiguous.
//
// With [KeepEncodedSlash], %2F stays as it is and is no border between segments,
// but what stands beside it is held to the rules for segments all the same. A
// value that holds one is no literal, so only a {_name} can take it. See
// docs/scopes.md, section 3.3.
func CanonicalPath(escaped string, slash EncodedSlash) (Path, error) {
	if escaped == "" || escaped[0] != '/' {
		return Path{}, errors.New("the path does not begin with a slash")
	}
	p := Path{raw: escaped, decoded: escaped, segments: escaped}
	if !isPlain(escaped) {
		var err error
		if p.raw, p.segments, err = decodePath(escaped, slash); err != nil {
			return Path{}, err
		}
		p.decoded = strings.ReplaceAll(p.segments, string(keptSlash), "/")
		if err := checkDecoded(p.decoded); err != nil {
			return Path{}, err
		}
	}
	// On the decoded path, so that neither reading has an empty or dot segment.
	if err := checkSegments(p.decoded); err != nil {
		return Path{}, err
	}
	if strings.HasSuffix(p.segments, string(keptSlash)) {
		return Path{}, errors.New("the path ends in an encoded slash")
	}
	return p, nil
}

// isPlain says whether the path holds only bytes that are canonical as they
// are, so that nothing needs to be built.
func isPlain(s string) bool {
	for i := range len(s) {
		if !isPathByte(s[i]) {
			return false
		}
	}
	return true
}

// isUnreserved is RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return false
}

// isPathByte is a pchar of RFC 3986, section 3.3, or a slash, but neither an
// escape nor a semicolon, which is refused.
func isPathByte(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("!$&'()*+,=:@/", c) >= 0
}

// decodePath returns the canonical escaped form and the decoded one, in which
// keptSlash stands for an encoded slash.
func decodePath(s string, slash EncodedSlash) (raw, segments string, err error) {
	var up, plain strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		isEscape := c == '%'
		if isEscape {
			ok := false
			if c, ok = unescape(s[i:]); !ok {
				return "", "", errors.New("the path holds an invalid escape")
			}
			i += 2
		}
		if isEscape && c == '/' && slash == KeepEncodedSlash {
			up.WriteString("%2F")
			plain.WriteByte(keptSlash)
			continue
		}
		if err := checkByte(c, isEscape); err != nil {
			return "", "", err
		}
		plain.WriteByte(c)
		if isUnreserved(c) || !isEscape && isPathByte(c) {
			up.WriteByte(c)
		} else {
			fmt.Fprintf(&up, "%%%02X", c)
		}
	}
	return up.String(), plain.String(), nil
}

// checkByte refuses single bytes, raw or out of an escape.
func checkByte(c byte, isEscape bool) error {
	form := "a raw"
	if isEscape {
		form = "an encoded"
	}
	switch {
	case c < ' ' || c == 0x7f:
		return fmt.Errorf("the path holds %s control character (%%%02X)", form, c)
	case c == '\\':
		return fmt.Errorf("the path holds %s backslash", form)
	case c == ';':
		return fmt.Errorf("the path holds %s semicolon, which begins a parameter", form)
	case c == '/' && isEscape:
		return errors.New("the path holds an encoded slash")
	case (c == '#' || c == '?' || c == ' ') && !isEscape:
		return fmt.Errorf("the path holds a raw %q", c)
	}
	return nil
}

// checkDecoded refuses what shows only in the decoded path.
func checkDecoded(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("the path holds invalid UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("the path holds an encoded control character")
	}
	// The digits may have been escaped too: %25%32%66 is %252f is %2f is a slash.
	for i := range len(s) {
		if _, ok := unescape(s[i:]); ok {
			return errors.New("the path holds a double encoding")
		}
	}
	return nil
}

// checkSegments refuses empty segments, except for the last, and dot segments.
func checkSegments(decoded string) error {
	for rest, more := decoded[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch {
		case segment == "" && more:
			return errors.New("the path holds an empty segment")
		case segment == "." || segment == "..":
			return errors.New("the path holds a dot segment")
		}
	}
	return nil
}

// unescape reads the escape that s begins with.
func unescape(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, ok1 := unhex(s[1])
	lo, ok2 := unhex(s[2])
	return hi<<4 | lo, ok1 && ok2
}
