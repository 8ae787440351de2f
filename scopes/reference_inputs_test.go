package scopes_test

import (
	"net/http"
	"net/url"
	"regexp"
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

var (
	refBadQuery = regexp.MustCompile(`[^\x21-\x7e]|[;#]`)
	// What PHP, Rails, qs and ASP.NET make of the name of a parameter.
	refParameter = regexp.MustCompile(`(?s)^[\[+\s\x00\v]*([^\[\]\x00]*?)[+\s\x00\v]*([\[\]\x00].*)?$`)
	refMark      = regexp.MustCompile(`[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]`)
)

func refFold(name string) string {
	return refMark.ReplaceAllString(strings.ToLower(strings.ToUpper(name)), "_")
}

// refInput gives the value of {query:...}, {header:...} or {claim:...}.
func refInput(variable string, req refRequest, separator string) (string, bool) {
	kind, name, _ := strings.Cut(strings.Trim(variable, "{}"), ":")
	switch kind {
	case "claim":
		value, ok := req.claims[name]
		return value, ok
	case "header":
		var lines []string
		total := 0
		for other, values := range req.header {
			if total += len(values); total > 256 {
				return "", false
			}
			if refFold(other) != refFold(name) {
				continue
			}
			if other != http.CanonicalHeaderKey(name) {
				return "", false
			}
			lines = values
		}
		if len(lines) != 1 || strings.Contains(lines[0], ",") && separator != "," {
			return "", false
		}
		return lines[0], true
	}
	if refBadQuery.MatchString(req.query) || len(req.query) > 16*1024 || len(strings.Split(req.query, "&")) > 256 {
		return "", false
	}
	var found []string
	for pair := range strings.SplitSeq(req.query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(key)
		if _, err2 := url.PathUnescape(value); err != nil || err2 != nil || strings.Contains(decoded, "%") {
			return "", false
		}
		if decoded == name {
			found = append(found, value)
		} else if refFold(refParameter.FindStringSubmatch(decoded)[1]) == refFold(name) {
			return "", false
		}
	}
	if len(found) != 1 || strings.Contains(found[0], "+") {
		return "", false
	}
	value, _ := url.PathUnescape(found[0])
	raw := len(strings.Split(found[0], separator))
	if separator != "" && raw > 1 && raw != len(strings.Split(value, separator)) {
		return "", false
	}
	return value, true
}
