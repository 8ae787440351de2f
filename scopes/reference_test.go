package scopes_test

import (
	"regexp"
	"slices"
	"strings"
)

// The reference evaluator: docs/scopes.md said once more, as plainly as can
// be, on strings, without an index and without a trie.

type refRule struct {
	name         string // as logs show it
	open         bool   // public or authenticated
	method, path string // of the request
	needs        []refNeed
	anyOf        bool
	list         string // the variable that is a list, with braces
	separator    string
}

type refNeed struct{ permission, resource string }

type refEntry struct{ service, permission, pattern string }

type refRequest struct {
	method, path, query string
	header              map[string][]string
	claims              map[string]string
	keep                bool // encoded_slash
}

var refLiteral = regexp.MustCompile(`^[^/*%\\\p{Cc}\p{Cf}]{1,128}$`)

func refIsLiteral(s string) bool {
	return refLiteral.MatchString(s) && strings.ToValidUTF8(s, "") == s && len(s) <= 128 && s != "." && s != ".."
}

// refIsItem is for values that are not of the path: one reader trims them.
func refIsItem(s string) bool { return refIsLiteral(s) && strings.TrimSpace(s) == s }

func isVar(s string) bool { return strings.HasPrefix(s, "{") }

// refMatch gives the variables of a path, or nil if the rule is not for it.
func refMatch(rule, path []string) map[string][]string {
	vars := map[string][]string{}
	for i, part := range rule {
		if strings.HasSuffix(part, "...}") {
			rest := path[min(i, len(path)):]
			if slash := i+1 < len(rule); slash { // the rule ends in {x...}/
				if len(rest) < 2 || rest[len(rest)-1] != "" {
					return nil
				}
				rest = rest[:len(rest)-1]
			}
			if len(rest) == 0 || slices.Contains(rest, "") {
				return nil
			}
			vars[part] = rest
			return vars
		}
		if i >= len(path) || isVar(part) && path[i] == "" || !isVar(part) && path[i] != part {
			return nil
		}
		if isVar(part) {
			vars[part] = []string{path[i]}
		}
	}
	if len(rule) != len(path) {
		return nil
	}
	return vars
}

// refRank is larger for the less specific segment.
func refRank(s string) int {
	switch {
	case strings.HasSuffix(s, "...}"):
		return 2
	case isVar(s):
		return 1
	}
	return 0
}

// refMoreSpecific compares two rules that both match one path.
func refMoreSpecific(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if refRank(a[i]) != refRank(b[i]) {
			return refRank(a[i]) < refRank(b[i])
		}
	}
	return false
}

// refCovers says whether pattern a covers pattern b.
func refCovers(a, b []string) bool {
	if len(b) == 1 && b[0] == "**" && len(a) == 2 && a[0] == "*" && a[1] == "**" {
		return true // a resource has a segment; callers pass whole patterns here only
	}
	for len(a) > 0 && a[0] != "**" {
		if len(b) == 0 || b[0] == "**" {
			return false
		}
		prefix, wild := strings.CutSuffix(a[0], "*")
		if a[0] != b[0] && !(wild && strings.HasPrefix(b[0], prefix)) {
			return false
		}
		a, b = a[1:], b[1:]
	}
	return len(a) > 0 || len(b) == 0
}

// refFind gives the most specific rule for the method, and whether another
// method has one.
func refFind(rules []refRule, method string, path []string) (best *refRule, otherMethod bool) {
	for i, r := range rules {
		segs := strings.Split(r.path, "/")[1:]
		if refMatch(segs, path) == nil {
			continue
		}
		if r.method != method {
			otherMethod = true
		} else if best == nil || refMoreSpecific(segs, strings.Split(best.path, "/")[1:]) {
			best = &rules[i]
		}
	}
	return best, otherMethod
}

// refDecide is the whole of 3.3 to 3.5 for one request.
func refDecide(service string, rules []refRule, req refRequest, held []refEntry) string {
	path, ok := refSegments(req.path, req.keep)
	if !ok {
		return "path_ambiguous"
	}
	method := strings.Replace(req.method, "HEAD", "GET", 1)
	rule, otherMethod := refFind(rules, method, path)
	switch {
	case rule == nil && otherMethod:
		return "method_not_allowed"
	case rule == nil:
		return "no_rule"
	}
	// A reader that decodes first sees these segments.
	decoded := strings.Split(strings.Join(path, "/"), "/")
	other, _ := refFind(rules, method, decoded)
	if other != nil && other != rule {
		return "path_ambiguous"
	}
	if rule.open {
		return "allowed " + rule.name
	}
	vars := refMatch(strings.Split(rule.path, "/")[1:], path)
	if other == rule {
		for part, value := range refMatch(strings.Split(rule.path, "/")[1:], decoded) {
			if !strings.HasPrefix(part, "{_") && !slices.Equal(value, vars[part]) {
				return "variable_rejected " + rule.name
			}
		}
	}
	items := []string{""}
	for _, n := range rule.needs {
		for part := range strings.SplitSeq(n.resource, "/") {
			switch {
			case !isVar(part) || vars[part] != nil:
				// Nothing to read.
			case part == rule.list:
				list, ok := refInput(part, req, rule.separator)
				items = strings.Split(list, rule.separator)
				bad := func(item string) bool { return !refIsItem(item) }
				if !ok || len(items) > 100 || slices.ContainsFunc(items, bad) {
					return "variable_rejected " + rule.name
				}
				continue
			default:
				value, ok := refInput(part, req, "")
				if !ok || !refIsItem(value) {
					return "variable_rejected " + rule.name
				}
				vars[part] = []string{value}
			}
			for _, value := range vars[part] {
				if !refIsLiteral(value) {
					return "variable_rejected " + rule.name
				}
			}
		}
	}
	for _, item := range items {
		vars[rule.list] = []string{item}
		if reason := refItem(service, rule, vars, held); reason != "allowed" {
			return reason + " " + rule.name
		}
	}
	return "allowed " + rule.name
}

// refOrder is how far a need can come.
var refOrder = []string{"no_resource_scope", "service_missing", "permission_missing", "resource_missing", "allowed"}

// refItem decides with the values as they are.
func refItem(service string, rule *refRule, vars map[string][]string, held []refEntry) string {
	furthest := 0
	for _, n := range rule.needs {
		came := refNeedReason(service, n, vars, held)
		if !rule.anyOf && came < 4 {
			return refOrder[came]
		}
		furthest = max(furthest, came)
	}
	return refOrder[furthest]
}

// refNeedReason says how far one need comes.
func refNeedReason(service string, n refNeed, vars map[string][]string, held []refEntry) int {
	var need []string
	for part := range strings.SplitSeq(n.resource, "/") {
		if isVar(part) {
			need = append(need, vars[part]...)
		} else {
			need = append(need, part)
		}
	}
	owner, permission, foreign := strings.Cut(n.permission, "/")
	if !foreign {
		owner, permission = service, n.permission
	}
	came := min(len(held), 1)
	for _, e := range held {
		switch {
		case e.service != owner:
		case e.permission != permission:
			came = max(came, 2)
		case refCovers(strings.Split(e.pattern, "/"), need):
			came = 4
		default:
			came = max(came, 3)
		}
	}
	return came
}
