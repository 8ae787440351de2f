package scopegate_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traps is how many the design counts.
const traps = 36

// docs/floor.md promises a test for each line and trap. What it names must be
// there, and what it does not name must be marked as not built.
func TestFloorPage(t *testing.T) {
	page, err := os.ReadFile("docs/floor.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, exists := goFiles(t)
	source := regexp.MustCompile("`([a-z_/]+\\.go)`")
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]*)`")
	rows, seen := 0, map[int]int{}
	for line := range strings.SplitSeq(string(page), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || cells[0] == "| line" || cells[0] == "| trap" {
			continue
		}
		rows++
		number, _, _ := strings.Cut(strings.TrimPrefix(cells[0], "| "), " ")
		if n, err := strconv.Atoi(number); err == nil {
			seen[n]++
		}
		found := name.FindAllStringSubmatch(cells[1], -1)
		for _, test := range found {
			if !exists[test[1]] {
				t.Errorf("%s: there is no %s", cells[0], test[1])
			}
		}
		for _, file := range source.FindAllStringSubmatch(cells[2], -1) {
			if !slices.ContainsFunc(sources, func(path string) bool { return strings.HasSuffix(path, "/"+file[1]) }) {
				t.Errorf("%s: there is no %s", cells[0], file[1])
			}
		}
		if len(found) == 0 && !strings.HasPrefix(cells[1], "not built: ") {
			t.Errorf("%s: got %q, want a test, or why there is none", cells[0], cells[1])
		}
	}
	for n := 1; n <= traps; n++ {
		if seen[n] != 1 {
			t.Errorf("trap %d has %d rows, want one", n, seen[n])
		}
	}
	if lines := rows - traps; lines < 30 {
		t.Errorf("got %d lines of the floor, want at least 30", lines)
	}
}

// goFiles returns the paths of all Go files of all modules here, and the names
// of the tests and fuzz targets in them.
func goFiles(t *testing.T) (paths []string, tests map[string]bool) {
	t.Helper()
	tests = map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if foreign(entry) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		paths = append(paths, "/"+filepath.ToSlash(path))
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths, tests
}

// foreign tells a folder that is not ours to read: git, npm and the tools make and
// remove folders in theirs whenever they like.
func foreign(entry fs.DirEntry) bool {
	return entry != nil && entry.IsDir() && (entry.Name() == "node_modules" || len(entry.Name()) > 1 && entry.Name()[0] == '.')
}

// Providers of caddyauth can only answer 401, and the success of any of them
// lets a request pass. The guard is a handler of its own.
func TestTrap14GuardIsAHandlerOfItsOwn(t *testing.T) {
	module := packages(t)[root+"/caddymodule"]
	for _, imported := range module.Imports {
		if under(imported, caddy+"/modules/caddyhttp/caddyauth") {
			t.Errorf("caddymodule imports %s", imported)
		}
	}
	if len(module.Imports) == 0 {
		t.Error("the package caddymodule is gone; change this test with it")
	}
}
