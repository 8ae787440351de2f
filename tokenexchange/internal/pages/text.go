package pages

import (
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"
)

// text is words with holes for values, as in "Log in to {client}".
type text []part

// part is words, or a hole.
type part struct{ words, hole string }

var hole = regexp.MustCompile(`\{[^{}]*\}`)

var holeName = regexp.MustCompile(`^[a-z]+$`)

// parseText reads a text of a catalogue. Texts are words and no HTML: what looks
// like a tag is shown as it stands.
func parseText(s string) (text, error) {
	var t text
	for s != "" {
		at := hole.FindStringIndex(s)
		if at == nil {
			at = []int{len(s), len(s)}
		}
		words, name := s[:at[0]], strings.Trim(s[at[0]:at[1]], "{}")
		if strings.ContainsAny(words, "{}") {
			return nil, fmt.Errorf("a brace that belongs to no {name}")
		}
		if words != "" {
			t = append(t, part{words: words})
		}
		if at[0] < at[1] {
			if !holeName.MatchString(name) {
				return nil, fmt.Errorf("{%s}: expected a name of small letters in the braces", name)
			}
			t = append(t, part{hole: name})
		}
		s = s[at[1]:]
	}
	return t, nil
}

// holes are the names of the values that a text wants.
func (t text) holes() map[string]bool {
	names := map[string]bool{}
	for _, p := range t {
		if p.hole != "" {
			names[p.hole] = true
		}
	}
	return names
}

// phrase is words of the language itself, as the value of a hole.
type phrase string

// values are what fills the holes of a text, by name. A string may come from
// anybody and be written from right to left; it is kept from turning the words
// around it. A phrase and an HTML are of this package.
type values map[string]any

// named reads what a template gives: names and values in turn.
func named(pairs []any) (values, error) {
	v := values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v: expected the name of a value", pairs[i])
		}
		v[name] = pairs[i+1]
	}
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("%v: a name without a value", pairs[len(pairs)-1])
	}
	return v, nil
}

// html fills a text. This is the one place of the package that makes HTML, and it
// escapes all but its own tags.
func (t text) html(v values) (template.HTML, error) {
	var b strings.Builder
	for _, p := range t {
		if p.hole == "" {
			b.WriteString(template.HTMLEscapeString(p.words))
			continue
		}
		switch value := v[p.hole].(type) {
		case template.HTML:
			b.WriteString(string(value))
		case phrase:
			b.WriteString(template.HTMLEscapeString(string(value)))
		case int:
			b.WriteString(strconv.Itoa(value))
		case string:
			b.WriteString("<bdi>" + template.HTMLEscapeString(value) + "</bdi>")
		default:
			return "", fmt.Errorf("the text has {%s}, for which there is no value", p.hole)
		}
	}
	return template.HTML(b.String()), nil //nolint:gosec // Every part is escaped above.
}

// plain fills a text for where no tag can stand, such as a title.
func (t text) plain(v values) (string, error) {
	const isolate, end = "\u2068", "\u2069" // what <bdi> does
	var b strings.Builder
	for _, p := range t {
		if p.hole == "" {
			b.WriteString(p.words)
			continue
		}
		switch value := v[p.hole].(type) {
		case phrase:
			b.WriteString(string(value))
		case int:
			b.WriteString(strconv.Itoa(value))
		case string:
			b.WriteString(isolate + value + end)
		default:
			return "", fmt.Errorf("the text has {%s}, for which there is no value", p.hole)
		}
	}
	return b.String(), nil
}
