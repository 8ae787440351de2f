package scopes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

func TestPolicyTexts(t *testing.T) {
	rules := []scopes.Rule{
		{Access: scopes.AccessPublic, Method: "GET", Path: "/{_all...}", Source: "Caddyfile:3"},
		{Access: scopes.AccessPublic, Method: "GET", Path: "/assets/{_rest...}", Source: "Caddyfile:4"},
		{Access: scopes.AccessPermission, Method: "GET", Path: "/r/{id}", AllOf: needs("r/read {id}"), Source: "Caddyfile:5"},
		{Access: scopes.AccessPermission, Method: "GET", Path: "/both/{id}", AnyOf: needs("r/read {id}", "r/read all/**"), Source: "Caddyfile:6"},
		{Access: scopes.AccessPermission, Method: "GET", Path: "/one/{id}/{sub...}", AnyOf: needs("r/read {id}/{sub...}", "r/read {id}"), Source: "Caddyfile:7"},
		{Access: scopes.AccessPermission, Method: "GET", Path: "/all/{id}/{sub...}", AllOf: needs("r/read {id}/{sub...}", "r/read {id}"), Source: "Caddyfile:8"},
	}
	for line, method := range []string{"POTS", "PSOT", "DELTE", "GETS", "PATHC", "EGT", "PUR", "LIST", "PURGE", "SEARCH", "UPDATE", "MOVE", "POST"} {
		rules = append(rules, scopes.Rule{Access: scopes.AccessAuthenticated, Method: method, Path: "/m", Source: fmt.Sprint("Caddyfile:", 10+line)})
	}
	declared := func(s, p string) bool { return s == "r" && p == "read" }
	p, err := scopes.NewPolicy("s", []string{"read"}, declared, nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET /assets/{_rest...}", "GET /{_all...}"}, p.Public()); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"Caddyfile:3: GET /{_all...}: public, with a variable in the first segment: it opens more than is in sight",
		"Caddyfile:7: GET /one/{id}/{sub...}: an alternative of any_of does not look at a variable that another one checks: whoever holds it may use every value",
		"Caddyfile:10: POTS /m: the method is almost POST: if that is meant, its requests do not find this rule",
		"Caddyfile:11: PSOT /m: the method is almost POST: if that is meant, its requests do not find this rule",
		"Caddyfile:12: DELTE /m: the method is almost DELETE: if that is meant, its requests do not find this rule",
		"Caddyfile:13: GETS /m: the method is almost GET: if that is meant, its requests do not find this rule",
		"Caddyfile:14: PATHC /m: the method is almost PATCH: if that is meant, its requests do not find this rule",
		"Caddyfile:15: EGT /m: the method is almost GET: if that is meant, its requests do not find this rule",
		"Caddyfile:16: PUR /m: the method is almost PUT: if that is meant, its requests do not find this rule",
	}
	if diff := cmp.Diff(want, p.Warnings()); diff != "" {
		t.Error(diff)
	}
	path, _ := scopes.CanonicalPath("/r/1", scopes.RefuseEncodedSlash)
	m := p.Find("GET", path)
	if m.Access() != scopes.AccessPermission || m.Reason() != scopes.ReasonNotReady {
		t.Errorf("access %v, reason %v", m.Access(), m.Reason())
	}
	// A foreign right is decided on the presented set and on no other.
	right := held(t, "", "r read 1")
	if !m.Decide(right, scopes.Set{}, scopes.Inputs{}).Allowed() || m.Decide(held(t, "", "s read **"), right, scopes.Inputs{}).Allowed() {
		t.Error("a foreign right was decided on the derived set")
	}

	// All rules that are wrong are named at once, each with its line.
	rules[0].Path, rules[2].AllOf = "x", needs("raed {id}")
	_, err = scopes.NewPolicy("s", []string{"write", "read"}, nil, nil, rules[:3])
	wantText := `Caddyfile:3: GET x: path "x": expected a slash at the start
Caddyfile:5: GET /r/{id}: permission "raed" is not declared by service "s": the nearest is "read"`
	if err == nil || err.Error() != wantText {
		t.Errorf("got %v, want %s", err, wantText)
	}
	if _, err := scopes.NewPolicy("s", nil, nil, nil, []scopes.Rule{{
		Access: scopes.AccessPermission, Method: "GET", Path: "/", AllOf: needs("r/read x"),
	}}); err == nil || !strings.Contains(err.Error(), `permission "read" is not declared by a service "r"`) {
		t.Errorf("another service's right, and none is known: %v", err)
	}
	for _, bad := range []struct {
		service     string
		permissions []string
		want        string
	}{
		{"external/s", nil, "external/"},
		{"s", []string{"a b"}, "permission: id"},
		{"s", []string{"a", "a"}, `permission "a" is declared twice`},
		{"s", nil, `permission "raed": service "s" declares none`},
	} {
		if _, err := scopes.NewPolicy(bad.service, bad.permissions, nil, nil, rules); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("got %v, want %s", err, bad.want)
		}
	}
}

