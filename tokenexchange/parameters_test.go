package tokenexchange

import (
	"slices"
	"strings"
	"testing"
)

// TestGrantsAndParameters sends each request of testdata/parameters.txt to a
// server of its own: every grant under every name, and every parameter with
// the values at its edges. `make test` prints the last line.
func TestGrantsAndParameters(t *testing.T) {
	table := readParameterTable(t)
	granted, refused := 0, 0
	for _, c := range table.cases {
		if c.granted() {
			granted++
		} else {
			refused++
		}
		t.Run(c.name(), func(t *testing.T) { c.run(t, table.requests[c.request]) })
	}
	grants, parameters := table.covered(t)
	generated := 0
	t.Run("generated", func(t *testing.T) { generated = table.misuse(t) + table.leaveEmpty(t) })
	t.Logf("grants and parameters: %d cases for %d grants and %d parameters: %d granted, %d refused, %d generated",
		granted+refused+generated, grants, parameters, granted, refused, generated)
}

// covered holds the sections against the names of the API that the table lists,
// and those that the server reads: each needs one case that is granted and two
// that are refused.
func (table *parameterTable) covered(t *testing.T) (grants, parameters int) {
	t.Helper()
	named := map[string][]string{
		"grant":     append([]string{exchangeGrant, grantAPIToken.name}, grantNames()...),
		"parameter": append(slices.Clone(readNames), grantBound...),
	}
	for kind, known := range named {
		for _, name := range table.seeds[kind] {
			if !slices.Contains(known, name) {
				t.Errorf("%s %s of the API: the server does not know it", kind, name)
			}
		}
		for _, name := range known {
			granted, refused := 0, 0
			for _, c := range table.cases {
				switch {
				case c.section != kind+" "+name:
				case c.granted():
					granted++
				default:
					refused++
				}
			}
			if granted < 1 || refused < 2 {
				t.Errorf("%s %s: %d cases are granted and %d are refused, want at least 1 and 2", kind, name, granted, refused)
			}
		}
		for _, c := range table.cases {
			if name, ok := strings.CutPrefix(c.section, kind+" "); ok && !slices.Contains(known, name) {
				t.Errorf("%s: the server does not know it", c.name())
			}
		}
	}
	if len(table.seeds["grant"]) == 0 || len(table.seeds["parameter"]) == 0 {
		t.Error("the table does not list the names of the API")
	}
	return len(named["grant"]), len(named["parameter"])
}

// misuse sends what no grant may take, for each name: a grant-bound parameter
// with a grant that does not have it, or under another spelling, and any
// parameter twice, or with a value of another JSON type.
func (table *parameterTable) misuse(t *testing.T) (cases int) {
	h := everyGrant(t)
	check := func(g got, reason, param string) {
		t.Helper()
		cases++
		g.refused(t, 400, "invalid_request", reason)
		if text, _ := g.body["error_description"].(string); !strings.HasSuffix(text, " ("+param+")") {
			t.Errorf("got %q, want it to name %s", text, param)
		}
	}
	for _, name := range grantBound {
		for request, accepted := range table.accepts {
			if !slices.Contains(accepted, name) {
				c := &parameterCase{request: request, send: name + "=v"}
				check(h.do(c.build(h, table.requests[request])), "parameter_misplaced", name)
			}
		}
		for _, miss := range nearMissesOf(name) {
			g := h.token("nightly", "grant_type", "client_credentials", miss, "v")
			check(g, "parameter_misspelt", nearMisses[fold(name)])
			if strings.Contains(g.raw, "("+miss) {
				t.Errorf("%s: the answer shows what was sent: %s", miss, g.raw)
			}
		}
	}
	for _, name := range append(slices.Clone(readNames), grantBound...) {
		check(h.do(form(pairs(name, "v", name, "v"))), "parameter_repeated", name)
		wrong := []string{`["v"]`, `true`, `false`}
		if name != "servicesPermissionsScopesDto" {
			wrong = append(wrong, `{"v":"v"}`)
		}
		if !slices.Contains(numbers, name) {
			wrong = append(wrong, `1`)
		}
		for _, value := range wrong {
			r := form(`{"` + name + `":` + value + `}`)
			r.Header.Set("Content-Type", "application/json")
			check(h.do(r), "parameter_type", name)
		}
	}
	return cases
}

// leaveEmpty sends each parameter without a value: it counts as absent, but for
// the two that would then ask for everything.
func (table *parameterTable) leaveEmpty(t *testing.T) (cases int) {
	h := everyGrant(t)
	for _, name := range append(slices.Clone(readNames), grantBound...) {
		switch name {
		case "grant_type", "allowed_resource_scope", "servicesPermissionsScopesDto":
			continue
		}
		cases++
		c := &parameterCase{request: "client_credentials", send: name + "="}
		if got, want := entriesOf(t, h.do(c.build(h, table.requests[c.request])).granted(t)), "shop/orders.read:orders/**,shop/orders.write:orders/eu/**"; got != want {
			t.Errorf("%s empty: got %s, want %s", name, got, want)
		}
	}
	return cases
}

// nearMissesOf spells a name as people do who write it from memory.
func nearMissesOf(name string) (misses []string) {
	var words []string // of snake_case and camelCase
	start := 0
	for i := 1; i <= len(name); i++ {
		if i == len(name) || name[i] == '_' || name[i] >= 'A' && name[i] <= 'Z' {
			words = append(words, strings.ToLower(strings.Trim(name[start:i], "_")))
			start = i
		}
	}
	title := func(w string) string { return strings.ToUpper(w[:1]) + w[1:] }
	pascal := ""
	for _, w := range words {
		pascal += title(w)
	}
	snake := strings.Join(words, "_")
	camel := strings.ToLower(pascal[:1]) + pascal[1:]
	for _, miss := range []string{
		snake, camel, pascal, strings.ToUpper(snake), strings.ToLower(pascal), strings.Join(words, "-"), strings.ToUpper(pascal),
		snake + "s", camel + "s", name + "s", "_" + name, name + "_",
	} {
		if !slices.Contains(grantBound, miss) && !slices.Contains(misses, miss) {
			misses = append(misses, miss)
		}
	}
	return misses
}
