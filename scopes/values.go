package scopes

import "strings"

// values are the variables of one request that enter a resource.
type values struct {
	one  [maxVariables]Literal
	rest string // of "{name...}": segments that are each a literal
	list string // of "each": items that are each a literal
}

// capture takes the values out of a request that the rule matches. It is false
// if one of them is missing, doubtful, or no literal.
func (m *Match) capture(in Inputs, vals *values) bool {
	if !m.rule.segments(m.path, vals) {
		return false
	}
	if m.decoded != "" {
		var other values
		if !m.rule.segments(m.decoded, &other) || other != *vals {
			return false
		}
	}
	for i := range m.rule.inputs {
		if !m.rule.input(&m.rule.inputs[i], in, vals) {
			return false
		}
	}
	return true
}

// segments takes the values out of a path.
func (r *rule) segments(path string, vals *values) bool {
	body, _ := splitPath(path)
	for _, s := range r.path {
		text, left, _ := strings.Cut(body, "/")
		switch {
		case s.kind == segLiteral || s.slot < 0:
		case s.kind == segVariable:
			if literalFault(text, maxLiteral) != "" {
				return false
			}
			vals.one[s.slot] = Literal{text: text}
		default:
			for more, rest := true, body; more; {
				text, rest, more = strings.Cut(rest, "/")
				if literalFault(text, maxLiteral) != "" {
					return false
				}
			}
			vals.rest = body
		}
		body = left
	}
	return true
}

// input takes one value out of the query, the headers or the claims.
func (r *rule) input(v *input, in Inputs, vals *values) bool {
	if r.each.separator == "" || v.slot != r.each.slot {
		text, ok := v.read(in, "")
		if !ok || !isItem(text) {
			return false
		}
		vals.one[v.slot] = Literal{text: text}
		return true
	}
	text, ok := v.read(in, r.each.separator)
	if !ok || strings.Count(text, r.each.separator) >= maxItems {
		return false
	}
	for item, rest, more := "", text, true; more; {
		item, rest, more = strings.Cut(rest, r.each.separator)
		if !isItem(item) {
			return false
		}
	}
	vals.list = text
	return true
}

// isItem says whether a value that is not of the path is a literal, the same to
// who trims it as to who does not. HTTP/1 trims headers, which HTTP/2 brings as
// they are.
func isItem(s string) bool { return literalFault(s, maxLiteral) == "" && strings.TrimSpace(s) == s }

// take makes the next item of a list the value that is decided on. Where there
// is no list, it does nothing once.
func (l list) take(items string, vals *values) (rest string, more bool) {
	if l.separator == "" {
		return "", false
	}
	item, rest, more := strings.Cut(items, l.separator)
	vals.one[l.slot] = Literal{text: item}
	return rest, more
}
