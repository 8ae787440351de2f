package scopes_test

import (
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// The reference evaluator: docs/scopes.md said once more, as plainly as can
// be, on strings, without an index and without a trie.

type refRule struct{ kind, method, path, permission, resource string }

type refEntry struct{ service, permission, pattern string }

var refLiteral = regexp.MustCompile(`^[^/*%\\\p{Cc}\p{Cf}]{1,128}$`)

func refIsLiteral(s string) bool {
	return refLiteral.MatchString(s) && len(s) <= 128 && s != "." && s != ".."
}

var refBadPath = regexp.MustCompile(`(?i)%2F|%5C|\\|//|#|;|%3B|\?|[\x00-\x20\x7f]|^[^/]|^$`)

// refDecode gives the decoded path, or false for 400.
func refDecode(raw string) (string, bool) {
	if refBadPath.MatchString(raw) {
		return "", false
	}
	s, err := url.PathUnescape(raw)
	if err != nil || strings.ToValidUTF8(s, "") != s || regexp.MustCompile(`\p{Cc}|%[0-9A-Fa-f]{2}`).MatchString(s) {
		return "", false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "." || part == ".." {
			return "", false
		}
	}
	return s, true
}

func isVar(s string) bool { return strings.HasPrefix(s, "{") }

// refMatch gives the variables of a path, or nil if the rule is not for it.
func refMatch(rule, path []string) map[string]string {
	vars := map[string]string{}
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
			vars[part] = strings.Join(rest, "/")
			return vars
		}
		if i >= len(path) || isVar(part) && path[i] == "" || !isVar(part) && path[i] != part {
			return nil
		}
		if isVar(part) {
			vars[part] = path[i]
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

// refDecide is the whole of 3.3 to 3.5 for one request.
func refDecide(service string, rules []refRule, method, raw string, held []refEntry) string {
	decoded, ok := refDecode(raw)
	if !ok {
		return "path_ambiguous"
	}
	path := strings.Split(decoded, "/")[1:]
	if method == "HEAD" {
		method = "GET"
	}
	var best *refRule
	otherMethod := false
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
	switch {
	case best == nil && otherMethod:
		return "method_not_allowed"
	case best == nil:
		return "no_rule"
	case best.kind != "":
		return "allowed " + best.path
	}
	vars := refMatch(strings.Split(best.path, "/")[1:], path)
	var need []string
	for part := range strings.SplitSeq(best.resource, "/") {
		if !isVar(part) {
			need = append(need, part)
			continue
		}
		for value := range strings.SplitSeq(vars[part], "/") {
			if !refIsLiteral(value) {
				return "variable_rejected " + best.path
			}
			need = append(need, value)
		}
	}
	owner, permission, foreign := strings.Cut(best.permission, "/")
	if !foreign {
		owner, permission = service, best.permission
	}
	reason := "service_missing "
	for _, e := range held {
		if e.service != owner {
			continue
		}
		if e.permission != permission {
			if reason == "service_missing " {
				reason = "permission_missing "
			}
			continue
		}
		if refCovers(strings.Split(e.pattern, "/"), need) {
			return "allowed " + best.path
		}
		reason = "resource_missing "
	}
	if len(held) == 0 {
		reason = "no_resource_scope "
	}
	return reason + best.path
}

// pick takes one of a list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// randomRules makes rules that all load: a rule which does not is left out.
func randomRules(t *testing.T, r *rand.Rand) ([]refRule, *scopes.Policy) {
	t.Helper()
	var refs []refRule
	var rules []scopes.Rule
	var policy *scopes.Policy
	for range 1 + r.IntN(8) {
		var path, resource []string
		for i := range r.IntN(4) {
			part := pick(r, "a", "b", "ab", "{v}", "{_w}")
			if isVar(part) {
				part = strings.Replace(part, "}", string(rune('0'+i))+"}", 1)
			}
			path = append(path, part)
		}
		if r.IntN(4) == 0 {
			path = append(path, pick(r, "{rest...}", "{_rest...}"))
		}
		for _, part := range path {
			if strings.HasPrefix(part, "{v") || strings.HasPrefix(part, "{r") {
				resource = append(resource, part)
			} else if r.IntN(2) == 0 {
				resource = append(resource, pick(r, "a", "b", "ab", "a*", "*"))
			}
		}
		if len(resource) == 0 || r.IntN(4) == 0 {
			resource = append(resource, pick(r, "a", "**", "*"))
		}
		ref := refRule{
			method: pick(r, "GET", "POST"), path: "/" + strings.Join(path, "/"),
			permission: pick(r, "p", "q", "t/p"), resource: strings.Join(resource, "/"),
		}
		if len(path) > 0 && r.IntN(5) == 0 {
			ref.path += "/"
		}
		rule := scopes.Rule{
			Access: scopes.AccessPermission, Method: ref.method, Path: ref.path,
			AllOf: needs(ref.permission + " " + ref.resource),
		}
		if r.IntN(6) == 0 && !strings.Contains(ref.path, "{v") && !strings.Contains(ref.path, "{rest") {
			ref.kind, rule.Access = "public", scopes.AccessPublic
			rule.AllOf = nil
		}
		declared := func(s, p string) bool { return s == "t" && p == "p" }
		next, err := scopes.NewPolicy("s", []string{"p", "q"}, declared, append(rules[:len(rules):len(rules)], rule))
		if err != nil {
			if !strings.Contains(err.Error(), "it is the same as") {
				t.Fatalf("%+v: %v", rule, err)
			}
			continue
		}
		refs, rules, policy = append(refs, ref), append(rules, rule), next
	}
	return refs, policy
}

func TestDecisionsEqualTheReference(t *testing.T) {
	triples := 100_000
	if testing.Short() {
		triples = 10_000
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	seen := map[string]int{}
	for done := 0; done < triples; {
		refs, policy := randomRules(t, r)
		for range 20 {
			done++
			var raw strings.Builder
			for range r.IntN(5) {
				raw.WriteString("/" + pick(r, "a", "a", "b", "ab", "abc", "%61", "z", "*", "%25", "%E2%80%8B", "x%2Fy", "..", "a;b"))
			}
			raw.WriteString(pick(r, "", "", "", "/"))
			var entries []refEntry
			var set []scopes.Entry
			for range r.IntN(5) {
				segs := []string{}
				for range r.IntN(4) {
					segs = append(segs, pick(r, "a", "b", "ab", "a*", "ab*", "*", "z"))
				}
				if len(segs) == 0 || r.IntN(3) == 0 {
					segs = append(segs, "**")
				}
				e := refEntry{pick(r, "s", "s", "t"), pick(r, "p", "p", "q"), strings.Join(segs, "/")}
				p, err := scopes.ParsePattern(e.pattern)
				if err != nil {
					t.Fatal(err)
				}
				entries = append(entries, e)
				set = append(set, scopes.Entry{Service: e.service, Permission: e.permission, Resource: p})
			}
			method := pick(r, "GET", "GET", "HEAD", "POST", "PUT")
			presented, err := scopes.NewSet(set...)
			if err != nil {
				t.Fatal(err)
			}
			got := "path_ambiguous"
			if path, err := scopes.CanonicalPath(raw.String(), scopes.RefuseEncodedSlash); err == nil {
				m := policy.Find(method, path)
				d := m.Decide(presented, presented.Service("s"), scopes.Inputs{})
				_, rule, _ := strings.Cut(m.Rule(), " ")
				got = strings.TrimSpace(d.Reason().String() + " " + rule)
			}
			want := refDecide("s", refs, method, raw.String(), entries)
			if got != want {
				t.Fatalf("seed %d: %s %s with %s and %+v: got %q, want %q",
					seed, method, raw.String(), show(presented), refs, got, want)
			}
			reason, _, _ := strings.Cut(got, " ")
			seen[reason]++
		}
	}
	for _, reason := range []string{
		"allowed", "path_ambiguous", "no_rule", "method_not_allowed", "no_resource_scope",
		"service_missing", "permission_missing", "resource_missing", "variable_rejected",
	} {
		if seen[reason] < triples/1000 {
			t.Errorf("seed %d: only %d of %d triples were %s", seed, seen[reason], triples, reason)
		}
	}
}
