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
func (r *rule) capture(path string, in Inputs, vals *values) bool {
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
	for i := range r.inputs {
		if !r.input(&r.inputs[i], in, vals) {
			return false
		}
	}
	return true
}

// input takes one value out of the query, the headers or the claims.
func (r *rule) input(v *input, in Inputs, vals *values) bool {
	if r.each.separator == "" || v.slot != r.each.slot {
		text, ok := v.read(in, "")
		if !ok || literalFault(text, maxLiteral) != "" {
			return false
		}
		vals.one[v.slot] = Literal{text: text}
		return true
	}
	text, ok := v.read(in, r.each.separator)
	if !ok || strings.Count(text, r.each.separator) >= maxItems {
		return false
	}
	// Who trims the items reads others than who does not.
	for item, rest, more := "", text, true; more; {
		item, rest, more = strings.Cut(rest, r.each.separator)
		if literalFault(item, maxLiteral) != "" || strings.Trim(item, " ") != item {
			return false
		}
	}
	vals.list = text
	return true
}

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
