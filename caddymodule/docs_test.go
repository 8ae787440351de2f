package caddymodule

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocsHaveEveryWord takes the words of each block from the error that lists
// them, and looks for each in the code block or the table that is their reference.
func TestDocsHaveEveryWord(t *testing.T) {
	for _, c := range []struct{ page, section, inside string }{
		{"configuration.md", "", "scopegate {\n\tNONE"},
		{"configuration.md", "", "scopegate {\n\tservice a b {\n\t\tNONE"},
		{"configuration.md", "", "scopegate {\n\tclient abc {\n\t\tNONE"},
		{"configuration.md", "", "scopegate {\n\timpersonation {\n\t\tNONE"},
		{"federation.md", "", "scopegate {\n\tusers oidc https://idp.example.com {\n\t\tNONE"},
		{"stores.md", "store redis in the Caddyfile", "scopegate {\n\tstore redis {\n\t\tNONE"},
		{"stores.md", "store redis in the Caddyfile", "scopegate {\n\tstore redis {\n\t\ttls {\n\t\t\tNONE"},
	} {
		text, err := os.ReadFile("../docs/" + c.page)
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		if c.section != "" {
			_, page, _ = strings.Cut(page, "\n## "+c.section+"\n")
			page, _, _ = strings.Cut(page, "\n## ")
		}
		_, err = adapt("{\n" + c.inside + "\n" + strings.Repeat("}\n", strings.Count(c.inside, "{")+1))
		if err == nil {
			t.Fatalf("%q: got no error, want one that lists the words", c.inside)
		}
		_, list, _ := strings.Cut(err.Error(), `unrecognized "NONE"; expected `)
		list, _, _ = strings.Cut(list, ", at ")
		words := strings.Split(strings.ReplaceAll(list, " or ", ", "), ", ")
		if len(words) < 2 {
			t.Errorf("%q: got %v, want the words of the block", c.inside, err)
		}
		for _, word := range words {
			if !regexp.MustCompile("(?m)(^\t+|`)" + word + `\b`).MatchString(page) {
				t.Errorf("docs/%s, %s: nothing is said of %s", c.page, c.section, word)
			}
		}
	}
}

// TestDocsAdapt adapts every Caddyfile of the pages that show the directives.
// Those without a global option get one.
func TestDocsAdapt(t *testing.T) {
	block := regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	n := 0
	for _, page := range []string{"../docs/guard.md", "../docs/stores.md", "../docs/pages.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			config := found[1]
			if !strings.HasPrefix(config, "{") {
				config = "{\n\tscopegate {\n\t\tissuer https://auth.example.com\n\t}\n}\n" + config
			}
			if _, err := adapt(config); err != nil {
				t.Errorf("%s: %v\n%s", page, err, found[1])
			}
			n++
		}
	}
	if n < 7 {
		t.Errorf("got %d Caddyfiles, want at least 7", n)
	}
}
