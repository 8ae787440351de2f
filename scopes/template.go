package scopes

import (
	"errors"
	"fmt"
	"strings"
)

// maxVariables is how many values of one request can enter the resources of a rule.
const maxVariables = 16

// variable is one variable of a path while a rule is being compiled.
type variable struct {
	text string // as written, with braces
	at   int    // its segment of the path
	used bool   // it occurs in a resource
}

// parseVariable reads {name}, {name...}, {_name} or {_name...}. The kind is
// segNone for a text without braces.
func parseVariable(text string) (kind segKind, ignored bool, err error) {
	if !strings.ContainsAny(text, "{}") {
		return segNone, false, nil
	}
	name, opened := strings.CutPrefix(text, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !opened || !closed || strings.ContainsAny(name, "{}") {
		return segNone, false, fmt.Errorf("%s: a variable is a whole segment: expected {name} or {name...}", quote(text))
	}
	name, isRest := strings.CutSuffix(name, "...")
	name, ignored = strings.CutPrefix(name, "_")
	kind = segVariable
	if isRest {
		kind = segRest
	}
	if isName(name) {
		return kind, ignored, nil
	}
	if fault := shorthandFault(text); fault != "" {
		return segNone, false, fmt.Errorf("unrecognized variable %s: %s", quote(text), fault)
	}
	return segNone, false, fmt.Errorf("unrecognized variable %s: expected {name} or {name...}, the name in [a-z][a-z0-9_]*", quote(text))
}

// isName is the grammar of variable names.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// compilePath reads the path of a rule. A trailing slash is not among the
// segments. Variables that may enter a resource are returned by their text.
func compilePath(path string) (segs []seg, slash bool, vars map[string]*variable, err error) {
	if !strings.HasPrefix(path, "/") {
		return nil, false, nil, fmt.Errorf("path %s: expected a slash at the start", quote(path))
	}
	if strings.Contains(path, "//") {
		return nil, false, nil, fmt.Errorf("path %s: it holds an empty segment", quote(path))
	}
	vars = make(map[string]*variable)
	body, slash := splitPath(path)
	if body == "" {
		return nil, slash, vars, nil
	}
	parts := strings.Split(body, "/")
	for i, part := range parts {
		kind, ignored, err := parseVariable(part)
		if err != nil {
			return nil, false, nil, fmt.Errorf("path %s: %w", quote(path), err)
		}
		if kind == segNone {
			if err := checkPathLiteral(part); err != nil {
				return nil, false, nil, fmt.Errorf("path %s: segment %d: %w", quote(path), i+1, err)
			}
			segs = append(segs, seg{kind: segLiteral, text: part})
			continue
		}
		if kind == segRest && i != len(parts)-1 {
			return nil, false, nil, fmt.Errorf("path %s: %s stands only at the end", quote(path), part)
		}
		// {id} and {id...} would be two values under one name.
		key := strings.TrimSuffix(strings.TrimSuffix(part, "}"), "...")
		if vars[key] != nil {
			return nil, false, nil, fmt.Errorf("path %s: variable %s} occurs twice", quote(path), key)
		}
		vars[key] = &variable{text: part, at: i, used: ignored}
		segs = append(segs, seg{kind: kind, slot: -1})
	}
	return segs, slash, vars, nil
}

// checkPathLiteral refuses what no canonical path can hold, because a rule with
// it would never be found.
func checkPathLiteral(part string) error {
	if fault := literalFault(part, maxLiteral); fault != "" {
		return fmt.Errorf("%s: %s", quote(part), fault)
	}
	if i := strings.IndexAny(part, "?#;"); i >= 0 {
		return fmt.Errorf("%s: a path is written without %q", quote(part), part[i])
	}
	return nil
}

// compileResource reads the resource of a rule and gives each path variable in
// it a slot, in segs too.
func compileResource(resource string, segs []seg, vars map[string]*variable) (template, error) {
	if resource == "" {
		return template{}, errors.New("the resource is empty")
	}
	if !strings.ContainsAny(resource, "{}") {
		p, err := ParsePattern(resource)
		return template{segs: p.segs, tail: p.tail}, err
	}
	var t template
	slots := int8(0)
	for _, s := range segs {
		if s.kind == segVariable && s.slot >= 0 {
			slots++
		}
	}
	parts := strings.Split(resource, "/")
	for i, part := range parts {
		if part == "**" && i == len(parts)-1 {
			t.tail = true
			break
		}
		kind, ignored, err := parseVariable(part)
		if err != nil {
			return template{}, fmt.Errorf("resource %s: %w", quote(resource), err)
		}
		if kind == segNone {
			s, err := parseSegment(part)
			if err != nil {
				return template{}, fmt.Errorf("resource %s: segment %d: %w", quote(resource), i+1, err)
			}
			t.segs = append(t.segs, s)
			continue
		}
		v := vars[strings.TrimSuffix(strings.TrimSuffix(part, "}"), "...")]
		switch {
		case ignored:
			return template{}, fmt.Errorf("resource %s: %s is written as not checked: write the name without the underscore, "+
				"in the path too", quote(resource), part)
		case v == nil:
			return template{}, fmt.Errorf("resource %s: the path has no variable %s", quote(resource), part)
		case v.text != part:
			return template{}, fmt.Errorf("resource %s: %s is %s in the path", quote(resource), part, v.text)
		}
		v.used = true
		if s := &segs[v.at]; s.slot < 0 {
			if s.slot = slots; s.kind == segRest {
				s.slot = 0 // there is only one, with a place of its own
			} else if slots++; slots > maxVariables {
				return template{}, fmt.Errorf("resource %s: more than %d variables", quote(resource), maxVariables)
			}
		}
		t.segs = append(t.segs, segs[v.at])
	}
	return t, nil
}
