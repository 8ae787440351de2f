package scopes_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

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
	services65 := make([]string, 65)
	for i := range services65 {
		services65[i] = fmt.Sprintf(`{"serviceDefinitionId":"%d","permissions":[{"permissionId":"p","resources":["x"]}]}`, i)
	}
	text = `{"servicesScopes":[` + strings.Join(services65, ",") + `]}`
	if s, err := scopes.ParseSet([]byte(text)); !errors.Is(err, scopes.ErrTooLarge) || !strings.Contains(err.Error(), "65 services") || !s.Empty() {
		t.Errorf("65 services: %v", err)
	}
	permissions := make([]string, 257)
	for i := range permissions {
		permissions[i] = fmt.Sprintf(`{"permissionId":"%d"}`, i)
	}
	text = `{"servicesScopes":[{"serviceDefinitionId":"s","permissions":[` + strings.Join(permissions, ",") + `]}]}`
	if _, err := scopes.ParseAsk([]byte(text)); !errors.Is(err, scopes.ErrTooLarge) || !strings.Contains(err.Error(), "257 entries") {
		t.Errorf("257 permissions: %v", err)
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

func TestVariableLimit(t *testing.T) {
	rule := func(n int) scopes.Rule {
		r := scopes.Rule{Access: scopes.AccessPermission, Method: "GET", AllOf: needs("p x")}
		for i := range n {
			r.Path += fmt.Sprintf("/{v%d}", i)
			r.AllOf[0].Resource += fmt.Sprintf("/{v%d}", i)
		}
		r.Path += "/{rest...}"
		r.AllOf[0].Resource += "/{rest...}"
		return r
	}
	if _, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{rule(17)}); err == nil || !strings.Contains(err.Error(), "more than 16 variables") {
		t.Errorf("got %v", err)
	}
	p, err := scopes.NewPolicy("s", []string{"p"}, nil, nil, []scopes.Rule{rule(16)})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := scopes.CanonicalPath("/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", scopes.RefuseEncodedSlash)
	d := p.Find("GET", path).Decide(scopes.Set{}, scopes.Set{}, scopes.Inputs{})
	if got := d.Missing()[0].Resource; got != "x/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h" {
		t.Errorf("got %s", got)
	}
}
