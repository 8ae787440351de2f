package scopes_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{
		"/", "/a/b", "/a%20b/", "/%2e%2e/a", "/a%252F", "/a;b", "/%c3%a9", "//", "/x/%25%32%66", "/\xff", "/a\x00", "*",
		"/a%2Fb", "/a%2f..%2Fb", "/a/%2F", "/a%2F", "/a%2Fb/c%2fd/",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, raw string, keep bool) {
		slash := scopes.RefuseEncodedSlash
		if keep {
			slash = scopes.KeepEncodedSlash
		}
		p, err := scopes.CanonicalPath(raw, slash)
		decoded, ok := refDecode(raw, keep)
		if (err == nil) != ok || p.Decoded() != decoded {
			t.Fatalf("%q: got %q, %v, the reference %q, %v", raw, p.Decoded(), err, decoded, ok)
		}
		if err != nil {
			return
		}
		again, err := scopes.CanonicalPath(p.Raw(), slash)
		if err != nil || again != p {
			t.Fatalf("%q became %q and then %q, %v", raw, p.Raw(), again.Raw(), err)
		}
		// The upstream's reader must see the same path.
		u, err := url.ParseRequestURI(p.Raw())
		if err != nil || u.Path != p.Decoded() || u.EscapedPath() != p.Raw() || u.Opaque != "" || u.RawQuery != "" {
			t.Fatalf("%q: net/url reads %+v, %v", p.Raw(), u, err)
		}
		kept := strings.Count(p.Raw(), "%2F")
		if kept > 0 && !keep || strings.Count(p.Raw(), "/")+kept != strings.Count(p.Decoded(), "/") {
			t.Fatalf("%q and %q have different slashes", p.Raw(), p.Decoded())
		}
		// What is kept changes nothing where there is nothing to keep.
		if strict, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash); (err == nil) != (kept == 0) || kept == 0 && strict != p {
			t.Fatalf("%q: refused as %q, %v, kept as %q", raw, strict.Raw(), err, p.Raw())
		}
	})
}

