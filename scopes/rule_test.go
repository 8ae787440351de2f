package scopes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

// TestRuleJSON fixes the form that a configuration has.
func TestRuleJSON(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"GET /orders/{id} orders.read orders/{id}", `{"method":"GET","path":"/orders/{id}","all_of":[{"permission":"orders.read","resource":"orders/{id}"}],"source":"f:1"}`},
		{"authenticated GET /me", `{"access":"authenticated","method":"GET","path":"/me","source":"f:1"}`},
		{"public grpc a.B/{_m}", `{"access":"public","method":"grpc","path":"a.B/{_m}","source":"f:1"}`},
		{
			"GET /x { each query:ids , | any_of { p {query:ids} | q ** } }",
			`{"method":"GET","path":"/x","any_of":[{"permission":"p","resource":"{query:ids}","source":"f:1"},{"permission":"q","resource":"**","source":"f:1"}],` +
				`"each":{"variable":"query:ids","separator":","},"source":"f:1"}`,
		},
	} {
		r, err := parseRule("f:1", strings.Fields(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(r)
		if err != nil || string(out) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.line, out, err, tt.want)
		}
		var again scopes.Rule
		if err := json.Unmarshal(out, &again); err != nil || cmp.Diff(r, again) != "" {
			t.Errorf("%s: read as %+v, %v", out, again, err)
		}
	}
	for text, want := range map[string]scopes.Access{
		`"permission"`: scopes.AccessPermission, `"authenticated"`: scopes.AccessAuthenticated, `"public"`: scopes.AccessPublic, `""`: scopes.AccessNone,
	} {
		var got scopes.Access
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if out, err := json.Marshal(want); err != nil || string(out) != text {
			t.Errorf("%v: got %s, %v", want, out, err)
		}
	}
	got := scopes.AccessAuthenticated
	if err := got.UnmarshalText([]byte("Public")); err == nil || got != scopes.AccessAuthenticated ||
		err.Error() != `unrecognized access "Public": expected permission, authenticated or public` {
		t.Errorf("got %v, %v", got, err)
	}
	if out, err := scopes.Access(4).MarshalText(); err == nil {
		t.Errorf("an access that is none was written as %s", out)
	}
}

// TestBlockLines holds what the lines of a block say when they are wrong, with
// and without a place.
func TestBlockLines(t *testing.T) {
	const rewritten = "Caddy rewrites shorthands such as {path}, {host} or {query.x} before they are read here; choose another name for the variable"
	need := func(source string, words ...string) error { _, err := scopes.ParseNeed(source, words...); return err }
	each := func(source string, words ...string) error { _, err := scopes.ParseEach(source, words...); return err }
	rule := func(source string, words ...string) error { _, err := scopes.ParseRule(source, words...); return err }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{need("f:2"), `f:2: "": expected PERMISSION RESOURCE, as in: orders.read orders/{id}; found 0 words`},
		{need("", "p", "x", "{"), `"p x {": expected PERMISSION RESOURCE, as in: orders.read orders/{id}; found 3 words`},
		{need("f:2", "p", "{http.request.host}"), `f:2: "{http.request.host}": ` + rewritten},
		{each("f:2", ","), "f:2: each: expected VARIABLE SEPARATOR, as in: each query:ids , ; found 1 word"},
		{each("", "{tls.version}", ","), `"{tls.version}": ` + rewritten},
		{rule("f:2", "GET", "/{http.request.uri.path}"), `f:2: "/{http.request.uri.path}": ` + rewritten},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got %v, want %s", tt.err, tt.want)
		}
	}
}

