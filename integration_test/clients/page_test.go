package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// sources are the files of which the page shows parts, by the language of its
// blocks.
var sources = map[string]string{"caddyfile": "Caddyfile", "go": "*_test.go", "js": "npm/*.mjs", "python": "python/*.py"}

// TestPage holds docs/clients.md to what the tests run: each block of code is in
// one of the files here, as it stands there; a blank line in a block may leave
// out what is between.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 10 {
		t.Fatalf("the page has %d blocks of code, want at least 10", len(blocks))
	}
	for _, block := range blocks {
		pattern, known := sources[block[1]]
		if !known {
			t.Errorf("a block of %q: there are no tests in that language", block[1])
			continue
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		shows := func(file string) bool {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return outside.Shows(string(text), block[2])
		}
		if !slices.ContainsFunc(files, shows) {
			t.Errorf("no file %s has this block of docs/clients.md:\n%s", pattern, block[2])
		}
	}
}

// TestPageNamesVersions holds the table of the page to what is installed.
func TestPageNamesVersions(t *testing.T) {
	page, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	var npm struct{ Dependencies map[string]string }
	text, err := os.ReadFile("npm/package.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &npm); err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| \[(\S+)\]\(#\S+\) \| (v?[0-9.]+) \|`).FindAllStringSubmatch(string(page), -1)
	if len(rows) < 8 {
		t.Errorf("the table has %d clients with a version, want at least 8", len(rows))
	}
	for _, row := range rows {
		name, version := row[1], row[2]
		if strings.Contains(name, "/") {
			if want := moduleVersion(t, name); version != want {
				t.Errorf("%s: the page has %s, go.mod %s", name, version, want)
			}
		} else if want := npm.Dependencies[name]; version != want {
			t.Errorf("%s: the page has %s, npm/package.json %q", name, version, want)
		}
	}
}
