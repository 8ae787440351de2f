package scopes_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// vector is one line of a file in testdata.
type vector struct {
	at   string // file and line
	in   string // before " => "
	want string // after it
}

// vectors reads a file of testdata.
func vectors(t *testing.T, name string) []vector {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []vector
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v := vector{at: fmt.Sprintf("%s:%d", name, n), in: line}
		if i := strings.LastIndex(line, " => "); i >= 0 {
			v.in, v.want = strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+4:])
		}
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// fields parts a line at blanks; a field may be written as a Go string.
func fields(t *testing.T, at, line string) []string {
	t.Helper()
	var list []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '"' || line[0] == '`' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			list, line = append(list, text), line[len(quoted):]
			continue
		}
		field, rest, _ := strings.Cut(line, " ")
		list, line = append(list, field), rest
	}
	return list
}

// unquote reads a line that may be one Go string.
func unquote(t *testing.T, at, line string) string {
	t.Helper()
	if strings.HasPrefix(line, `"`) || strings.HasPrefix(line, "`") {
		return fields(t, at, line)[0]
	}
	return line
}

// check compares a result, or an error, with what the vector wants.
func (v vector) check(t *testing.T, got string, err error) {
	t.Helper()
	part, wantsError := strings.CutPrefix(v.want, "error: ")
	switch {
	case wantsError && err == nil:
		t.Errorf("%s: got %q, want an error with %q", v.at, got, part)
	case wantsError && !strings.Contains(err.Error(), part):
		t.Errorf("%s: got error %q, want one with %q", v.at, err, part)
	case !wantsError && err != nil:
		t.Errorf("%s: got error %q, want %q", v.at, err, v.want)
	case !wantsError && got != v.want:
		t.Errorf("%s: got %q, want %q", v.at, got, v.want)
	}
}

// held reads "SERVICE PERMISSION PATTERN, ..."; "-" is nothing.
func held(t testing.TB, at, text string) scopes.Set {
	t.Helper()
	var entries []scopes.Entry
	if text = strings.TrimSpace(text); text != "-" {
		for part := range strings.SplitSeq(text, ", ") {
			words := strings.Fields(part)
			if len(words) != 3 {
				t.Fatalf("%s: want SERVICE PERMISSION PATTERN, got %q", at, part)
			}
			p, err := scopes.ParsePattern(words[2])
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			entries = append(entries, scopes.Entry{Service: words[0], Permission: words[1], Resource: p})
		}
	}
	s, err := scopes.NewSet(entries...)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return s
}

// show writes a set the way that held reads it.
func show(s scopes.Set) string {
	if s.Empty() {
		return "-"
	}
	var list []string
	for _, e := range s.Entries() {
		list = append(list, e.Service+" "+e.Permission+" "+e.Resource.String())
	}
	return strings.Join(list, ", ")
}

func TestPatternVectors(t *testing.T) {
	for _, v := range vectors(t, "pattern.txt") {
		words := fields(t, v.at, v.in)
		switch words[0] {
		case "parse":
			p, err := scopes.ParsePattern(words[1])
			v.check(t, p.String(), err)
		case "literal":
			l, err := scopes.NewLiteral(words[1])
			if err == nil && l.String() != words[1] {
				t.Errorf("%s: got literal %q", v.at, l)
			}
			v.check(t, "ok", err)
		case "permission":
			service, permission, err := scopes.ParsePermission(words[1])
			if service == "" {
				service = `""`
			}
			v.check(t, service+" "+permission, err)
		case "covers", "meet":
			p, err := scopes.ParsePattern(words[1])
			if err != nil {
				t.Fatalf("%s: %v", v.at, err)
			}
			q, err := scopes.ParsePattern(words[2])
			if err != nil {
				v.check(t, "", err)
				continue
			}
			if words[0] == "covers" {
				got := "no"
				if p.Covers(q) {
					got = "yes"
				}
				v.check(t, got, nil)
				continue
			}
			for range 2 {
				got, ok := p.Meet(q)
				if text := got.String(); ok {
					v.check(t, text, nil)
				} else {
					v.check(t, "nothing", nil)
				}
				p, q = q, p
			}
		default:
			t.Fatalf("%s: unrecognized %q", v.at, words[0])
		}
	}
}

func TestSetVectors(t *testing.T) {
	for _, v := range vectors(t, "set.txt") {
		s, err := scopes.ParseSet([]byte(unquote(t, v.at, v.in)))
		v.check(t, show(s), err)
		if err != nil {
			if !s.Empty() {
				t.Errorf("%s: an error came with the set %q", v.at, show(s))
			}
			continue
		}
		again, err := scopes.ParseSet([]byte(s.Canonical()))
		if err != nil || !again.Equal(s) || again.Canonical() != s.Canonical() {
			t.Errorf("%s: %s was read as %s, %v", v.at, s.Canonical(), again.Canonical(), err)
		}
	}
}

func TestAskVectors(t *testing.T) {
	for _, v := range vectors(t, "ask.txt") {
		in, have, _ := strings.Cut(strings.TrimPrefix(v.in, "ask "), " | ")
		ask, err := scopes.ParseAsk([]byte(in))
		if err != nil {
			v.check(t, "", err)
			continue
		}
		granted, excess, err := ask.Resolve(held(t, v.at, have))
		got := show(granted)
		if len(excess) > 0 {
			if !granted.Empty() {
				t.Errorf("%s: granted %q in spite of an excess", v.at, got)
			}
			var list []string
			for _, e := range excess {
				if e.Resource == "" {
					e.Resource = "all"
				}
				list = append(list, e.Service+" "+e.Permission+" "+e.Resource)
			}
			got = "excess: " + strings.Join(list, ", ")
		}
		v.check(t, got, err)
	}
}

func TestPathVectors(t *testing.T) {
	for _, v := range vectors(t, "path.txt") {
		slash := scopes.RefuseEncodedSlash
		in, keep := strings.CutPrefix(v.in, "keep ")
		if keep {
			slash = scopes.KeepEncodedSlash
		}
		raw := unquote(t, v.at, in)
		p, err := scopes.CanonicalPath(raw, slash)
		if err != nil {
			if p != (scopes.Path{}) {
				t.Errorf("%s: an error came with the path %q", v.at, p.Raw())
			}
			v.check(t, "", err)
			continue
		}
		if strings.HasPrefix(v.want, "error: ") {
			v.check(t, p.Raw(), nil)
			continue
		}
		want := fields(t, v.at, v.want)
		if p.Raw() != want[0] || p.Decoded() != want[1] {
			t.Errorf("%s: got %q %q, want %q", v.at, p.Raw(), p.Decoded(), want)
		}
		if again, err := scopes.CanonicalPath(p.Raw(), slash); err != nil || again != p {
			t.Errorf("%s: the canonical path %q became %q, %v", v.at, p.Raw(), again.Raw(), err)
		}
		// To keep a slash changes nothing where there is none.
		if kept, err := scopes.CanonicalPath(raw, scopes.KeepEncodedSlash); err != nil || kept != p {
			t.Errorf("%s: with a kept slash it became %q, %v", v.at, kept.Raw(), err)
		}
	}
}
