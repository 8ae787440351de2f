package scopes_test

import (
	"fmt"
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
	p, err := scopes.NewPolicy("s", []string{"read"}, nil, list)
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
