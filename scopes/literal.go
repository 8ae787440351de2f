package scopes

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxID      = 128
	maxLiteral = 128
	// A prefix one byte shorter than a literal can always be continued. With
	// one of 128 bytes, "x*" and "x" would be two names of one thing, and
	// containment would not be exact.
	maxPrefix = maxLiteral - 1
)

// Literal is one segment of a resource that stands for itself. It is the only
// thing that can enter a resource from a request or from a claim. The zero
// value is not a valid literal. See docs/scopes.md, section 3.2.
type Literal struct{ text string }

// NewLiteral checks that s is 1 to 128 bytes of valid UTF-8 without control or
// format characters, without any of / * % \, and neither "." nor "..". The
// error says which of these it is. See docs/scopes.md, section 3.2.
func NewLiteral(s string) (Literal, error) {
	if fault := literalFault(s, maxLiteral); fault != "" {
		return Literal{}, fmt.Errorf("%s is not a literal: %s", quote(s), fault)
	}
	return Literal{text: s}, nil
}

// String returns the text of the literal; "" for the zero value.
func (l Literal) String() string { return l.text }

// literalFault says in a few words why s is no literal of at most limit bytes;
// "" means that it is one. It allocates nothing: the decision runs it on every
// variable of every request.
func literalFault(s string, limit int) string {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > limit:
		return "it is too long"
	case s == "." || s == "..":
		return "it is a dot segment"
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				return "it is not valid UTF-8"
			case unicode.IsControl(r):
				return "it holds a control character"
			case unicode.Is(unicode.Cf, r):
				return "it holds a format character"
			}
			i += size
			continue
		}
		switch {
		case c < ' ' || c == 0x7f:
			return "it holds a control character"
		case c == '/':
			return "it holds a slash"
		case c == '*':
			return "it holds an asterisk"
		case c == '%':
			return "it holds a percent sign (write it decoded)"
		case c == '\\':
			return "it holds a backslash"
		}
		i++
	}
	return ""
}

// CheckID says whether s can be the id of a service or of a permission: 1 to
// 128 characters of [A-Za-z0-9._:-], without the prefix "external/". The error
// names what is wrong. See docs/scopes.md, section 3.1.
func CheckID(s string) error {
	if s == "" {
		return errors.New("an id is empty")
	}
	if len(s) > maxID {
		return fmt.Errorf("id %s is %d bytes long: expected at most %d", quote(s), len(s), maxID)
	}
	if strings.HasPrefix(s, "external/") {
		return fmt.Errorf("id %s: write it without \"external/\"", quote(s))
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return fmt.Errorf("id %s: expected only letters, digits and . _ : -", quote(s))
		}
	}
	return nil
}

// ParsePermission reads a permission as a configuration line names it: either
// PERMISSION, for which service is "" and means the line's own service, or
// SERVICE/PERMISSION. Both parts must be ids (see [CheckID]). See
// docs/scopes.md, section 3.4.
func ParsePermission(s string) (service, permission string, err error) {
	service, permission, other := strings.Cut(s, "/")
	if !other {
		service, permission = "", s
	} else if err := CheckID(service); err != nil {
		return "", "", fmt.Errorf("permission %s: service: %w", quote(s), err)
	}
	if err := CheckID(permission); err != nil {
		return "", "", fmt.Errorf("permission %s: expected PERMISSION or SERVICE/PERMISSION: %w", quote(s), err)
	}
	return service, permission, nil
}

// quote makes s printable and short, for error texts.
func quote(s string) string {
	const most = 80
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q...", s[:most])
}
