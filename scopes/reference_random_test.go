package scopes_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// pick takes one of a list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// randomResource makes a resource with the variables, in which the segments of
// a path stand too.
func randomResource(r *rand.Rand, path []string, all bool) string {
	var resource []string
	for _, part := range path {
		if strings.HasPrefix(part, "{v") || strings.HasPrefix(part, "{r") {
			if all || r.IntN(2) == 0 {
				resource = append(resource, part)
			}
		} else if r.IntN(2) == 0 {
			resource = append(resource, pick(r, "a", "b", "ab", "a*", "*"))
		}
	}
	if r.IntN(4) == 0 {
		resource = append(resource, pick(r, "{query:q}", "{query:q}", "{query:q_x}", "{header:X-H}", "{claim:c}"))
	}
	if len(resource) == 0 || r.IntN(4) == 0 {
		resource = append(resource, pick(r, "a", "**", "*"))
	}
	return strings.Join(resource, "/")
}

// randomRule makes one rule, in both forms.
func randomRule(r *rand.Rand) (refRule, scopes.Rule) {
	var path []string
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
	ref := refRule{method: pick(r, "GET", "POST"), path: "/" + strings.Join(path, "/")}
	if len(path) > 0 && r.IntN(5) == 0 {
		ref.path += "/"
	}
	rule := scopes.Rule{Method: ref.method, Path: ref.path}
	if r.IntN(8) == 0 {
		path = []string{pick(r, "a", "b"), pick(r, "a", "b", "{_m}")}
		ref.method, ref.path = "POST", "/"+strings.Join(path, "/")
		rule.Method, rule.Path = "grpc", ref.path[1:]
	}
	ref.name = rule.Method + " " + rule.Path
	if r.IntN(6) == 0 && !strings.Contains(ref.path, "{v") && !strings.Contains(ref.path, "{rest") {
		ref.open, rule.Access = true, pick(r, scopes.AccessPublic, scopes.AccessAuthenticated)
		return ref, rule
	}
	for i := range pick(r, 1, 1, 1, 2, 3) {
		ref.needs = append(ref.needs, refNeed{pick(r, "p", "p", "q", "t/p"), randomResource(r, path, i == 0)})
	}
	list := &rule.AllOf
	if ref.anyOf = r.IntN(3) == 0; ref.anyOf {
		list = &rule.AnyOf
	}
	for _, n := range ref.needs {
		*list = append(*list, scopes.RuleNeed{Permission: n.permission, Resource: n.resource})
		for _, v := range []string{"{query:q}", "{query:q_x}", "{header:X-H}"} {
			if strings.Contains(n.resource, v) && r.IntN(2) == 0 {
				ref.list, ref.separator = v, pick(r, ",", "|")
				rule.Each = &scopes.Each{Variable: strings.Trim(v, "{}"), Separator: ref.separator}
			}
		}
	}
	return ref, rule
}

