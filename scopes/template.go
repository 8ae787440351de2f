package scopes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxVariables is how many values of one request can enter the resources of a
// rule.
const maxVariables = 16

// template is a pattern with variables, in compiled parts. It is never a text
// that something is put into.
type template struct {
	segs []seg
	tail bool
}

// symbols are the variables of one rule while it is being compiled.
type symbols struct {
	segs   []seg                // of the path
	path   map[string]*variable // by their text, without dots and the closing brace
	inputs []input
	claims []string // that may be named
	slots  int8     // how many are taken
}

// variable is one variable of a path.
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
	name, ok := inBraces(text)
	if !ok {
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

// inBraces returns what stands between the braces of a text that has no others.
func inBraces(text string) (inside string, ok bool) {
	inside, opened := strings.CutPrefix(text, "{")
	inside, closed := strings.CutSuffix(inside, "}")
	return inside, opened && closed && !strings.ContainsAny(inside, "{}")
}

// isName is the grammar of the names of path variables and of claims.
func isName(s string) bool {
	return isWord(s, func(c byte) bool { return 'a' <= c && c <= 'z' }, "_0123456789")
}

// isWord says whether s begins with a letter and goes on with letters and more.
func isWord(s string, isLetter func(c byte) bool, more string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (i == 0 || strings.IndexByte(more, s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// compilePath reads the path of a rule. A trailing slash is not among the
// segments.
func compilePath(path string) (syms *symbols, slash bool, err error) {
	if !strings.HasPrefix(path, "/") {
		return nil, false, fmt.Errorf("path %s: expected a slash at the start", quote(path))
	}
	if strings.Contains(path, "//") {
		return nil, false, fmt.Errorf("path %s: it holds an empty segment", quote(path))
	}
	syms = &symbols{path: make(map[string]*variable)}
	body, slash := splitPath(path)
	if body == "" {
		return syms, slash, nil
	}
	parts := strings.Split(body, "/")
	for i, part := range parts {
		if err := syms.addSegment(part, i == len(parts)-1); err != nil {
			return nil, false, fmt.Errorf("path %s: %w", quote(path), err)
		}
	}
	return syms, slash, nil
}

// addSegment reads the next segment of a path.
func (syms *symbols) addSegment(part string, isLast bool) error {
	if in, found, err := parseInput(part); found {
		if in.kind != inputQuery && in.kind != inputHeader && in.kind != inputClaim {
			if name := string(in.kind); err != nil && isName(name) {
				return fmt.Errorf("%s: a path has no regular expressions: write {%s}", part, name)
			}
			return fmt.Errorf("%s: a path has no regular expressions: expected {name} or {name...}", part)
		}
		return fmt.Errorf("%s is no part of a path: a %s variable stands in a resource only", part, in.kind)
	}
	kind, ignored, err := parseVariable(part)
	switch {
	case err != nil:
		return err
	case kind == segNone:
		if err := checkPathLiteral(part); err != nil {
			return fmt.Errorf("segment %d: %w", len(syms.segs)+1, err)
		}
		syms.segs = append(syms.segs, seg{kind: segLiteral, text: part})
		return nil
	case kind == segRest && !isLast:
		return fmt.Errorf("%s stands only at the end", part)
	}
	// {id} and {id...} would be two values under one name.
	key := variableKey(part)
	if syms.path[key] != nil {
		return fmt.Errorf("variable %s} occurs twice", key)
	}
	syms.path[key] = &variable{text: part, at: len(syms.segs), used: ignored}
	syms.segs = append(syms.segs, seg{kind: kind, slot: -1})
	return nil
}

func variableKey(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "}"), "...")
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

// compileResource reads a resource of the rule and gives each variable in it a
// slot, in the path and in the inputs too.
func (syms *symbols) compileResource(resource string) (template, error) {
	if resource == "" {
		return template{}, errors.New("the resource is empty")
	}
	if strings.HasPrefix(resource, "/") {
		return template{}, fmt.Errorf("resource %s: a resource begins without a slash", quote(resource))
	}
	if !strings.ContainsAny(resource, "{}") {
		p, err := ParsePattern(resource)
		return template{segs: p.segs, tail: p.tail}, err
	}
	var t template
	parts := strings.Split(resource, "/")
	for i, part := range parts {
		if part == "**" && i == len(parts)-1 {
			t.tail = true
			break
		}
		var s seg
		var err error
		if strings.ContainsAny(part, "{}") {
			s, err = syms.resourceVariable(part)
		} else if s, err = parseSegment(part); err != nil {
			err = fmt.Errorf("segment %d: %w", i+1, err)
		}
		if err != nil {
			return template{}, fmt.Errorf("resource %s: %w", quote(resource), err)
		}
		t.segs = append(t.segs, s)
	}
	return t, nil
}

// choices names the variables of the path that a resource can have.
func (syms *symbols) choices() string {
	var names []string
	for _, v := range syms.path {
		if !strings.HasPrefix(v.text, "{_") {
			names = append(names, v.text)
		}
	}
	if len(names) == 0 {
		return "it in the path, which has none"
	}
	slices.Sort(names)
	return "one that it has, " + strings.Join(names, " or ")
}

// resourceVariable reads a variable in a resource.
func (syms *symbols) resourceVariable(part string) (seg, error) {
	if in, found, err := parseInput(part); found {
		if err != nil {
			return seg{}, err
		}
		if in.kind == inputClaim && !slices.Contains(syms.claims, in.name) {
			return seg{}, fmt.Errorf("%s: unrecognized claim: expected one of %v", part, syms.claims)
		}
		slot, err := syms.inputSlot(in)
		return seg{kind: segVariable, slot: slot}, err
	}
	_, ignored, err := parseVariable(part)
	if err != nil {
		return seg{}, err
	}
	v := syms.path[variableKey(part)]
	switch {
	case ignored:
		return seg{}, fmt.Errorf("%s is written as not checked: write the name without the underscore, in the path too", part)
	case v == nil:
		return seg{}, fmt.Errorf("the path has no variable %s: expected %s", part, syms.choices())
	case v.text != part:
		return seg{}, fmt.Errorf("%s is %s in the path", part, v.text)
	}
	v.used = true
	s := &syms.segs[v.at]
	if s.slot < 0 {
		if s.kind == segRest {
			s.slot = 0 // there is only one, with a place of its own
		} else if s.slot, err = syms.slot(); err != nil {
			return seg{}, err
		}
	}
	return *s, nil
}

// inputSlot returns the slot of a variable that is not of the path.
func (syms *symbols) inputSlot(in input) (int8, error) {
	if i := slices.IndexFunc(syms.inputs, in.same); i >= 0 {
		return syms.inputs[i].slot, nil
	}
	slot, err := syms.slot()
	in.slot = slot
	syms.inputs = append(syms.inputs, in)
	return slot, err
}

// slot takes the next free one.
func (syms *symbols) slot() (int8, error) {
	if syms.slots == maxVariables {
		return 0, fmt.Errorf("more than %d variables", maxVariables)
	}
	syms.slots++
	return syms.slots - 1, nil
}

// checkAllUsed refuses a variable of the path that no resource uses.
func (syms *symbols) checkAllUsed(access Access) error {
	var first *variable
	for _, v := range syms.path {
		if !v.used && (first == nil || v.at < first.at) {
			first = v
		}
	}
	switch {
	case first == nil:
		return nil
	case access == AccessPermission:
		return fmt.Errorf("%s is not checked: use it in the resource, or write {_%s", first.text, first.text[1:])
	}
	return fmt.Errorf("%s is not checked, there is no resource: write {_%s", first.text, first.text[1:])
}
