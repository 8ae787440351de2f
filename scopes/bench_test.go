package scopes_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// benchPolicy has the given number of rules, all below /v1, with shared starts.
func benchPolicy(tb testing.TB, rules int) *scopes.Policy {
	tb.Helper()
	list := []scopes.Rule{{
		Access: scopes.AccessPermission, Method: "GET", Path: "/v1/o/{id}/lines/{line}",
		AllOf: needs("read o/{id}"),
	}}
	for i := 1; i < rules; i++ {
		list = append(list, scopes.Rule{
			Access: scopes.AccessPermission, Method: "GET",
			Path:  fmt.Sprintf("/v1/kind%d/{id}/lines/{_line}", i),
			AllOf: needs("read o/{id}"),
		})
	}
	list[0].Path = "/v1/o/{id}/lines/{_line}"
	p, err := scopes.NewPolicy("s", []string{"read"}, nil, nil, list)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// benchSet has the given number of entries in one permission.
func benchSet(tb testing.TB, entries int, format string) scopes.Set {
	tb.Helper()
	var list []scopes.Entry
	for i := range entries {
		p, err := scopes.ParsePattern(fmt.Sprintf(format, i))
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, scopes.Entry{Service: "s", Permission: "read", Resource: p})
	}
	s, err := scopes.NewSet(list...)
	if err != nil {
		tb.Fatal(err)
	}
	if len(s.Entries()) != entries {
		tb.Fatalf("got %d entries", len(s.Entries()))
	}
	return s
}

func BenchmarkDecide(b *testing.B) {
	path, err := scopes.CanonicalPath("/v1/o/0/lines/7", scopes.RefuseEncodedSlash)
	if err != nil {
		b.Fatal(err)
	}
	for _, rules := range []int{10, 1000, 10_000} {
		policy := benchPolicy(b, rules)
		for _, entries := range []int{1, 16, 256} {
			set := benchSet(b, entries, "o/%d")
			b.Run(fmt.Sprintf("rules=%d/entries=%d", rules, entries), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d := policy.Find("GET", path).Decide(set, set, scopes.Inputs{}); !d.Allowed() {
						b.Fatal(d.Reason())
					}
				}
			})
		}
	}
}

// BenchmarkDecideForms has 256 entries that are not plain literals, and a
// request that none of them covers, so that all must be ruled out.
func BenchmarkDecideForms(b *testing.B) {
	policy := benchPolicy(b, 10)
	path, err := scopes.CanonicalPath("/v1/o/zzz/lines/7", scopes.RefuseEncodedSlash)
	if err != nil {
		b.Fatal(err)
	}
	for name, format := range map[string]string{"prefix": "o/y%03x*", "first": "y%03x/*", "any": "*/y%03x"} {
		set := benchSet(b, 250, format)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := policy.Find("GET", path).Decide(set, set, scopes.Inputs{}); d.Allowed() {
					b.Fatal(d.Reason())
				}
			}
		})
	}
}

// inputForms are rules with values that are not of the path, and a request for
// each. Only what is decoded is copied.
var inputForms = []struct {
	name, rule, query string
	allocs            float64
}{
	{"query", "GET /v1 read o/{query:to}", "page=2&to=7&sort=a%20b", 0},
	{"header", "GET /v1 read o/{header:X-Tenant}", "", 0},
	{"claim", "GET /v1 read o/{claim:sub}", "", 0},
	{"all_of", "GET /v1 { all_of { read o/{query:to} | read o/{header:X-Tenant} | read o/{claim:sub} } }", "to=7", 0},
	{"any_of", "GET /v1 { any_of { read {query:to} | read a/** | read o/{claim:sub} } }", "to=7", 0},
	{"each", "GET /v1 { each query:to , | read o/{query:to} }", "to=0,1,2,3,4,5,6,7,8,9", 0},
	{"escaped", "GET /v1 read o/{query:to}", "to=1%30", 1},
	{"escaped_name", "GET /v1 read o/{query:to}", "%74o=7", 1},
}

// inputForm makes a match for a form, and the inputs of a request for it.
func inputForm(tb testing.TB, rule, query string) (scopes.Match, scopes.Inputs) {
	tb.Helper()
	r, err := parseRule("f:1", strings.Fields(rule))
	if err != nil {
		tb.Fatal(err)
	}
	policy, err := scopes.NewPolicy("s", []string{"read"}, nil, []string{"sub"}, []scopes.Rule{r})
	if err != nil {
		tb.Fatal(err)
	}
	path, err := scopes.CanonicalPath("/v1", scopes.RefuseEncodedSlash)
	if err != nil {
		tb.Fatal(err)
	}
	header := map[string][]string{"X-Tenant": {"7"}}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "User-Agent", "X-Forwarded-For", "X-Request-Id"} {
		header[name] = []string{"some value"}
	}
	return policy.Find("GET", path), scopes.Inputs{Query: query, Header: header, Claims: claims{"sub": "7"}}
}

func BenchmarkDecideInputs(b *testing.B) {
	set := benchSet(b, 16, "o/%d")
	for _, form := range inputForms {
		m, in := inputForm(b, form.rule, form.query)
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := m.Decide(set, set, in); !d.Allowed() {
					b.Fatal(d.Reason())
				}
			}
		})
	}
}

func BenchmarkNarrow(b *testing.B) {
	set := benchSet(b, 256, "o/%d")
	run := func(name, rule, query string, set scopes.Set) {
		m, in := inputForm(b, rule, query)
		d := m.Decide(set, set, in)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s, err := d.Narrow(); (err != nil || s.Empty()) && !errors.Is(err, scopes.ErrTooLarge) {
					b.Fatal(err)
				}
			}
		})
	}
	for _, form := range inputForms[:6] {
		run(form.name, form.rule, form.query, set)
	}
	// The dearest that a request can ask for: 100 items and 64 alternatives.
	var items, lines []string
	for i := range 100 {
		items = append(items, strconv.Itoa(i))
	}
	for i := range 64 {
		lines = append(lines, fmt.Sprintf("read {query:to}/%d", i))
	}
	all := held(b, "", "s read **")
	run("items=100", "GET /v1 { each query:to , | read o/{query:to} }", "to="+strings.Join(items, ","), all)
	wide := "GET /v1 { each query:to , | any_of { " + strings.Join(lines, " | ") + " } }"
	run("items=100/lines=64", wide, "to="+strings.Join(items, ","), all)
	run("items=1x100/lines=64", wide, "to="+strings.Repeat("1,", 99)+"1", all)
}

func BenchmarkCanonicalPath(b *testing.B) {
	for _, raw := range []string{"/v1/o/0/lines/7", "/v1/caf%c3%a9/a%20b"} {
		b.Run(raw, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMeet(b *testing.B) {
	for _, entries := range []int{1, 16, 256} {
		set := benchSet(b, entries, "o/%d")
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Meet(set); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseSet(b *testing.B) {
	data := []byte(benchSet(b, 16, "o/%d").Canonical())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scopes.ParseSet(data); err != nil {
			b.Fatal(err)
		}
	}
}