// TestRulesAsJSONSaysIt holds the mistakes that no line can make.
func TestRulesAsJSONSaysIt(t *testing.T) {
	for _, tt := range []struct {
		rule scopes.Rule
		want string
	}{
		{scopes.Rule{}, ` : unrecognized method "": expected one such as GET`},
		{scopes.Rule{Method: "GET", Path: "/", Access: 7, AllOf: needs("p x")}, "GET /: 7 is not an access"},
		{scopes.Rule{Method: "GET", Path: "/", AllOf: needs("p x", "p {http.request.host}")}, "Caddy rewrites shorthands"},
		{scopes.Rule{Method: "GET", Path: "/", AllOf: []scopes.RuleNeed{{Permission: "p"}}}, "GET /: the resource is empty"},
		{scopes.Rule{Method: "GET", Path: "/", AllOf: []scopes.RuleNeed{{Resource: "x"}}}, "GET /: permission \"\": expected PERMISSION or SERVICE/PERMISSION"},
		{scopes.Rule{Method: "GET", Path: "/", AllOf: needs("p x"), Each: &scopes.Each{}}, `GET /: each: unrecognized variable "": expected query:NAME or header:NAME`},
		{scopes.Rule{Method: "GET", Path: "/", AllOf: needs("p {query:a}"), Each: &scopes.Each{Variable: "query:a"}}, `GET /: each: separator "": expected one of`},
		// The place of a need is its own, if it has one.
		{scopes.Rule{Method: "GET", Path: "/", Source: "f:1", AllOf: append(needs("p x"), scopes.RuleNeed{Permission: "r", Resource: "x", Source: "f:3"})}, `f:3: GET /: permission "r" is not declared`},
		{scopes.Rule{Method: "GET", Path: "/", Source: "f:1", AnyOf: append(needs("r x"), scopes.RuleNeed{Permission: "p", Resource: "x", Source: "f:3"})}, `f:1: GET /: permission "r" is not declared`},
	} {
		_, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{tt.rule})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) && !strings.Contains(err.Error(), ": "+tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestRuleLimits(t *testing.T) {
	list := func(n int, format string) (texts []string) {
		for i := range n {
			texts = append(texts, fmt.Sprintf(format, i))
		}
		return texts
	}
	path, err := scopes.CanonicalPath("/", scopes.RefuseEncodedSlash)
	if err != nil {
		t.Fatal(err)
	}
	load := func(r scopes.Rule) (scopes.Match, error) {
		r.Method, r.Path = "GET", "/"
		p, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{r})
		return p.Find("GET", path), err
	}
	// 64 needs, each of which counts.
	for _, r := range []scopes.Rule{{AllOf: needs(list(65, "p %d")...)}, {AnyOf: needs(list(65, "p %d")...)}} {
		if _, err := load(r); err == nil || !strings.HasSuffix(err.Error(), "65 permissions and resources: expected at most 64") {
			t.Errorf("got %v", err)
		}
	}
	all := held(t, "", "s p "+strings.Join(list(64, "%d"), ", s p "))
	m, err := load(scopes.Rule{AllOf: needs(list(64, "p %d")...)})
	if err != nil || !m.Decide(all, all, scopes.Inputs{}).Allowed() {
		t.Errorf("64 needs: %v", err)
	}
	for _, less := range []string{"s p 0", "s p " + strings.Join(list(63, "%d"), ", s p ")} {
		if set := held(t, "", less); m.Decide(set, set, scopes.Inputs{}).Allowed() {
			t.Errorf("64 needs are met by %s", less)
		}
	}
	if m, err = load(scopes.Rule{AnyOf: needs(list(64, "p %d")...)}); err != nil || !m.Decide(all, held(t, "", "s p 63"), scopes.Inputs{}).Allowed() {
		t.Errorf("the last of 64 alternatives: %v", err)
	}

	// 100 items, each of which counts.
	m, err = load(scopes.Rule{AllOf: needs("p {query:ids}"), Each: &scopes.Each{Variable: "query:ids", Separator: ","}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		items int
		held  string
		want  scopes.Reason
	}{
		{100, "s p *", scopes.ReasonAllowed},
		{101, "s p *", scopes.ReasonVariableRejected},
		{100, "s p " + strings.Join(list(99, "%d"), ", s p "), scopes.ReasonResourceMissing},
	} {
		set := held(t, "", tt.held)
		d := m.Decide(set, set, scopes.Inputs{Query: "ids=" + strings.Join(list(tt.items, "%d"), ",")})
		if d.Reason() != tt.want {
			t.Errorf("%d items: got %v, want %v", tt.items, d.Reason(), tt.want)
		}
		if missing := d.Missing(); tt.want == scopes.ReasonResourceMissing && cmp.Diff([]scopes.Need{{Service: "s", Permission: "p", Resource: "99"}}, missing) != "" {
			t.Errorf("got %v", missing)
		}
	}

	// A query that is read has at most 16 KiB.
	for _, n := range []int{16<<10 - 6, 16<<10 - 5} {
		d := m.Decide(held(t, "", "s p **"), held(t, "", "s p **"), scopes.Inputs{Query: "ids=1&" + strings.Repeat("x", n)})
		if d.Allowed() != (n == 16<<10-6) {
			t.Errorf("a query of %d bytes: %v", n+6, d.Reason())
		}
	}

	// So many parameters and lines of headers that an upstream may drop some.
	for _, n := range []int{255, 256} {
		d := m.Decide(held(t, "", "s p **"), held(t, "", "s p **"), scopes.Inputs{Query: strings.Repeat("a&", n) + "ids=1"})
		if d.Allowed() != (n == 255) {
			t.Errorf("%d parameters: %v", n+1, d.Reason())
		}
		header := map[string][]string{"X-H": {"1"}, "A": make([]string, n/2), "B": make([]string, n-n/2)}
		h, err := load(scopes.Rule{AllOf: needs("p {header:X-H}")})
		if d := h.Decide(held(t, "", "s p **"), held(t, "", "s p **"), scopes.Inputs{Header: header}); err != nil || d.Allowed() != (n == 255) {
			t.Errorf("%d lines of headers: %v, %v", n+1, d.Reason(), err)
		}
	}

	// What one request needs can be too large for a token. Needs are counted as
	// they are met, equal ones once, before what another one covers is left out.
	everything := held(t, "", "s p **")
	for _, tt := range []struct {
		needs []string
		items []string
		want  string
	}{
		{[]string{"p {query:ids}"}, list(100, strings.Repeat("x", 40)+"%d"), "bytes in canonical form"},
		{[]string{"p {query:ids}"}, list(100, "%d"), ""},
		{list(64, "p {query:ids}/%d"), list(100, "%d"), "257 entries"},
		{slices.Repeat([]string{"p {query:ids}/**"}, 64), list(100, "%d"), ""},
		{append(list(3, "p {query:ids}/%d"), "p **"), list(100, "%d"), "257 entries"},
		{append(list(2, "p {query:ids}/%d"), "p **"), list(100, "%d"), ""},
		{list(64, "p {query:ids}/%d"), slices.Repeat([]string{"1"}, 100), ""},
	} {
		m, err := load(scopes.Rule{AnyOf: needs(tt.needs...), Each: &scopes.Each{Variable: "query:ids", Separator: ","}})
		if err != nil {
			t.Fatal(err)
		}
		d := m.Decide(everything, everything, scopes.Inputs{Query: "ids=" + strings.Join(tt.items, ",")})
		narrowed, err := d.Narrow()
		switch {
		case !d.Allowed():
			t.Fatalf("%v: %v", tt.needs, d.Reason())
		case tt.want == "" && (err != nil || narrowed.Empty()):
			t.Errorf("%v: got %s, %v", tt.needs, show(narrowed), err)
		case tt.want != "" && (!errors.Is(err, scopes.ErrTooLarge) || !strings.Contains(err.Error(), tt.want) || !narrowed.Empty()):
			t.Errorf("%v: got %s, %v, want %s", tt.needs, show(narrowed), err, tt.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	p, err := scopes.NewPolicy("s", []string{"p"}, nil, []string{"c"}, []scopes.Rule{
		{Method: "GET", Path: "/a", AllOf: needs("p {header:x-tenant}/{header:B3}"), Source: "f:1"},
		{Method: "GET", Path: "/b", AnyOf: needs("p {header:X-TENANT}", "p {query:q}/{claim:c}/{header:accept-language}"), Source: "f:2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Accept-Language", "B3", "X-Tenant"}
	if diff := cmp.Diff(want, p.Headers()); diff != "" {
		t.Error(diff)
	}
	p.Headers()[0] = "changed"
	if diff := cmp.Diff(want, p.Headers()); diff != "" {
		t.Error("the policy changed", diff)
	}
	for header, want := range map[string]string{"X-Tenant": "f:1: GET /a", "Accept-Language": "f:2: GET /b", "Accept": ""} {
		if got := p.Reader(header); got != want {
			t.Errorf("%s: got the reader %q, want %q", header, got, want)
		}
	}
	if none := (*scopes.Policy)(nil); none.Headers() != nil || none.Reader("X-Tenant") != "" {
		t.Error("a nil policy reads headers")
	}
}
