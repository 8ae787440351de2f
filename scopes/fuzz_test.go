package scopes_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/scopegate/scopegate/scopes"
)

func FuzzParseSet(f *testing.F) {
	seeds := []string{
		`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p","resources":["a/**","b*","*"]}]}]}`,
		`{"servicesScopes":[{"permissions":[{"resources":["\ud83d\ude00","\u003c"],"permissionId":"p"}],"serviceDefinitionId":"s"}]} `,
		`{"servicesScopes":[]}`, `{}`, `null`, ``, "\ufeff{}", `{"servicesScopes":[{"serviceDefinitionId":"s"`,
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := scopes.ParseSet(data)
		if err != nil {
			if !s.Empty() {
				t.Fatal("an error came with a set")
			}
			return
		}
		// What is read strictly, any reader of JSON must read too.
		if s.Empty() || !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("read %q", data)
		}
		again, err := scopes.ParseSet([]byte(s.Canonical()))
		if err != nil || again.Canonical() != s.Canonical() {
			t.Fatalf("%s was read as %s, %v", s.Canonical(), again.Canonical(), err)
		}
		out, err := json.Marshal(s)
		if err != nil || string(out) != s.Canonical() {
			t.Fatalf("%s was written as %s, %v", s.Canonical(), out, err)
		}
		if m, err := s.Meet(s); err != nil || !m.Equal(s) || !s.Contains(s) {
			t.Fatalf("%s meet itself is %s, %v", s.Canonical(), m.Canonical(), err)
		}
		ask, err := scopes.ParseAsk(data)
		if err != nil {
			t.Fatalf("a set that is no ask: %v", err)
		}
		if granted, excess, err := ask.Resolve(s); err != nil || excess != nil || !granted.Equal(s) {
			t.Fatalf("asked of itself: %v, %v", excess, err)
		}
	})
}

func FuzzParseAsk(f *testing.F) {
	seeds := []string{
		`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p"}]}]}`,
		`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[{"permissionId":"p","resources":null},{"permissionId":"q","resources":["a"]}]}]}`,
		`{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[]}]}`, `{"servicesScopes":null}`,
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	all, _ := scopes.ParsePattern("**")
	held, err := scopes.NewSet(scopes.Entry{Service: "s", Permission: "p", Resource: all},
		scopes.Entry{Service: "s", Permission: "q", Resource: all})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ask, err := scopes.ParseAsk(data)
		if err != nil {
			if !ask.Empty() {
				t.Fatal("an error came with an ask")
			}
			return
		}
		if ask.Empty() || !ask.Equal(ask) || !json.Valid(data) {
			t.Fatalf("read %q", data)
		}
		granted, excess, err := ask.Resolve(held)
		switch {
		case err != nil:
			t.Fatal(err)
		case (len(excess) == 0) == granted.Empty():
			t.Fatalf("granted %s, excess %v", granted.Canonical(), excess)
		case !held.Contains(granted):
			t.Fatalf("granted %s of %s", granted.Canonical(), held.Canonical())
		}
		if none, _, _ := ask.Resolve(scopes.Set{}); !none.Empty() {
			t.Fatalf("granted %s of nothing", none.Canonical())
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a", "a/b*", "*/**", "**", "a/*/c/**", ".*", "a**", "é/日本*"} {
		f.Add(s, "a/b", "*/b*/**")
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var list []scopes.Pattern
		for _, s := range []string{a, b, c} {
			p, err := scopes.ParsePattern(s)
			if err != nil {
				return
			}
			if again, err := scopes.ParsePattern(p.String()); err != nil || !again.Equal(p) {
				t.Fatalf("%q was read as %q, %v", p, again, err)
			}
			list = append(list, p)
		}
		p, q, r := list[0], list[1], list[2]
		pq, ok := p.Meet(q)
		if qp, _ := q.Meet(p); !qp.Equal(pq) {
			t.Fatalf("%q meet %q: %q, %q", p, q, pq, qp)
		}
		if ok && (!p.Covers(pq) || !q.Covers(pq)) || p.Covers(q) != (ok && pq.Equal(q)) {
			t.Fatalf("%q meet %q = %q, covers %v", p, q, pq, p.Covers(q))
		}
		qr, _ := q.Meet(r)
		left, _ := pq.Meet(r)
		right, _ := p.Meet(qr)
		if !left.Equal(right) {
			t.Fatalf("%q, %q, %q: %q, %q", p, q, r, left, right)
		}
		if p.Covers(q) && q.Covers(r) && !p.Covers(r) {
			t.Fatalf("%q, %q, %q: not transitive", p, q, r)
		}
	})
}
