package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what was seen into the files in testdata")

// A file in testdata holds cases:
//
//	=== name
//	the configuration
//	---
//	what is expected of it
//
// What stands before the first case is a remark.

type textCase struct{ name, in, want string }

// runCases gives each case of the files to run and compares its answer.
func runCases(t *testing.T, glob string, run func(t *testing.T, in string) string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %s (%v)", glob, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		remark, cases := splitCases(t, file, string(data))
		out := new(strings.Builder)
		out.WriteString(remark)
		for _, c := range cases {
			got := c.want
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+c.name, func(t *testing.T) {
				got = run(t, c.in)
				if got != c.want && !*update {
					t.Errorf("%s: %s\n got: %s\nwant: %s", file, c.name, got, c.want)
				}
			})
			names = append(names, c.name)
			fmt.Fprintf(out, "=== %s\n%s---\n%s\n", c.name, c.in, got)
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return names
}

func splitCases(t *testing.T, file, text string) (remark string, cases []textCase) {
	t.Helper()
	remark, rest, _ := strings.Cut("\n"+text, "\n=== ")
	for part := range strings.SplitSeq(rest, "\n=== ") {
		name, body, _ := strings.Cut(part, "\n")
		in, want, ok := strings.Cut(body, "\n---\n")
		if !ok {
			t.Fatalf("%s: %s: no line with --- only", file, name)
		}
		cases = append(cases, textCase{name, in + "\n", strings.TrimRight(want, "\n")})
	}
	if remark = strings.TrimPrefix(remark, "\n"); remark != "" {
		remark += "\n"
	}
	return remark, cases
}

// placeOf is the file and the line that every error about a Caddyfile names.
var placeOf = regexp.MustCompile(`\bCaddyfile:\d+\b`)

// checkPlace holds an error to say where its mistake was written.
func checkPlace(t *testing.T, outcome string) {
	t.Helper()
	if strings.HasPrefix(outcome, "error: ") && !placeOf.MatchString(outcome) {
		t.Errorf("the error names no file and line: %s", outcome)
	}
}

// adapt turns a Caddyfile into JSON.
func adapt(text string) ([]byte, error) {
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return out, err
}

// world is where the configurations of a test keep their files: DIR in them.
type world struct{ dir string }

// newWorld makes a folder with everything that a configuration may name.
func newWorld(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Cleanup(func() {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // Not all have one.
		show(string(log))
	})
	return world{dir}
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) write(t *testing.T, name, text string) {
	t.Helper()
	hideFile(name, text)
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// config adapts a Caddyfile that names DIR.
func (w world) config(text string) (*caddy.Config, error) {
	data, err := adapt(strings.ReplaceAll(text, "DIR", w.dir))
	if err != nil {
		return nil, err
	}
	return parseConfig(data)
}

func parseConfig(data []byte) (*caddy.Config, error) {
	cfg := new(caddy.Config)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return cfg, dec.Decode(cfg)
}

// outcome describes a load: ok with its warnings, or the error.
func (w world) outcome(err error) string {
	if err != nil {
		show(err.Error())
		return "error: " + strings.ReplaceAll(err.Error(), w.dir, "DIR")
	}
	var lines []string
	for _, entry := range w.logged() {
		if entry["level"] == "warn" && (entry["logger"] == "scopegate" || entry["logger"] == "http.handlers.guard") {
			line := fmt.Sprintf("warning: %s", entry["msg"])
			for _, key := range []string{"site", "without", "guard"} {
				if v, ok := entry[key]; ok {
					line += fmt.Sprintf(" | %s: %v", key, v)
				}
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(append([]string{"ok"}, lines...), "\n")
}

// logged returns the entries of the log.
func (w world) logged() (entries []map[string]any) {
	data, _ := os.ReadFile(w.path("log"))
	for line := range strings.SplitSeq(string(data), "\n") {
		entry := map[string]any{}
		if json.Unmarshal([]byte(line), &entry) == nil {
			entries = append(entries, entry)
		}
	}
	return entries
}
