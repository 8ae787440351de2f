package scopes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// policyFile is what a file with rules said so far.
type policyFile struct {
	service     string
	permissions []string
	others      []string
	claims      []string
	slash       scopes.EncodedSlash
	rules       []scopes.Rule
	policy      *scopes.Policy
}

// compile makes a policy of the rules and perhaps one more.
func (f *policyFile) compile(more ...scopes.Rule) (*scopes.Policy, error) {
	declared := func(service, permission string) bool {
		return slices.Contains(f.others, service+"/"+permission)
	}
	return scopes.NewPolicy(f.service, f.permissions, declared, f.claims, append(slices.Clone(f.rules), more...))
}

func TestPolicyVectors(t *testing.T) {
	for _, name := range []string{"policy.txt", "blocks.txt", "inputs.txt", "grpc.txt", "slash.txt", "narrow.txt"} {
		var f policyFile
		for _, v := range vectors(t, name) {
			verb, line, _ := strings.Cut(v.in, " ")
			words := strings.Fields(line)
			switch verb {
			case "service":
				f = policyFile{service: words[0], permissions: words[1:]}
			case "other":
				f.others = words
			case "claims":
				f.claims = words
			case "keep":
				f.slash = scopes.KeepEncodedSlash
			case "rule":
				r, err := parseRule(v.at, words)
				if err != nil {
					t.Fatal(err)
				}
				f.rules = append(f.rules, r)
			case "bad":
				f.checkBad(t, v, words)
			case "req":
				f.checkRequest(t, v, line)
			case "narrow":
				f.checkNarrow(t, v, line)
			default:
				t.Fatalf("%s: unrecognized %q", v.at, verb)
			}
		}
	}
}

// parseRule reads the words of a rule, with its block in the same line.
func parseRule(at string, words []string) (scopes.Rule, error) {
	block := slices.Index(words, "{")
	if block < 0 {
		return scopes.ParseRule(at, words...)
	}
	r, err := scopes.ParseRule(at, words[:block]...)
	into := &r.AllOf
	for words = words[block:]; len(words) > 0 && err == nil; {
		n := 1
		switch words[0] {
		case "all_of":
			into = &r.AllOf
		case "any_of":
			into = &r.AnyOf
		case "{", "}", "|":
		case "each":
			n = min(3, len(words))
			r.Each, err = scopes.ParseEach(at, words[1:n]...)
		default:
			n = max(slices.IndexFunc(words, func(w string) bool { return w == "|" || w == "}" }), 0)
			var need scopes.RuleNeed
			need, err = scopes.ParseNeed(at, words[:n]...)
			*into = append(*into, need)
		}
		words = words[n:]
	}
	return r, err
}

// checkBad checks that a rule is a load error, which names its line.
func (f *policyFile) checkBad(t *testing.T, v vector, words []string) {
	t.Helper()
	r, err := parseRule(v.at, words)
	if err == nil {
		_, err = f.compile(r)
	}
	v.want = "error: " + v.want
	v.check(t, "a policy", err)
	if err != nil && !strings.HasPrefix(err.Error(), v.at+": ") {
		t.Errorf("%s: the error does not begin with the line: %v", v.at, err)
	}
}

// claims are those of a token that are texts.
type claims map[string]string

func (c claims) Claim(name string) (string, bool) {
	value, ok := c[name]
	return value, ok
}

// request reads METHOD PATH[?QUERY] [NAME:VALUE | claim:NAME=VALUE]... "|" HELD.
func (f *policyFile) request(t *testing.T, v vector, line string) (scopes.Match, scopes.Set, scopes.Inputs) {
	t.Helper()
	if f.policy == nil {
		p, err := f.compile()
		if err != nil {
			t.Fatal(err)
		}
		f.policy = p
	}
	request, have, _ := strings.Cut(line, " | ")
	words := fields(t, v.at, request)
	raw, query, _ := strings.Cut(words[1], "?")
	path, err := scopes.CanonicalPath(raw, f.slash)
	if err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	in := scopes.Inputs{Query: query, Header: map[string][]string{}}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, ":")
		if name != "claim" {
			in.Header[name] = append(in.Header[name], value)
			continue
		}
		if in.Claims == nil {
			in.Claims = claims{}
		}
		name, value, _ = strings.Cut(value, "=")
		in.Claims.(claims)[name] = value
	}
	presented := held(t, v.at, have)
	m := f.policy.Find(words[0], path)
	return m, presented, in
}

// checkRequest checks one decision.
func (f *policyFile) checkRequest(t *testing.T, v vector, line string) {
	t.Helper()
	m, presented, in := f.request(t, v, line)
	d := m.Decide(presented, presented.Service(f.service), in)
	got := strings.TrimSpace(d.Reason().String() + " " + m.Rule())
	if missing := d.Missing(); missing != nil {
		var list []string
		for _, n := range missing {
			list = append(list, n.Service+" "+n.Permission+" "+n.Resource)
		}
		if got += " | missing "; d.AnyOf() {
			got += "one of "
		}
		got += strings.Join(list, ", ")
	}
	v.check(t, got, nil)
	if d.AnyOf() && m.Access() != scopes.AccessPermission {
		t.Errorf("%s: alternatives without a permission", v.at)
	}
	if d.Allowed() != strings.HasPrefix(v.want, "allowed ") {
		t.Errorf("%s: allowed is %v", v.at, d.Allowed())
	}
	if narrow, err := d.Narrow(); err != nil || !d.Allowed() && !narrow.Empty() {
		t.Errorf("%s: %v, narrowed to %s, %v", v.at, d.Reason(), show(narrow), err)
	}
}

// checkNarrow checks what a token for one request is narrowed to.
func (f *policyFile) checkNarrow(t *testing.T, v vector, line string) {
	t.Helper()
	m, presented, in := f.request(t, v, line)
	got, err := m.Decide(presented, presented.Service(f.service), in).Narrow()
	v.check(t, show(got), err)
	// Rights of other services stay out, even if they were in the derived set.
	if all, err := m.Decide(presented, presented, in).Narrow(); err != nil || !all.Equal(got) {
		t.Errorf("%s: the presented set is narrowed to %s, %v", v.at, show(all), err)
	}
}
