package tokenexchange

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// cell is one question of the matrix.
type cell struct{ grant, actor, subject, caller string }

// said is what one place of the table says of cells.
type said struct {
	line  int
	want  string
	found bool // a cell was answered by it
}

// table is testdata/provenance.txt. What names both tokens of a cell goes
// before what names the subject alone, and that before what names the actor.
type table struct {
	levels [4]map[cell]*said
	all    []*said
}

// asWithout stands for what the table says of the same cell without an actor.
const asWithout = "as without"

// find returns what the table says of a cell, "" for nothing.
func (tab *table) find(c cell) string {
	for level := len(tab.levels) - 1; level >= 0; level-- {
		if s := tab.levels[level][c]; s != nil {
			s.found = true
			if s.want == asWithout {
				c.actor = "none"
				return tab.find(c)
			}
			return s.want
		}
	}
	return ""
}

// section is where the reader of a table is.
type section struct {
	grants  []string
	names   []string // of the tokens that the header names
	by      string   // "subject" or "actor": what the first column names
	columns []string
}

// readTable reads the table. It returns an error for each name that is not
// among those that the test has.
func readTable(t *testing.T, path string, names map[string][]string) *table {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tab, in, open := &table{}, section{}, (*[]string)(nil)
	for i := range tab.levels {
		tab.levels[i] = map[cell]*said{}
	}
	for n, line := range strings.Split(string(data), "\n") {
		what, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "== "):
			in, open = section{grants: []string{line[3:]}}, &in.grants
		case line[0] == ' ' && (what == "actor" || what == "subject"):
			in.names, open = split(rest, ";"), &in.names
			in.by = map[string]string{"actor": "subject", "subject": "actor"}[what]
		case line[0] == ' ':
			*open = append(*open, split(line, ";")...)
		case in.columns == nil:
			in.columns = split(line, "|")[1:]
			tab.known(t, n+1, names, map[string][]string{"grant": in.grants, "caller": in.columns})
		default:
			tab.row(t, n+1, names, in, split(line, "|"))
		}
	}
	return tab
}

// split returns the parts of a line, without the blanks around them. One that
// ends a line may be empty.
func split(line, by string) (parts []string) {
	for _, part := range strings.Split(line, by) {
		parts = append(parts, strings.TrimSpace(part))
	}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" && by == ";" })
}

// known reports what is in no list of the test.
func (tab *table) known(t *testing.T, line int, names, used map[string][]string) {
	t.Helper()
	for what, list := range used {
		for _, name := range list {
			if name != "every" && !slices.Contains(names[what], name) {
				t.Errorf("line %d: no %s is called %q", line, what, name)
			}
		}
	}
}

// row enters one row of cells for all that it and its section name.
func (tab *table) row(t *testing.T, line int, names map[string][]string, in section, cells []string) {
	t.Helper()
	used := map[string][]string{in.by: {cells[0]}, map[string]string{"subject": "actor", "actor": "subject"}[in.by]: in.names}
	level := 0
	for weight, what := range []string{1: "actor", 2: "subject"} {
		if list := used[what]; slices.Equal(list, []string{"every"}) {
			used[what] = names[what]
		} else if what != "" {
			level += weight
			used[what] = eMails(list, names["subject"])
		}
	}
	tab.known(t, line, names, used)
	if len(cells) != 2 && len(cells) != len(in.columns)+1 {
		t.Fatalf("line %d: got %d cells, want 1 or %d", line, len(cells)-1, len(in.columns))
	}
	s := &said{}
	for i, caller := range in.columns {
		if len(cells) > 2 || i == 0 { // One cell is for all columns.
			s = &said{line: line, want: cells[i+1]}
			tab.all = append(tab.all, s)
		}
		if s.want == "" {
			s.found = true
			continue
		}
		for _, grant := range in.grants {
			for _, actor := range used["actor"] {
				for _, subject := range used["subject"] {
					c := cell{grant, actor, subject, caller}
					if other := tab.levels[level][c]; other != nil {
						t.Errorf("lines %d and %d both say what %v is", other.line, line, c)
					}
					tab.levels[level][c] = s
				}
			}
		}
	}
}

// eMails puts all subjects that are e-mail addresses in the place of the word
// for them.
func eMails(list, subjects []string) (out []string) {
	for _, name := range list {
		for _, subject := range subjects {
			if name == "e-mails" && strings.HasSuffix(subject, "e-mail") || name == "other e-mails" && strings.HasSuffix(subject, "e-mail") && subject != "customer's e-mail" {
				out = append(out, subject)
			}
		}
		if name != "e-mails" && name != "other e-mails" {
			out = append(out, name)
		}
	}
	return out
}