// randomRules makes rules that all load: one that is the same as another is
// left out.
func randomRules(t *testing.T, r *rand.Rand) ([]refRule, *scopes.Policy) {
	t.Helper()
	var refs []refRule
	var rules []scopes.Rule
	var policy *scopes.Policy
	for range 1 + r.IntN(8) {
		ref, rule := randomRule(r)
		declared := func(s, p string) bool { return s == "t" && p == "p" }
		next, err := scopes.NewPolicy("s", []string{"p", "q"}, declared, []string{"c"}, append(rules[:len(rules):len(rules)], rule))
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

// randomRequest makes a request, most often one for the rule.
func randomRequest(r *rand.Rand, ref refRule) refRequest {
	req := refRequest{
		method: pick(r, "GET", "GET", "HEAD", "POST", "POST", "PUT"), keep: r.IntN(2) == 0,
		header: map[string][]string{}, claims: map[string]string{},
	}
	aimed := r.IntN(3) > 0
	if aimed {
		req.method = ref.method
		for part := range strings.SplitSeq(ref.path[1:], "/") {
			if isVar(part) {
				part = pick(r, "a", "a", "b", "ab", "a%2Fb", "*")
			}
			req.path += "/" + part
		}
	}
	for range r.IntN(5) {
		if aimed {
			break
		}
		req.path += "/" + pick(r, "a", "a", "b", "ab", "abc", "%61", "z", "*", "%25", "%E2%80%8B", "a%2fb", "..", "a;b")
	}
	if !aimed {
		req.path += pick(r, "", "", "", "/")
	}
	req.query = randomQuery(r)
	for range pick(r, 0, 1, 1, 1, 2) {
		name := pick(r, "X-H", "X-H", "X-H", "X_h", "X.H", "X-I")
		value := pick(r, "a", "a", "b", "a,b", "a|b", "a, b", "*", "")
		req.header[name] = append(req.header[name], mutate(r, value, " ", "\t", "\u00a0", "é", "\xe9", ","))
	}
	if r.IntN(3) > 0 {
		req.claims["c"] = pick(r, "a", "a", "b", "*", "")
	}
	return req
}

// mutate now and then puts one of the pieces somewhere into a text.
func mutate(r *rand.Rand, s string, pieces ...string) string {
	if r.IntN(5) > 0 {
		return s
	}
	at := r.IntN(len(s) + 1)
	return s[:at] + pick(r, pieces...) + s[at:]
}

// randomQuery makes a query, often with a name that is nearly one of the rule's.
func randomQuery(r *rand.Rand) string {
	odd := []string{"[", "]", "[]", "[x]", "+", "%20", "%00", ".", ".x", "_", "-", "%5B", "%5D", "%C2%A0", "%E2%84%AA", "%FF", "%25", "a"}
	var pairs []string
	for range pick(r, 0, 1, 1, 1, 2, 3) {
		name := pick(r, "q", "q", "q", "q_x", "q_x", "x", "Q", "Q_X", "%71", "q%5Bx", "q.x", "q-x", "")
		name = mutate(r, mutate(r, name, odd...), odd...)
		value := pick(r, "a", "a", "b", "%61", "a,b", "a|b", "a%2Cb", "a%2cb,a", "a,,b", "*", "", "a+b", "a%20,b", "%zz")
		value = mutate(r, value, "%20", "%C2%A0", "%C3%A9", "+", "%E3%80%80", "%2C", "=", "&", ";")
		pairs = append(pairs, name+pick(r, "=", "=", "=", "=", "=", "")+value)
	}
	return strings.Join(pairs, "&")
}

// randomSet makes the same set in both forms, often with what the rule needs.
func randomSet(t *testing.T, r *rand.Rand, ref refRule) (entries []refEntry, set scopes.Set) {
	t.Helper()
	var list []scopes.Entry
	add := func(e refEntry) {
		entries = append(entries, e)
		list = append(list, scopes.Entry{Service: e.service, Permission: e.permission, Resource: pattern(t, e.pattern)})
	}
	for _, n := range ref.needs {
		owner, permission, foreign := strings.Cut(n.permission, "/")
		if !foreign {
			owner, permission = "s", n.permission
		}
		segs := strings.Split(n.resource, "/")
		for i, part := range segs {
			if isVar(part) {
				segs[i] = pick(r, "a", "a*", "*", "*")
			}
		}
		if r.IntN(3) > 0 {
			add(refEntry{owner, permission, strings.Join(segs, "/")})
		}
	}
	for range r.IntN(4) {
		segs := []string{}
		for range r.IntN(4) {
			segs = append(segs, pick(r, "a", "b", "ab", "a*", "ab*", "*", "z"))
		}
		if len(segs) == 0 || r.IntN(3) == 0 {
			segs = append(segs, "**")
		}
		add(refEntry{pick(r, "s", "s", "t"), pick(r, "p", "p", "q"), strings.Join(segs, "/")})
	}
	set, err := scopes.NewSet(list...)
	if err != nil {
		t.Fatal(err)
	}
	return entries, set
}
