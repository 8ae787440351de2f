package scopes_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestDecisionsEqualTheReference decides on random requests twice. Beside odd
// names of a query more may be refused than the readers ask for, but never less.
func TestDecisionsEqualTheReference(t *testing.T) {
	triples := 100_000
	if testing.Short() {
		triples = 10_000
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	seen := map[string]int{}
	for done := 0; done < triples; {
		refs, policy := randomRules(t, r)
		for range 20 {
			done++
			aim := pick(r, refs...)
			req := randomRequest(r, aim)
			entries, presented := randomSet(t, r, aim)
			slash := scopes.RefuseEncodedSlash
			if req.keep {
				slash = scopes.KeepEncodedSlash
			}
			got := "path_ambiguous"
			if path, err := scopes.CanonicalPath(req.path, slash); err == nil {
				m := policy.Find(req.method, path)
				in := scopes.Inputs{Query: req.query, Header: req.header, Claims: claims(req.claims)}
				d := m.Decide(presented, presented.Service("s"), in)
				got = strings.TrimSpace(d.Reason().String() + " " + m.Rule())
				checkNarrow(t, m, d, presented, in)
			}
			want := refDecide("s", refs, req, entries)
			_, rule, _ := strings.Cut(got, " ")
			switch stricter := strings.HasPrefix(got, "variable_rejected ") && strings.HasSuffix(want, " "+rule); {
			case got == want:
			case stricter && refOdd(req.query, "q", "q_x"):
				seen["stricter"]++
			default:
				t.Fatalf("seed %d: %+v with %s and %+v: got %q, want %q", seed, req, show(presented), refs, got, want)
			}
			seen[strings.Join(strings.Fields(got)[:1], "")]++
			for _, ref := range refs {
				if strings.HasSuffix(got, " "+ref.name) {
					countForms(seen, got, ref)
				}
			}
		}
	}
	if seen["stricter"] > triples/50 {
		t.Errorf("seed %d: %d of %d triples were refused without need", seed, seen["stricter"], triples)
	}
	for _, kind := range []string{
		"allowed", "path_ambiguous", "no_rule", "method_not_allowed", "no_resource_scope",
		"service_missing", "permission_missing", "resource_missing", "variable_rejected",
		"allowed all_of", "allowed any_of", "allowed each", "allowed grpc", "allowed query", "allowed header", "allowed claim",
		"refused all_of", "refused any_of", "refused each", "refused grpc", "refused query", "refused header", "refused claim",
	} {
		if seen[kind] < triples/1000 {
			t.Errorf("seed %d: only %d of %d triples were %s", seed, seen[kind], triples, kind)
		}
	}
}

// countForms counts which forms of rules were decided on.
func countForms(seen map[string]int, got string, ref refRule) {
	word := "refused "
	if strings.HasPrefix(got, "allowed ") {
		word = "allowed "
	}
	count := func(form string, is bool) {
		if is {
			seen[word+form]++
		}
	}
	uses := func(text string) bool {
		for _, n := range ref.needs {
			if strings.Contains(n.resource, text) {
				return true
			}
		}
		return false
	}
	count("all_of", len(ref.needs) > 1 && !ref.anyOf)
	count("any_of", len(ref.needs) > 1 && ref.anyOf)
	count("each", ref.list != "")
	count("grpc", strings.HasPrefix(ref.name, "grpc "))
	count("query", uses("{query:"))
	count("header", uses("{header:"))
	count("claim", uses("{claim:"))
}

// checkNarrow checks the laws of narrow to_rule, section 3.6: what one request
// is narrowed to lies inside the derived set and inside the needs of its rule,
// is of the own service alone, and is enough for the request.
func checkNarrow(t *testing.T, m scopes.Match, d scopes.Decision, presented scopes.Set, in scopes.Inputs) {
	t.Helper()
	derived := presented.Service("s")
	narrowed, err := d.Narrow()
	switch {
	case err != nil:
		t.Fatal(err)
	case !d.Allowed() || m.Access() != scopes.AccessPermission:
		if !narrowed.Empty() {
			t.Fatalf("%s: %v, narrowed to %s", m.Rule(), d.Reason(), show(narrowed))
		}
		return
	case !derived.Contains(narrowed):
		t.Fatalf("%s: %s is not inside %s", m.Rule(), show(narrowed), show(derived))
	}
	if again := m.Decide(presented, narrowed, in); !again.Allowed() {
		t.Fatalf("%s: with %s, narrowed to %s, it is %v", m.Rule(), show(derived), show(narrowed), again.Reason())
	}
	// To who holds nothing, all needs are missing.
	all := m.Decide(scopes.Set{}, scopes.Set{}, in).Missing()
	for _, e := range narrowed.Entries() {
		inside := false
		for _, n := range all {
			inside = inside || n.Service == e.Service && n.Permission == e.Permission && pattern(t, n.Resource).Covers(e.Resource)
		}
		if !inside || e.Service != "s" {
			t.Fatalf("%s: narrowed to %s, which is not needed: %v", m.Rule(), show(narrowed), all)
		}
	}
}
