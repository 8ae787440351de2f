package scopes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// policyFile is what policy.txt said so far.
type policyFile struct {
	service     string
	permissions []string
	others      []string
	rules       []scopes.Rule
	policy      *scopes.Policy
}

// compile makes a policy of the rules and perhaps one more.
func (f *policyFile) compile(more ...scopes.Rule) (*scopes.Policy, error) {
	declared := func(service, permission string) bool {
		return slices.Contains(f.others, service+"/"+permission)
	}
	return scopes.NewPolicy(f.service, f.permissions, declared, append(slices.Clone(f.rules), more...))
}

func TestPolicyVectors(t *testing.T) {
	var f policyFile
	for _, v := range vectors(t, "policy.txt") {
		verb, line, _ := strings.Cut(v.in, " ")
		words := strings.Fields(line)
		switch verb {
		case "service":
			f = policyFile{service: words[0], permissions: words[1:]}
		case "other":
			f.others = words
		case "rule":
			r, err := scopes.ParseRule(v.at, words...)
			if err != nil {
				t.Fatal(err)
			}
			f.rules = append(f.rules, r)
		case "bad":
			f.checkBad(t, v, words)
		case "req":
			f.checkRequest(t, v, line)
		default:
			t.Fatalf("%s: unrecognized %q", v.at, verb)
		}
	}
}

// checkBad checks that a rule is a load error, which names its line.
func (f *policyFile) checkBad(t *testing.T, v vector, words []string) {
	t.Helper()
	r, err := scopes.ParseRule(v.at, words...)
	if err == nil {
		_, err = f.compile(r)
	}
	v.want = "error: " + v.want
	v.check(t, "a policy", err)
	if err != nil && !strings.HasPrefix(err.Error(), v.at+": ") {
		t.Errorf("%s: the error does not begin with the line: %v", v.at, err)
	}
}

// checkRequest checks one decision.
func (f *policyFile) checkRequest(t *testing.T, v vector, line string) {
	t.Helper()
	if f.policy == nil {
		p, err := f.compile()
		if err != nil {
			t.Fatal(err)
		}
		f.policy = p
	}
	request, have, _ := strings.Cut(line, " | ")
	method, raw, _ := strings.Cut(request, " ")
	path, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash)
	if err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	presented := held(t, v.at, have)
	m := f.policy.Find(method, path)
	d := m.Decide(presented, presented.Service(f.service), scopes.Inputs{})
	got := strings.TrimSpace(d.Reason().String() + " " + m.Rule())
	if missing := d.Missing(); missing != nil {
		var list []string
		for _, n := range missing {
			list = append(list, n.Service+" "+n.Permission+" "+n.Resource)
		}
		got += " | missing " + strings.Join(list, ", ")
	}
	if m.Reason() == scopes.ReasonMethodNotAllowed {
		got += " | allow " + strings.Join(m.AllowedMethods(), " ")
	}
	v.check(t, got, nil)
	if d.Allowed() != strings.HasPrefix(v.want, "allowed ") {
		t.Errorf("%s: allowed is %v", v.at, d.Allowed())
	}
}