// TestOwnRightsAreDecidedOnTheDerivedSet checks that the presented set, which
// may hold more, gives nothing by itself.
func TestOwnRightsAreDecidedOnTheDerivedSet(t *testing.T) {
	path, _ := scopes.CanonicalPath("/v1/o/1/lines/1", scopes.RefuseEncodedSlash)
	m := benchPolicy(t, 1).Find("GET", path)
	right, other := held(t, "", "s read o/1"), held(t, "", "s read o/2")
	if d := m.Decide(right, other, scopes.Inputs{}); d.Reason() != scopes.ReasonResourceMissing {
		t.Errorf("got %v", d.Reason())
	}
	if d := m.Decide(right, scopes.Set{}, scopes.Inputs{}); d.Reason() != scopes.ReasonServiceMissing {
		t.Errorf("got %v", d.Reason())
	}
	want := []scopes.Need{{Service: "s", Permission: "read", Resource: "o/1"}}
	if diff := cmp.Diff(want, m.Decide(scopes.Set{}, scopes.Set{}, scopes.Inputs{}).Missing()); diff != "" {
		t.Error(diff)
	}
}

func TestNoAllocations(t *testing.T) {
	policy := benchPolicy(t, 1000)
	set := benchSet(t, 256, "o/%d")
	for _, raw := range []string{"/v1/o/77/lines/7", "/v1/o/zz/lines/7", "/v1/o/*/lines/7", "/v1/none", "/v1/o/"} {
		path, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD", "POST"} {
			allocs := testing.AllocsPerRun(100, func() {
				m := policy.Find(method, path)
				if d := m.Decide(set, set, scopes.Inputs{}); d.Allowed() != (raw == "/v1/o/77/lines/7" && method != "POST") {
					t.Errorf("%s %s: %v", method, raw, d.Reason())
				}
				_, _ = m.Rule(), m.Access()
				m.Decide(scopes.Set{}, scopes.Set{}, scopes.Inputs{})
			})
			if allocs != 0 {
				t.Errorf("%s %s: %v allocations", method, raw, allocs)
			}
		}
	}
}

// TestAllocationsOfInputs says what values cost that are not of the path: only
// what is decoded is copied.
func TestAllocationsOfInputs(t *testing.T) {
	set := benchSet(t, 16, "o/%d")
	for _, form := range inputForms {
		m, in := inputForm(t, form.rule, form.query)
		allocs := testing.AllocsPerRun(100, func() {
			if d := m.Decide(set, set, in); !d.Allowed() {
				t.Errorf("%s: %v", form.name, d.Reason())
			}
		})
		if allocs != form.allocs {
			t.Errorf("%s: %v allocations, want %v", form.name, allocs, form.allocs)
		}
	}
}

// TestAdversarialPath has rules that are all ways through a tree of literals
// and variables, and a path that every one of them almost matches.
func TestAdversarialPath(t *testing.T) {
	const depth = 13
	var rules []scopes.Rule
	for bits := range 1 << depth {
		r := scopes.Rule{Access: scopes.AccessAuthenticated, Method: "GET"}
		for i := range depth {
			if bits>>i&1 == 0 {
				r.Path += "/a"
			} else {
				r.Path += fmt.Sprintf("/{_v%d}", i)
			}
		}
		r.Path += "/end"
		rules = append(rules, r)
	}
	policy, err := scopes.NewPolicy("s", nil, nil, nil, rules[:3])
	if err != nil {
		t.Fatal(err)
	}
	path, _ := scopes.CanonicalPath(strings.Repeat("/a", depth)+"/none", scopes.RefuseEncodedSlash)
	long, _ := scopes.CanonicalPath(strings.Repeat("/a", 8000), scopes.RefuseEncodedSlash)
	for name, p := range map[string]scopes.Path{"a path": path, "a long path": long} {
		fastest := time.Hour // The machine may pause during any of them.
		for range 5 {
			start := time.Now()
			if m := policy.Find("GET", p); m.Reason() != scopes.ReasonNoRule {
				t.Errorf("%s: got %v", name, m.Reason())
			}
			fastest = min(fastest, time.Since(start))
		}
		if fastest > 500*time.Millisecond {
			t.Errorf("%s took %v", name, fastest)
		}
	}
}
