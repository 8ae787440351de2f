package scopes

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a request path in the one form that rules, logs and the upstream all
// see. Its decoded form has the same segments as its raw one. The zero value is
// no path and finds no rule. See docs/scopes.md, section 3.3.
type Path struct{ raw, decoded string }

// Raw returns the escaped bytes, which are what must go upstream.
func (p Path) Raw() string { return p.raw }

// Decoded returns the path without escapes, which is what rules are matched on.
func (p Path) Decoded() string { return p.decoded }

// EncodedSlash says what becomes of %2F in a path. The zero value refuses it.
// See docs/scopes.md, section 3.3.
type EncodedSlash uint8

const (
	RefuseEncodedSlash EncodedSlash = iota
	KeepEncodedSlash                // %2F stays, and is no border between segments
)

// CanonicalPath makes the canonical path of the raw path of a request, exactly
// as it stands in the request line, before the '?'. Escapes of unreserved
// characters are decoded, other escapes are written in upper case, and what a
// path cannot hold raw is escaped.
//
// What two readers could understand differently is refused, and the error says
// which form it was: encoded slashes, backslashes, semicolons and control
// characters, empty and dot segments, double encodings, invalid escapes and
// invalid UTF-8. All of them are answered with 400, path_ambiguous. See
// docs/scopes.md, section 3.3.
func CanonicalPath(escaped string, slash EncodedSlash) (Path, error) {
	if slash != RefuseEncodedSlash {
		return Path{}, errors.New("encoded_slash keep is not supported yet")
	}
	if escaped == "" || escaped[0] != '/' {
		return Path{}, errors.New("the path does not begin with a slash")
	}
	raw, decoded := escaped, escaped
	if !isPlain(escaped) {
		var err error
		if raw, decoded, err = decodePath(escaped); err != nil {
			return Path{}, err
		}
		if err := checkDecoded(decoded); err != nil {
			return Path{}, err
		}
	}
	if err := checkSegments(decoded); err != nil {
		return Path{}, err
	}
	return Path{raw: raw, decoded: decoded}, nil
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

// decodePath returns the canonical escaped form and the decoded one.
func decodePath(s string) (raw, decoded string, err error) {
	var up, plain strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		isEscape := c == '%'
		if isEscape {
			if i+2 >= len(s) {
				return "", "", errors.New("the path holds an invalid escape")
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return "", "", errors.New("the path holds an invalid escape")
			}
			c = hi<<4 | lo
			i += 2
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
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' {
			_, ok1 := unhex(s[i+1])
			_, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				return errors.New("the path holds a double encoding")
			}
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
