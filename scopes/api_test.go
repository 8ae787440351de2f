package scopes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

func pattern(t testing.TB, s string) scopes.Pattern {
	t.Helper()
	p, err := scopes.ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestZeroValuesDeny(t *testing.T) {
	var p scopes.Pattern
	all := pattern(t, "**")
	if p.Covers(p) || p.Covers(all) || all.Covers(p) {
		t.Error("the zero pattern is covered or covers")
	}
	if _, ok := p.Meet(all); ok {
		t.Error("the zero pattern meets something")
	}
	if _, ok := all.Meet(p); ok {
		t.Error("something meets the zero pattern")
	}

	var s scopes.Set
	full := held(t, "", "s p **")
	if !s.Empty() || s.Contains(full) || s.Canonical() != "" || s.Services() == nil || len(s.Entries()) != 0 {
		t.Error("the zero set is not empty")
	}
	if m, err := s.Meet(full); err != nil || !m.Empty() {
		t.Errorf("nothing meet all: %v, %v", show(m), err)
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("the empty set was written")
	}
	claims := struct {
		Scope scopes.Set `json:"allowed_resource_scope,omitzero"`
	}{full.Service("t")}
	if out, err := json.Marshal(claims); err != nil || string(out) != "{}" {
		t.Errorf("an empty set in claims: %s, %v", out, err)
	}

	var a scopes.Ask
	if granted, excess, err := a.Resolve(full); !a.Empty() || !granted.Empty() || excess != nil || err != nil {
		t.Errorf("the zero ask got %s, %v, %v", show(granted), excess, err)
	}

	var r scopes.Reason
	var d scopes.Decision
	if r == scopes.ReasonAllowed || r.String() != "not_ready" || d.Allowed() || d.Missing() != nil {
		t.Errorf("zero reason %v, zero decision %v", r, d.Reason())
	}
	var m scopes.Match
	if m.Access() != scopes.AccessNone || m.Decide(full, full).Allowed() || m.Rule() != "" || m.Foreign() || m.AllowedMethods() != nil {
		t.Error("the zero match allows")
	}
	var none *scopes.Policy
	path, _ := scopes.CanonicalPath("/")
	if m := none.Find("GET", path); m.Reason() != scopes.ReasonNoRule || m.Decide(full, full).Allowed() {
		t.Error("a nil policy allows")
	}
	if none.Public() != nil || none.Warnings() != nil {
		t.Error("a nil policy has rules")
	}
	policy, err := scopes.NewPolicy("s", nil, nil, []scopes.Rule{{Access: scopes.AccessPublic, Method: "GET", Path: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	if m := policy.Find("GET", scopes.Path{}); m.Reason() != scopes.ReasonNoRule {
		t.Errorf("the zero path found %s", m.Rule())
	}
	if _, err := scopes.NewPolicy("s", []string{"p"}, nil, []scopes.Rule{{Method: "GET", Path: "/", Permission: "p", Resource: "x"}}); err == nil {
		t.Error("a rule without access was loaded")
	}
}

func TestReasons(t *testing.T) {
	want := strings.Fields(`allowed no_token token_malformed token_expired token_not_yet_valid token_issuer
		token_audience token_type token_signature token_binding token_revoked token_ambiguous token_leak
		chain_too_long keys_unavailable revocations_stale path_ambiguous no_rule method_not_allowed
		no_resource_scope no_mapping service_missing permission_missing resource_missing variable_rejected
		exchange_refused exchange_unavailable guard_credentials not_ready`)
	var got []string
	for _, r := range scopes.Reasons() {
		text, err := r.MarshalText()
		if err != nil || string(text) != r.String() {
			t.Errorf("%v: %s, %v", r, text, err)
		}
		got = append(got, r.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := scopes.Reason(200); r.String() != "Reason(200)" {
		t.Errorf("got %v", r)
	} else if _, err := r.MarshalText(); err == nil {
		t.Error("a number that is no reason was written")
	}
}

func TestLimits(t *testing.T) {
	entries := func(n int, format string) []scopes.Entry {
		var list []scopes.Entry
		for i := range n {
			list = append(list, scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, fmt.Sprintf(format, i))})
		}
		return list
	}
	services := func(n int) []scopes.Entry {
		var list []scopes.Entry
		for i := range n {
			list = append(list, scopes.Entry{Service: fmt.Sprint(i), Permission: "p", Resource: pattern(t, "x")})
		}
		return list
	}
	tests := []struct {
		name    string
		entries []scopes.Entry
		want    string
	}{
		{"services over", services(65), "the resource scope is too large: 65 services, 102% of the limit of 64"},
		{"entries", entries(256, "%d"), ""},
		{"entries over", entries(257, "%d"), "the resource scope is too large: 257 entries, 101% of the limit of 256"},
		{"entries that are covered", append(entries(500, "x/%d"), scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "**")}), ""},
		{"bytes", entries(200, "o/%03d-xxx"), ""},
		{"bytes over", entries(256, "o/%03d-xxx"), "the resource scope is too large: 3171 bytes in canonical form, 104% of the limit of 3072"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := scopes.NewSet(tt.entries...)
			if tt.want == "" {
				if err != nil || s.Empty() {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err == nil || err.Error() != tt.want || !errors.Is(err, scopes.ErrTooLarge) || !s.Empty() {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
		})
	}

	// Written entries are counted before what is covered is left out.
	many := strings.Repeat(`"a",`, 256) + `"a"`
	text := `{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p","resources":[` + many + `]}]}]}`
	if _, err := scopes.ParseSet([]byte(text)); !errors.Is(err, scopes.ErrTooLarge) || !strings.Contains(err.Error(), "257 entries, 101%") {
		t.Errorf("257 equal entries: %v", err)
	}
	if _, err := scopes.ParseSet([]byte(strings.Replace(text, `"a",`, "", 1))); err != nil {
		t.Errorf("256 equal entries: %v", err)
	}
	long := strings.Repeat(" ", 16<<10) + text
	if _, err := scopes.ParseSet([]byte(long)); !errors.Is(err, scopes.ErrTooLarge) || !strings.Contains(err.Error(), "bytes of input") {
		t.Errorf("a long input: %v", err)
	}
	// An ask with all that is held can outgrow the limits when it is resolved.
	listed := held(t, "", "s p **")
	var err error
	if listed, err = listed.Union(must(scopes.NewSet(rename(entries(200, "%d"), "q")...))(t)); err != nil {
		t.Fatal(err)
	}
	texts := make([]string, 100)
	for i := range texts {
		texts[i] = fmt.Sprintf(`"%d"`, i)
	}
	ask, err := scopes.ParseAsk([]byte(`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"q"},` +
		`{"permissionId":"p","resources":[` + strings.Join(texts, ",") + `]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if granted, excess, err := ask.Resolve(listed); !errors.Is(err, scopes.ErrTooLarge) || !granted.Empty() || excess != nil {
		t.Errorf("got %s, %v, %v", show(granted), excess, err)
	}
}

func must(s scopes.Set, err error) func(testing.TB) scopes.Set {
	return func(t testing.TB) scopes.Set {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func rename(entries []scopes.Entry, permission string) []scopes.Entry {
	for i := range entries {
		entries[i].Permission = permission
	}
	return entries
}

func TestLengths(t *testing.T) {
	x127 := strings.Repeat("x", 127)
	tests := []struct {
		name string
		err  func() error
		ok   bool
	}{
		{"literal 128", func() error { _, err := scopes.NewLiteral(x127 + "x"); return err }, true},
		{"literal 129", func() error { _, err := scopes.NewLiteral(x127 + "xx"); return err }, false},
		{"literal 128 bytes", func() error { _, err := scopes.NewLiteral(x127 + "é"); return err }, false},
		{"prefix 127", func() error { _, err := scopes.ParsePattern(x127 + "*"); return err }, true},
		{"prefix 128", func() error { _, err := scopes.ParsePattern(x127 + "x*"); return err }, false},
		{"id 128", func() error { return scopes.CheckID(x127 + "x") }, true},
		{"id 129", func() error { return scopes.CheckID(x127 + "xx") }, false},
	}
	for _, tt := range tests {
		if err := tt.err(); (err == nil) != tt.ok {
			t.Errorf("%s: got %v", tt.name, err)
		} else if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error is %d bytes long", tt.name, len(err.Error()))
		}
	}
}

func TestNewSetChecks(t *testing.T) {
	good := scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "x")}
	for _, change := range []func(e *scopes.Entry){
		func(e *scopes.Entry) { e.Service = "a/b" },
		func(e *scopes.Entry) { e.Permission = "" },
		func(e *scopes.Entry) { e.Resource = scopes.Pattern{} },
	} {
		bad := good
		change(&bad)
		if s, err := scopes.NewSet(good, bad); err == nil || !s.Empty() {
			t.Errorf("%+v: got %s", bad, show(s))
		}
	}
}

// TestImmutable checks that no argument or result shares memory with a set.
func TestImmutable(t *testing.T) {
	entries := []scopes.Entry{
		{Service: "s", Permission: "q", Resource: pattern(t, "b")},
		{Service: "s", Permission: "p", Resource: pattern(t, "a/**")},
		{Service: "r", Permission: "p", Resource: pattern(t, "a")},
	}
	before := slices.Clone(entries)
	s := must(scopes.NewSet(entries...))(t)
	if diff := cmp.Diff(before, entries); diff != "" {
		t.Error("NewSet changed its argument", diff)
	}
	canonical := s.Canonical()
	entries[0].Service = "z"
	s.Entries()[0].Permission = "z"
	s.Services()[0] = "z"
	data, _ := s.MarshalJSON()
	data[2] = 'z'
	ask, err := scopes.ParseAsk([]byte(canonical))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if granted, _, _ := ask.Resolve(s); !granted.Equal(s) {
			t.Errorf("granted %s", show(granted))
		}
	}
	if _, err := s.Union(held(t, "", "s p **")); err != nil {
		t.Fatal(err)
	}
	if s.Canonical() != canonical || show(s) != "r p a, s p a/**, s q b" {
		t.Errorf("the set changed: %s", show(s))
	}
}

func TestAskEqual(t *testing.T) {
	ask := func(resources string) scopes.Ask {
		a, err := scopes.ParseAsk([]byte(`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p"` + resources + `}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if !ask("").Equal(ask(`,"resources":null`)) || !ask(`,"resources":["a","b"]`).Equal(ask(`,"resources":["b","a","a"]`)) {
		t.Error("the same asks differ")
	}
	if ask("").Equal(ask(`,"resources":["**"]`)) || ask("").Equal(scopes.Ask{}) || ask(`,"resources":["a"]`).Equal(ask(`,"resources":["b"]`)) {
		t.Error("different asks are the same")
	}
}

func TestPolicyTexts(t *testing.T) {
	rules := []scopes.Rule{
		{Access: scopes.AccessPublic, Method: "GET", Path: "/{_all...}", Source: "Caddyfile:3"},
		{Access: scopes.AccessPublic, Method: "GET", Path: "/assets/{_rest...}", Source: "Caddyfile:4"},
		{Access: scopes.AccessPermission, Method: "GET", Path: "/r/{id}", Permission: "r/read", Resource: "{id}", Source: "Caddyfile:5"},
	}
	declared := func(s, p string) bool { return s == "r" && p == "read" }
	p, err := scopes.NewPolicy("s", []string{"read"}, declared, rules)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET /assets/{_rest...}", "GET /{_all...}"}, p.Public()); diff != "" {
		t.Error(diff)
	}
	want := []string{"Caddyfile:3: GET /{_all...}: public, with a variable in the first segment: it opens more than is in sight"}
	if diff := cmp.Diff(want, p.Warnings()); diff != "" {
		t.Error(diff)
	}
	path, _ := scopes.CanonicalPath("/r/1")
	m := p.Find("GET", path)
	if !m.Foreign() || m.Access() != scopes.AccessPermission || m.Reason() != scopes.ReasonNotReady {
		t.Errorf("foreign %v, access %v, reason %v", m.Foreign(), m.Access(), m.Reason())
	}
	// A foreign right is decided on the presented set and on no other.
	right := held(t, "", "r read 1")
	if !m.Decide(right, scopes.Set{}).Allowed() || m.Decide(held(t, "", "s read **"), right).Allowed() {
		t.Error("a foreign right was decided on the derived set")
	}

	// All rules that are wrong are named at once, each with its line.
	rules[0].Path, rules[2].Permission = "x", "raed"
	_, err = scopes.NewPolicy("s", []string{"write", "read"}, nil, rules)
	wantText := `Caddyfile:3: GET x: path "x": expected a slash at the start
Caddyfile:5: GET /r/{id}: permission "raed" is not declared by service "s": the nearest is "read"`
	if err == nil || err.Error() != wantText {
		t.Errorf("got %v, want %s", err, wantText)
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
		if _, err := scopes.NewPolicy(bad.service, bad.permissions, nil, rules); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("got %v, want %s", err, bad.want)
		}
	}
}

// TestOwnRightsAreDecidedOnTheDerivedSet checks that the presented set, which
// may hold more, gives nothing by itself.
func TestOwnRightsAreDecidedOnTheDerivedSet(t *testing.T) {
	path, _ := scopes.CanonicalPath("/v1/o/1/lines/1")
	m := benchPolicy(t, 1).Find("GET", path)
	right, other := held(t, "", "s read o/1"), held(t, "", "s read o/2")
	if d := m.Decide(right, other); d.Reason() != scopes.ReasonResourceMissing {
		t.Errorf("got %v", d.Reason())
	}
	if d := m.Decide(right, scopes.Set{}); d.Reason() != scopes.ReasonServiceMissing {
		t.Errorf("got %v", d.Reason())
	}
	want := []scopes.Need{{Service: "s", Permission: "read", Resource: "o/1"}}
	if diff := cmp.Diff(want, m.Decide(scopes.Set{}, scopes.Set{}).Missing()); diff != "" {
		t.Error(diff)
	}
}

func TestVariableLimit(t *testing.T) {
	rule := func(n int) scopes.Rule {
		r := scopes.Rule{Access: scopes.AccessPermission, Method: "GET", Permission: "p", Resource: "x"}
		for i := range n {
			r.Path += fmt.Sprintf("/{v%d}", i)
			r.Resource += fmt.Sprintf("/{v%d}", i)
		}
		r.Path += "/{rest...}"
		r.Resource += "/{rest...}"
		return r
	}
	if _, err := scopes.NewPolicy("s", []string{"p"}, nil, []scopes.Rule{rule(17)}); err == nil || !strings.Contains(err.Error(), "more than 16 variables") {
		t.Errorf("got %v", err)
	}
	p, err := scopes.NewPolicy("s", []string{"p"}, nil, []scopes.Rule{rule(16)})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := scopes.CanonicalPath("/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h")
	d := p.Find("GET", path).Decide(scopes.Set{}, scopes.Set{})
	if got := d.Missing()[0].Resource; got != "x/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h" {
		t.Errorf("got %s", got)
	}
}

func TestNoAllocations(t *testing.T) {
	policy := benchPolicy(t, 1000)
	set := benchSet(t, 256, "o/%d")
	for _, raw := range []string{"/v1/o/77/lines/7", "/v1/o/zz/lines/7", "/v1/o/*/lines/7", "/v1/none", "/v1/o/"} {
		path, err := scopes.CanonicalPath(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD", "POST"} {
			allocs := testing.AllocsPerRun(100, func() {
				m := policy.Find(method, path)
				if d := m.Decide(set, set); d.Allowed() != (raw == "/v1/o/77/lines/7" && method != "POST") {
					t.Errorf("%s %s: %v", method, raw, d.Reason())
				}
				_, _, _ = m.Rule(), m.Access(), m.Foreign()
				m.Decide(scopes.Set{}, scopes.Set{})
			})
			if allocs != 0 {
				t.Errorf("%s %s: %v allocations", method, raw, allocs)
			}
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
	policy, err := scopes.NewPolicy("s", nil, nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	path, _ := scopes.CanonicalPath(strings.Repeat("/a", depth) + "/none")
	start := time.Now()
	if m := policy.Find("GET", path); m.Reason() != scopes.ReasonNoRule {
		t.Errorf("got %v", m.Reason())
	}
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	long, _ := scopes.CanonicalPath(strings.Repeat("/a", 8000))
	start = time.Now()
	policy.Find("GET", long)
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("a long path took %v", took)
	}
}