// FuzzInputs compares the values of a query and of headers with the reference,
// and those of a query with the reader that Go's own servers use.
func FuzzInputs(f *testing.F) {
	for _, query := range []string{
		"q=a", "q=a&q=b", "Q=a&q=b", "q[]=a&q=b", "%71=a", "q=a%2Cb", "q=a,b%2Cc", "q=a;b", "q=a+b", "x=%zz", "q=%C3%A9", "[q]=a", "q%00=a",
		"+q=a", "%C5%BF=1", "q=a&]q=b", "q=a&[]q=b", "q=a&q[=b", "q=a&.q=b", "q=a&%C2%A0q=b", "q=a%20", "q=%E3%80%80a", "q=a,b", "q=,", "q=a, b", "q=%2A", "a&&=&q=1",
	} {
		f.Add(query, "X-H", "a", "X_h", "b")
		f.Add(query, "X-H", "a,b", "X-I", "")
	}
	f.Add("q=a", "X-H", "a ", "X.H", "")
	f.Add("q=a", "X-H", "\u00e9", "X-I", "")
	f.Add("q_x=a&q[x=b", "X-H", "a,\xe9", "X-I", "")
	f.Add("q_x=a&q.x%5B=b", "X-H", "\ta", "X-I", "")
	policy := func(line string) scopes.Match {
		r, err := parseRule("f:1", strings.Fields(line))
		if err != nil {
			f.Fatal(err)
		}
		p, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{r})
		if err != nil {
			f.Fatal(err)
		}
		path, err := scopes.CanonicalPath("/", scopes.RefuseEncodedSlash)
		if err != nil {
			f.Fatal(err)
		}
		return p.Find("GET", path)
	}
	forms := []struct {
		match               scopes.Match
		variable, separator string
	}{
		{policy("GET / p {query:q}"), "{query:q}", ""},
		{policy("GET / p {query:q} { each query:q , }"), "{query:q}", ","},
		{policy("GET / p {query:q_x}"), "{query:q_x}", ""},
		{policy("GET / p {header:X-H}"), "{header:X-H}", ""},
		{policy("GET / p {header:X-H} { each header:X-H , }"), "{header:X-H}", ","},
	}
	f.Fuzz(func(t *testing.T, query, header1, value1, header2, value2 string) {
		in := scopes.Inputs{Query: query, Header: map[string][]string{header1: {value1}}}
		in.Header[header2] = append(in.Header[header2], value2)
		for _, form := range forms {
			want, ok := refInput(form.variable, refRequest{query: query, header: in.Header}, form.separator)
			items := []string{want}
			if form.separator != "" {
				items = strings.Split(want, form.separator)
			}
			for _, item := range items {
				ok = ok && refIsItem(item)
			}
			ok = ok && len(items) <= 100
			d := form.match.Decide(scopes.Set{}, scopes.Set{}, in)
			kind, name, _ := strings.Cut(strings.Trim(form.variable, "{}"), ":")
			stricter := kind == "query" && refOdd(query, name) && d.Reason() == scopes.ReasonVariableRejected
			if ok != (d.Reason() == scopes.ReasonNoResourceScope) && !stricter {
				t.Fatalf("%s of %+v: got %v, the reference %q, %v", form.variable, in, d.Reason(), want, ok)
			}
			if !ok || stricter {
				continue
			}
			missing := d.Missing()
			for i, item := range items {
				if i < len(missing) && len(items) == len(missing) && missing[i].Resource != item {
					t.Fatalf("%s of %+v: got %v, the reference %q", form.variable, in, missing, items)
				}
			}
			if values, err := url.ParseQuery(query); kind == "query" && (err != nil || len(values[name]) != 1 || values.Get(name) != want) {
				t.Fatalf("%q: net/url reads %v, %v, and we %q", query, values, err, want)
			}
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add("GET /a/{id} p a/{id}\nGET /a/{rest...} q {rest...}/**", "GET", "/a/b/c", "a/**", "", "")
	f.Add("public GET /\nauthenticated POST /{_x}/", "POST", "/x/", "*", "", "")
	f.Add("GET /a p a\nGET /a/ p b", "HEAD", "/a/", "b*", "", "")
	f.Add("GET /{a}/{b} p {b}/{a}", "GET", "/*/x", "**", "", "")
	f.Add("GET /a { all_of { p a | q {query:to} } }", "GET", "/a", "**", "to=1", "")
	f.Add("GET /a { any_of { p {header:X-H} | q {query:to}/** } }", "GET", "/a", "b/**", "to=b", "c")
	f.Add("GET /a { each query:to , | p x/{query:to} }\ngrpc a.B/{_m} p a", "GET", "/a", "x/*", "to=1,2", "")
	f.Add("grpc a.B/{_m} p a\npublic grpc a.B/C", "POST", "/a.B/D", "a", "", "")
	f.Add("GET /{_x} p a\nGET /a/b q a", "GET", "/a%2Fb", "a", "", "")
	f.Add("GET /{_x}/{key...} p {key...}", "GET", "/a%2Fb/c", "c", "", "")
	f.Add("GET /a p a/{claim:c}", "GET", "/a", "**", "", "b")
	f.Add("GET /a p a/{claim:org}", "GET", "/a", "**", "", "b")
	f.Add("GET /{_x}/{id}/{_rest...} p {id}", "GET", "/a%2Fb/c/d", "c", "", "")
	f.Fuzz(func(t *testing.T, text, method, raw, pattern, query, header string) {
		var rules []scopes.Rule
		for line := range strings.SplitSeq(text, "\n") {
			r, err := parseRule("f:1", strings.Fields(line))
			if err != nil {
				return
			}
			rules = append(rules, r)
		}
		policy, err := scopes.NewPolicy("s", []string{"p", "q"}, nil, []string{"c"}, rules)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:1: ") {
				t.Fatalf("the error has no place: %v", err)
			}
			return
		}
		path, err := scopes.CanonicalPath(raw, scopes.KeepEncodedSlash)
		if err != nil {
			return
		}
		p, err := scopes.ParsePattern(pattern)
		if err != nil {
			return
		}
		set, err := scopes.NewSet(scopes.Entry{Service: "s", Permission: "p", Resource: p})
		if err != nil {
			return
		}
		in := scopes.Inputs{Query: query, Header: map[string][]string{"X-H": {header}}, Claims: claims{"c": header}}
		m := policy.Find(method, path)
		d := m.Decide(set, set, in)
		if (m.Access() == scopes.AccessNone) != (m.Reason() != scopes.ReasonNotReady) {
			t.Fatalf("access %v, reason %v", m.Access(), m.Reason())
		}
		if d.Reason() == scopes.ReasonNotReady || d.Allowed() && d.Missing() != nil {
			t.Fatalf("%v, missing %v", d.Reason(), d.Missing())
		}
		none := m.Decide(scopes.Set{}, scopes.Set{}, in)
		if none.Allowed() && m.Access() == scopes.AccessPermission {
			t.Fatalf("%s: allowed with nothing", m.Rule())
		}
		if narrowed, err := d.Narrow(); err == nil && d.Allowed() && m.Access() == scopes.AccessPermission && !m.Decide(set, narrowed, in).Allowed() {
			t.Fatalf("%s: not allowed with %s, which %s was narrowed to", m.Rule(), show(narrowed), show(set))
		}
		// An upstream that decodes first reads the same, or what no rule names.
		if strings.Contains(path.Raw(), "%2F") && d.Allowed() {
			path, err := scopes.CanonicalPath(strings.ReplaceAll(path.Raw(), "%2F", "/"), scopes.RefuseEncodedSlash)
			if err != nil {
				t.Fatal(err)
			}
			other := policy.Find(method, path)
			if other.Rule() != "" && (other.Rule() != m.Rule() || !slices.Equal(other.Decide(scopes.Set{}, scopes.Set{}, in).Missing(), none.Missing())) {
				t.Fatalf("%s of %q is allowed, which is %s of %q to who decodes first", m.Rule(), raw, other.Rule(), path.Raw())
			}
		}
		// Who is given exactly what is missing is allowed.
		var more []scopes.Entry
		missing := none.Missing()
		for _, n := range missing {
			q, err := scopes.ParsePattern(n.Resource)
			if err != nil {
				t.Fatalf("missing %+v: %v", n, err)
			}
			more = append(more, scopes.Entry{Service: n.Service, Permission: n.Permission, Resource: q})
		}
		given, err := scopes.NewSet(more...)
		if err != nil || len(missing) == 0 || len(missing) == 10 {
			return // over a limit, or not all that is missing
		}
		if d := m.Decide(given, given, in); !d.Allowed() {
			t.Fatalf("given %+v: %v", missing, d.Reason())
		}
	})
}
