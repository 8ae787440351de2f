package scopes_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// What the reference evaluator reads of a request: 3.3, and the variables of 3.4.

var (
	refBadPath   = regexp.MustCompile(`(?i)%5C|\\|//|#|;|%3B|\?|[\x00-\x20\x7f]|^[^/]|^$`)
	refEscSlash  = regexp.MustCompile(`(?i)%2F`)
	refBadInPath = regexp.MustCompile(`\p{Cc}|%[0-9A-Fa-f]{2}`)
)

// refSegments gives the decoded segments of a path, or false for 400. A kept
// slash is a slash in a segment.
func refSegments(raw string, keep bool) ([]string, bool) {
	if refBadPath.MatchString(raw) || !keep && refEscSlash.MatchString(raw) {
		return nil, false
	}
	var list []string
	parts := strings.Split(raw, "/")[1:]
	for i, part := range parts {
		pieces := refEscSlash.Split(part, -1)
		for j, piece := range pieces {
			text, err := url.PathUnescape(piece)
			if err != nil || text == "." || text == ".." || text == "" && (len(pieces) > 1 || i+1 < len(parts)) {
				return nil, false
			}
			pieces[j] = text
		}
		list = append(list, strings.Join(pieces, "/"))
	}
	if all := strings.Join(list, "/"); strings.ToValidUTF8(all, "") != all || refBadInPath.MatchString(all) {
		return nil, false
	}
	return list, true
}

// refDecode gives the decoded path.
func refDecode(raw string, keep bool) (string, bool) {
	segments, ok := refSegments(raw, keep)
	if !ok {
		return "", false
	}
	return "/" + strings.Join(segments, "/"), true
}

var refBadQuery = regexp.MustCompile(`[^\x21-\x7e]|[;#]`)

// refInput gives the value of {query:...}, {header:...} or {claim:...}, and
// false where it has none, or where readers differ.
func refInput(variable string, req refRequest, separator string) (string, bool) {
	kind, name, _ := strings.Cut(strings.Trim(variable, "{}"), ":")
	switch kind {
	case "claim":
		value, ok := req.claims[name]
		return value, ok
	case "header":
		return refHeader(name, req.header, separator)
	}
	if refBadQuery.MatchString(req.query) || len(req.query) > 16*1024 || len(strings.Split(req.query, "&")) > 256 {
		return "", false
	}
	var found []string
	for pair := range strings.SplitSeq(req.query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(key)
		if _, err2 := url.QueryUnescape(value); err != nil || err2 != nil || strings.Contains(decoded, "%") {
			return "", false
		}
		for _, takes := range refQueryReaders {
			if takes(decoded, name) {
				found = append(found, value)
				if decoded != name {
					return "", false
				}
				break
			}
		}
	}
	if len(found) != 1 {
		return "", false
	}
	value, _ := url.QueryUnescape(found[0])
	if plain, _ := url.PathUnescape(found[0]); plain != value {
		return "", false // a reader for which "+" is no blank
	}
	raw := len(strings.Split(found[0], separator))
	if separator != "" && raw > 1 && raw != len(strings.Split(value, separator)) {
		return "", false
	}
	return value, true
}

// refHeader is the part of refInput for headers.
func refHeader(name string, header map[string][]string, separator string) (string, bool) {
	var lines []string
	total := 0
	for other, values := range header {
		if total += len(values); total > 256 {
			return "", false
		}
		for _, read := range refHeaderReaders {
			if read(other) == read(name) {
				lines = append(lines, values...)
				if other != http.CanonicalHeaderKey(name) {
					return "", false
				}
				break
			}
		}
	}
	if len(lines) != 1 {
		return "", false
	}
	var latin []rune // as who reads bytes sees it
	for _, c := range []byte(lines[0]) {
		latin = append(latin, rune(c))
	}
	if string(latin) != lines[0] || len(strings.Split(lines[0], ",")) > 1 && separator != "," {
		return "", false
	}
	return lines[0], true
}

// refOdd says whether a query has a name besides the one that is checked which
// is not made of letters, digits and "_". Only there may more be refused than
// the readers ask for.
func refOdd(query string, names ...string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		decoded, _ := url.QueryUnescape(key)
		if !slices.Contains(names, decoded) && !refPlainName.MatchString(decoded) {
			return true
		}
	}
	return false
}

var refPlainName = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
