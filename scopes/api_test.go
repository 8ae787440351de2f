package scopes_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

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

// needs reads "PERMISSION RESOURCE" texts.
func needs(texts ...string) (list []scopes.RuleNeed) {
	for _, text := range texts {
		permission, resource, _ := strings.Cut(text, " ")
		list = append(list, scopes.RuleNeed{Permission: permission, Resource: resource})
	}
	return list
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
	if r == scopes.ReasonAllowed || r.String() != "not_ready" || d.Allowed() || d.Missing() != nil || d.AnyOf() {
		t.Errorf("zero reason %v, zero decision %v", r, d.Reason())
	}
	if narrowed, err := d.Narrow(); err != nil || !narrowed.Empty() {
		t.Errorf("the zero decision narrows to %s, %v", show(narrowed), err)
	}
	var m scopes.Match
	if m.Access() != scopes.AccessNone || m.Decide(full, full, scopes.Inputs{}).Allowed() || m.Rule() != "" {
		t.Error("the zero match allows")
	}
	var none *scopes.Policy
	path, _ := scopes.CanonicalPath("/", scopes.RefuseEncodedSlash)
	if m := none.Find("GET", path); m.Reason() != scopes.ReasonNoRule || m.Decide(full, full, scopes.Inputs{}).Allowed() {
		t.Error("a nil policy allows")
	}
	if none.Public() != nil || none.Warnings() != nil {
		t.Error("a nil policy has rules")
	}
	policy, err := scopes.NewPolicy("s", nil, nil, nil, []scopes.Rule{{Access: scopes.AccessPublic, Method: "GET", Path: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	if m := policy.Find("GET", scopes.Path{}); m.Reason() != scopes.ReasonNoRule {
		t.Errorf("the zero path found %s", m.Rule())
	}
	// A rule that says nothing asks for a permission, and must name it.
	if _, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{{Method: "GET", Path: "/"}}); err == nil {
		t.Error("a rule that asks for nothing was loaded")
	}
	policy, err = scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{{Method: "GET", Path: "/", AllOf: needs("p x")}})
	if err != nil {
		t.Fatal(err)
	}
	if m := policy.Find("GET", path); m.Access() != scopes.AccessPermission || m.Decide(scopes.Set{}, scopes.Set{}, scopes.Inputs{}).Allowed() {
		t.Error("a rule without access is open")
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
	// To ask for all must not sort what is held, which is in another order.
	all, err := scopes.ParseAsk([]byte(`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	many := held(t, "", "s p a/*/c, s p *, s p b/c, s p a/b/**, s p c*/d")
	for range 2 {
		if granted, _, _ := all.Resolve(many); !granted.Equal(many) || !many.Contains(granted) || !granted.Contains(many) {
			t.Errorf("granted %s of %s", show(granted), show(many))
		}
	}
	if _, err := s.Union(held(t, "", "s p **")); err != nil {
		t.Fatal(err)
	}
	if s.Canonical() != canonical || show(s) != "r p a, s p a/**, s q b" {
		t.Errorf("the set changed: %s", show(s))
	}
}

// TestCanonicalText fixes the bytes that are signed: ids and patterns sorted by
// their bytes, and escapes as encoding/json writes them.
func TestCanonicalText(t *testing.T) {
	s := must(scopes.NewSet(
		scopes.Entry{Service: "s", Permission: "q", Resource: pattern(t, "b")},
		scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "a/b")},
		scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "*/x/y")},
		scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "a!/b")},
		scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "!")},
		scopes.Entry{Service: "s", Permission: "p", Resource: pattern(t, "é\"<>&\u2028")},
		scopes.Entry{Service: "S", Permission: "p", Resource: pattern(t, "**")},
	))(t)
	want := `{"servicesScopes":[{"serviceDefinitionId":"S","permissions":[{"permissionId":"p","resources":["**"]}]},` +
		`{"serviceDefinitionId":"s","permissions":[{"permissionId":"p","resources":["!","*/x/y","a!/b","a/b",` +
		`"é\"\u003c\u003e\u0026\u2028"]},{"permissionId":"q","resources":["b"]}]}]}`
	if s.Canonical() != want {
		t.Errorf("got  %s\nwant %s", s.Canonical(), want)
	}
	if again, err := scopes.ParseSet([]byte(want)); err != nil || !again.Equal(s) {
		t.Errorf("it was read as %s, %v", again.Canonical(), err)
	}
	if out, err := json.Marshal(s); err != nil || string(out) != want {
		t.Errorf("encoding/json wrote %s, %v", out, err)
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
	// An ask is kept as its canonical text, and asks the same afterwards.
	for _, resources := range []string{"", `,"resources":["b","a","a"]`, `,"resources":["**"]`} {
		a := ask(resources)
		again, err := scopes.ParseAsk([]byte(a.Canonical()))
		if err != nil || !again.Equal(a) || again.Canonical() != a.Canonical() {
			t.Errorf("%s: read back as %s, %v", a.Canonical(), again.Canonical(), err)
		}
	}
	if got := (scopes.Ask{}).Canonical(); got != "" {
		t.Errorf("nothing asked: got %q, want no text", got)
	}
}
