package integration_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A story is what a document shows in its ```console blocks: lines that begin
// with "$ " are commands (a backslash at the end continues them, with "> " in
// front of the next line or without), the lines below are their output. In the
// output "..." stands for anything: alone on a line for any number of lines,
// within a line for any text. Blocks of other kinds are not run.
type step struct {
	line    int // where the command begins in the document
	command string
	want    []string
}

func parseStory(document string) ([]step, error) {
	var steps []step
	opened := 0 // the line of the fence that is open; 0: none
	story, continued := false, false
	for i, line := range strings.Split(strings.ReplaceAll(document, "\r\n", "\n"), "\n") {
		number := i + 1
		if info, fence := strings.CutPrefix(strings.TrimLeft(line, " "), "```"); fence {
			if continued {
				return nil, fmt.Errorf("line %d: the command of line %d is not complete", number, steps[len(steps)-1].line)
			}
			if opened > 0 {
				opened, story = 0, false
			} else {
				opened, story = number, strings.TrimSpace(info) == "console"
			}
			continue
		}
		if !story {
			continue
		}
		command, prompt := strings.CutPrefix(line, "$ ")
		switch {
		case continued:
			last := &steps[len(steps)-1]
			last.command += "\n" + strings.TrimPrefix(line, "> ")
			continued = strings.HasSuffix(line, `\`)
		case prompt:
			steps = append(steps, step{line: number, command: command})
			continued = strings.HasSuffix(line, `\`)
		case len(steps) == 0 || steps[len(steps)-1].line < opened:
			return nil, fmt.Errorf("line %d: output without a command in front of it: %q", number, line)
		default:
			steps[len(steps)-1].want = append(steps[len(steps)-1].want, line)
		}
	}
	if opened > 0 {
		return nil, fmt.Errorf("line %d: the block is never closed", opened)
	}
	for i := range steps {
		steps[i].want = trimBlank(steps[i].want)
	}
	return steps, nil
}

// trimBlank cuts empty lines off the end, which only separate commands.
func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// matchOutput compares and returns the number of lines of want that could be
// matched at most, which is where the two begin to differ.
func matchOutput(want, got []string) (matched int, ok bool) {
	if len(want) == 0 {
		return 0, len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "..." {
		for skip := range len(got) + 1 {
			n, ok := matchOutput(want[1:], got[skip:])
			matched = max(matched, n+1)
			if ok {
				return matched, true
			}
		}
		return matched, false
	}
	if len(got) == 0 || !matchLine(want[0], got[0]) {
		return 0, false
	}
	n, ok := matchOutput(want[1:], got[1:])
	return n + 1, ok
}

func matchLine(want, got string) bool {
	parts := strings.Split(strings.TrimRight(want, " \t"), "...")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`^` + strings.Join(parts, `.*`) + `$`).MatchString(strings.TrimRight(got, " \t\r"))
}

// differ explains a mismatch, "" if there is none.
func differ(want []string, output string) string {
	got := trimBlank(strings.Split(output, "\n"))
	matched, ok := matchOutput(want, got)
	if ok {
		return ""
	}
	var text strings.Builder
	text.WriteString("documented:\n")
	for i, line := range want {
		mark := "  "
		if i == matched {
			mark = "> "
		}
		text.WriteString(mark + line + "\n")
	}
	if matched >= len(want) {
		text.WriteString("> (no further output)\n")
	}
	text.WriteString("printed:\n")
	for _, line := range got {
		text.WriteString("  " + line + "\n")
	}
	return text.String()
}

func TestParseStory(t *testing.T) {
	document := strings.ReplaceAll(`# Title
~~~sh
$ not run
~~~
~~~console
$ one
out 1

out 2

$ two \
>   more \
  still
~~~
text
  ~~~ console
$ three
...
~~~
`, "~~~", "```")
	steps, err := parseStory(document)
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{6, "one", []string{"out 1", "", "out 2"}},
		{11, "two \\\n  more \\\n  still", nil},
		{17, "three", []string{"..."}},
	}
	if diff := cmp.Diff(want, steps, cmp.AllowUnexported(step{})); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestParseStoryErrors(t *testing.T) {
	cases := []struct{ name, document, want string }{
		{"never closed", "text\n```console\n$ a\n", "line 2: the block is never closed"},
		{"output first", "```console\nout\n```\n", "line 2: output without a command"},
		{"output first in the second block", "```console\n$ a\n```\n\n```console\nout\n```\n", "line 6: output without a command"},
		{"cut short", "```console\n$ a \\\n```\n", "line 3: the command of line 2 is not complete"},
	}
	for _, c := range cases {
		if _, err := parseStory(c.document); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestDiffer(t *testing.T) {
	cases := []struct {
		name, want, got string
		same            bool
	}{
		{"equal", "a\nb", "a\nb\n", true},
		{"nothing", "", "", true},
		{"blanks at the end", "a", "a  \n\n", true},
		{"any text in a line", `{"id":"...","ok":true}`, `{"id":"x.y","ok":true}`, true},
		{"any text twice", "a...c...e", "abcde", true},
		{"any lines", "a\n...\nz", "a\nb\nc\nz\n", true},
		{"no lines are any lines", "a\n...\nz", "a\nz\n", true},
		{"anything", "...", "a\nb\n", true},
		{"any lines, the first end is not the last", "...\nz\n...\nend", "z\nz\nx\nend\n", true},
		{"a dot is a dot", "a.c", "abc", false},
		{"other text", "a", "b", false},
		{"too much", "a", "a\nb", false},
		{"too little", "a\nb", "a", false},
		{"something for nothing", "", "a", false},
		{"missing after any lines", "a\n...\nz", "a\nb\n", false},
		{"prefix only", "ab", "abc", false},
	}
	for _, c := range cases {
		want := trimBlank(strings.Split(c.want, "\n"))
		if diff := differ(want, c.got); (diff == "") != c.same {
			t.Errorf("%s: got %q, want same %v", c.name, diff, c.same)
		}
	}
	diff := differ([]string{"a", "b", "c"}, "a\nx\nc\n")
	if want := "documented:\n  a\n> b\n  c\nprinted:\n  a\n  x\n  c\n"; diff != want {
		t.Errorf("got %q, want %q", diff, want)
	}
}
