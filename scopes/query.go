package scopes

import (
	"strings"
	"unicode"
)

// queryValue returns the value of the one parameter of a raw query that has the
// name. It is false where the parameter is missing or repeated, and where two
// readers could see different values:
//
//   - anywhere in the query: more than 16 KiB or 256 parameters, an invalid escape, a name that is escaped twice, a
//     raw semicolon, which some take for "&", and bytes that no query holds raw
//   - another parameter that some upstream takes for this one: see TakenFor
//   - a "+" in the value, which is a blank for some
//   - where the value is a list: separators of which some are escaped and some
//     are not, since they may be meant as parts of an item
//
// It decodes only what has escapes, so that most queries cost no allocation.
func queryValue(query, name, separator string) (value string, ok bool) {
	if len(query) > maxInput || strings.Count(query, "&") >= maxParts {
		return "", false
	}
	raw, found := "", false
	for rest, more := query, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		key, val, _ := strings.Cut(pair, "=")
		if !isStrictQuery(pair) {
			return "", false
		}
		if key = unescapeQuery(key); strings.Contains(key, "%") {
			return "", false
		}
		switch {
		case key == name && found, key != name && TakenFor(key, name):
			return "", false
		case key == name:
			raw, found = val, true
		}
	}
	if !found || strings.Contains(raw, "+") {
		return "", false
	}
	value = unescapeQuery(raw)
	if separator == "" {
		return value, true
	}
	n := strings.Count(raw, separator)
	return value, n == 0 || n == strings.Count(value, separator)
}

// isStrictQuery checks the bytes of one pair of a query.
func isStrictQuery(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || c == ';' || c == '#':
			return false
		case c == '%':
			if _, ok := unescape(s[i:]); !ok {
				return false
			}
		}
	}
	return true
}

// unescapeQuery decodes the escapes of a text in which all are valid. A "+"
// stays as it is.
func unescapeQuery(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			c, _ = unescape(s[i:])
			i += 2
		}
		b = append(b, c)
	}
	return string(b)
}

// TakenFor says whether some upstream takes the parameter key of a query, which is
// decoded, for the one with the name. That is so for the name itself, and for all
// that is the name in between brackets, dots and blanks, whatever stands behind them:
//
//   - name[], name[x] and [name] are lists and objects: PHP, Rails, qs. Rack up to
//     2.2 skips all brackets in front
//   - name.x and .name are so too: qs with allowDots, binders of Spring and ASP.NET
//   - blanks, dots, and a bracket that is not closed are "_" to PHP. One that is
//     closed is not told from that
//   - some cut at a zero byte, and some trim
//   - letters have no case to ASP.NET, nor have the few beyond ASCII that have an
//     ASCII one as their other case
func TakenFor(key, name string) bool {
	key = strings.TrimLeftFunc(key, isEdge)
	if !isASCII(key) {
		key = strings.ToLower(strings.ToUpper(key))
	}
	if len(key) < len(name) || !sameName(key[:len(name)], name) {
		return false
	}
	return len(key) == len(name) || strings.IndexFunc(key[len(name):], isEdge) == 0
}

// isEdge says where a name begins or ends for some reader.
func isEdge(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("[].+\x00", r) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
