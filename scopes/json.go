package scopes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errUnknown is how a field function says that it does not know a name.
var errUnknown = errors.New("unknown name")

// reader reads just the JSON that this language needs: objects with known
// names, arrays, strings and null. encoding/json would match names without
// case, take the last of two, and replace invalid UTF-8. What it reads has a
// fixed depth, so it needs no bound of its own.
type reader struct {
	data    string
	pos     int
	entries int // counted as written, before what is covered is left out
}

// fault is an error at the current place.
func (r *reader) fault(format string, args ...any) error {
	return fmt.Errorf("at byte %d: "+format, append([]any{r.pos}, args...)...)
}

// skip goes over JSON's white space.
func (r *reader) skip() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// take goes over c, if it is next after white space.
func (r *reader) take(c byte) bool {
	r.skip()
	if r.pos < len(r.data) && r.data[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// null goes over null, if it is next.
func (r *reader) null() bool {
	r.skip()
	if !strings.HasPrefix(r.data[r.pos:], "null") {
		return false
	}
	r.pos += len("null")
	return true
}

// end refuses anything but white space.
func (r *reader) end() error {
	r.skip()
	if r.pos != len(r.data) {
		return r.fault("nothing may follow the value")
	}
	return nil
}

// object reads an object and calls field for each name, to read its value.
func (r *reader) object(what string, field func(key string) error) error {
	if !r.take('{') {
		return r.fault("expected an object for %s", what)
	}
	if r.take('}') {
		return nil
	}
	seen := make(map[string]bool, 2)
	for {
		r.skip()
		key, err := r.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return r.fault("name %s is repeated", quote(key))
		}
		seen[key] = true
		if !r.take(':') {
			return r.fault("expected ':'")
		}
		if err := field(key); err == errUnknown {
			return r.fault("name %s is not known in %s", quote(key), what)
		} else if err != nil {
			return err
		}
		if r.take('}') {
			return nil
		}
		if !r.take(',') {
			return r.fault("expected ',' or '}'")
		}
	}
}

// array reads an array that is not empty and calls item for each member.
func (r *reader) array(name string, item func() error) error {
	if !r.take('[') {
		return r.fault("expected a list for %q", name)
	}
	if r.take(']') {
		return r.fault("the list %q is empty", name)
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if r.take(']') {
			return nil
		}
		if !r.take(',') {
			return r.fault("expected ',' or ']'")
		}
	}
}

// str reads a string. It shares no memory with the input.
func (r *reader) str() (string, error) {
	if !r.take('"') {
		return "", r.fault("expected a string")
	}
	var b strings.Builder
	for {
		if r.pos == len(r.data) {
			return "", r.fault("the string does not end")
		}
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			return b.String(), nil
		case c == '\\':
			ch, err := r.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(ch)
		case c < ' ':
			return "", r.fault("a raw control character in a string")
		default:
			ch, size := utf8.DecodeRuneInString(r.data[r.pos:])
			if ch == utf8.RuneError && size == 1 {
				return "", r.fault("invalid UTF-8")
			}
			b.WriteString(r.data[r.pos : r.pos+size])
			r.pos += size
		}
	}
}

// escape reads one escape, or two that are a pair of surrogates.
func (r *reader) escape() (rune, error) {
	rest := r.data[r.pos:]
	if len(rest) < 2 {
		return 0, r.fault("the string does not end")
	}
	const names, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(names, rest[1]); i >= 0 {
		r.pos += 2
		return rune(meanings[i]), nil
	}
	ch, ok := unicodeEscape(rest)
	if !ok {
		return 0, r.fault("an invalid escape")
	}
	if !utf16.IsSurrogate(ch) {
		r.pos += 6
		return ch, nil
	}
	low, ok := unicodeEscape(rest[6:])
	if !ok {
		return 0, r.fault("half of a surrogate pair")
	}
	pair := utf16.DecodeRune(ch, low)
	if pair == utf8.RuneError {
		return 0, r.fault("half of a surrogate pair")
	}
	r.pos += 12
	return pair, nil
}

// unicodeEscape reads the six bytes of \uXXXX.
func unicodeEscape(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		if _, ok := unhex(s[i]); !ok {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s[2:6], 16, 32)
	return rune(n), err == nil
}

// unhex reads one hexadecimal digit.
func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
